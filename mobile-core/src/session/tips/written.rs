//! Writing, withdrawing, 「試してよかった」 and reporting: commands in the outbox, shown at once and sent when there is a network.

use taiwa_shared::{
    domain::{
        catalog::ResponseSlug,
        command::Action,
        tip::{Byline, MAX_AUTHOR_GRAPHEMES, MAX_TIP_GRAPHEMES, NewTip, TipFault, TipTopic, letters},
        tip_warning::{Warning, tip_warnings},
    },
    ids::TipId,
    protocol::tips::Tip,
};

use super::super::{Session, SessionError, notebook::random, outbox::Decision, roster::Roster};
use crate::store::CommandAbout;

/// A tip as somebody writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTipText {
    /// One paragraph of at most 140 letters.
    pub text: String,
    /// What it is for.
    pub topic: TipTopic,
    /// Which response it is for, or `undecided`.
    pub response: ResponseSlug,
    /// Who it says it is from.
    pub byline: Byline,
    /// Whether it may be offered to other companies.
    pub outside: bool,
}

impl Session {
    /// Tells other managers what worked; the answer is its id. Its author sees it at once.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person manages nobody, [`SessionError::TooLong`], [`SessionError::NotOneLine`],
    /// [`SessionError::Implausible`] without a text, [`SessionError::StorageFull`].
    pub async fn write_tip(&self, tip: NewTipText) -> Result<TipId, SessionError> {
        let NewTipText { text, topic, response, byline, outside } = tip;
        let id = TipId::new(self.core.now(), random());
        let tip = NewTip { id, text, topic, response, byline, outside }.tidied();
        tip.check().map_err(|fault| fault_of(fault, &tip))?;
        self.give_about_tips(Action::WriteTip { tip }).await?;
        Ok(id)
    }

    /// Takes an own tip back, everywhere.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] if it is not this person's or not on this phone.
    pub async fn withdraw_tip(&self, tip: TipId) -> Result<(), SessionError> {
        self.tip_here(tip).await?.filter(|known| known.mine.is_some()).ok_or(SessionError::NotFound)?;
        self.give_about_tips(Action::WithdrawTip { tip }).await
    }

    /// 「試してよかった」, or takes it back. However often it is said, it counts once.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person manages nobody, [`SessionError::StorageFull`].
    pub async fn set_tip_helped(&self, tip: TipId, helped: bool) -> Result<(), SessionError> {
        if self.tip_here(tip).await?.is_some_and(|known| known.helped_me == helped) {
            return Ok(());
        }
        self.give_about_tips(Action::TipHelped { tip, helped }).await
    }

    /// Reports a tip that names somebody or should not stand there.
    ///
    /// # Errors
    /// As [`Self::set_tip_helped`].
    pub async fn report_tip(&self, tip: TipId) -> Result<(), SessionError> {
        let shelf = self.core.store.shelf().await?;
        if self.on_shelf(shelf).await?.reported.contains(&tip) {
            return Ok(());
        }
        self.give_about_tips(Action::ReportTip { tip }).await
    }

    /// What in a text may name somebody: by simple rules and the names on this phone. It forbids nothing.
    pub fn tip_warnings(&self, text: &str) -> Vec<Warning> {
        tip_warnings(text, &self.core.roster().other_names(self.me()))
    }

    async fn tip_here(&self, tip: TipId) -> Result<Option<Tip>, SessionError> {
        let shelf = self.core.store.shelf().await?;
        Ok(self.on_shelf(shelf).await?.tips.into_iter().find(|known| known.id == tip))
    }

    async fn give_about_tips(&self, action: Action) -> Result<(), SessionError> {
        let me = self.me();
        let decide = move |roster: &Roster, _| {
            if !roster.is_manager(me) {
                return Err(SessionError::NoAccess);
            }
            Ok(Decision::give(action, CommandAbout::default()))
        };
        self.outbox.decide(decide).await
    }
}

fn fault_of(fault: TipFault, tip: &NewTip) -> SessionError {
    match fault {
        TipFault::Empty => SessionError::Implausible("the tip"),
        TipFault::TooLong => SessionError::TooLong { limit: MAX_TIP_GRAPHEMES, length: letters(&tip.text) },
        TipFault::LineTooLong => {
            let length = letters(tip.byline.line().unwrap_or_default());
            SessionError::TooLong { limit: MAX_AUTHOR_GRAPHEMES, length }
        }
        TipFault::NotOneParagraph => SessionError::NotOneLine,
    }
}

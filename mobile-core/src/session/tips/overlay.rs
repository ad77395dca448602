//! The shelf as this person sees it: what the server gave last, and over it what they have asked for since. Pure.

use std::collections::HashSet;

use taiwa_shared::{
    domain::{
        command::Action,
        tip::{Byline, NewTip},
    },
    ids::TipId,
    protocol::tips::{Offered, Tip, TipScope},
    time::Timestamp,
};

use super::super::{Session, SessionError};
use crate::store::{PulledShelf, StoredCommand};

/// The tips of people on this phone.
#[derive(Debug, Default)]
pub(super) struct OnShelf {
    /// Own ones that are not among the others first, the newest in front; then in the server's order.
    pub(super) tips: Vec<Tip>,
    /// Those that the server does not have yet.
    pub(super) waiting: HashSet<TipId>,
    /// Those that this person has reported.
    pub(super) reported: HashSet<TipId>,
    /// Whether there are any from outside.
    pub(super) outside: bool,
}

impl Session {
    pub(super) async fn on_shelf(&self, shelf: Option<PulledShelf>) -> Result<OnShelf, SessionError> {
        let commands = self.core.store.commands().await?;
        Ok(laid_over(shelf, &commands, &self.core.roster().name(self.me())))
    }
}

/// Lays what was asked for over the shelf; what was answered before the shelf was pulled is in it already, and what was
/// refused changes nothing.
pub(super) fn laid_over(shelf: Option<PulledShelf>, commands: &[StoredCommand], my_name: &str) -> OnShelf {
    let pulled = shelf.as_ref().map(|shelf| shelf.at);
    let mut on_shelf = OnShelf::default();
    if let Some(PulledShelf { tips, .. }) = shelf {
        on_shelf.outside = tips.outside;
        on_shelf.tips = tips.own.into_iter().filter(|own| tips.tips.iter().all(|tip| tip.id != own.id)).collect();
        on_shelf.tips.sort_by_key(|tip| std::cmp::Reverse((tip.written, tip.id)));
        on_shelf.tips.extend(tips.tips);
    }
    for command in commands.iter().filter(|command| command.refusal().is_none()) {
        let is_news = command.answer.as_ref().is_none_or(|answer| pulled.is_none_or(|pulled| answer.at >= pulled));
        on_shelf.lay(command, is_news, my_name);
    }
    on_shelf
}

impl OnShelf {
    fn lay(&mut self, command: &StoredCommand, is_news: bool, my_name: &str) {
        match &command.action {
            // The server never says again what was reported.
            Action::ReportTip { tip } => {
                self.reported.insert(*tip);
            }
            Action::WriteTip { tip } if is_news => {
                if command.answer.is_none() {
                    self.waiting.insert(tip.id);
                }
                if self.tips.iter().all(|known| known.id != tip.id) {
                    self.tips.insert(0, written(tip, command.made, my_name, self.outside));
                }
            }
            Action::WithdrawTip { tip } if is_news => self.tips.retain(|known| known.id != *tip),
            Action::TipHelped { tip, helped } if is_news => {
                for known in self.tips.iter_mut().filter(|known| known.id == *tip) {
                    known.helped_me = *helped;
                }
            }
            _ => {}
        }
    }
}

/// An own tip as it will be read.
fn written(tip: &NewTip, made: Timestamp, my_name: &str, outside: bool) -> Tip {
    let byline = match &tip.byline {
        Byline::None => None,
        Byline::Line(line) => Some(line.clone()),
        Byline::Name => Some(my_name.to_owned()),
    };
    Tip {
        id: tip.id,
        text: tip.text.clone(),
        topic: tip.topic.clone(),
        response: tip.response.clone(),
        byline,
        scope: TipScope::Company,
        written: made,
        helped: None,
        helped_me: false,
        mine: Some(if tip.outside && outside { Offered::Waiting } else { Offered::No }),
    }
}

//! The notebook of a pair: promises, what to keep in mind until next time, points for the next agenda.

use taiwa_shared::{
    documents::notebook::{self, NewPromise},
    domain::ownership::DocumentKey,
    ids::{AgendaId, IntentionId, MeetingId, PairId, PromiseId, UserId},
    time::Timestamp,
};

use super::{
    Session, SessionError,
    brief::is_done,
    desk::Target,
    summary::{self, Content},
};

/// A promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromiseItem {
    /// Which.
    pub id: PromiseId,
    /// Of which pair.
    pub pair: PairId,
    /// Name of the other person.
    pub partner_name: String,
    /// What; several where both changed it at the same time, the one shown first in front.
    pub texts: Vec<String>,
    /// Who does it; several as above.
    pub who: Vec<UserId>,
    /// Whether the reader does it.
    pub mine: bool,
    /// Whether it is done; not while the two disagree.
    pub done: bool,
    /// Whether one ticked it while the other opened it again.
    pub done_disagrees: bool,
    /// The meeting it was made in.
    pub meeting: Option<MeetingId>,
    /// When it was written down.
    pub created: Timestamp,
}

/// 次回までに意識すること.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentionItem {
    /// Which.
    pub id: IntentionId,
    /// Of which pair.
    pub pair: PairId,
    /// Name of the other person.
    pub partner_name: String,
    /// What; several where two devices changed it at the same time.
    pub texts: Vec<String>,
    /// Whether it is the reader's.
    pub mine: bool,
    /// Whether it is over.
    pub ended: bool,
    /// The meeting it was made in.
    pub meeting: Option<MeetingId>,
    /// When it was written down.
    pub created: Timestamp,
}

/// A point for the next agenda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgendaLine {
    /// Which.
    pub id: AgendaId,
    /// What; several where both changed it at the same time.
    pub texts: Vec<String>,
    /// Who wants to talk about it.
    pub who: UserId,
    /// Whether it is the reader's.
    pub mine: bool,
    /// When it was written down.
    pub created: Timestamp,
}

impl Session {
    /// All promises of all pairs, done ones too, oldest first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn promises(&self) -> Result<Vec<PromiseItem>, SessionError> {
        let mut items = Vec::new();
        self.each_notebook(|pair, partner_name, content| {
            let Content::Notebook { promises, .. } = content else { return };
            items.extend(promises.iter().map(|line| self.promise_item(pair, partner_name, line)));
        })
        .await?;
        items.sort_by_key(|item| (item.created, item.id));
        Ok(items)
    }

    /// All intentions of all pairs, ended ones too, oldest first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn intentions(&self) -> Result<Vec<IntentionItem>, SessionError> {
        let mut items = Vec::new();
        self.each_notebook(|pair, partner_name, content| {
            let Content::Notebook { intentions, .. } = content else { return };
            items.extend(intentions.iter().map(|line| IntentionItem {
                id: line.id,
                pair,
                partner_name: partner_name.to_owned(),
                texts: line.text.all().to_vec(),
                mine: line.who == self.me(),
                ended: line.ended,
                meeting: line.meeting,
                created: line.created,
            }));
        })
        .await?;
        items.sort_by_key(|item| (item.created, item.id));
        Ok(items)
    }

    /// The points for the next agenda of a pair.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn agenda(&self, pair: PairId) -> Result<Vec<AgendaLine>, SessionError> {
        let mut items = Vec::new();
        self.each_notebook(|of, _, content| {
            let Content::Notebook { agenda, .. } = content else { return };
            items.extend(agenda.iter().filter(|_| of == pair).map(|line| AgendaLine {
                id: line.id,
                texts: line.text.all().to_vec(),
                who: line.who,
                mine: line.who == self.me(),
                created: line.created,
            }));
        })
        .await?;
        Ok(items)
    }

    /// Writes a promise down.
    ///
    /// # Errors
    /// [`SessionError::TooLong`], [`SessionError::NoAccess`].
    pub async fn add_promise(
        &self,
        pair: PairId,
        who: UserId,
        text: String,
        meeting: Option<MeetingId>,
    ) -> Result<PromiseId, SessionError> {
        let (now, id) = (self.core.now(), PromiseId::new(self.core.now(), random()));
        self.edit_notebook(pair, move |replica| {
            notebook::add_promise(replica, &NewPromise { id, text: &text, who, meeting }, now)
        })
        .await?;
        Ok(id)
    }

    /// Ticks a promise.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::NoAccess`].
    pub async fn tick_promise(&self, pair: PairId, id: PromiseId) -> Result<(), SessionError> {
        let now = self.core.now();
        self.edit_notebook(pair, move |replica| notebook::set_promise_done(replica, id, true, now)).await
    }

    /// Opens a promise again.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::NoAccess`].
    pub async fn reopen_promise(&self, pair: PairId, id: PromiseId) -> Result<(), SessionError> {
        let now = self.core.now();
        self.edit_notebook(pair, move |replica| notebook::set_promise_done(replica, id, false, now)).await
    }

    /// Changes what was promised.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::TooLong`].
    pub async fn set_promise_text(&self, pair: PairId, id: PromiseId, text: String) -> Result<(), SessionError> {
        let now = self.core.now();
        self.edit_notebook(pair, move |replica| notebook::set_promise_text(replica, id, &text, now)).await
    }

    /// Takes a promise away.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn delete_promise(&self, pair: PairId, id: PromiseId) -> Result<(), SessionError> {
        let now = self.core.now();
        self.edit_notebook(pair, move |replica| notebook::delete_promise(replica, id, now)).await
    }

    /// Writes down what the reader keeps in mind until next time.
    ///
    /// # Errors
    /// [`SessionError::TooLong`], [`SessionError::NotOneLine`].
    pub async fn add_intention(
        &self,
        pair: PairId,
        text: String,
        meeting: Option<MeetingId>,
    ) -> Result<IntentionId, SessionError> {
        let (now, me, id) = (self.core.now(), self.me(), IntentionId::new(self.core.now(), random()));
        self.edit_notebook(pair, move |replica| notebook::add_intention(replica, id, me, &text, meeting, now)).await?;
        Ok(id)
    }

    /// Ends an intention.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn end_intention(&self, pair: PairId, id: IntentionId) -> Result<(), SessionError> {
        let now = self.core.now();
        self.edit_notebook(pair, move |replica| notebook::end_intention(replica, id, now)).await
    }

    /// Puts a point on the next agenda.
    ///
    /// # Errors
    /// [`SessionError::TooLong`].
    pub async fn add_agenda(&self, pair: PairId, text: String) -> Result<AgendaId, SessionError> {
        let (now, me, id) = (self.core.now(), self.me(), AgendaId::new(self.core.now(), random()));
        self.edit_notebook(pair, move |replica| notebook::add_agenda(replica, id, me, &text, now)).await?;
        Ok(id)
    }

    /// Takes a point off the agenda.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn delete_agenda(&self, pair: PairId, id: AgendaId) -> Result<(), SessionError> {
        let now = self.core.now();
        self.edit_notebook(pair, move |replica| notebook::delete_agenda(replica, id, now)).await
    }

    async fn edit_notebook<T: Send + 'static>(
        &self,
        pair: PairId,
        edit: impl FnOnce(&mut taiwa_shared::documents::Replica) -> Result<T, taiwa_shared::documents::DocumentError>
        + Send
        + 'static,
    ) -> Result<T, SessionError> {
        self.desk.edit(Target::of_pair(DocumentKey::Notebook { pair }), edit).await
    }

    async fn each_notebook(&self, mut look: impl FnMut(PairId, &str, &Content)) -> Result<(), SessionError> {
        let roster = self.core.roster();
        let pairs = roster.pairs_of(self.me());
        self.renew_summaries(pairs.iter().map(|pair| DocumentKey::Notebook { pair: pair.id })).await?;
        for pair in pairs {
            let Some(summary) = self.summary(&DocumentKey::Notebook { pair: pair.id }) else { continue };
            let partner = pair.partner_of(self.me()).map(|partner| roster.name(partner)).unwrap_or_default();
            look(pair.id, &partner, &summary.content);
        }
        Ok(())
    }

    fn promise_item(&self, pair: PairId, partner_name: &str, line: &summary::PromiseLine) -> PromiseItem {
        PromiseItem {
            id: line.id,
            pair,
            partner_name: partner_name.to_owned(),
            texts: line.text.all().to_vec(),
            who: line.who.all().to_vec(),
            mine: line.who.first() == Some(&self.me()),
            done: is_done(&line.done),
            done_disagrees: line.done.all().len() > 1,
            meeting: line.meeting,
            created: line.created,
        }
    }
}

pub(super) fn random() -> [u8; 10] {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    random
}

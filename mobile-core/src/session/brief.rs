//! The brief: what the manager reads in the ten seconds before.

use taiwa_shared::{
    domain::{
        brief::{self, BriefInput, OpenPromise},
        ownership::{Access, DocumentKey},
        people::Side,
    },
    ids::MeetingId,
};

use super::{
    Session, SessionError,
    summary::{Content, PromiseLine, Values},
};

impl Session {
    /// The brief of a meeting, from what this phone holds; either side may look at it. That alone tells the member nothing:
    /// [`Self::brief_shown`] does.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if the meeting is not known or not this person's.
    pub async fn brief(&self, meeting: MeetingId) -> Result<brief::Brief, SessionError> {
        let meeting = self.meeting_of(meeting)?;
        let roster = self.core.roster();
        let pair = roster.pair(meeting.pair).ok_or(SessionError::NoAccess)?;
        let side = pair.side_of(self.me()).ok_or(SessionError::NoAccess)?;
        let prep = DocumentKey::Prep { pair: pair.id, meeting: meeting.id };
        let notebook = DocumentKey::Notebook { pair: pair.id };
        self.renew_summaries([prep, notebook]).await?;
        if self.core.access(&prep) == Access::None {
            return Err(SessionError::NoAccess);
        }
        let prepared = self.summary(&prep);
        let topics = prepared.as_ref().map(|summary| summary.topics());
        let is_receipt_due = side == Side::Manager && topics.as_ref().is_some_and(|topics| !topics.is_empty());
        let heads = prepared.and_then(|summary| summary.made_of).filter(|_| is_receipt_due);
        self.core.note_brief(meeting.id, heads);
        let promises = self.open_promises(&notebook);
        let (pinned, shared) = match side {
            Side::Manager => (self.pinned_to(&meeting).await?, self.shared_tips().await?),
            Side::Member => (Vec::new(), Vec::new()),
        };
        Ok(brief::brief(
            self.core.catalog(),
            &BriefInput {
                meeting: &meeting,
                member_name: &roster.name(pair.member),
                prep: topics.as_deref(),
                last_exchange: self.last_exchange().await?,
                promises: &promises,
                pinned: &pinned,
                shared: &shared,
                zone: &self.core.zone,
                now: self.core.now(),
                language: self.core.language,
            },
        ))
    }

    /// The brief that was loaded last was on the screen, in front of the person, for two seconds. The manager's phone tells
    /// the member so, once for each state of the preparation and by a command in the outbox; nothing else gives this
    /// receipt, so that a brief loaded for a widget, ahead of time or behind another app claims nothing.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if the meeting is not known or its pair has ended, [`SessionError::StorageFull`].
    pub async fn brief_shown(&self, meeting: MeetingId) -> Result<(), SessionError> {
        let meeting = self.meeting_of(meeting)?;
        match self.core.noted_brief(meeting.id) {
            Some(heads) => self.give_receipt(&meeting, heads).await,
            None => Ok(()),
        }
    }

    /// The meeting whose brief a notification opens: the one of this manager that starts nearest to now.
    pub fn nearest_meeting(&self) -> Option<MeetingId> {
        let now = self.core.now();
        let upcoming = self.core.roster().upcoming(self.me(), now);
        upcoming.iter().find(|(_, side)| *side == Side::Manager).or(upcoming.first()).map(|(meeting, _)| meeting.id)
    }

    fn open_promises(&self, notebook: &DocumentKey) -> Vec<OpenPromise> {
        let Some(summary) = self.summary(notebook) else { return Vec::new() };
        let Content::Notebook { promises, .. } = &summary.content else { return Vec::new() };
        let mut open: Vec<&PromiseLine> = promises.iter().filter(|promise| !is_done(&promise.done)).collect();
        open.sort_by_key(|promise| std::cmp::Reverse(promise.created));
        let promise = |line: &&PromiseLine| {
            Some(OpenPromise { text: line.text.first()?.clone(), by_reader: line.who.first() == Some(&self.me()) })
        };
        open.iter().filter_map(promise).collect()
    }
}

/// A promise that one person ticked while the other opened it again counts as open.
pub(super) fn is_done(done: &Values<bool>) -> bool {
    !done.all().is_empty() && done.all().iter().all(|done| *done)
}

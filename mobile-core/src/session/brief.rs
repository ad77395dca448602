//! The brief: what the manager reads in the ten seconds before.

use taiwa_shared::{
    domain::{
        brief::{self, BriefInput, OpenPromise},
        ownership::DocumentKey,
        people::Side,
    },
    ids::MeetingId,
};

use super::{
    Session, SessionError,
    summary::{Content, PromiseLine, Values},
};

impl Session {
    /// The brief of a meeting, from what this phone holds; either side may look at it. The member learns that the manager
    /// has, by a command in the outbox.
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
        let topics = self.summary(&prep).map(|summary| summary.topics());
        self.note_brief_seen(&meeting, side).await;
        let promises = self.open_promises(&notebook);
        Ok(brief::brief(
            self.core.catalog(),
            &BriefInput {
                meeting: &meeting,
                member_name: &roster.name(pair.member),
                prep: topics.as_deref(),
                last_exchange: self.last_exchange().await?,
                promises: &promises,
                zone: &self.core.zone,
                now: self.core.now(),
                language: self.core.language,
            },
        ))
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

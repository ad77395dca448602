//! Home: the next 1on1s with what is to be talked about, open promises, what to keep in mind, what waits.

use std::{collections::HashSet, sync::Arc};

use taiwa_shared::{
    domain::{
        brief::local_time,
        meeting::Meeting,
        ownership::DocumentKey,
        people::{PairState, Side},
    },
    ids::{MeetingId, PairId, UserId},
    time::Timestamp,
};

use super::{
    IntentionItem, PromiseItem, SaveState, Session, SessionError, TopicChoice,
    desk::is_current,
    summary::{Content, Summary},
};

/// How far the member's preparation is, as far as this phone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreparationState {
    /// The member has not begun (only the member's own phone says so).
    NotBegun,
    /// The member has chosen something and not said これで伝える.
    Draft,
    /// What is shown has been told to the manager.
    Published,
    /// The draft is newer than what the manager was told.
    ChangedSincePublished,
    /// Nothing has reached this phone; that does not mean that nothing was prepared.
    NotArrived,
}

/// A meeting to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpcomingMeeting {
    /// Which.
    pub meeting: MeetingId,
    /// Of which pair.
    pub pair: PairId,
    /// The other person.
    pub partner: UserId,
    /// Their name.
    pub partner_name: String,
    /// The side of the reader.
    pub side: Side,
    /// When it starts.
    pub starts: Timestamp,
    /// The same as people say it: 「今日 10:00」.
    pub when: String,
    /// How far the preparation is.
    pub preparation: PreparationState,
    /// What is to be talked about; for the member the draft, for the manager what was published.
    pub topics: Vec<TopicChoice>,
}

/// The home screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The next meeting.
    pub next: Option<UpcomingMeeting>,
    /// All meetings of the next four weeks, the next one too.
    pub upcoming: Vec<UpcomingMeeting>,
    /// Open promises of all pairs, the reader's own first.
    pub promises: Vec<PromiseItem>,
    /// What the reader keeps in mind until next time.
    pub intentions: Vec<IntentionItem>,
    /// Where the reader's edits are.
    pub state: SaveState,
    /// Cards 「送れなかった入力」 that wait for a decision.
    pub refused_edits: u32,
}

/// A person to hold 1on1s with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairItem {
    /// The pair.
    pub pair: PairId,
    /// The other person.
    pub partner: UserId,
    /// Their name.
    pub partner_name: String,
    /// Their workplace.
    pub partner_site: Option<String>,
    /// The side of the reader.
    pub side: Side,
    /// Whether the pair still meets.
    pub state: PairState,
}

/// A meeting with a memo on this phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMeeting {
    /// Which.
    pub meeting: MeetingId,
    /// When it was, if the phone knows.
    pub starts: Option<Timestamp>,
    /// The same as people say it.
    pub when: Option<String>,
    /// How the memo begins.
    pub excerpt: String,
}

impl Session {
    /// The home screen.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn home(&self) -> Result<Home, SessionError> {
        let upcoming = self.upcoming().await?;
        let mut promises = self.promises().await?;
        promises.retain(|promise| !promise.done);
        promises.sort_by_key(|promise| !promise.mine);
        let mut intentions = self.intentions().await?;
        intentions.retain(|intention| intention.mine && !intention.ended);
        let refused_edits = self.refused_edits().await?.len();
        Ok(Home {
            next: upcoming.first().cloned(),
            upcoming,
            promises,
            intentions,
            state: self.save_state().await?,
            refused_edits: u32::try_from(refused_edits).unwrap_or(u32::MAX),
        })
    }

    /// Meetings of the next four weeks, soonest first, with topic × response as soon as they are known here.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn upcoming(&self) -> Result<Vec<UpcomingMeeting>, SessionError> {
        let now = self.core.now();
        let meetings = self.core.roster().upcoming(self.me(), now);
        let keys = |(meeting, _): &(Meeting, Side)| {
            let (pair, meeting) = (meeting.pair, meeting.id);
            [DocumentKey::Draft { pair, meeting }, DocumentKey::Prep { pair, meeting }]
        };
        self.renew_summaries(meetings.iter().flat_map(keys)).await?;
        Ok(meetings.iter().filter_map(|(meeting, side)| self.upcoming_meeting(meeting, *side, now)).collect())
    }

    /// The people to hold 1on1s with.
    pub fn pairs(&self) -> Vec<PairItem> {
        let roster = self.core.roster();
        let item = |pair: &taiwa_shared::domain::people::Pair| {
            let partner = pair.partner_of(self.me())?;
            Some(PairItem {
                pair: pair.id,
                partner,
                partner_name: roster.name(partner),
                partner_site: roster.site(partner),
                side: pair.side_of(self.me())?,
                state: pair.state,
            })
        };
        roster.pairs_of(self.me()).into_iter().filter_map(item).collect()
    }

    /// Meetings of a pair whose memo is on this phone, newest first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn past_meetings(&self, pair: PairId) -> Result<Vec<PastMeeting>, SessionError> {
        let documents = self.core.store.documents().await?;
        let memos: Vec<DocumentKey> = documents
            .iter()
            .map(|document| document.key)
            .filter(|key| matches!(key, DocumentKey::Memo { .. }) && key.pair() == Some(pair))
            .collect();
        self.renew_summaries(memos.iter().copied()).await?;
        let (now, roster) = (self.core.now(), self.core.roster());
        let mut past: Vec<PastMeeting> = memos
            .iter()
            .filter_map(|key| {
                let meeting = key.meeting()?;
                let excerpt = match &self.summary(key)?.content {
                    Content::Memo { excerpt } => excerpt.clone(),
                    Content::Topics(_) | Content::Notebook { .. } | Content::Notes(_) => return None,
                };
                let starts = roster.meeting(meeting, now).map(|meeting| meeting.starts_at());
                let when = starts.map(|at| local_time(at, now, &self.core.zone, self.core.language));
                Some(PastMeeting { meeting, starts, when, excerpt })
            })
            .collect();
        past.sort_by_key(|meeting| std::cmp::Reverse((meeting.starts, meeting.meeting)));
        Ok(past)
    }

    fn upcoming_meeting(&self, meeting: &Meeting, side: Side, now: Timestamp) -> Option<UpcomingMeeting> {
        let roster = self.core.roster();
        let partner = roster.pair(meeting.pair)?.partner_of(self.me())?;
        let (preparation, topics) = self.preparation_of(meeting, side);
        Some(UpcomingMeeting {
            meeting: meeting.id,
            pair: meeting.pair,
            partner,
            partner_name: roster.name(partner),
            side,
            starts: meeting.starts_at(),
            when: local_time(meeting.starts_at(), now, &self.core.zone, self.core.language),
            preparation,
            topics,
        })
    }

    /// How far a preparation is, and the topics to show to this side.
    pub(super) fn preparation_of(&self, meeting: &Meeting, side: Side) -> (PreparationState, Vec<TopicChoice>) {
        let (pair, meeting) = (meeting.pair, meeting.id);
        let topics = |key: DocumentKey| self.summary(&key).map(|summary| summary.topics()).unwrap_or_default();
        let published = topics(DocumentKey::Prep { pair, meeting });
        let draft = if side == Side::Member { topics(DocumentKey::Draft { pair, meeting }) } else { Vec::new() };
        let state = match (side, published.is_empty(), draft.is_empty()) {
            (Side::Manager, true, _) => PreparationState::NotArrived,
            (Side::Manager, false, _) => PreparationState::Published,
            (Side::Member, true, true) => PreparationState::NotBegun,
            (Side::Member, true, false) => PreparationState::Draft,
            (Side::Member, false, _) if draft == published => PreparationState::Published,
            (Side::Member, false, _) => PreparationState::ChangedSincePublished,
        };
        let shown = if draft.is_empty() { published } else { draft };
        let choice = |topic| TopicChoice::of(self.core.catalog(), topic, self.core.language);
        (state, shown.iter().map(choice).collect())
    }

    /// The summary of a document, if there is one.
    pub(super) fn summary(&self, key: &DocumentKey) -> Option<Arc<Summary>> {
        self.core.summary(self.core.document_id(key))
    }

    /// Makes the summaries of these documents as new as what the store holds of them.
    pub(super) async fn renew_summaries(
        &self,
        keys: impl IntoIterator<Item = DocumentKey>,
    ) -> Result<(), SessionError> {
        let wanted: HashSet<_> = keys.into_iter().map(|key| self.core.document_id(&key)).collect();
        let documents = self.core.store.documents().await?;
        let old = documents.iter().filter(|document| {
            wanted.contains(&document.id) && !is_current(self.core.summary(document.id).as_deref(), document)
        });
        let old: Vec<_> = old.map(|document| document.id).collect();
        if old.is_empty() { Ok(()) } else { self.desk.renew(old).await }
    }
}

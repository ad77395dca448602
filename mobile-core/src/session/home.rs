//! Home: the next 1on1s with what is to be talked about, open promises, what to keep in mind, what waits.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use taiwa_shared::{
    domain::{
        brief::local_time,
        cadence::Cadence,
        catalog::Language,
        meeting::Meeting,
        ownership::{Access, DocumentKey},
        people::{PairState, Side},
    },
    ids::{DocumentId, HeadsDigest, MeetingId, PairId, UserId},
    time::Timestamp,
};

use super::{
    CarryOffer, IntentionItem, PromiseItem, RatingDue, SaveState, Session, SessionError, TopicChoice,
    desk::is_current,
    summary::{Content, Summary},
};
use crate::store::LocalDocument;

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
    /// Whether this shows something that the server has not confirmed.
    pub waiting: bool,
    /// Set if somebody gave it another time than it had.
    pub moved: Option<Moved>,
    /// For the member: whether the manager has looked at what was told.
    pub brief_seen: Option<BriefReceipt>,
    /// How far the preparation is.
    pub preparation: PreparationState,
    /// What is to be talked about; for the member the draft, for the manager what was published.
    pub topics: Vec<TopicChoice>,
}

/// That a meeting was given another time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// When it was before.
    pub from: Timestamp,
    /// The same as people say it.
    pub from_when: String,
    /// Who moved it.
    pub by: UserId,
    /// Their name.
    pub by_name: String,
    /// 「今日 09:00 に変更されています」.
    pub notice: String,
}

/// That the manager has looked at the brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefReceipt {
    /// When.
    pub at: Timestamp,
    /// Whether this phone's prep is another one than the manager saw.
    pub newer_changes: bool,
    /// 「今日 09:58 に確認しました」, and 「その後の変更は未確認」 if there are newer changes.
    pub text: String,
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
    /// Cards of what was asked for and not done, that wait for a decision.
    pub command_cards: u32,
    /// 次回の準備: preparations of cancelled meetings, to be carried over.
    pub carry_offers: Vec<CarryOffer>,
    /// 1on1s that are over and about which the member is asked, the newest first.
    pub ratings_due: Vec<RatingDue>,
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
    /// When it meets.
    pub cadence: Cadence,
    /// The rhythm as people say it: 「隔週 月曜日」.
    pub cadence_words: String,
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
        let command_cards = self.command_cards().await?.len();
        Ok(Home {
            next: upcoming.first().cloned(),
            upcoming,
            promises,
            intentions,
            state: self.save_state().await?,
            refused_edits: u32::try_from(refused_edits).unwrap_or(u32::MAX),
            command_cards: u32::try_from(command_cards).unwrap_or(u32::MAX),
            carry_offers: self.carry_offers().await?,
            ratings_due: self.ratings_due().await?,
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
        let documents = self.core.store.documents().await?;
        let digests = documents.iter().filter_map(|document| Some((document.id, document.local_digest?))).collect();
        let item = |(meeting, side): &(Meeting, Side)| self.upcoming_meeting(meeting, *side, now, &digests);
        Ok(meetings.iter().filter_map(item).collect())
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
                cadence: pair.cadence.clone(),
                cadence_words: pair.cadence.words(self.core.language),
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

    fn upcoming_meeting(
        &self,
        meeting: &Meeting,
        side: Side,
        now: Timestamp,
        digests: &HashMap<DocumentId, HeadsDigest>,
    ) -> Option<UpcomingMeeting> {
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
            when: self.when(meeting.starts_at(), now),
            waiting: roster.is_waiting(meeting.id),
            moved: self.moved(meeting, now),
            brief_seen: if side == Side::Member { self.receipt(meeting, now, digests) } else { None },
            preparation,
            topics,
        })
    }

    fn when(&self, at: Timestamp, now: Timestamp) -> String {
        local_time(at, now, &self.core.zone, self.core.language)
    }

    fn moved(&self, meeting: &Meeting, now: Timestamp) -> Option<Moved> {
        let change = meeting.change.as_ref().filter(|change| change.from != meeting.starts)?;
        let from = meeting.zone.at(change.from);
        let when = self.when(meeting.starts_at(), now);
        let notice = match self.core.language {
            Language::Ja => format!("{when} に変更されています"),
            Language::En => format!("moved to {when}"),
        };
        let by_name = self.core.roster().name(change.by);
        Some(Moved { from, from_when: self.when(from, now), by: change.by, by_name, notice })
    }

    fn receipt(
        &self,
        meeting: &Meeting,
        now: Timestamp,
        digests: &HashMap<DocumentId, HeadsDigest>,
    ) -> Option<BriefReceipt> {
        let seen = meeting.brief_seen?;
        let prep = self.core.document_id(&DocumentKey::Prep { pair: meeting.pair, meeting: meeting.id });
        let newer_changes = digests.get(&prep) != Some(&seen.heads);
        let when = self.when(seen.at, now);
        let text = match (self.core.language, newer_changes) {
            (Language::Ja, false) => format!("{when} に確認しました"),
            (Language::Ja, true) => format!("{when} に確認しました。その後の変更は未確認"),
            (Language::En, false) => format!("seen {when}"),
            (Language::En, true) => format!("seen {when}; not the changes after that"),
        };
        Some(BriefReceipt { at: seen.at, newer_changes, text })
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

    /// The summary of a document that this person may read, if there is one; a document that they may not read any more
    /// is on the phone until the server has said so.
    pub(super) fn summary(&self, key: &DocumentKey) -> Option<Arc<Summary>> {
        if self.core.access(key) == Access::None {
            return None;
        }
        self.core.summary(self.core.document_id(key))
    }

    /// Makes the summaries of these documents as new as what the store holds of them.
    pub(super) async fn renew_summaries(
        &self,
        keys: impl IntoIterator<Item = DocumentKey>,
    ) -> Result<(), SessionError> {
        let wanted: HashSet<_> = keys.into_iter().map(|key| self.core.document_id(&key)).collect();
        let documents = self.core.store.documents_among(&wanted).await?;
        let is_old = |document: &&LocalDocument| !is_current(self.core.summary(document.id).as_deref(), document);
        let old = documents.iter().filter(is_old);
        let old: Vec<_> = old.map(|document| document.id).collect();
        if old.is_empty() { Ok(()) } else { self.desk.renew(old).await }
    }
}

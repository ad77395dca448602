//! 準備: the member chooses what to talk about and the expected response, and tells the manager.
//!
//! Every tap is on the disk before its function returns, so that a kill loses none and the form opens where it was.

use taiwa_shared::{
    documents::{draft, prep},
    domain::{
        brief::local_time,
        catalog::{ResponseSlug, TopicSlug},
        meeting::{Meeting, MeetingState},
        ownership::DocumentKey,
        people::Side,
        suggestion::{PastChoice, suggested_topics},
    },
    ids::{MeetingId, PairId},
    time::Timestamp,
};

use super::{PreparationState, ResponseOffer, Session, SessionError, TopicChoice, desk::Target};

/// A topic that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicOffer {
    /// What documents store.
    pub slug: TopicSlug,
    /// What people read.
    pub label: String,
}

/// The form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepare {
    /// The meeting it prepares.
    pub meeting: MeetingId,
    /// Name of the manager, the only one who gets to see it.
    pub partner_name: String,
    /// When the meeting is: 「今日 10:00」.
    pub when: String,
    /// Six topics to begin with.
    pub offered: Vec<TopicOffer>,
    /// What is chosen, in order; more than three only when devices chose apart from each other.
    pub chosen: Vec<TopicChoice>,
    /// Whether the person has to say which three.
    pub over_limit: bool,
    /// How far it is.
    pub state: PreparationState,
}

impl Session {
    /// The form of a meeting.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person is not the member.
    pub async fn prepare(&self, meeting: MeetingId) -> Result<Prepare, SessionError> {
        let meeting = self.meeting_of(meeting)?;
        let draft = self.draft_of(&meeting)?;
        let partner_name = {
            let roster = self.core.roster();
            let pair = roster.pair(meeting.pair).ok_or(SessionError::NoAccess)?;
            roster.name(pair.manager)
        };
        let now = self.core.now();
        let offered = self.suggested(&meeting, now).await?;
        let form = self.desk.read(draft.key, draft::read).await?;
        let (state, _) = self.preparation_of(&meeting, Side::Member);
        let choice = |topic| TopicChoice::of(self.core.catalog(), topic, self.core.language);
        Ok(Prepare {
            meeting: meeting.id,
            partner_name,
            when: local_time(meeting.starts_at(), now, &self.core.zone, self.core.language),
            offered,
            chosen: form.topics.iter().map(choice).collect(),
            over_limit: form.over_limit,
            state,
        })
    }

    /// Chooses a topic, after those chosen already.
    ///
    /// # Errors
    /// [`SessionError::TooLong`] if three are chosen, [`SessionError::StorageFull`].
    pub async fn choose_topic(&self, meeting: MeetingId, topic: TopicSlug) -> Result<(), SessionError> {
        let (draft, now) = (self.draft(meeting)?, self.core.now());
        self.desk.edit(draft, move |replica| draft::choose(replica, &topic, now)).await
    }

    /// Takes a topic back.
    ///
    /// # Errors
    /// [`SessionError::StorageFull`].
    pub async fn unchoose_topic(&self, meeting: MeetingId, topic: TopicSlug) -> Result<(), SessionError> {
        let (draft, now) = (self.draft(meeting)?, self.core.now());
        self.desk.edit(draft, move |replica| draft::unchoose(replica, &topic, now)).await
    }

    /// Sets how the manager should respond; settles a disagreement between two devices.
    ///
    /// # Errors
    /// [`SessionError::TooLong`] if the topic would be the fourth.
    pub async fn set_response(
        &self,
        meeting: MeetingId,
        topic: TopicSlug,
        response: ResponseSlug,
    ) -> Result<(), SessionError> {
        let (draft, now) = (self.draft(meeting)?, self.core.now());
        self.desk.edit(draft, move |replica| draft::set_response(replica, &topic, &response, now)).await
    }

    /// Sets the line in the member's own words; an empty one takes it away.
    ///
    /// # Errors
    /// [`SessionError::TooLong`], [`SessionError::NotOneLine`].
    pub async fn set_word(&self, meeting: MeetingId, topic: TopicSlug, word: String) -> Result<(), SessionError> {
        let (draft, now) = (self.draft(meeting)?, self.core.now());
        self.desk.edit(draft, move |replica| draft::set_word(replica, &topic, &word, now)).await
    }

    /// これで伝える: gives the manager what the form shows. Says whether there was anything new.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`], [`SessionError::StorageFull`].
    pub async fn publish(&self, meeting: MeetingId) -> Result<bool, SessionError> {
        let meeting = self.meeting_of(meeting)?;
        let draft = self.draft_of(&meeting)?;
        let key = DocumentKey::Prep { pair: meeting.pair, meeting: meeting.id };
        let now = self.core.now();
        let target = Target { key, slot: meeting.slot };
        self.desk.edit_from(target, draft.key, move |replica, draft| prep::publish(replica, draft, now)).await
    }

    /// All topics of the catalog, for 「すべて見る」.
    pub fn all_topics(&self) -> Vec<TopicOffer> {
        self.core.catalog().topics.iter().map(|topic| self.offer(topic.slug.clone())).collect()
    }

    /// The responses that a form offers for each topic.
    pub fn responses(&self) -> Vec<ResponseOffer> {
        ResponseOffer::all(self.core.catalog(), self.core.language)
    }

    fn draft(&self, meeting: MeetingId) -> Result<Target, SessionError> {
        self.draft_of(&self.meeting_of(meeting)?)
    }

    pub(super) fn draft_of(&self, meeting: &Meeting) -> Result<Target, SessionError> {
        let roster = self.core.roster();
        let side = roster.pair(meeting.pair).and_then(|pair| pair.side_of(self.me()));
        if side != Some(Side::Member) {
            return Err(SessionError::NoAccess);
        }
        let key = DocumentKey::Draft { pair: meeting.pair, meeting: meeting.id };
        Ok(Target { key, slot: meeting.slot })
    }

    async fn suggested(&self, meeting: &Meeting, now: Timestamp) -> Result<Vec<TopicOffer>, SessionError> {
        let history = self.history(meeting.pair, meeting.id, now).await?;
        let topics = suggested_topics(self.core.catalog(), &history, now);
        Ok(topics.into_iter().map(|slug| self.offer(slug)).collect())
    }

    /// What this member told this manager before; looked at on this phone only.
    async fn history(&self, pair: PairId, except: MeetingId, now: Timestamp) -> Result<Vec<PastChoice>, SessionError> {
        let documents = self.core.store.documents().await?;
        let preps: Vec<DocumentKey> = documents
            .iter()
            .map(|document| document.key)
            .filter(|key| matches!(key, DocumentKey::Prep { .. }) && key.pair() == Some(pair))
            .collect();
        self.renew_summaries(preps.iter().copied()).await?;
        let roster = self.core.roster();
        let mut history = Vec::new();
        for key in preps {
            let Some(meeting) = key.meeting().filter(|id| *id != except).and_then(|id| roster.meeting(id, now)) else {
                continue;
            };
            let (at, talked_about) = (meeting.starts_at(), meeting.state == MeetingState::Finished);
            let topics = self.summary(&key).map(|summary| summary.topics()).unwrap_or_default();
            history.extend(topics.into_iter().map(|topic| PastChoice { topic: topic.topic, at, talked_about }));
        }
        Ok(history)
    }

    fn offer(&self, slug: TopicSlug) -> TopicOffer {
        let label = self.core.catalog().topic_label(&slug, self.core.language).to_owned();
        TopicOffer { slug, label }
    }
}

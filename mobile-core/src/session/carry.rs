//! 次回の準備: what was prepared for a cancelled meeting is offered for the pair's next one, and copied only when asked.

use taiwa_shared::{
    documents::{draft, prep},
    domain::{
        brief::{PreparedTopic, local_time},
        meeting::Meeting,
        ownership::DocumentKey,
    },
    ids::{MeetingId, PairId},
};

use super::{Session, SessionError, TopicChoice, desk::Target};

/// A preparation that has lost its meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarryOffer {
    /// The pair.
    pub pair: PairId,
    /// Name of the other person.
    pub partner_name: String,
    /// The cancelled meeting.
    pub from: MeetingId,
    /// When it would have been: 「明日 10:00」.
    pub from_when: String,
    /// The pair's next meeting, for which nothing is prepared.
    pub to: MeetingId,
    /// When that is.
    pub to_when: String,
    /// What was chosen.
    pub topics: Vec<TopicChoice>,
}

impl Session {
    /// Preparations of cancelled meetings that can go to the next one: the newest of each pair whose next meeting has none.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn carry_offers(&self) -> Result<Vec<CarryOffer>, SessionError> {
        let (now, roster) = (self.core.now(), self.core.roster());
        let upcoming = roster.upcoming(self.me(), now);
        let next_of = |pair| upcoming.iter().map(|(meeting, _)| meeting).find(|meeting| meeting.pair == pair);
        let pairs = roster.lately_cancelled(self.me(), now).into_iter().filter_map(|from| {
            let to = next_of(from.pair).filter(|to| to.starts_at() > from.starts_at())?;
            Some((from, to))
        });
        let pairs: Vec<_> = pairs.collect();
        // Home asks after every key: it reads what lists show, and opens no document that has not changed.
        self.renew_summaries(pairs.iter().flat_map(|(from, to)| [from, *to]).flat_map(prepared_in)).await?;
        let mut offers: Vec<CarryOffer> = Vec::new();
        for (from, to) in pairs {
            if offers.iter().any(|offer| offer.pair == from.pair) || !self.shown_as_prepared(to).is_empty() {
                continue;
            }
            let topics = self.shown_as_prepared(&from);
            if topics.is_empty() {
                continue;
            }
            let when = |meeting: &Meeting| local_time(meeting.starts_at(), now, &self.core.zone, self.core.language);
            let choice = |topic| TopicChoice::of(self.core.catalog(), topic, self.core.language);
            let manager = roster.pair(from.pair).map(|pair| roster.name(pair.manager));
            offers.push(CarryOffer {
                pair: from.pair,
                partner_name: manager.unwrap_or_default(),
                from: from.id,
                from_when: when(&from),
                to: to.id,
                to_when: when(to),
                topics: topics.iter().map(choice).collect(),
            });
        }
        Ok(offers)
    }

    /// Copies what was chosen for `from` into the draft of `to`; what is chosen there already stays as it is. Says how many
    /// topics were copied: three fit.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if the two are not of one pair or this person is not its member.
    pub async fn carry_preparation(&self, from: MeetingId, to: MeetingId) -> Result<u32, SessionError> {
        let (from, to) = (self.meeting_of(from)?, self.meeting_of(to)?);
        let target: Target = self.draft_of(&to)?;
        if from.pair != to.pair {
            return Err(SessionError::NoAccess);
        }
        let (topics, now) = (self.prepared(&from).await?, self.core.now());
        let copy = move |replica: &mut taiwa_shared::documents::Replica| {
            let mut copied = 0;
            for topic in topics {
                let form = draft::read(replica);
                let is_there = form.topics.iter().any(|it| it.topic == topic.topic);
                if is_there || form.topics.len() >= taiwa_shared::domain::catalog::MAX_TOPICS {
                    continue;
                }
                draft::choose(replica, &topic.topic, now)?;
                draft::set_response(replica, &topic.topic, &topic.response.value, now)?;
                if let Some(word) = topic.word.filter(|word| !word.value.is_empty()) {
                    draft::set_word(replica, &topic.topic, &word.value, now)?;
                }
                copied += 1;
            }
            Ok(copied)
        };
        self.desk.edit(target, copy).await
    }

    /// The same as [`Self::prepared`], from what lists show.
    fn shown_as_prepared(&self, meeting: &Meeting) -> Vec<PreparedTopic> {
        let topics = |key| self.summary(&key).map(|summary| summary.topics()).filter(|topics| !topics.is_empty());
        prepared_in(meeting).into_iter().find_map(topics).unwrap_or_default()
    }

    /// What this member chose for a meeting: the draft, or what was published if there is no draft on this phone.
    async fn prepared(&self, meeting: &Meeting) -> Result<Vec<PreparedTopic>, SessionError> {
        let [draft, published] = prepared_in(meeting);
        let draft = self.desk.read(draft, draft::read).await?.topics;
        if !draft.is_empty() {
            return Ok(draft);
        }
        Ok(self.desk.read(published, prep::read).await?.topics)
    }
}

/// The documents of a preparation, the one that counts first.
fn prepared_in(meeting: &Meeting) -> [DocumentKey; 2] {
    let (pair, meeting) = (meeting.pair, meeting.id);
    [DocumentKey::Draft { pair, meeting }, DocumentKey::Prep { pair, meeting }]
}

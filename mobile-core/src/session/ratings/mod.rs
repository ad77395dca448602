//! 話せた感: what a member says about a 1on1 that is over, when they are asked, and how far it has come.
//!
//! Map: this file the screen and the question on home; `sending` what goes to the server and comes from there; `words`
//! what people read. Everything here answers from the store. A manager's phone asks, keeps and shows nothing of it.

mod sending;
mod words;

use std::collections::HashMap;

use taiwa_shared::{
    domain::{
        brief::local_time,
        meeting::Meeting,
        ownership::DocumentKey,
        rating::{AsAsked, MAX_PICKS, Pick, RATED_WITHIN, Rating, Talked, is_asked},
    },
    ids::{MeetingId, PairId},
    time::Timestamp,
};

use super::{
    Session, SessionError,
    core::{Core, Waits},
};
use crate::store::{NotTaken, RatingState, StoredRating};

/// One of the five steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalkedChoice {
    /// For `rate`.
    pub talked: Talked,
    /// What people read.
    pub label: String,
}

/// One answer to the second question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsAskedChoice {
    /// For `rate`.
    pub as_asked: AsAsked,
    /// What people read.
    pub label: &'static str,
}

/// How far a rating has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatingStanding {
    /// Nothing was said.
    NotGiven,
    /// On this phone, and on its way.
    Waiting,
    /// The server has it.
    Sent,
    /// The server did not take it and will not.
    NotTaken,
}

/// The screen of one 1on1's rating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatingForm {
    /// Which 1on1.
    pub meeting: MeetingId,
    /// Name of the manager, who does not see it.
    pub partner_name: String,
    /// When the 1on1 was.
    pub when: String,
    /// 「今日の1on1、話したいことを話せましたか？」
    pub question: &'static str,
    /// The five steps, from the lowest.
    pub steps: Vec<TalkedChoice>,
    /// 「お願いした関わり方でしたか？」
    pub second_question: &'static str,
    /// Its answers.
    pub answers: Vec<AsAskedChoice>,
    /// Who sees what of it.
    pub assurance: String,
    /// What was said.
    pub talked: Option<Talked>,
    /// What was said to the second question.
    pub as_asked: Option<AsAsked>,
    /// How far it has come.
    pub standing: RatingStanding,
    /// The same as people say it, and until when it can be changed.
    pub standing_words: Option<String>,
    /// Whether it can be given or changed, as far as this phone knows.
    pub can_change: bool,
}

/// A 1on1 about which home asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatingDue {
    /// Which.
    pub meeting: MeetingId,
    /// Of which pair.
    pub pair: PairId,
    /// Name of the manager.
    pub partner_name: String,
    /// When it was.
    pub when: String,
}

/// A 1on1 of this person as a member that is over.
struct Over {
    meeting: Meeting,
    finished: Timestamp,
}

impl Session {
    /// The rating of a 1on1 that is over.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person was not its member or it is not over.
    pub async fn rating(&self, meeting: MeetingId) -> Result<RatingForm, SessionError> {
        let over = self.over(meeting)?;
        let stored = self.core.store.rating(meeting).await?;
        Ok(self.form(&over, stored))
    }

    /// Says how a 1on1 went, or changes it; kept on this phone at once and sent when there is a network.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person was not its member or it is not over; [`SessionError::RatingClosed`];
    /// [`SessionError::StorageFull`].
    pub async fn rate(
        &self,
        meeting: MeetingId,
        talked: Talked,
        as_asked: Option<AsAsked>,
    ) -> Result<(), SessionError> {
        let over = self.over(meeting)?;
        let now = self.core.now();
        let stored = self.core.store.rating(meeting).await?;
        if !can_change(&over, stored.as_ref(), now) {
            return Err(SessionError::RatingClosed);
        }
        let rating = Rating { talked, as_asked, picks: self.picks(&over.meeting).await? };
        self.core.store.give_rating(meeting, &rating, now).await?;
        if self.core.store.waiting_ratings().await? > 0 {
            self.core.note_waiting(Waits::Something);
            self.sync.commands_wait();
        }
        self.core.changes.happened();
        Ok(())
    }

    /// あとで: puts the question about a 1on1 away. It comes once more on the next morning, and then never.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`], [`SessionError::StorageFull`].
    pub async fn put_rating_away(&self, meeting: MeetingId) -> Result<(), SessionError> {
        self.over(meeting)?;
        self.core.store.put_rating_away(meeting, self.core.now()).await?;
        self.core.changes.happened();
        Ok(())
    }

    /// The 1on1s that home asks about, the newest first.
    pub(super) async fn ratings_due(&self) -> Result<Vec<RatingDue>, SessionError> {
        let over = self.core.lately_over();
        if over.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.core.now();
        let rows = self.core.store.ratings().await?.into_iter();
        let rows: HashMap<MeetingId, StoredRating> = rows.map(|row| (row.meeting, row)).collect();
        let is_due = |over: &&Over| {
            let row = rows.get(&over.meeting.id);
            let put_away = row.map(|row| row.put_away).unwrap_or_default();
            row.is_none_or(|row| row.given.is_none()) && is_asked(over.finished, put_away, now, &self.core.zone)
        };
        let due = over.iter().filter(is_due).map(|over| RatingDue {
            meeting: over.meeting.id,
            pair: over.meeting.pair,
            partner_name: self.manager_of(&over.meeting),
            when: local_time(over.meeting.starts_at(), now, &self.core.zone, self.core.language),
        });
        Ok(due.collect())
    }

    fn form(&self, over: &Over, stored: Option<StoredRating>) -> RatingForm {
        let (language, now) = (self.core.language, self.core.now());
        let partner_name = self.manager_of(&over.meeting);
        let steps = self.core.catalog().rating.iter();
        let standing = match stored.as_ref().map(|row| row.state) {
            None | Some(RatingState::NotGiven) => RatingStanding::NotGiven,
            Some(RatingState::Waiting) => RatingStanding::Waiting,
            Some(RatingState::Sent) => RatingStanding::Sent,
            Some(RatingState::NotTaken) => RatingStanding::NotTaken,
        };
        let given = stored.as_ref().and_then(|row| row.given.as_ref());
        RatingForm {
            meeting: over.meeting.id,
            assurance: words::assurance(&partner_name, language),
            partner_name,
            when: local_time(over.meeting.starts_at(), now, &self.core.zone, language),
            question: words::question(language),
            steps: steps
                .map(|step| TalkedChoice { talked: step.value, label: step.label.get(language).clone() })
                .collect(),
            second_question: words::second_question(language),
            answers: words::answers(language),
            talked: given.map(|rating| rating.talked),
            as_asked: given.and_then(|rating| rating.as_asked),
            standing,
            standing_words: stored.as_ref().and_then(|row| words::standing(row, now, &self.core.zone, language)),
            can_change: can_change(over, stored.as_ref(), now),
        }
    }

    /// The 1on1 of this id, if it is over and this person was its member.
    fn over(&self, meeting: MeetingId) -> Result<Over, SessionError> {
        self.core.over().into_iter().find(|over| over.meeting.id == meeting).ok_or(SessionError::NoAccess)
    }

    fn manager_of(&self, meeting: &Meeting) -> String {
        let roster = self.core.roster();
        roster.pair(meeting.pair).map(|pair| roster.name(pair.manager)).unwrap_or_default()
    }

    /// What this person's published preparation had asked for, by category and response.
    async fn picks(&self, meeting: &Meeting) -> Result<Vec<Pick>, SessionError> {
        let prep = DocumentKey::Prep { pair: meeting.pair, meeting: meeting.id };
        self.renew_summaries([prep]).await?;
        let topics = self.summary(&prep).map(|summary| summary.topics()).unwrap_or_default();
        let mut picks: Vec<Pick> = Vec::with_capacity(MAX_PICKS);
        for topic in topics {
            let Some(category) = self.core.catalog().category_of(&topic.topic) else { continue };
            let pick = Pick { category, response: topic.response.value };
            if picks.len() < MAX_PICKS && !picks.contains(&pick) {
                picks.push(pick);
            }
        }
        Ok(picks)
    }
}

impl Core {
    /// The 1on1s with this person's own line manager that are over, the newest first; others are not counted.
    fn over(&self) -> Vec<Over> {
        let roster = self.roster();
        let over = |meeting: &Meeting| {
            let finished = meeting.finished.unwrap_or_else(|| meeting.starts_at());
            Over { meeting: meeting.clone(), finished }
        };
        let mut all: Vec<Over> = roster.finished_as_member(self.me()).map(over).collect();
        all.sort_by_key(|over| std::cmp::Reverse((over.finished, over.meeting.id)));
        all
    }

    /// Those that can still be rated.
    fn lately_over(&self) -> Vec<Over> {
        let now = self.now();
        let mut over = self.over();
        over.retain(|over| now.since(over.finished) <= RATED_WITHIN);
        over
    }
}

/// Whether the server may take a rating now, as far as this phone knows.
fn can_change(over: &Over, stored: Option<&StoredRating>, now: Timestamp) -> bool {
    let Some(row) = stored else { return now.since(over.finished) <= RATED_WITHIN };
    match (row.not_taken, row.until) {
        (Some(NotTaken::Closed), _) => false,
        (_, Some(until)) => now < until,
        (_, None) => now.since(over.finished) <= RATED_WITHIN,
    }
}

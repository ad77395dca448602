//! Ratings of this person's own 1on1s: one row for each, with what they said, what the server has, and how often they were
//! asked.
//!
//! A row is sealed under its meeting. What was said while the one before was on its way stays waiting. Decides nothing
//! about when somebody is asked or what is sent: that is the session's.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taiwa_shared::{
    domain::rating::{PutAway, Rating},
    ids::MeetingId,
    time::Timestamp,
};

use super::{Store, StoreError, Write, seal::Place};

/// How long a rating is kept on the phone: its 1on1 can be rated for two weeks, and its week is closed a week later.
const KEPT: Duration = Duration::from_secs(60 * 24 * 60 * 60);

const READ: &str = "select meeting, state, sealed from rating order by meeting";
const READ_ONE: &str = "select meeting, state, sealed from rating where meeting = $1";
const COUNT_WAITING: &str = "select count(*) from rating where state = 1";
const UPSERT: &str = "insert into rating (meeting, state, sealed) values ($1, $2, $3)
    on conflict (meeting) do update set state = excluded.state, sealed = excluded.sealed";
const SEND_AGAIN: &str = "update rating set state = 1 where state = 2";
const DELETE: &str = "delete from rating where meeting = $1";

/// How far a rating has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatingState {
    /// The server does not have it.
    Waiting,
    /// The server has it.
    Sent,
    /// The server did not take it and will not.
    NotTaken,
    /// The person was asked and said nothing.
    NotGiven,
}

/// What the server said of a rating that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatingAnswer {
    /// It has it.
    Kept,
    /// It can no longer be given or changed.
    Closed,
    /// It knows no such 1on1 of this person's, or does not take such a rating.
    Refused,
}

/// Why the server did not take a rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotTaken {
    /// Too late.
    Closed,
    /// Anything else.
    Refused,
}

/// A rating on this phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRating {
    /// Of which 1on1.
    pub meeting: MeetingId,
    /// How far it has come.
    pub state: RatingState,
    /// What the person said last.
    pub given: Option<Rating>,
    /// What the server has.
    pub sent: Option<Rating>,
    /// Until when what the server has can be changed.
    pub until: Option<Timestamp>,
    /// Why the server did not take it.
    pub not_taken: Option<NotTaken>,
    /// How often the question was put away.
    pub put_away: PutAway,
    /// When the row last changed.
    pub changed: Timestamp,
}

impl StoredRating {
    /// Of a 1on1 that nobody was asked about.
    pub const fn new(meeting: MeetingId, now: Timestamp) -> Self {
        let (state, put_away) = (RatingState::NotGiven, PutAway::Never);
        Self { meeting, state, given: None, sent: None, until: None, not_taken: None, put_away, changed: now }
    }
}

#[derive(Serialize, Deserialize)]
struct RatingRow {
    given: Option<Rating>,
    sent: Option<Rating>,
    until: Option<Timestamp>,
    not_taken: Option<NotTaken>,
    put_away: PutAway,
    changed: Timestamp,
}

type Columns = (Vec<u8>, i64, Vec<u8>);

impl Store {
    /// All ratings on this phone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ratings(&self) -> Result<Vec<StoredRating>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(READ).fetch_all(&self.0.read).await.map_err(|e| self.failed(e))?;
        rows.into_iter().map(|row| self.open_rating(row)).collect()
    }

    /// The rating of a 1on1, if the person said or was asked anything.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rating(&self, meeting: MeetingId) -> Result<Option<StoredRating>, StoreError> {
        let query = sqlx::query_as(READ_ONE).bind(&meeting.as_bytes()[..]);
        let row: Option<Columns> = query.fetch_optional(&self.0.read).await.map_err(|e| self.failed(e))?;
        row.map(|row| self.open_rating(row)).transpose()
    }

    /// How many ratings wait for the server.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_ratings(&self) -> Result<u32, StoreError> {
        let count: i64 = sqlx::query_scalar(COUNT_WAITING).fetch_one(&self.0.read).await.map_err(|e| self.failed(e))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Keeps what the person said; it waits for the server, also if the server had just that: another phone may have
    /// changed it since.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was kept then.
    pub async fn give_rating(&self, meeting: MeetingId, rating: &Rating, now: Timestamp) -> Result<(), StoreError> {
        self.change_rating(meeting, now, |row| {
            row.state = RatingState::Waiting;
            row.given = Some(rating.clone());
            row.not_taken = None;
        })
        .await
    }

    /// The person put the question about a 1on1 away.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_rating_away(&self, meeting: MeetingId, now: Timestamp) -> Result<(), StoreError> {
        self.change_rating(meeting, now, |row| row.put_away = row.put_away.again(now)).await
    }

    /// Keeps the server's answer to `sent`. What the person said meanwhile goes on waiting.
    ///
    /// # Errors
    /// [`StoreError`]; it is sent again then and gets the same answer.
    pub async fn answer_rating(
        &self,
        meeting: MeetingId,
        sent: &Rating,
        (answer, until): (RatingAnswer, Timestamp),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.change_rating(meeting, now, |row| {
            let is_newest = row.given.as_ref() == Some(sent);
            match answer {
                RatingAnswer::Kept => {
                    row.sent = Some(sent.clone());
                    row.until = Some(until);
                    if is_newest {
                        (row.state, row.not_taken) = (RatingState::Sent, None);
                    }
                }
                // It was sent once more, to a server that came back from a copy, and was counted before that.
                RatingAnswer::Closed | RatingAnswer::Refused if is_newest && row.sent.as_ref() == Some(sent) => {
                    row.state = RatingState::Sent;
                }
                RatingAnswer::Closed if is_newest => {
                    (row.state, row.not_taken) = (RatingState::NotTaken, Some(NotTaken::Closed));
                }
                RatingAnswer::Refused if is_newest => {
                    (row.state, row.not_taken) = (RatingState::NotTaken, Some(NotTaken::Refused));
                }
                RatingAnswer::Closed | RatingAnswer::Refused => {}
            }
        })
        .await
    }

    /// Keeps what the server has of this person's, as another phone of theirs may have sent it. What waits here stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_ratings(
        &self,
        known: &[(MeetingId, Rating)],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (meeting, rating) in known {
            let mut row = self.rating_in(&mut tx, *meeting, now).await?;
            row.until = Some(until);
            row.sent = Some(rating.clone());
            if row.state != RatingState::Waiting {
                (row.state, row.not_taken, row.given) = (RatingState::Sent, None, Some(rating.clone()));
            }
            row.changed = now;
            self.write_rating(&mut tx, &row).await?;
        }
        self.commit(tx).await
    }

    /// Removes what was said or asked long ago and does not wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_old_ratings(&self, now: Timestamp) -> Result<(), StoreError> {
        let is_old = |row: &StoredRating| row.state != RatingState::Waiting && now.since(row.changed) > KEPT;
        let old: Vec<MeetingId> =
            self.ratings().await?.iter().filter(|row| is_old(row)).map(|row| row.meeting).collect();
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for meeting in old {
            sqlx::query(DELETE).bind(&meeting.as_bytes()[..]).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        self.commit(tx).await
    }

    /// The server came back from an older copy: it may lack what it once had.
    pub(super) async fn send_ratings_again(&self, tx: &mut Write) -> Result<(), StoreError> {
        sqlx::query(SEND_AGAIN).execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    async fn change_rating(
        &self,
        meeting: MeetingId,
        now: Timestamp,
        change: impl FnOnce(&mut StoredRating),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let mut row = self.rating_in(&mut tx, meeting, now).await?;
        change(&mut row);
        row.changed = now;
        self.write_rating(&mut tx, &row).await?;
        self.commit(tx).await
    }

    async fn rating_in(&self, tx: &mut Write, meeting: MeetingId, now: Timestamp) -> Result<StoredRating, StoreError> {
        let query = sqlx::query_as(READ_ONE).bind(&meeting.as_bytes()[..]);
        let row: Option<Columns> = query.fetch_optional(&mut **tx).await.map_err(|e| self.failed(e))?;
        row.map_or_else(|| Ok(StoredRating::new(meeting, now)), |row| self.open_rating(row))
    }

    async fn write_rating(&self, tx: &mut Write, rating: &StoredRating) -> Result<(), StoreError> {
        let StoredRating { meeting, state, given, sent, until, not_taken, put_away, changed } = rating.clone();
        let row = RatingRow { given, sent, until, not_taken, put_away, changed };
        let state = match state {
            RatingState::Waiting => 1,
            RatingState::Sent => 2,
            RatingState::NotTaken => 3,
            RatingState::NotGiven => 4,
        };
        let sealed = self.0.sealer.seal_json(Place("rating", meeting.as_bytes()), &row);
        let query = sqlx::query(UPSERT).bind(&meeting.as_bytes()[..]).bind(state).bind(sealed);
        query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn open_rating(&self, (meeting, state, sealed): Columns) -> Result<StoredRating, StoreError> {
        let cut_off = |_| StoreError::damaged(&self.0.path, "a rating's meeting is cut off");
        let meeting = MeetingId::from_bytes(meeting.try_into().map_err(cut_off)?);
        let row: RatingRow =
            self.0.sealer.open_json(Place("rating", meeting.as_bytes()), &sealed).map_err(self.not_opened("rating"))?;
        let RatingRow { given, sent, until, not_taken, put_away, changed } = row;
        let state = match state {
            1 => RatingState::Waiting,
            2 => RatingState::Sent,
            3 => RatingState::NotTaken,
            _ => RatingState::NotGiven,
        };
        Ok(StoredRating { meeting, state, given, sent, until, not_taken, put_away, changed })
    }
}

#[cfg(test)]
mod tests {
    use taiwa_shared::{domain::strengths::Dimension, ids::PairId};

    use super::*;
    use crate::store::{Pin, VaultKey};

    fn rating(step: u8) -> Rating {
        Rating { talked: step.try_into().unwrap(), as_asked: None, picks: Vec::new() }
    }

    #[tokio::test]
    async fn what_only_this_phone_has_is_saved_from_a_damaged_file() {
        let directory = tempfile::tempdir().unwrap();
        let (path, key) = (directory.path().join("a.taiwa"), VaultKey::new([7; 32]));
        let store = Store::open(&path, &key).await.unwrap();
        let (waiting, known) = (MeetingId::from_bytes([1; 16]), MeetingId::from_bytes([2; 16]));
        let now = Timestamp::from_millis(1_000);
        store.give_rating(waiting, &rating(4), now).await.unwrap();
        store.give_rating(known, &rating(2), now).await.unwrap();
        store.answer_rating(known, &rating(2), (RatingAnswer::Kept, now), now).await.unwrap();
        let guess = [Dimension::Response { slug: "listen".parse().unwrap() }];
        let pin = Pin { pair: PairId::from_bytes([3; 16]), meeting: None, tip: None, text: "図".to_owned(), at: now };
        store.put_guess(&guess).await.unwrap();
        store.change_pins(|pins| pins.push(pin.clone())).await.unwrap();
        let before = store.ratings().await.unwrap();
        store.close().await;
        let (store, recovered) = Store::recover(&path, &key).await.unwrap();
        assert_eq!((recovered.unsent_kept, recovered.unsent_lost), (1, 0));
        assert_eq!((store.ratings().await.unwrap(), store.waiting_ratings().await.unwrap()), (before, 1));
        assert_eq!((store.guess().await.unwrap(), store.pins().await.unwrap()), (guess.to_vec(), vec![pin]));
    }

    #[tokio::test]
    async fn what_waits_is_kept_as_long_as_it_takes_and_the_rest_for_sixty_days() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("a.taiwa"), &VaultKey::new([7; 32])).await.unwrap();
        let (waiting, asked) = (MeetingId::from_bytes([1; 16]), MeetingId::from_bytes([2; 16]));
        let now = Timestamp::from_millis(0);
        store.give_rating(waiting, &rating(4), now).await.unwrap();
        store.put_rating_away(asked, now).await.unwrap();
        store.forget_old_ratings(now.plus(KEPT)).await.unwrap();
        assert_eq!(store.ratings().await.unwrap().len(), 2);
        store.forget_old_ratings(now.plus(KEPT + Duration::from_secs(1))).await.unwrap();
        let left: Vec<_> = store.ratings().await.unwrap().iter().map(|row| row.meeting).collect();
        assert_eq!(left, [waiting]);
    }
}

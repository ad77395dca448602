//! What members say about their 1on1s: kept under keys, given back to them alone, counted once a week.
//!
//! Map: [`key`] what stands for people; [`week`] when a week closes; [`weekly`] the count. No function here moves the
//! organisation's counter, tells the bus or writes a log line: that a rating was given is to be seen nowhere but by its
//! own author. Knows nothing of HTTP.

pub mod key;
pub mod week;
pub mod weekly;

use std::time::Duration;

use taiwa_shared::{
    domain::{meeting::MeetingState, people::PairKind, rating::Rating},
    ids::{MeetingId, OrganisationId, UserId},
    protocol::{
        ratings::{OwnRating, OwnRatings},
        strengths::Strengths,
    },
    time::Timestamp,
};

use self::key::RatingKey;
use super::access::Principal;
use crate::store::{Store, StoreError, Tx, ratings::RatingRow};

/// A 1on1 can be rated for so long after it was over.
pub const RATEABLE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A rating that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RatingError {
    /// There is no such 1on1, or it is not for the caller to rate, or it is not over: all look the same.
    #[error("no finished 1on1 of the caller's as a member")]
    Absent,
    /// Its week was counted, or the 1on1 was too long ago.
    #[error("the rating is closed")]
    Closed,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps what the member of a line says about a 1on1 that is over; said again in the same week, it takes the place of
/// what was said before.
///
/// # Errors
/// [`RatingError`], by what the member's phone does about it.
pub async fn give(
    store: &Store,
    key: &RatingKey,
    principal: &Principal,
    meeting: MeetingId,
    rating: Rating,
    now: Timestamp,
) -> Result<(), RatingError> {
    let (organisation, user) = (principal.organisation, principal.user);
    let mut tx = store.begin().await?;
    let rateable = rateable(&mut tx, organisation, user, meeting).await?.ok_or(RatingError::Absent)?;
    if now.since(rateable.finished) > RATEABLE {
        return Err(RatingError::Closed);
    }
    let week = week::monday_of(now);
    let row = RatingRow {
        ticket: key.ticket(organisation, user, meeting),
        rater: key.rater(organisation, user, rateable.manager, week::half_year_of(week)),
        subject: key.subject(organisation, rateable.manager),
        week,
        rating,
    };
    if !tx.put_rating(organisation, &row).await? {
        return Err(RatingError::Closed);
    }
    tx.commit().await?;
    Ok(())
}

/// A 1on1 that somebody may rate.
struct Rateable {
    manager: UserId,
    finished: Timestamp,
}

async fn rateable(
    tx: &mut Tx,
    organisation: OrganisationId,
    user: UserId,
    meeting: MeetingId,
) -> Result<Option<Rateable>, StoreError> {
    let Some(meeting) = tx.meeting(organisation, meeting).await? else { return Ok(None) };
    let Some(pair) = tx.pair(organisation, meeting.pair).await? else { return Ok(None) };
    let is_members = pair.member == user && pair.kind == PairKind::Line;
    if !is_members || !tx.sees(organisation, user, pair.id).await? || meeting.state != MeetingState::Finished {
        return Ok(None);
    }
    let finished = meeting.finished.unwrap_or_else(|| meeting.zone.at(meeting.starts));
    Ok(Some(Rateable { manager: pair.manager, finished }))
}

/// The caller's own ratings that can still be changed.
///
/// # Errors
/// [`StoreError`] if the records could not be read.
pub async fn own(
    store: &Store,
    key: &RatingKey,
    principal: &Principal,
    now: Timestamp,
) -> Result<OwnRatings, StoreError> {
    let (organisation, user) = (principal.organisation, principal.user);
    let week = week::monday_of(now);
    // A rating of this week is of a 1on1 that could be rated on its Monday.
    let since = week::begin(week).minus(RATEABLE);
    let mut ratings = Vec::new();
    for meeting in store.finished_meetings_of(organisation, user, since).await? {
        let row = store.rating(organisation, key.ticket(organisation, user, meeting)).await?;
        if let Some(RatingRow { rating, .. }) = row.filter(|row| row.week >= week) {
            ratings.push(OwnRating { meeting, talked: rating.talked, as_asked: rating.as_asked });
        }
    }
    Ok(OwnRatings { ratings, editable_until: week::begin(week::after(week)) })
}

/// The caller's own words as a manager, as of the last count.
///
/// # Errors
/// [`StoreError`] if the records could not be read.
pub async fn strengths(store: &Store, key: &RatingKey, principal: &Principal) -> Result<Strengths, StoreError> {
    let organisation = principal.organisation;
    let counted = store.counted(organisation).await?.map(week::count_of);
    let standing = store.standing(organisation, key.subject(organisation, principal.user)).await?.unwrap_or_default();
    Ok(Strengths {
        strong: standing.strong().into_iter().cloned().collect(),
        growing: standing.growing().cloned(),
        best_of_own: standing.best_of_own().cloned(),
        rough: standing.rough().into_iter().cloned().collect(),
        enough_voices: standing.has_enough_voices(),
        counted,
    })
}

//! Ratings on each contact: what waits is sent after the outbox, so that the 終わる goes before; what another phone of the
//! same person has sent is pulled.
//!
//! Nothing of it is logged but that the server could not. A phone whose person was no member of a 1on1 lately asks nothing.

use std::time::Duration;

use taiwa_shared::{
    domain::rating::{Rating, week_ends},
    ids::MeetingId,
    protocol::{login::Secret, problem::ProblemCode, ratings::OwnRatings},
    time::{Timestamp, Zone},
};
use tokio::time::Instant;

use super::super::{
    SessionError,
    contact::Contact,
    core::Core,
    outbox::{LONGEST_REST, rest_after},
};
use crate::{
    http::HttpError,
    store::{RatingAnswer, RatingState, StoredRating},
};

/// How long a pull of the own ratings is good for: another phone of the same person is rarely used at the same time.
const PULLED_FOR: Duration = Duration::from_secs(15 * 60);
/// A 1on1 that was over when it could last be rated, and a day for clocks.
const LATELY: Duration = Duration::from_secs(15 * 24 * 60 * 60);

impl Core {
    /// What the server lacks besides changes of documents: commands and ratings.
    pub(in crate::session) async fn unsent_requests(&self) -> Result<u32, SessionError> {
        let commands = self.unsent_commands().await?;
        Ok(commands.saturating_add(self.store.waiting_ratings().await?))
    }
}

impl Contact {
    /// Sends the ratings that wait, and pulls those that another phone has sent.
    pub(in crate::session) async fn exchange_ratings(&self) -> Result<(), SessionError> {
        self.send_ratings().await?;
        self.pull_ratings().await
    }

    async fn send_ratings(&self) -> Result<(), SessionError> {
        let rests = self.core.outbox_rests.borrow().is_some_and(|until| until > Instant::now());
        if rests || self.core.store.waiting_ratings().await? == 0 || self.core.unsent_commands().await? > 0 {
            return Ok(());
        }
        let waiting = self.core.store.ratings().await?;
        for row in waiting.into_iter().filter(|row| row.state == RatingState::Waiting) {
            let Some(rating) = row.given else { continue };
            let answer = match self.try_ask(|token| self.put_rating(token, row.meeting, &rating)).await? {
                Ok(()) => RatingAnswer::Kept,
                Err(error) => match answer_of(&error) {
                    Some(answer) => answer,
                    None => return self.rest(error),
                },
            };
            let now = self.core.now();
            // The server's weeks end in Tokyo, wherever the phone is.
            let until = week_ends(now, &Zone::tokyo());
            self.core.store.answer_rating(row.meeting, &rating, (answer, until), now).await?;
            self.core.changes.happened();
        }
        Ok(())
    }

    async fn pull_ratings(&self) -> Result<(), SessionError> {
        let now = self.core.now();
        let is_fresh = self.core.ratings_pulled().is_some_and(|at| now.since(at) < PULLED_FOR && at <= now);
        let is_wanted = self.core.over().iter().any(|over| now.since(over.finished) <= LATELY);
        if is_fresh || !is_wanted {
            return Ok(());
        }
        match self.try_ask(|token| self.own_ratings(token)).await? {
            Ok(own) => self.take_own(own, now).await?,
            // A server without the route, or something between: what is on this phone counts.
            Err(error) if rest_after(&error).is_some() => tracing::info!(%error, "the own ratings were not given"),
            Err(error) => return Err(error.into()),
        }
        self.core.note_ratings_pulled(now);
        Ok(())
    }

    async fn take_own(&self, own: OwnRatings, now: Timestamp) -> Result<(), SessionError> {
        let rows = self.core.store.ratings().await?;
        let mut news: Vec<(MeetingId, Rating)> = Vec::new();
        for rating in own.ratings {
            let row = rows.iter().find(|row| row.meeting == rating.meeting);
            let said = row.and_then(|row| row.sent.as_ref().or(row.given.as_ref()));
            let picks = said.map(|rating| rating.picks.clone()).unwrap_or_default();
            let known = Rating { talked: rating.talked, as_asked: rating.as_asked, picks };
            let is_known =
                |row: &StoredRating| row.sent.as_ref() == Some(&known) && row.until == Some(own.editable_until);
            if !row.is_some_and(is_known) {
                news.push((rating.meeting, known));
            }
        }
        if !news.is_empty() {
            self.core.store.take_ratings(&news, own.editable_until, now).await?;
            self.core.changes.happened();
        }
        Ok(())
    }

    /// Lets ratings and commands rest if the server cannot take them; other failures are those of the line.
    fn rest(&self, error: HttpError) -> Result<(), SessionError> {
        let Some(rest) = rest_after(&error) else { return Err(error.into()) };
        tracing::warn!(%error, "the server takes no ratings now");
        self.core.outbox_rests.send_replace(Some(Instant::now() + rest.min(LONGEST_REST)));
        Ok(())
    }

    async fn put_rating(&self, token: Secret, meeting: MeetingId, rating: &Rating) -> Result<(), HttpError> {
        self.http.put_rating(&token, meeting, rating).await
    }

    async fn own_ratings(&self, token: Secret) -> Result<OwnRatings, HttpError> {
        self.http.ratings(&token).await
    }
}

/// What the server decided for good; none if it may decide otherwise later.
fn answer_of(error: &HttpError) -> Option<RatingAnswer> {
    match error.code()? {
        ProblemCode::RatingClosed => Some(RatingAnswer::Closed),
        ProblemCode::NotFound | ProblemCode::InvalidRequest | ProblemCode::TooLarge => Some(RatingAnswer::Refused),
        _ => None,
    }
}

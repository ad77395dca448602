//! A member's own ratings, and a manager's own words. What happens on the routes of ratings is written down nowhere.

use axum::{Json, extract::State, http::StatusCode};
use taiwa_shared::{
    domain::rating::{MAX_PICKS, Rating},
    ids::MeetingId,
    protocol::{problem::ProblemCode, ratings::OwnRatings, strengths::Strengths},
};

use super::{
    App,
    extract::{Body, Named, SignedIn},
    openapi::{OfAbsence, OfBody, OfRating, OfServer, OfToken},
    problem::HttpError,
};
use crate::records::ratings::{self, RatingError};

/// Whether a request has neither a line in the log nor a figure: both would tell when somebody rated.
pub(super) fn leaves_no_trace(route: &str) -> bool {
    matches!(route, "/v1/ratings" | "/v1/ratings/{meeting}")
}

/// Rates a 1on1 that is over, as its member.
///
/// May be repeated: until Sunday 24:00 of the week in which it first arrived the later one counts. A 1on1 can be rated for
/// 14 days. Neither the manager nor anybody else learns that there is a rating; they are counted on Mondays at 06:00.
#[utoipa::path(
    put, path = "/v1/ratings/{meeting}", tag = "ratings", operation_id = "put_rating", security(("bearer" = [])),
    params(("meeting" = MeetingId, Path, description = "The 1on1.")),
    request_body(content = Rating, example = json!({
        "talked": 4, "as_asked": "roughly", "picks": [{ "category": "career", "response": "think" }],
    })),
    responses((status = 204, description = "It is kept."), OfAbsence, OfRating, OfBody, OfToken, OfServer),
)]
pub(super) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Named(meeting): Named,
    Body(rating): Body<Rating>,
) -> Result<StatusCode, HttpError> {
    if rating.picks.len() > MAX_PICKS {
        let detail = format!("{} picks in one rating: send at most {MAX_PICKS}", rating.picks.len());
        return Err(HttpError::new(ProblemCode::InvalidRequest, detail));
    }
    // What is no id is nobody's 1on1.
    let meeting = meeting.parse::<MeetingId>().map_err(|_| RatingError::Absent)?;
    ratings::give(&app.store, &app.rating_key, &person.principal(), meeting, rating, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the caller's own ratings that can still be changed.
#[utoipa::path(
    get, path = "/v1/ratings", tag = "ratings", operation_id = "list_ratings", security(("bearer" = [])),
    responses((status = 200, description = "Those of the open week.", body = OwnRatings), OfToken, OfServer),
)]
pub(super) async fn own(State(app): State<App>, person: SignedIn) -> Result<Json<OwnRatings>, HttpError> {
    Ok(Json(ratings::own(&app.store, &app.rating_key, &person.principal(), app.clock.now()).await?))
}

/// What the caller is good at as a manager, in words.
///
/// Renewed on Mondays at 06:00. Nobody gets anybody else's. Below five voices in a year there is no word.
#[utoipa::path(
    get, path = "/v1/strengths", tag = "ratings", operation_id = "get_strengths", security(("bearer" = [])),
    responses((status = 200, description = "The words of the last count.", body = Strengths), OfToken, OfServer),
)]
pub(super) async fn strengths(State(app): State<App>, person: SignedIn) -> Result<Json<Strengths>, HttpError> {
    Ok(Json(ratings::strengths(&app.store, &app.rating_key, &person.principal()).await?))
}

impl From<RatingError> for HttpError {
    fn from(error: RatingError) -> Self {
        match error {
            RatingError::Absent => Self::new(
                ProblemCode::NotFound,
                "none of your 1on1s that are over has this id: send the end of the 1on1 first",
            ),
            RatingError::Closed => Self::new(
                ProblemCode::RatingClosed,
                "its week was counted, or the 1on1 was more than 14 days ago: do not send it again",
            ),
            RatingError::Store(error) => error.into(),
        }
    }
}

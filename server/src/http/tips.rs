//! Tips of other managers: pages, a search, and what a phone keeps. Writing and trying are commands.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use taiwa_shared::{
    domain::search,
    protocol::{
        problem::ProblemCode,
        tips::{TipScope, TipShelf, TipsPage},
    },
};

use super::{
    App,
    extract::SignedIn,
    openapi::{OfAbsence, OfParameters, OfServer, OfToken},
    problem::HttpError,
};
use crate::tips::feed::{self, FeedError, MAX_TIPS_PER_PAGE, TIPS_PER_PAGE, Wanted};

/// Which tips.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TipsQuery {
    /// `company` unless said otherwise.
    scope: Option<TipScope>,
    /// A topic's slug: tips for it come first, then those of its category.
    topic: Option<String>,
    /// A category's slug.
    category: Option<String>,
    /// A response's slug.
    response: Option<String>,
    /// Words that all have to be in the tip, in Japanese or English; the other parameters then leave out what does not fit.
    q: Option<String>,
    /// `next` of the page before, with the same question.
    cursor: Option<String>,
    /// Tips on the page, at most 50; 20 if left out.
    limit: Option<usize>,
}

/// Gives managers the next tips, the most useful first.
///
/// With topic and response: those for both, then those of the topic's category for the response, then the others for the
/// response. The order follows how many managers a tip helped and how new it is.
#[utoipa::path(
    get, path = "/v1/tips", tag = "tips", operation_id = "list_tips", security(("bearer" = [])),
    params(TipsQuery),
    responses((status = 200, description = "A page.", body = TipsPage), OfParameters, OfAbsence, OfToken, OfServer),
)]
pub(super) async fn page(
    State(app): State<App>,
    person: SignedIn,
    query: Result<Query<TipsQuery>, QueryRejection>,
) -> Result<Json<TipsPage>, HttpError> {
    let (wanted, cursor, limit) = match asked(query) {
        Ok(asked) => asked,
        Err(invalid) => {
            // Whoever manages nobody learns nothing of the parameters either.
            feed::admit(&app.store, &person.principal()).await?;
            return Err(invalid);
        }
    };
    Ok(Json(feed::page(&app.store, &person.principal(), &wanted, cursor.as_deref(), limit).await?))
}

fn asked(query: Result<Query<TipsQuery>, QueryRejection>) -> Result<(Wanted, Option<String>, usize), HttpError> {
    let Query(query) = query.map_err(|error| invalid(error.body_text()))?;
    let wanted = Wanted {
        scope: query.scope.unwrap_or(TipScope::Company),
        topic: slug("topic", query.topic)?,
        category: slug("category", query.category)?,
        response: slug("response", query.response)?,
        query: match query.q {
            Some(text) => Some(search::Query::parse(&text).map_err(|error| invalid(error.to_string()))?),
            None => None,
        },
    };
    Ok((wanted, query.cursor, query.limit.unwrap_or(TIPS_PER_PAGE).clamp(1, MAX_TIPS_PER_PAGE)))
}

/// Gives a manager's phone what it keeps to read without a network.
#[utoipa::path(
    get, path = "/v1/tips/shelf", tag = "tips", operation_id = "get_tip_shelf", security(("bearer" = [])),
    responses((status = 200, description = "The most useful tips.", body = TipShelf), OfAbsence, OfToken, OfServer),
)]
pub(super) async fn shelf(State(app): State<App>, person: SignedIn) -> Result<Json<TipShelf>, HttpError> {
    Ok(Json(feed::shelf(&app.store, &person.principal()).await?))
}

fn invalid(detail: String) -> HttpError {
    HttpError::new(ProblemCode::InvalidRequest, detail)
}

fn slug<T: TryFrom<String, Error: std::fmt::Display>>(
    name: &str,
    text: Option<String>,
) -> Result<Option<T>, HttpError> {
    let parse = |text: String| T::try_from(text).map_err(|error| invalid(format!("`{name}`: {error}")));
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

impl From<FeedError> for HttpError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Absent => Self::new(ProblemCode::NotFound, "tips are for managers with somebody to meet"),
            FeedError::Cursor => invalid(error.to_string()),
            FeedError::Store(error) => error.into(),
        }
    }
}

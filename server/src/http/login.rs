//! Getting, renewing and giving up tokens.

use axum::{Json, extract::State, http::StatusCode};
use taiwa_shared::protocol::{
    login::{InvitationRequest, LoginResponse, PasswordRequest, RefreshRequest, Tokens},
    problem::ProblemCode,
};

use super::{
    App,
    extract::{Body, Caller, SignedIn},
    problem::HttpError,
};

pub(super) async fn with_invitation(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<InvitationRequest>,
) -> Result<Json<LoginResponse>, HttpError> {
    count_try(&app, &caller)?;
    Ok(Json(app.auth.sign_in_with_invitation(&request).await?))
}

pub(super) async fn with_password(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<PasswordRequest>,
) -> Result<Json<LoginResponse>, HttpError> {
    count_try(&app, &caller)?;
    Ok(Json(app.auth.sign_in_with_password(&request).await?))
}

/// Not counted per address: nobody guesses 256 bits, and an office has one address for all its phones.
pub(super) async fn refresh(
    State(app): State<App>,
    Body(request): Body<RefreshRequest>,
) -> Result<Json<Tokens>, HttpError> {
    Ok(Json(app.auth.refresh(&request).await?))
}

pub(super) async fn sign_out(State(app): State<App>, person: SignedIn) -> Result<StatusCode, HttpError> {
    app.auth.sign_out(&person.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn count_try(app: &App, caller: &Caller) -> Result<(), HttpError> {
    app.login_limit.count(caller.address).map_err(|wait| {
        let detail = "too many sign-ins from this address: wait as long as said and try again";
        HttpError::new(ProblemCode::TooManyTries, detail).retry_after(wait)
    })
}

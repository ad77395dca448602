//! Getting, renewing and giving up tokens.

use axum::{Json, extract::State, http::StatusCode};
use taiwa_shared::protocol::{
    login::{InvitationRequest, LoginResponse, PasswordRequest, RefreshRequest, Tokens},
    problem::ProblemCode,
};

use super::{
    App,
    extract::{Body, Caller, SignedIn},
    openapi::{OfBody, OfInvitation, OfPassword, OfRefresh, OfServer, OfToken},
    problem::HttpError,
};
use crate::{
    auth::AuthError,
    metrics::{SignInResult, SignInWith},
};

/// Signs in for the first time, with an invitation.
///
/// The invitation is the last part of the link; it works once, within 7 days. The password that is chosen is for the
/// next sign-ins, on this device or another.
#[utoipa::path(
    post, path = "/v1/login/invitation", tag = "login", operation_id = "sign_in_with_invitation", security(()),
    request_body(content = InvitationRequest, example = json!({
        "invitation": "fnqJ2rPb0T0yY1S8fYH3gE6cZ8m1wq9cVYk0mI0nqLw", "password": "晴れた日は歩いて行く 42", "device_name": "田中の電話",
    })),
    responses((status = 200, description = "Signed in.", body = LoginResponse), OfInvitation, OfBody, OfServer),
)]
pub(super) async fn with_invitation(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<InvitationRequest>,
) -> Result<Json<LoginResponse>, HttpError> {
    count_try(&app, &caller, SignInWith::Invitation)?;
    noted(&app, SignInWith::Invitation, app.auth.sign_in_with_invitation(&request).await)
}

/// Signs in with e-mail and password.
#[utoipa::path(
    post, path = "/v1/login/password", tag = "login", operation_id = "sign_in_with_password", security(()),
    request_body(content = PasswordRequest, example = json!({
        "organisation": "aozora-mobile", "email": "tanaka@aozora.example.jp", "password": "晴れた日は歩いて行く 42",
        "device_name": "田中の電話",
    })),
    responses((status = 200, description = "Signed in.", body = LoginResponse), OfPassword, OfBody, OfServer),
)]
pub(super) async fn with_password(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<PasswordRequest>,
) -> Result<Json<LoginResponse>, HttpError> {
    count_try(&app, &caller, SignInWith::Password)?;
    noted(&app, SignInWith::Password, app.auth.sign_in_with_password(&request).await)
}

/// Renews the tokens.
///
/// The refresh token is used up and replaced. A client whose answer was lost may send the same one again within a short
/// time; one that is used later ends the sign-in, because somebody else may hold it.
// Not counted per address: nobody guesses 256 bits, and an office has one address for all its phones.
#[utoipa::path(
    post, path = "/v1/login/refresh", tag = "login", operation_id = "refresh", security(()),
    request_body = RefreshRequest,
    responses((status = 200, description = "New tokens.", body = Tokens), OfRefresh, OfBody, OfServer),
)]
pub(super) async fn refresh(
    State(app): State<App>,
    Body(request): Body<RefreshRequest>,
) -> Result<Json<Tokens>, HttpError> {
    noted(&app, SignInWith::RefreshToken, app.auth.refresh(&request).await)
}

/// Ends this sign-in.
///
/// Its refresh token stops working, and so does its access token; open sockets are closed within a second.
#[utoipa::path(
    post, path = "/v1/login/sign-out", tag = "login", operation_id = "sign_out", security(("bearer" = [])),
    responses((status = 204, description = "Signed out."), OfToken, OfServer),
)]
pub(super) async fn sign_out(State(app): State<App>, person: SignedIn) -> Result<StatusCode, HttpError> {
    app.auth.sign_out(&person.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn count_try(app: &App, caller: &Caller, with: SignInWith) -> Result<(), HttpError> {
    app.login_limit.count(caller.address).map_err(|wait| {
        app.metrics.sign_in(with, SignInResult::TooManyTries);
        let detail = "too many sign-ins from this address: wait as long as said and try again";
        HttpError::new(ProblemCode::TooManyTries, detail).retry_after(wait)
    })
}

/// Counts the attempt and turns it into the answer.
fn noted<T>(app: &App, with: SignInWith, outcome: Result<T, AuthError>) -> Result<Json<T>, HttpError> {
    let result = match &outcome {
        Ok(_) => SignInResult::Accepted,
        Err(AuthError::PasswordTooWeak(_) | AuthError::OrganisationNeeded) => SignInResult::Incomplete,
        Err(AuthError::TooManyTries { .. }) => SignInResult::TooManyTries,
        Err(AuthError::Busy | AuthError::Store(_)) => SignInResult::Failed,
        Err(
            AuthError::CredentialsRefused | AuthError::SignInAgain | AuthError::TokenInvalid | AuthError::UnknownDevice,
        ) => SignInResult::Refused,
    };
    app.metrics.sign_in(with, result);
    Ok(Json(outcome?))
}

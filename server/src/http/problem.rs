//! Errors as `application/problem+json`: one exhaustive match per source, each with what to do next.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use taiwa_shared::protocol::{
    people::{ImportFault, ImportProblem},
    problem::{MEDIA_TYPE, Problem, ProblemCode},
};

use crate::{auth::AuthError, records::commands::CommandsError, store::StoreError};

/// Seconds after which a phone tries again when the server was busy.
const BUSY_RETRY_SECONDS: u32 = 5;

/// An error answer.
#[derive(Debug)]
pub(crate) struct HttpError {
    problem: Problem,
    /// What is wrong in a file, for an import.
    faults: Vec<ImportFault>,
}

impl HttpError {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let (status, title) = kind_of(code);
        let retry_after_seconds = (code == ProblemCode::Unavailable).then_some(BUSY_RETRY_SECONDS);
        let problem = Problem {
            code,
            title: title.to_owned(),
            status: status.as_u16(),
            detail: Some(detail.into()),
            retry_after_seconds,
        };
        Self { problem, faults: Vec::new() }
    }

    pub(crate) fn with_faults(mut self, faults: Vec<ImportFault>) -> Self {
        self.faults = faults;
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.problem.status = status.as_u16();
        self
    }

    /// The body of the answer.
    pub(super) fn into_problem(self) -> Problem {
        self.problem
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1_000);
        self.problem.retry_after_seconds = Some(u32::try_from(seconds).unwrap_or(u32::MAX).max(1));
        self
    }
}

/// Status and title of a code.
pub(super) fn kind_of(code: ProblemCode) -> (StatusCode, &'static str) {
    match code {
        ProblemCode::InvalidRequest => (StatusCode::BAD_REQUEST, "The request is not what this route takes"),
        ProblemCode::TokenInvalid => (StatusCode::UNAUTHORIZED, "The access token is missing, expired or wrong"),
        ProblemCode::SignInAgain => (StatusCode::UNAUTHORIZED, "The sign-in is over"),
        ProblemCode::CredentialsRefused => (StatusCode::UNAUTHORIZED, "The sign-in was refused"),
        ProblemCode::PasswordTooWeak => (StatusCode::UNPROCESSABLE_ENTITY, "The password is too weak"),
        ProblemCode::OrganisationNeeded => (StatusCode::UNPROCESSABLE_ENTITY, "The organisation has to be named"),
        ProblemCode::TooManyTries => (StatusCode::TOO_MANY_REQUESTS, "Too many tries"),
        ProblemCode::NotFound => (StatusCode::NOT_FOUND, "Not there, or not for you"),
        ProblemCode::RatingClosed => (StatusCode::CONFLICT, "The rating can no longer be given or changed"),
        ProblemCode::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
        ProblemCode::UpdateApp => (StatusCode::UPGRADE_REQUIRED, "The app is too old for this server"),
        ProblemCode::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "The server cannot do it now"),
        ProblemCode::Internal | ProblemCode::Unknown => (StatusCode::INTERNAL_SERVER_ERROR, "The server failed"),
    }
}

impl From<AuthError> for HttpError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::CredentialsRefused => Self::new(
                ProblemCode::CredentialsRefused,
                "e-mail and password do not match, or the invitation was used or is over: check what you typed, or \
                 ask for a new invitation",
            ),
            AuthError::SignInAgain => {
                Self::new(ProblemCode::SignInAgain, "sign in again; what is on this phone stays there")
            }
            AuthError::TokenInvalid => {
                Self::new(ProblemCode::TokenInvalid, "refresh the access token and repeat the request")
            }
            AuthError::UnknownDevice => Self::new(
                ProblemCode::NotFound,
                "none of your sign-ins has this id: list them again, it may be over already",
            ),
            AuthError::PasswordTooWeak(why) => Self::new(ProblemCode::PasswordTooWeak, why),
            AuthError::OrganisationNeeded => {
                Self::new(ProblemCode::OrganisationNeeded, "send `organisation` with the short name of yours")
            }
            AuthError::TooManyTries { retry_after } => {
                Self::new(ProblemCode::TooManyTries, "wait as long as said and try again").retry_after(retry_after)
            }
            AuthError::Busy => Self::new(ProblemCode::Unavailable, "many people sign in right now: try again"),
            AuthError::Store(error) => error.into(),
        }
    }
}

impl From<CommandsError> for HttpError {
    fn from(error: CommandsError) -> Self {
        match error {
            CommandsError::TooMany { retry_after } => Self::new(
                ProblemCode::TooManyTries,
                "that is more than one person gives in a day; none was taken: send them again when the day is over",
            )
            .retry_after(retry_after),
            CommandsError::SignedOut => AuthError::TokenInvalid.into(),
            CommandsError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database did not answer");
            Self::new(ProblemCode::Unavailable, "nothing was changed: try again in a moment")
        } else {
            tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
            Self::new(ProblemCode::Internal, "nothing was changed; the server's log says more")
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after_seconds = self.problem.retry_after_seconds;
        let Self { problem, faults } = self;
        let mut response = (status, Json(ImportProblem { problem, faults })).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

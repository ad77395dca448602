//! The API described: what stands around the routes, and how errors are written.
//!
//! A route and its description are one attribute on its handler (`#[utoipa::path]`), collected by `http::routes`; there
//! is no other way to add a route. `docs/openapi.json` is a copy of [`text`], renewed by `cargo xtask openapi`.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    http::header,
    response::{IntoResponse, Response as Answer},
};
use serde_json::Value;
use taiwa_shared::protocol::problem::{MEDIA_TYPE, Problem, ProblemCode};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder,
        example::ExampleBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::problem::{HttpError, kind_of};

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "taiwa", description = include_str!("openapi.md"), license(name = "MIT OR Apache-2.0")),
    servers((url = "/", description = "This server")),
    tags(
        (name = "login", description = "Getting, renewing and giving up tokens."),
        (name = "records", description = "People, pairs, meetings and which documents there are: pulled by a cursor, changed by commands."),
        (name = "tips", description = "What managers tell other managers; who tries one says so by a command."),
        (name = "ratings", description = "What a member says about a 1on1, for nobody else to see, and the words that a manager gets from many."),
        (name = "sync", description = "The socket on which documents are exchanged."),
        (name = "server", description = "Health, this description, and pages for people."),
    ),
    components(schemas(Problem)),
    modifiers(&Security),
)]
pub(super) struct Around;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The access token of a sign-in. It lasts ten minutes; renew it by `/v1/login/refresh`."))
            .build();
        let ticket = ApiKeyValue::with_description(
            "ticket",
            "From `/v1/sync/ticket`: opens one socket within 30 seconds, for browsers, which cannot send a header.",
        );
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("ticket", SecurityScheme::ApiKey(ApiKey::Query(ticket)));
    }
}

/// The document, as served and as committed.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let document = super::routes().into_openapi();
        let mut document = serde_json::to_value(document).expect("maps with text as keys become JSON");
        if let Some(schemas) = document.pointer_mut("/components/schemas") {
            leave_out_the_unknown(schemas);
        }
        format!("{document:#}\n")
    });
    &TEXT
}

/// Every closed set of words has one more with which older readers stand what newer servers say. Nobody sends it.
fn leave_out_the_unknown(schema: &mut Value) {
    let is_unknown = |word: &Value| matches!(word.as_str(), Some("unknown" | "other"));
    let is_for_unknown = |alternative: &Value| {
        let properties = alternative.get("properties").and_then(Value::as_object);
        let mut words = properties.into_iter().flat_map(|map| map.values()).filter_map(|property| property.get("enum"));
        words.any(|words| words.as_array().is_some_and(|words| words.iter().all(is_unknown)))
    };
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(words)) = map.get_mut("enum")
                && !words.iter().all(is_unknown)
            {
                words.retain(|word| !is_unknown(word));
            }
            if let Some(Value::Array(alternatives)) = map.get_mut("oneOf") {
                alternatives.retain(|alternative| !is_for_unknown(alternative));
            }
            map.values_mut().for_each(leave_out_the_unknown);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out_the_unknown),
        _ => {}
    }
}

/// This description.
///
/// OpenAPI 3.1, for generators of clients and for the page at `/api`.
#[utoipa::path(
    get, path = "/openapi.json", tag = "server", security(()),
    responses((status = 200, description = "The document that you are reading.", body = Value), OfServer),
)]
pub(super) async fn document() -> Answer {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

/// Errors with these codes, in one response per status with an example of each.
pub(super) fn problems(codes: &[ProblemCode]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    for code in codes {
        by_status.entry(kind_of(*code).0.as_u16()).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(&codes)))).collect()
}

fn response(codes: &[ProblemCode]) -> Response {
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name(<Problem as utoipa::ToSchema>::name())));
    let mut description = Vec::new();
    for code in codes {
        let problem = HttpError::new(*code, remedy(*code)).into_problem();
        let value = serde_json::to_value(&problem).expect("a problem is JSON");
        let word = value["code"].as_str().unwrap_or_default().to_owned();
        description.push(format!("`{word}`: {}. Next: {}.", problem.title, remedy(*code)));
        content = content.examples_from_iter([(word, ExampleBuilder::new().value(Some(value)).build())]);
    }
    ResponseBuilder::new().description(description.join("\n\n")).content(MEDIA_TYPE, content.build()).build()
}

/// What a client does about it.
fn remedy(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::InvalidRequest => "correct the request as `detail` says",
        ProblemCode::TokenInvalid => "refresh the access token and repeat the request",
        ProblemCode::SignInAgain => "ask the person to sign in again and keep what is on the phone",
        ProblemCode::CredentialsRefused => "let the person check what they typed, or ask for a new invitation",
        ProblemCode::PasswordTooWeak => "let the person choose a password as `detail` says",
        ProblemCode::OrganisationNeeded => "send `organisation` with the short name of the person's",
        ProblemCode::TooManyTries => "wait `retry_after_seconds` and try again",
        ProblemCode::NotFound => "treat it as gone; what is not there and what is not for you look the same",
        ProblemCode::RatingClosed => "tell the person, and do not send it again",
        ProblemCode::TooLarge => "send it in parts",
        ProblemCode::UpdateApp => "ask the person to update the app",
        ProblemCode::Unavailable => "wait `retry_after_seconds` and repeat the request; nothing was changed",
        ProblemCode::Internal | ProblemCode::Unknown => "try again later; nothing was changed",
    }
}

/// Declares sets of errors for `responses(...)` of a handler.
macro_rules! problem_sets {
    ($($(#[$doc:meta])* $name:ident = [$($code:ident),*];)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problems(&[$(ProblemCode::$code),*])
            }
        }
    )*};
}

problem_sets! {
    /// What every route can answer.
    OfServer = [Unavailable, Internal];
    /// Of routes with a body.
    OfBody = [InvalidRequest, TooLarge];
    /// Of routes with parameters and no body.
    OfParameters = [InvalidRequest];
    /// Of routes for people who are signed in.
    OfToken = [TokenInvalid];
    /// Of routes that take only so much in a day.
    OfQuota = [TooManyTries];
    /// Of routes about one thing that may not be there, or not for the caller.
    OfAbsence = [NotFound];
    /// Of ratings.
    OfRating = [RatingClosed];
    /// Of refreshing.
    OfRefresh = [SignInAgain];
    /// Of an invitation.
    OfInvitation = [CredentialsRefused, PasswordTooWeak, TooManyTries];
    /// Of a password.
    OfPassword = [CredentialsRefused, OrganisationNeeded, TooManyTries];
}

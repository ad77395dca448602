//! The list of people, brought in line with a CSV file by an admin of the organisation.
//!
//! Whoever is signed in and no admin gets the answer of an unknown route, before their body is read.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request, State, rejection::QueryRejection},
    http::{StatusCode, header, request::Parts},
};
use serde::Deserialize;
use taiwa_shared::{
    domain::people::Role,
    protocol::{
        people::{ImportProblem, ImportResponse},
        problem::ProblemCode,
    },
};

use super::{
    App,
    extract::SignedIn,
    openapi::{OfAbsence, OfServer, OfToken},
    problem::HttpError,
    unknown_route,
};
use crate::{
    auth::Identity,
    bus::News,
    records::import::{self, Import, ImportError, MAX_BYTES, Missing, Run, Sender, Table},
};

/// Body limit of the import; a byte more than a file may have, so that the message about files is the one that is read.
pub(super) const MAX_IMPORT_BYTES: usize = MAX_BYTES + 1;

/// Somebody who keeps the list of people.
pub(super) struct Admin(Identity);

impl FromRequestParts<App> for Admin {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        let SignedIn(identity) = SignedIn::from_request_parts(parts, app).await?;
        if identity.role == Role::Admin { Ok(Self(identity)) } else { Err(unknown_route().await) }
    }
}

/// A body that is said to be CSV.
pub(super) struct Csv(Bytes);

impl FromRequest<App> for Csv {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &App) -> Result<Self, HttpError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/csv")) {
            let detail = "send the file as the body, with content-type text/csv";
            return Err(HttpError::new(ProblemCode::InvalidRequest, detail));
        }
        Bytes::from_request(request, app).await.map(Self).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                HttpError::new(ProblemCode::TooLarge, "the file is larger than 10 MiB: this is not a list of people")
            } else {
                HttpError::new(ProblemCode::InvalidRequest, "the body broke off: send it again")
            }
        })
    }
}

/// How to import.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Only says what would change.
    #[serde(default)]
    dry_run: bool,
    /// Allows that so many people lose their access; exactly the number that a refused import named.
    allow_removing: Option<u32>,
    /// The file is a part of the list: people who are not in it stay as they are.
    #[serde(default)]
    keep_missing: bool,
}

/// Brings the people of the organisation in line with a CSV file, for admins.
///
/// The file is the whole list: who is missing from it loses their access at once. All or nothing; the same file again changes
/// nothing. UTF-8 or Shift_JIS with a first line `email,name,site,manager_email,role` or
/// `メールアドレス,氏名,部署/勤務地,上司のメールアドレス,役割`; only e-mail and name are needed, and a column that is not there changes
/// nothing. More than a tenth of the people (and more than two) are removed only if `allow_removing` names their number.
#[utoipa::path(
    post, path = "/v1/people/import", tag = "records", operation_id = "import_people", security(("bearer" = [])),
    params(ImportQuery),
    request_body(content = String, content_type = "text/csv", description = "The file, up to 10 MiB."),
    responses(
        (status = 200, description = "What changed, or would change.", body = ImportResponse),
        (status = 400, description = "Parameters or content type are not what this route takes.", body = ImportProblem, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large.", body = ImportProblem, content_type = "application/problem+json"),
        (status = 422, description = "The file has faults, or removes too many people; nothing has changed.", body = ImportProblem, content_type = "application/problem+json"),
        OfToken, OfAbsence, OfServer,
    ),
)]
pub(super) async fn import(
    State(app): State<App>,
    Admin(Identity { organisation, user, .. }): Admin,
    query: Result<Query<ImportQuery>, QueryRejection>,
    Csv(file): Csv,
) -> Result<Json<ImportResponse>, HttpError> {
    let Query(query) = query.map_err(|error| HttpError::new(ProblemCode::InvalidRequest, error.body_text()))?;
    let missing = if query.keep_missing {
        Missing::Keep
    } else {
        Missing::Remove { allowed: query.allow_removing.and_then(|number| usize::try_from(number).ok()) }
    };
    let table = tokio::task::spawn_blocking(move || Table::read(&file)).await;
    let table =
        table.map_err(|_| HttpError::new(ProblemCode::Internal, "nothing was changed; the server's log says more"))?;
    let table = match table {
        Ok(table) => table,
        Err(error) => return Err(refusal(error).await),
    };
    let run = if query.dry_run { Run::Dry } else { Run::Write };
    let sender = Sender::Admin { organisation, person: user };
    let import = Import { sender, table: &table, missing, run };
    let imported = match import::run(&app.store, &import, app.clock.now()).await {
        Ok(imported) => imported,
        Err(error) => return Err(refusal(error).await),
    };
    for device in imported.devices_ended {
        app.bus.publish(News::Revoked { device });
    }
    if let Some(counter) = imported.counter {
        let (added, removed) = (imported.difference.added.len(), imported.difference.removed.len());
        tracing::info!(target: "taiwa::audit", { user.id = %user, added, removed }, "people were imported");
        app.bus.publish(News::Records { organisation, counter });
    }
    let applied = run == Run::Write;
    Ok(Json(ImportResponse { applied, encoding: table.encoding, difference: imported.difference }))
}

async fn refusal(error: ImportError) -> HttpError {
    let refused = |detail: String| {
        HttpError::new(ProblemCode::InvalidRequest, detail).with_status(StatusCode::UNPROCESSABLE_ENTITY)
    };
    match error {
        ImportError::Faults(faults) => refused(
            "the file has faults and nothing has changed: mend what `faults` names and send it again".to_owned(),
        )
        .with_faults(faults),
        ImportError::TooManyRemoved { removed, active } => refused(format!(
            "nothing has changed: {removed} of {active} people are missing from the file and would lose their access. If \
             that is right, send it again with allow_removing={removed}; if the file is a part of the list, with \
             keep_missing=true. dry_run=true shows who they are."
        )),
        ImportError::NotAdmin | ImportError::UnknownOrganisation(_) => unknown_route().await,
        ImportError::Store(error) => error.into(),
    }
}

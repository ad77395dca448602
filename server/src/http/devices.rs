//! A person's own sign-ins: listed, and ended one by one.

use axum::{Json, extract::State, http::StatusCode};
use taiwa_shared::{
    ids::DeviceId,
    protocol::devices::{Device, DevicesResponse},
};

use super::{
    App,
    extract::{Named, SignedIn},
    openapi::{OfAbsence, OfServer, OfToken},
    problem::HttpError,
};
use crate::auth::AuthError;

/// Lists the devices on which the caller is signed in.
#[utoipa::path(
    get, path = "/v1/devices", tag = "login", operation_id = "list_devices", security(("bearer" = [])),
    responses((status = 200, description = "The sign-ins that still last.", body = DevicesResponse), OfToken, OfServer),
)]
pub(super) async fn list(State(app): State<App>, person: SignedIn) -> Result<Json<DevicesResponse>, HttpError> {
    let rows = app.auth.devices(&person.0).await?;
    let devices = rows.into_iter().map(|row| Device {
        this: row.id == person.0.device,
        id: row.id,
        name: row.name,
        made: row.made,
        last_used: row.refreshed,
    });
    Ok(Json(DevicesResponse { devices: devices.collect() }))
}

/// Ends one of the caller's sign-ins, such as that of a lost phone.
///
/// Its tokens stop working and its sockets close. Nothing is deleted from the device: what it had not sent stays on it.
#[utoipa::path(
    delete, path = "/v1/devices/{id}", tag = "login", operation_id = "revoke_device", security(("bearer" = [])),
    params(("id" = DeviceId, Path, description = "The sign-in, as listed.")),
    responses((status = 204, description = "The sign-in is over."), OfAbsence, OfToken, OfServer),
)]
pub(super) async fn revoke(
    State(app): State<App>,
    person: SignedIn,
    Named(id): Named,
) -> Result<StatusCode, HttpError> {
    // What is no id is nobody's device.
    let device = id.parse::<DeviceId>().map_err(|_| AuthError::UnknownDevice)?;
    app.auth.end_own_device(&person.0, device).await?;
    Ok(StatusCode::NO_CONTENT)
}

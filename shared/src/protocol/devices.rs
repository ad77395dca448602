//! A person's own sign-ins (`GET /v1/devices`), of which they may end each (`DELETE /v1/devices/{id}`).

use serde::{Deserialize, Serialize};

use crate::{ids::DeviceId, time::Timestamp};

/// Answer to `GET /v1/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DevicesResponse {
    /// The sign-ins that still last, oldest first.
    pub devices: Vec<Device>,
}

/// A sign-in on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// How the person recognises it, as it was given at the sign-in.
    pub name: String,
    /// When they signed in.
    pub made: Timestamp,
    /// When it was last used, to about ten minutes.
    pub last_used: Timestamp,
    /// Whether it is the one that asks.
    pub this: bool,
}

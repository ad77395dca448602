//! A sign-in in the list of devices.

use taiwa_shared::protocol::devices::Device;

/// A device on which this person is signed in.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceView {
    /// Which, to end it.
    pub id: String,
    /// How the person recognises it.
    pub name: String,
    /// When they signed in.
    pub made_millis: i64,
    /// When it was last used, to about ten minutes.
    pub last_used_millis: i64,
    /// Whether it is this phone.
    pub is_this: bool,
}

impl From<Device> for DeviceView {
    fn from(device: Device) -> Self {
        let Device { id, name, made, last_used, this } = device;
        Self {
            id: id.to_string(),
            name,
            made_millis: made.as_millis(),
            last_used_millis: last_used.as_millis(),
            is_this: this,
        }
    }
}

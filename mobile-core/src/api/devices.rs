//! The devices on which this person is signed in.

use super::{ApiError, DeviceView, Session, error::parsed, runtime::ask, session::all};

#[uniffi::export]
impl Session {
    /// The sign-ins that still last, oldest first. Asks the server.
    ///
    /// # Errors
    /// [`ApiError::Offline`], [`ApiError::SignInAgain`].
    pub async fn devices(&self) -> Result<Vec<DeviceView>, ApiError> {
        ask!(self.devices()).map(all)
    }

    /// Ends another sign-in of this person, such as that of a lost phone; nothing is deleted from that device.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if it is over already or this phone's own, [`ApiError::Offline`].
    pub async fn revoke_device(&self, device_id: String) -> Result<(), ApiError> {
        let device = parsed("the device", &device_id)?;
        ask!(self.revoke_device(device))
    }
}

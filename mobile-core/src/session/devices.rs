//! The devices on which this person is signed in: asked of the server, because only it knows, and ended one by one.
//!
//! The one screen that needs a network. Ending a sign-in deletes nothing from the device that had it.

use taiwa_shared::{ids::DeviceId, protocol::devices::Device};

use super::{Session, SessionError};

impl Session {
    /// The sign-ins that still last, oldest first; this phone's own says so.
    ///
    /// # Errors
    /// [`SessionError::Offline`], [`SessionError::SignInAgain`].
    pub async fn devices(&self) -> Result<Vec<Device>, SessionError> {
        let answer = self.tokens.with_token(|token| async move { self.http.devices(&token).await }).await??;
        Ok(answer.devices)
    }

    /// Ends another sign-in of this person, such as that of a lost phone. This phone's own ends with a sign-out.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if it is over already, or this phone's own; [`SessionError::Offline`],
    /// [`SessionError::SignInAgain`].
    pub async fn revoke_device(&self, device: DeviceId) -> Result<(), SessionError> {
        if device == self.core.identity.device {
            return Err(SessionError::NoAccess);
        }
        Ok(self.tokens.with_token(|token| async move { self.http.revoke_device(&token, device).await }).await??)
    }
}

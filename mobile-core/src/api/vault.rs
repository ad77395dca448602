//! The host's key store: Keychain on Apple, Keystore on Android.

use std::sync::Arc;

use crate::session::{TokenVault, VaultError};

/// The key store failed.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum KeyVaultError {
    /// It did not give or take the key now.
    #[error("the key store failed: {reason}")]
    Failed {
        /// In words, for a report.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for KeyVaultError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// Keeps 32 bytes where only this app on this device reads them; written by the app. May block; called on the core's
/// threads.
#[uniffi::export(foreign)]
pub trait KeyVault: Send + Sync {
    /// The key, if one was ever stored.
    ///
    /// # Errors
    /// [`KeyVaultError`] if the device does not give it now.
    fn load_key(&self) -> Result<Option<Vec<u8>>, KeyVaultError>;

    /// Keeps the key of 32 bytes.
    ///
    /// # Errors
    /// [`KeyVaultError`]; nothing is stored on the phone then.
    fn store_key(&self, key: Vec<u8>) -> Result<(), KeyVaultError>;
}

/// The host's key store as the session wants it.
pub(super) struct HostVault(pub(super) Arc<dyn KeyVault>);

impl TokenVault for HostVault {
    fn load(&self) -> Result<Option<[u8; 32]>, VaultError> {
        let Some(key) = self.0.load_key().map_err(failed)? else { return Ok(None) };
        let length = key.len();
        let key = key.try_into().map_err(|_| VaultError { reason: format!("the key has {length} bytes, not 32") })?;
        Ok(Some(key))
    }

    fn store(&self, key: [u8; 32]) -> Result<(), VaultError> {
        self.0.store_key(key.to_vec()).map_err(failed)
    }
}

fn failed(KeyVaultError::Failed { reason }: KeyVaultError) -> VaultError {
    VaultError { reason }
}

//! Where the key of the stores lives: the host's Keychain or Keystore.

use std::sync::{Mutex, PoisonError};

/// The vault could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key vault failed: {reason}")]
pub struct VaultError {
    /// What the host says.
    pub reason: String,
}

/// Keeps 32 bytes where only this app on this device reads them; supplied by the host.
///
/// Called from any thread; may block. The key never changes: losing it makes the stores unreadable.
pub trait TokenVault: Send + Sync + 'static {
    /// The key, if one was ever stored.
    ///
    /// # Errors
    /// [`VaultError`] if the device does not give it now, such as before the first unlock.
    fn load(&self) -> Result<Option<[u8; 32]>, VaultError>;

    /// Keeps the key.
    ///
    /// # Errors
    /// [`VaultError`].
    fn store(&self, key: [u8; 32]) -> Result<(), VaultError>;
}

/// A vault in memory: for tests and for hosts without one, where the key ends with the process.
#[derive(Debug, Default)]
pub struct MemoryVault(Mutex<Option<[u8; 32]>>);

impl TokenVault for MemoryVault {
    fn load(&self) -> Result<Option<[u8; 32]>, VaultError> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn store(&self, key: [u8; 32]) -> Result<(), VaultError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Ok(())
    }
}

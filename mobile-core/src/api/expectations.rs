//! What each member asks for, for their manager.

use super::{ApiError, ExpectationsView, Session, runtime::ask, session::all};

#[uniffi::export]
impl Session {
    /// What each member of this manager has asked for so far, by topic, in the order of their names; counted on this phone
    /// and sent to nobody. Empty for whoever manages nobody.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn expectations(&self) -> Result<Vec<ExpectationsView>, ApiError> {
        ask!(self.expectations()).map(all)
    }
}

//! The next date to agree on, the notices to schedule, and search.

use taiwa_shared::ids::PairId;

use super::{
    ApiError, ProposalView, ReminderSettingsView, ReminderView, SearchHitView, Session, error::parsed, runtime::ask,
    session::all,
};

#[uniffi::export]
impl Session {
    /// The next meeting of a pair to ask both about when one is over; none if it is agreed already.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::InvalidArgument`].
    pub fn next_proposal(&self, pair_id: String) -> Result<Option<ProposalView>, ApiError> {
        let pair: PairId = parsed("the pair", &pair_id)?;
        Ok(self.inner.next_proposal(pair)?.map(Into::into))
    }

    /// The notices of the meetings of the next four weeks: schedule these and no others. One of the same id takes the place of the old one.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn reminders(&self) -> Result<Vec<ReminderView>, ApiError> {
        ask!(self.reminders()).map(all)
    }

    /// What this person wants to be reminded of; everything at first.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn reminder_settings(&self) -> Result<ReminderSettingsView, ApiError> {
        ask!(self.reminder_settings()).map(Into::into)
    }

    /// Keeps what this person wants to be reminded of, on this phone; ask for the reminders again afterwards.
    ///
    /// # Errors
    /// [`ApiError::StorageFull`].
    pub async fn set_reminder_settings(&self, settings: ReminderSettingsView) -> Result<(), ApiError> {
        ask!(self.set_reminder_settings(settings.into()))
    }

    /// Lines on this phone that hold all words, however they are typed; best first, at most 200.
    ///
    /// # Errors
    /// [`ApiError::TooLong`] above 500 characters.
    pub async fn search(&self, text: String) -> Result<Vec<SearchHitView>, ApiError> {
        ask!(self.search(&text)).map(all)
    }
}

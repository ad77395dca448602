//! Ratings as a member, and what the members expect of a manager.

use taiwa_shared::domain::rating::Talked;

use super::{
    ApiError, AsAskedView, ExpectationView, RatingView, Session,
    runtime::ask,
    session::{all, meeting},
};

#[uniffi::export]
impl Session {
    /// The rating of a 1on1 that is over.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if this person was not its member or it is not over.
    pub async fn rating(&self, meeting_id: String) -> Result<RatingView, ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.rating(meeting)).map(Into::into)
    }

    /// Says how a 1on1 went, 1 to 5, or changes it. Sent when there is a network.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::RatingClosed`], [`ApiError::StorageFull`].
    pub async fn rate(&self, meeting_id: String, step: u8, answer: Option<AsAskedView>) -> Result<(), ApiError> {
        let meeting = meeting(&meeting_id)?;
        let talked = Talked::try_from(step).map_err(|_| ApiError::InvalidArgument { what: "the step".to_owned() })?;
        let answer = answer.map(Into::into);
        ask!(self.rate(meeting, talked, answer))
    }

    /// あとで: puts the question away; it comes once more on the next morning, and then never.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::StorageFull`].
    pub async fn put_rating_away(&self, meeting_id: String) -> Result<(), ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.put_rating_away(meeting))
    }

    /// What the members of this manager asked for so far, by category of topics.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn expectations(&self) -> Result<Vec<ExpectationView>, ApiError> {
        ask!(self.expectations()).map(all)
    }
}

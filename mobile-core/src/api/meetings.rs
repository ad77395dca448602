//! Arranging meetings, deciding about what was not done, inviting: each is on the disk when its function returns and is
//! sent when there is a network.

use taiwa_shared::domain::{cadence::Cadence, meeting::MeetingTime};

use super::{
    ApiError, CadenceView, CommandCardView, InvitationView, MeetingTimeView, RhythmChoiceView, Session,
    error::parsed,
    runtime::ask,
    session::{all, meeting, pair},
};

#[uniffi::export]
impl Session {
    /// Agrees on the time of a slot (its nominal date, such as `2026-04-20`), or makes a meeting by hand without one; the
    /// answer is its id.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::InvalidArgument`], [`ApiError::MeetingOver`], [`ApiError::StorageFull`].
    pub async fn schedule(
        &self,
        pair_id: String,
        slot: Option<String>,
        time: MeetingTimeView,
    ) -> Result<String, ApiError> {
        let (pair, time) = (pair(&pair_id)?, MeetingTime::try_from(time)?);
        let slot = slot.map(|slot| parsed("the slot", &slot)).transpose()?;
        ask!(self.schedule(pair, slot, time)).map(|id| id.to_string())
    }

    /// Gives a meeting another time; puts a cancelled one back.
    ///
    /// # Errors
    /// As `schedule`.
    pub async fn move_meeting(&self, meeting_id: String, time: MeetingTimeView) -> Result<(), ApiError> {
        let (meeting, time) = (meeting(&meeting_id)?, MeetingTime::try_from(time)?);
        ask!(self.move_meeting(meeting, time))
    }

    /// Does not meet.
    ///
    /// # Errors
    /// As `schedule`.
    pub async fn cancel_meeting(&self, meeting_id: String) -> Result<(), ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.cancel_meeting(meeting))
    }

    /// 終わる. Twice is once.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::StorageFull`].
    pub async fn finish_meeting(&self, meeting_id: String) -> Result<(), ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.finish_meeting(meeting))
    }

    /// Gives a pair another rhythm or time.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::InvalidArgument`], [`ApiError::StorageFull`].
    pub async fn set_cadence(&self, pair_id: String, cadence: CadenceView) -> Result<(), ApiError> {
        let (pair, cadence) = (pair(&pair_id)?, Cadence::try_from(cadence)?);
        ask!(self.set_cadence(pair, cadence))
    }

    /// The rhythms to offer for slots on the weekday of a date, such as `2026-04-20`; one of them is recommended.
    ///
    /// # Errors
    /// [`ApiError::InvalidArgument`].
    pub fn rhythm_choices(&self, first: String) -> Result<Vec<RhythmChoiceView>, ApiError> {
        Ok(all(self.inner.rhythm_choices(parsed("the first date", &first)?)))
    }

    /// What was asked for and not done, oldest first.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn command_cards(&self) -> Result<Vec<CommandCardView>, ApiError> {
        ask!(self.command_cards()).map(all)
    }

    /// Asks for it again as things stand now.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if the card is gone or asking again cannot help.
    pub async fn keep_mine(&self, card_id: String) -> Result<(), ApiError> {
        let card = parsed("the card", &card_id)?;
        ask!(self.keep_mine(card))
    }

    /// Leaves it as it stands, and removes the card.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if the card is gone.
    pub async fn take_theirs(&self, card_id: String) -> Result<(), ApiError> {
        let card = parsed("the card", &card_id)?;
        ask!(self.take_theirs(card))
    }

    /// Copies what was prepared for a cancelled meeting into the draft of another; says how many topics.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if they are not of one pair.
    pub async fn carry_preparation(&self, from_meeting_id: String, to_meeting_id: String) -> Result<u32, ApiError> {
        let (from, to) = (meeting(&from_meeting_id)?, meeting(&to_meeting_id)?);
        ask!(self.carry_preparation(from, to))
    }

    /// Invites somebody whose manager this person becomes; gives the link to hand over.
    ///
    /// # Errors
    /// [`ApiError::TooLong`], [`ApiError::InvalidArgument`] for name or e-mail, [`ApiError::StorageFull`].
    pub async fn invite(&self, name: String, email: String) -> Result<InvitationView, ApiError> {
        ask!(self.invite(&name, &email)).map(Into::into)
    }

    /// The invitations of this person, oldest first.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn invitations(&self) -> Result<Vec<InvitationView>, ApiError> {
        ask!(self.invitations()).map(all)
    }
}

//! The notices that this phone shows by itself, for the host to schedule, and what the person wants of them.
//!
//! Computed from what the phone holds. The host replaces all it had scheduled: a notice of the same meeting and kind has the same id.

use std::time::Duration;

use taiwa_shared::domain::{
    meeting::Meeting,
    people::Side,
    reminders::{RemindedMeeting, Reminder, ReminderInput, ReminderSettings, reminders},
};

use super::{PreparationState, Session, SessionError};

/// How far ahead notices are planned: as far as meetings are shown.
const AHEAD: Duration = Duration::from_secs(28 * 24 * 60 * 60);

impl Session {
    /// The notices of the meetings of the next four weeks, soonest first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn reminders(&self) -> Result<Vec<Reminder>, SessionError> {
        let settings = self.reminder_settings().await?;
        let now = self.core.now();
        // Also makes the summaries of the preparations new.
        let shown = self.upcoming().await?;
        let roster = self.core.roster();
        let names: Vec<(Meeting, Side, String, bool)> = shown
            .into_iter()
            .filter_map(|it| {
                let is_published =
                    matches!(it.preparation, PreparationState::Published | PreparationState::ChangedSincePublished);
                Some((roster.meeting(it.meeting, now)?, it.side, it.partner_name, is_published))
            })
            .collect();
        let meetings: Vec<RemindedMeeting<'_>> = names
            .iter()
            .map(|(meeting, side, partner_name, is_published)| RemindedMeeting {
                meeting,
                side: *side,
                partner_name,
                is_published: *is_published,
            })
            .collect();
        let (zone, language) = (&self.core.zone, self.core.language);
        Ok(reminders(&ReminderInput { meetings: &meetings, settings, zone, now, until: now.plus(AHEAD), language }))
    }

    /// What this person wants to be reminded of; everything at first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn reminder_settings(&self) -> Result<ReminderSettings, SessionError> {
        Ok(self.core.store.reminder_settings().await?.unwrap_or_default())
    }

    /// Keeps what this person wants to be reminded of, on this phone.
    ///
    /// # Errors
    /// [`SessionError::StorageFull`].
    pub async fn set_reminder_settings(&self, settings: ReminderSettings) -> Result<(), SessionError> {
        self.core.store.put_reminder_settings(settings).await?;
        self.core.changes.happened();
        Ok(())
    }
}

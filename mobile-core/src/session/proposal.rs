//! 次回: the date that both are asked about when a 1on1 is over.
//!
//! Known offline. はい is the command that schedules the meeting; this only proposes.

use taiwa_shared::{
    domain::{meeting::MeetingTime, proposal::next_proposal},
    ids::{MeetingId, PairId},
    time::Timestamp,
};

use super::{Session, SessionError};

/// A meeting to agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Which meeting.
    pub meeting: MeetingId,
    /// Nominal date of its slot.
    pub slot: jiff::civil::Date,
    /// When it would start, and for how long: what `schedule` takes for はい.
    pub time: MeetingTime,
    /// The moment it would start.
    pub starts: Timestamp,
    /// The same as people say it.
    pub when: String,
    /// 「10月26日(月) 10:00 でよいですか？」
    pub question: String,
    /// Name of the holiday because of which it is later than usual.
    pub because_of_holiday: Option<String>,
}

impl Session {
    /// The next meeting of a pair to agree on; none if there is an agreed one at or before it, or the pair no longer meets.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if the pair is not this person's.
    pub fn next_proposal(&self, pair: PairId) -> Result<Option<Proposal>, SessionError> {
        let (roster, now) = (self.core.roster(), self.core.now());
        let pair = roster.pair(pair).filter(|pair| pair.side_of(self.me()).is_some()).ok_or(SessionError::NoAccess)?;
        let (zone, language) = (&self.core.zone, self.core.language);
        Ok(next_proposal(pair, roster.touched(), now).map(|proposal| Proposal {
            meeting: proposal.meeting.id,
            slot: proposal.slot,
            time: proposal.meeting.time(),
            starts: proposal.meeting.starts_at(),
            when: proposal.when(now, zone, language),
            question: proposal.question(now, zone, language),
            because_of_holiday: proposal.holiday(language).map(str::to_owned),
        }))
    }
}

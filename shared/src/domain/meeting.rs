//! Meetings: a slot in a pair's cadence, or one made by hand.
//!
//! A meeting's id follows from its pair and the nominal local date of its slot, so that an offline phone knows the
//! next ones by itself and two phones mean the same meeting.

use jiff::civil;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{MeetingId, PairId},
    time::{Timestamp, Zone},
};

/// UUIDv5 namespace of meeting ids; made once at random, never changed.
const MEETING_NAMESPACE: Uuid = Uuid::from_u128(0x0e7d_3c1a_64f2_4b8f_a5c9_12be_88d1_4f60);

/// How far a meeting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeetingState {
    /// Still to come, or going on.
    Planned,
    /// Somebody said 終わる.
    Finished,
    /// Will not take place.
    Cancelled,
}

/// One 1on1 of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// Which meeting.
    pub id: MeetingId,
    /// Whose.
    pub pair: PairId,
    /// Nominal date of its slot in the cadence, before anybody moved it; none if it was made by hand.
    pub slot: Option<civil::Date>,
    /// Local date and time it starts.
    pub starts: civil::DateTime,
    /// Zone of [`Self::starts`].
    pub zone: Zone,
    /// Planned length in minutes.
    pub length_minutes: u16,
    /// How far it has come.
    pub state: MeetingState,
}

impl Meeting {
    /// The id of the meeting in the slot of `pair` on the nominal local date `slot`.
    pub fn id_of_slot(pair: PairId, slot: civil::Date) -> MeetingId {
        MeetingId::from_uuid(Uuid::new_v5(&MEETING_NAMESPACE, format!("{pair}/{slot}").as_bytes()))
    }

    /// The moment it starts.
    pub fn starts_at(&self) -> Timestamp {
        self.zone.at(self.starts)
    }
}

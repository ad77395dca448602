//! Meetings: a slot in a pair's cadence, or one made by hand.
//!
//! A meeting's id follows from its pair and the nominal local date of its slot, so that an offline phone knows the
//! next ones by itself and two phones mean the same meeting.

use jiff::civil;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{HeadsDigest, MeetingId, PairId, UserId},
    time::{Timestamp, Zone},
};

/// UUIDv5 namespace of meeting ids; made once at random, never changed.
const MEETING_NAMESPACE: Uuid = Uuid::from_u128(0x0e7d_3c1a_64f2_4b8f_a5c9_12be_88d1_4f60);

/// How far a meeting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MeetingState {
    /// Still to come, or going on.
    Planned,
    /// Somebody said 終わる.
    Finished,
    /// Will not take place.
    Cancelled,
}

/// The last time that somebody moved a meeting, cancelled it or put it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeetingChange {
    /// Who did it.
    pub by: UserId,
    /// When the server took it.
    pub at: Timestamp,
    /// Local start before.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::time::described::LocalDateTime))]
    pub from: civil::DateTime,
}

/// What the manager saw of the prep just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BriefSeen {
    /// When the brief was looked at.
    pub at: Timestamp,
    /// The state of the prep that was shown.
    pub heads: HeadsDigest,
}

/// A meeting by name, whether or not it is a record already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeetingName {
    /// Which meeting.
    pub id: MeetingId,
    /// Whose.
    pub pair: PairId,
    /// Nominal date of its slot in the cadence; none if it was made by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::time::described::LocalDate>))]
    pub slot: Option<civil::Date>,
}

/// Start and length of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeetingTime {
    /// Local date and time it starts.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::time::described::LocalDateTime))]
    pub starts: civil::DateTime,
    /// Zone of [`Self::starts`].
    pub zone: Zone,
    /// Planned length in minutes, 5 to 180.
    pub length_minutes: u16,
}

/// One 1on1 of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Meeting {
    /// Which meeting.
    pub id: MeetingId,
    /// Whose.
    pub pair: PairId,
    /// Nominal date of its slot in the cadence, before anybody moved it; none if it was made by hand.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::time::described::LocalDate>))]
    pub slot: Option<civil::Date>,
    /// Local date and time it starts.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::time::described::LocalDateTime))]
    pub starts: civil::DateTime,
    /// Zone of [`Self::starts`].
    pub zone: Zone,
    /// Planned length in minutes.
    pub length_minutes: u16,
    /// How far it has come.
    pub state: MeetingState,
    /// How often it was moved, cancelled or put back: 0 as long as it is what its slot says.
    #[serde(default)]
    pub revision: u32,
    /// The last of those times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<MeetingChange>,
    /// When somebody first said 終わる.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// When the manager last looked at the brief.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brief_seen: Option<BriefSeen>,
}

impl MeetingName {
    /// Whether the id follows from the slot, if there is one.
    pub fn is_derived(&self) -> bool {
        self.slot.is_none_or(|slot| Meeting::id_of_slot(self.pair, slot) == self.id)
    }
}

impl Meeting {
    /// A meeting that nobody has touched.
    pub fn planned(name: MeetingName, time: MeetingTime) -> Self {
        let MeetingName { id, pair, slot } = name;
        let MeetingTime { starts, zone, length_minutes } = time;
        let state = MeetingState::Planned;
        let (revision, change, finished, brief_seen) = (0, None, None, None);
        Self { id, pair, slot, starts, zone, length_minutes, state, revision, change, finished, brief_seen }
    }

    /// Its name.
    pub fn name(&self) -> MeetingName {
        MeetingName { id: self.id, pair: self.pair, slot: self.slot }
    }

    /// Its start and length.
    pub fn time(&self) -> MeetingTime {
        MeetingTime { starts: self.starts, zone: self.zone.clone(), length_minutes: self.length_minutes }
    }

    /// The id of the meeting in the slot of `pair` on the nominal local date `slot`.
    pub fn id_of_slot(pair: PairId, slot: civil::Date) -> MeetingId {
        MeetingId::from_uuid(Uuid::new_v5(&MEETING_NAMESPACE, format!("{pair}/{slot}").as_bytes()))
    }

    /// The moment it starts.
    pub fn starts_at(&self) -> Timestamp {
        self.zone.at(self.starts)
    }
}

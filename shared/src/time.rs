//! Points in time and local dates, always as arguments: nothing here reads a clock.
//!
//! Stored and sent times are UTC milliseconds. A meeting keeps its local date, local time and IANA zone, because a
//! weekly 10:00 stays at 10:00 when a country changes its clocks. Zone rules come bundled (jiff), not from the system.

#[cfg(feature = "openapi")]
pub mod described;

use std::{fmt, str::FromStr, time::Duration};

use jiff::{civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = i64, format = Int64, examples(1_776_646_800_000_i64))
)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A time from UTC milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }
    /// UTC milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
    /// This time plus a duration, saturating.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
    /// This time minus a duration, saturating.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
    /// Date and time of day in a zone.
    pub fn in_zone(self, zone: &Zone) -> civil::DateTime {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        zone.tz.to_datetime(instant)
    }
}

/// An IANA time zone, such as `Asia/Tokyo`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    tz: TimeZone,
}

/// The name is not an IANA time zone that this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {name:?}: use an IANA name such as Asia/Tokyo")]
pub struct UnknownZoneError {
    name: String,
}

impl Zone {
    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Japan.
    pub fn tokyo() -> Self {
        "Asia/Tokyo".parse().expect("the bundled zones include Japan")
    }
    /// The moment of a local date and time; a time skipped by a clock change moves forward, a repeated one is the first.
    pub fn at(&self, local: civil::DateTime) -> Timestamp {
        let instant = self.tz.to_ambiguous_timestamp(local).compatible();
        Timestamp(instant.map_or(0, |t| t.as_millisecond()))
    }
}

impl FromStr for Zone {
    type Err = UnknownZoneError;
    fn from_str(name: &str) -> Result<Self, UnknownZoneError> {
        match jiff::tz::db().get(name) {
            Ok(tz) => Ok(Self { name: name.to_owned(), tz }),
            Err(_) => Err(UnknownZoneError { name: name.chars().take(64).collect() }),
        }
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZoneError;
    fn try_from(name: String) -> Result<Self, UnknownZoneError> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

/// A source of the current time; the system's in products, a controllable one in tests.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

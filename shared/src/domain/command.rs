//! What a person asks of the records: schedule, move, cancel, finish, brief seen, cadence, invite, tips.
//!
//! The same words on the phone's outbox, on the wire and on the server. What becomes of an action stands in
//! [`super::scheduling`]; who may ask for it is decided by the server, and guessed by the phone for its own screens.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    cadence::Cadence,
    meeting::{MeetingName, MeetingTime},
    tip::NewTip,
};
use crate::{
    ids::{HeadsDigest, PairId, TipId, UserId},
    time::Timestamp,
};

/// Longest name of a person, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// How long an invitation can be used: a week, so that a weekend or a short leave does not end it.
pub const INVITATION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One thing to do with the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// Agree on the time of a slot, or make a meeting by hand.
    Schedule {
        /// Which.
        meeting: MeetingName,
        /// When.
        time: MeetingTime,
    },
    /// Give a meeting another time; puts a cancelled one back.
    Move {
        /// Which.
        meeting: MeetingName,
        /// Revision of the meeting that the person saw.
        base: u32,
        /// When.
        time: MeetingTime,
    },
    /// Do not meet.
    Cancel {
        /// Which.
        meeting: MeetingName,
        /// Revision of the meeting that the person saw.
        base: u32,
    },
    /// 終わる. Two of them are one, with the earlier time.
    Finish {
        /// Which.
        meeting: MeetingName,
        /// When, by the phone's clock.
        at: Timestamp,
    },
    /// The manager looked at the brief.
    BriefSeen {
        /// Which.
        meeting: MeetingName,
        /// When, by the phone's clock.
        at: Timestamp,
        /// The state of the prep that was shown.
        heads: HeadsDigest,
    },
    /// Give a pair another rhythm or time.
    SetCadence {
        /// Which pair.
        pair: PairId,
        /// Revision of the cadence that the person saw.
        base: u32,
        /// The new one.
        cadence: Cadence,
    },
    /// Add a person whose manager the sender becomes, or renew the invitation of one who never came.
    Invite {
        /// The id of the person, if they are new.
        person: UserId,
        /// The id of the pair, if it is new.
        pair: PairId,
        /// Their name.
        name: String,
        /// Their e-mail.
        email: String,
        /// Hash of the secret in the link that the sender hands over.
        invitation: InvitationHash,
    },
    /// Tell other managers what worked. A tip that is there already is not written again.
    WriteTip {
        /// What and for what.
        tip: NewTip,
    },
    /// Take one's own tip back, everywhere.
    WithdrawTip {
        /// Which.
        tip: TipId,
    },
    /// 「試してよかった」; counts once per manager.
    TipHelped {
        /// Which.
        tip: TipId,
        /// `false` takes it back.
        helped: bool,
    },
    /// A tip that names somebody or should not stand there: it goes to who reviews tips.
    ReportTip {
        /// Which.
        tip: TipId,
    },
    /// An action of a newer phone, or one that is not readable.
    #[serde(other)]
    Unknown,
}

impl Action {
    /// The meeting it is about, if it is about one.
    pub fn meeting(&self) -> Option<&MeetingName> {
        match self {
            Self::Schedule { meeting, .. }
            | Self::Move { meeting, .. }
            | Self::Cancel { meeting, .. }
            | Self::Finish { meeting, .. }
            | Self::BriefSeen { meeting, .. } => Some(meeting),
            Self::SetCadence { .. }
            | Self::Invite { .. }
            | Self::WriteTip { .. }
            | Self::WithdrawTip { .. }
            | Self::TipHelped { .. }
            | Self::ReportTip { .. }
            | Self::Unknown => None,
        }
    }

    /// The pair it is about, if that is there already.
    pub fn pair(&self) -> Option<PairId> {
        match self {
            Self::SetCadence { pair, .. } => Some(*pair),
            Self::Invite { .. } => None,
            other => other.meeting().map(|meeting| meeting.pair),
        }
    }
}

/// SHA-256 of an invitation's secret. The secret is made on the phone that invites, so that a command whose answer
/// was lost can be sent again, and the server never learns it before it is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, pattern = "^[0-9a-f]{64}$",
        examples("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"))
)]
pub struct InvitationHash([u8; 32]);

/// The text is not a SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an invitation's hash has 64 hexadecimal digits")]
pub struct ParseHashError;

impl InvitationHash {
    /// The hash of a secret as it stands in a link.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }
    /// The bytes, for storage.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<String> for InvitationHash {
    type Error = ParseHashError;
    fn try_from(text: String) -> Result<Self, ParseHashError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseHashError)?;
        Ok(Self(bytes))
    }
}

impl From<InvitationHash> for String {
    fn from(hash: InvitationHash) -> Self {
        hex::encode(hash.0)
    }
}

impl fmt::Debug for InvitationHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationHash([redacted])")
    }
}

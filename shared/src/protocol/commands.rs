//! `POST /v1/commands`: what a phone's outbox sends, and what became of it.
//!
//! A command is applied exactly once, whatever replies are lost: the server keeps the outcome and gives it again. One
//! that is rejected does not hold up those after it.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    domain::{cadence::Cadence, command::Action, meeting::Meeting},
    ids::{CommandId, StoreEpoch},
    time::Timestamp,
};

/// Commands in one request; an outbox with more sends several requests.
pub const MAX_COMMANDS: usize = 50;

/// The oldest commands of a device that have no outcome yet, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandsRequest {
    /// At most [`MAX_COMMANDS`].
    pub commands: Vec<Command>,
}

/// One command of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Command {
    /// Made on the phone; names the command for ever.
    pub id: CommandId,
    /// Counts the commands of this phone; a later one has a greater number.
    pub sequence: u64,
    /// When the person gave it, by the phone's clock.
    pub made: Timestamp,
    /// What to do.
    #[serde(deserialize_with = "readable_or_unknown")]
    pub action: Action,
}

/// An action that cannot be read is one command's trouble and not that of the whole request.
fn readable_or_unknown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Action, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(Action::deserialize(value).unwrap_or(Action::Unknown))
}

/// Answer to a [`CommandsRequest`]: one outcome per command, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandsResponse {
    /// Epoch of the store in which the outcomes hold; in another one commands of the last 30 days are sent again.
    pub epoch: StoreEpoch,
    /// What became of each command.
    pub outcomes: Vec<CommandOutcome>,
}

/// What became of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandOutcome {
    /// Which command.
    pub id: CommandId,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Done, now or the first time that it was sent.
    Applied,
    /// Somebody else changed the same thing first; nothing was done, the person chooses.
    Conflict {
        /// How it stands.
        current: Current,
    },
    /// Not done and never will be.
    Rejected {
        /// Why.
        reason: RejectionReason,
        /// How the thing stands, if there is one that the person may see.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        current: Option<Current>,
    },
    /// An outcome of a newer server: the command is settled, how is not known.
    #[serde(other)]
    Unknown,
}

/// How the thing that a command is about stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Current {
    /// A meeting.
    Meeting(Meeting),
    /// A pair's cadence.
    Cadence {
        /// The cadence.
        cadence: Cadence,
        /// How often it was changed.
        revision: u32,
    },
    /// A thing of a newer server.
    #[serde(other)]
    Unknown,
}

/// Why a command was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    /// The pair, meeting or person is not there, or not for the sender; the two look the same.
    NotFound,
    /// The pair no longer meets.
    PairClosed,
    /// The meeting is over.
    AlreadyFinished,
    /// The time, length, name or address cannot be meant.
    Implausible,
    /// Somebody has this e-mail already.
    AddressTaken,
    /// The list of people is kept by the organisation; people are not invited from phones.
    InvitesClosed,
    /// The tip has no text, is too long or is not one paragraph.
    TipNotTaken,
    /// The tip was withdrawn or never was, is the sender's own where that cannot be, or the sender is nobody's manager;
    /// all look the same.
    TipGone,
    /// A later command of the same phone was taken before.
    OutOfOrder,
    /// The server does not know such an action: it is older than the phone.
    NotUnderstood,
    /// A reason of a newer server.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{
        domain::meeting::{MeetingName, MeetingTime},
        ids::{MeetingId, PairId},
        time::Zone,
    };

    fn command() -> Command {
        let slot = Some(date(2026, 4, 20));
        let meeting = MeetingName { id: MeetingId::from_bytes([3; 16]), pair: PairId::from_bytes([2; 16]), slot };
        let starts = date(2026, 4, 21).at(11, 0, 0, 0);
        let time = MeetingTime { starts, zone: Zone::tokyo(), length_minutes: 30 };
        let action = Action::Move { meeting, base: 2, time };
        Command { id: CommandId::from_bytes([1; 16]), sequence: 7, made: Timestamp::from_millis(5), action }
    }

    #[test]
    fn a_move_on_the_wire() {
        let expected = r#"{"id":"01010101-0101-0101-0101-010101010101","sequence":7,"made":5,"action":{"type":"move","meeting":{"id":"03030303-0303-0303-0303-030303030303","pair":"02020202-0202-0202-0202-020202020202","slot":"2026-04-20"},"base":2,"time":{"starts":"2026-04-21T11:00:00","zone":"Asia/Tokyo","length_minutes":30}}}"#;
        assert_eq!(serde_json::to_string(&command()).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Command>(expected).unwrap(), command());
    }

    #[test]
    fn an_action_that_cannot_be_read_spares_the_other_commands() {
        let mut request = serde_json::to_value(CommandsRequest { commands: vec![command(), command()] }).unwrap();
        for action in [r#"{"type":"dance"}"#, r#"{"type":"move"}"#, "7", "null"] {
            request["commands"][0]["action"] = serde_json::from_str(action).unwrap();
            let read: CommandsRequest = serde_json::from_value(request.clone()).unwrap();
            assert_eq!(read.commands[0].action, Action::Unknown, "{action}");
            assert_eq!(read.commands[1], command());
        }
    }

    #[test]
    fn outcomes_on_the_wire() {
        let id = CommandId::from_bytes([1; 16]);
        let rejected = Outcome::Rejected { reason: RejectionReason::PairClosed, current: None };
        let text = serde_json::to_string(&CommandOutcome { id, outcome: rejected.clone() }).unwrap();
        assert_eq!(
            text,
            r#"{"id":"01010101-0101-0101-0101-010101010101","outcome":"rejected","reason":"pair_closed"}"#
        );
        assert_eq!(serde_json::from_str::<CommandOutcome>(&text).unwrap().outcome, rejected);
        let newer = text.replace("rejected", "postponed");
        assert_eq!(serde_json::from_str::<CommandOutcome>(&newer).unwrap().outcome, Outcome::Unknown);
    }
}

//! Cards: what this person asked for and was not done, until they have decided what to do about it.
//!
//! Of several commands about one thing the newest is shown, as that is what the person wants last; deciding about it
//! decides about all of them. Nothing is given up and nothing sent again without a tap.

use taiwa_shared::{
    domain::{
        command::Action,
        meeting::{Meeting, MeetingState},
        scheduling::meeting_after,
    },
    ids::{CommandId, MeetingId, PairId, UserId},
    protocol::commands::{Current, Outcome, RejectionReason},
    time::Timestamp,
};

use super::{
    super::{Session, SessionError, roster::Roster},
    Decision, Order,
    words::{Reader, asked_time},
};
use crate::store::StoredCommand;

/// Why there is a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardKind {
    /// Somebody else changed the same thing first: both are shown, the person picks.
    Conflict,
    /// It cannot be done.
    Rejected(RejectionReason),
}

/// Something the person asked for that was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandCard {
    /// The command.
    pub id: CommandId,
    /// The pair it was about.
    pub pair: Option<PairId>,
    /// The meeting it was about.
    pub meeting: Option<MeetingId>,
    /// Why there is a card.
    pub kind: CardKind,
    /// What was asked for: 「田中 花子さんとの1on1（明日 10:00）を 明日 11:00 に変更」.
    pub what: String,
    /// Why it was not done and what to do next.
    pub why: String,
    /// What this person wanted, in a conflict.
    pub mine: Option<String>,
    /// How it stands, in a conflict.
    pub theirs: Option<String>,
    /// Whether asking again can help; the app offers it then.
    pub can_keep_mine: bool,
    /// When the answer arrived.
    pub at: Timestamp,
}

/// What a command changes; commands about one thing share a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Time(MeetingId),
    End(MeetingId),
    Cadence(PairId),
    Person(UserId),
    Other(CommandId),
}

fn thing(command: &StoredCommand) -> Thing {
    match &command.action {
        Action::Schedule { meeting, .. } | Action::Move { meeting, .. } | Action::Cancel { meeting, .. } => {
            Thing::Time(meeting.id)
        }
        Action::Finish { meeting, .. } => Thing::End(meeting.id),
        Action::SetCadence { pair, .. } => Thing::Cadence(*pair),
        Action::Invite { person, .. } => Thing::Person(*person),
        Action::WriteTip { .. }
        | Action::WithdrawTip { .. }
        | Action::TipHelped { .. }
        | Action::ReportTip { .. }
        | Action::BriefSeen { .. }
        | Action::Unknown => Thing::Other(command.id),
    }
}

impl Session {
    /// What this person asked for and was not done, oldest first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn command_cards(&self) -> Result<Vec<CommandCard>, SessionError> {
        let open = self.open_cards().await?;
        let roster = self.core.roster();
        let is_newest = |at: usize| open[at + 1..].iter().all(|later| thing(later) != thing(&open[at]));
        let newest = (0..open.len()).filter(|at| is_newest(*at)).map(|at| &open[at]);
        Ok(newest.filter_map(|command| self.card(command, &roster)).collect())
    }

    /// Asks for it again as things stand now; the person has seen how that is.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] if there is no such card; [`SessionError::NoAccess`] if asking again cannot help.
    pub async fn keep_mine(&self, card: CommandId) -> Result<(), SessionError> {
        let (mine, seen) = self.open_card(card).await?;
        let me = self.me();
        let decide = move |roster: &Roster, now| {
            let action = again(&mine, roster, me).ok_or(SessionError::NoAccess)?;
            let known = action.meeting().and_then(|name| roster.meeting_named(name, me));
            let is_so = known.is_some_and(|known| meeting_after(&known, &action, me, now).as_ref() == Ok(&known));
            let order = Order { action, about: mine.about, secret: mine.secret };
            Ok(Decision { seen, order: (!is_so).then_some(order) })
        };
        self.outbox.decide(decide).await
    }

    /// Leaves it as it stands, and removes the card.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] if there is no such card.
    pub async fn take_theirs(&self, card: CommandId) -> Result<(), SessionError> {
        let (_, seen) = self.open_card(card).await?;
        self.outbox.decide(move |_, _| Ok(Decision { seen, order: None })).await
    }

    async fn open_cards(&self) -> Result<Vec<StoredCommand>, SessionError> {
        let mut commands = self.core.store.commands().await?;
        commands.retain(StoredCommand::needs_decision);
        Ok(commands)
    }

    /// The command of a card, and all that are decided with it.
    async fn open_card(&self, card: CommandId) -> Result<(StoredCommand, Vec<CommandId>), SessionError> {
        let open = self.open_cards().await?;
        let command = open.iter().find(|command| command.id == card).cloned().ok_or(SessionError::NotFound)?;
        let seen = open.iter().filter(|other| thing(other) == thing(&command)).map(|other| other.id).collect();
        Ok((command, seen))
    }

    fn card(&self, command: &StoredCommand, roster: &Roster) -> Option<CommandCard> {
        let reader = Reader { zone: &self.core.zone, now: self.core.now(), language: self.core.language };
        let answer = command.answer.as_ref()?;
        let (kind, mine, theirs, why) = match &answer.outcome {
            Outcome::Conflict { current } => {
                let (mine, theirs) = both(command, current, roster, self.me(), &reader);
                let by = changed_by(command, current, roster, self.me()).map(|by| roster.name(by));
                let why = reader.conflict(by.as_deref().filter(|name| !name.is_empty()), theirs.as_deref());
                (CardKind::Conflict, mine, theirs, why)
            }
            Outcome::Rejected { reason, .. } => (CardKind::Rejected(*reason), None, None, reader.why(*reason)),
            Outcome::Applied | Outcome::Unknown => return None,
        };
        Some(CommandCard {
            id: command.id,
            pair: command.action.pair(),
            meeting: command.action.meeting().map(|meeting| meeting.id),
            kind,
            what: reader.what(command),
            why,
            mine,
            theirs,
            can_keep_mine: again(command, roster, self.me()).is_some(),
            at: answer.at,
        })
    }
}

/// What the person wanted and how the thing stands, in short: as the records say, which may be newer than the answer.
fn both(
    command: &StoredCommand,
    current: &Current,
    roster: &Roster,
    me: UserId,
    reader: &Reader<'_>,
) -> (Option<String>, Option<String>) {
    let meeting = newest_meeting(command, Some(current), roster, me);
    let stands = meeting.as_ref().filter(|meeting| meeting.state != MeetingState::Cancelled).map(Meeting::time);
    let asked = asked_time(&command.action);
    let mine = match &command.action {
        Action::Cancel { .. } => Some(reader.cancelled()),
        Action::SetCadence { cadence, .. } => Some(reader.cadence(cadence)),
        _ => asked.map(|time| reader.time(time, stands.as_ref())),
    };
    let theirs = match (&meeting, &stands, current) {
        (_, Some(time), _) => Some(reader.time(time, asked)),
        (Some(_), None, _) => Some(reader.cancelled()),
        (None, None, Current::Cadence { cadence, revision }) => {
            let known = command.action.pair().and_then(|pair| roster.pair(pair));
            let newer = known.filter(|pair| pair.cadence_revision > *revision).map(|pair| &pair.cadence);
            Some(reader.cadence(newer.unwrap_or(cadence)))
        }
        (None, None, _) => None,
    };
    (mine, theirs)
}

fn changed_by(command: &StoredCommand, current: &Current, roster: &Roster, me: UserId) -> Option<UserId> {
    let by = newest_meeting(command, Some(current), roster, me)?.change?.by;
    (by != me).then_some(by)
}

fn newest_meeting(command: &StoredCommand, current: Option<&Current>, roster: &Roster, me: UserId) -> Option<Meeting> {
    let known = command.action.meeting().and_then(|name| roster.meeting_named(name, me));
    let told = current.and_then(|current| match current {
        Current::Meeting(meeting) => Some(meeting.clone()),
        Current::Cadence { .. } | Current::Unknown => None,
    });
    [told, known].into_iter().flatten().max_by_key(|meeting| meeting.revision)
}

/// The same wish based on how things stand now; none if asking again cannot help.
fn again(command: &StoredCommand, roster: &Roster, me: UserId) -> Option<Action> {
    let current = match &command.answer.as_ref()?.outcome {
        Outcome::Conflict { current } => Some(current),
        Outcome::Rejected { reason, current } => match reason {
            RejectionReason::OutOfOrder
            | RejectionReason::NotUnderstood
            | RejectionReason::InvitesClosed
            | RejectionReason::Other => current.as_ref(),
            RejectionReason::NotFound
            | RejectionReason::TipNotTaken
            | RejectionReason::TipGone
            | RejectionReason::PairClosed
            | RejectionReason::AlreadyFinished
            | RejectionReason::Implausible
            | RejectionReason::AddressTaken => return None,
        },
        Outcome::Applied | Outcome::Unknown => return None,
    };
    let standing = newest_meeting(command, current, roster, me);
    if let Some(pair) = command.action.pair() {
        roster.open_pair_of(pair, me)?;
    }
    let movable = standing.as_ref().filter(|meeting| meeting.state != MeetingState::Finished);
    match &command.action {
        Action::Schedule { meeting, time } if standing.is_none() => {
            Some(Action::Schedule { meeting: *meeting, time: time.clone() })
        }
        Action::Schedule { meeting, time } | Action::Move { meeting, time, .. } => {
            Some(Action::Move { meeting: *meeting, base: movable?.revision, time: time.clone() })
        }
        Action::Cancel { meeting, .. } => Some(Action::Cancel { meeting: *meeting, base: movable?.revision }),
        Action::SetCadence { pair, cadence, .. } => {
            let told = match current {
                Some(Current::Cadence { revision, .. }) => *revision,
                _ => 0,
            };
            let base = roster.pair(*pair)?.cadence_revision.max(told);
            Some(Action::SetCadence { pair: *pair, base, cadence: cadence.clone() })
        }
        Action::Finish { .. }
        | Action::Invite { .. }
        | Action::WriteTip { .. }
        | Action::WithdrawTip { .. }
        | Action::TipHelped { .. }
        | Action::ReportTip { .. } => Some(command.action.clone()),
        Action::BriefSeen { .. } | Action::Unknown => None,
    }
}

//! People, pairs and meetings in memory, as the records on this phone say.
//!
//! Meetings are the records plus the slots of each open pair's cadence, which the phone knows by itself; over them lies
//! what this person has asked for and the records do not show yet. Pure.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::{ToSpan, civil};
use taiwa_shared::{
    domain::{
        command::Action,
        meeting::{Meeting, MeetingName, MeetingState},
        ownership::{Access, DocumentKey},
        people::{Pair, PairKind, PairState, Person, Side},
        scheduling::{check_cadence, meeting_after},
    },
    ids::{CommandId, DocumentId, MeetingId, PairId, UserId},
    time::Timestamp,
};

use crate::store::{StoredCommand, StoredRecords};

/// How far ahead meetings are shown: four weeks.
const AHEAD_DAYS: i64 = 28;
/// How far back a slot is recognised by its id: thirteen months cover the documents kept on the phone.
const BACK_DAYS: i64 = 400;
/// How long a preparation without a meeting is offered for the next one: eight weeks are two monthly meetings that were
/// cancelled, and what was on somebody's mind before that has passed.
const CARRIED: Duration = Duration::from_secs(8 * 7 * 24 * 60 * 60);
/// A meeting stays the next one until it should be over.
const fn length(meeting: &Meeting) -> Duration {
    Duration::from_secs(meeting.length_minutes as u64 * 60)
}

/// What the records say and the outbox asks for; replaced as a whole after each page and each command.
#[derive(Debug, Default)]
pub(super) struct Roster {
    people: HashMap<UserId, Person>,
    pairs: HashMap<PairId, Pair>,
    meetings: HashMap<MeetingId, Meeting>,
    authors: HashMap<DocumentId, Vec<(String, UserId)>>,
    /// Meetings that show something the records do not say yet.
    waiting: HashSet<MeetingId>,
    /// The last unsettled command that changed the revision of a meeting or a cadence.
    last_on_meeting: HashMap<MeetingId, CommandId>,
    last_on_cadence: HashMap<PairId, CommandId>,
}

impl Roster {
    /// What `me` is shown: the records, and over them the commands that they may not show yet, in order.
    pub(super) fn new(records: StoredRecords, commands: &[StoredCommand], me: UserId, now: Timestamp) -> Self {
        let mut authors: HashMap<DocumentId, Vec<(String, UserId)>> = HashMap::new();
        for author in records.authors {
            authors.entry(author.document).or_default().push((author.actor, author.user));
        }
        let mut roster = Self {
            people: records.people.into_iter().map(|person| (person.id, person)).collect(),
            pairs: records.pairs.into_iter().map(|pair| (pair.id, pair)).collect(),
            meetings: records.meetings.into_iter().map(|meeting| (meeting.id, meeting)).collect(),
            authors,
            ..Self::default()
        };
        for command in commands.iter().filter(|command| command.refusal().is_none()) {
            roster.lay_over(command, me, now);
        }
        roster
    }

    /// Shows what becomes of a command; one that can change nothing here is left out, and the server's answer decides.
    fn lay_over(&mut self, command: &StoredCommand, me: UserId, now: Timestamp) {
        let open = command.action.pair().and_then(|pair| self.pairs.get_mut(&pair));
        let Some(pair) = open.filter(|pair| pair.state == PairState::Open) else { return };
        if let Action::SetCadence { base, cadence, .. } = &command.action {
            if check_cadence(pair.cadence_revision, *base, cadence, now).is_ok() {
                pair.cadence = cadence.clone();
                pair.cadence_revision = pair.cadence_revision.saturating_add(1);
                self.last_on_cadence.insert(pair.id, command.id);
            }
            return;
        }
        let Some(before) = command.action.meeting().and_then(|name| self.named(name, &command.action)) else { return };
        let Ok(after) = meeting_after(&before, &command.action, me, now) else { return };
        if after.revision != before.revision {
            self.last_on_meeting.insert(after.id, command.id);
        }
        if !matches!(command.action, Action::BriefSeen { .. }) {
            self.waiting.insert(after.id);
        }
        self.meetings.insert(after.id, after);
    }

    /// The meeting that an action names: a record, what its slot says, or the one it makes.
    fn named(&self, name: &MeetingName, action: &Action) -> Option<Meeting> {
        let known = self.meetings.get(&name.id).cloned();
        known.or_else(|| match (name.slot, action) {
            (Some(slot), _) => Some(self.pairs.get(&name.pair)?.cadence.meeting_in_slot(name.pair, slot)),
            (None, Action::Schedule { time, .. }) => Some(Meeting::planned(*name, time.clone())),
            (None, _) => None,
        })
    }

    /// Whether a meeting is more than a slot: a record, or asked for.
    pub(super) fn is_record(&self, meeting: MeetingId) -> bool {
        self.meetings.contains_key(&meeting)
    }

    /// Whether a meeting shows something that the records do not say yet.
    pub(super) fn is_waiting(&self, meeting: MeetingId) -> bool {
        self.waiting.contains(&meeting)
    }

    /// The unsettled command whose result is what the person sees of the thing that `action` changes.
    pub(super) fn seen_result(&self, action: &Action) -> Option<CommandId> {
        match action {
            Action::Schedule { meeting, .. } | Action::Move { meeting, .. } | Action::Cancel { meeting, .. } => {
                self.last_on_meeting.get(&meeting.id).copied()
            }
            Action::SetCadence { pair, .. } => self.last_on_cadence.get(pair).copied(),
            Action::Finish { .. }
            | Action::BriefSeen { .. }
            | Action::Invite { .. }
            | Action::WriteTip { .. }
            | Action::WithdrawTip { .. }
            | Action::TipHelped { .. }
            | Action::ReportTip { .. }
            | Action::Unknown => None,
        }
    }

    /// An open pair of `user`.
    pub(super) fn open_pair_of(&self, pair: PairId, user: UserId) -> Option<&Pair> {
        self.pair(pair).filter(|pair| pair.state == PairState::Open && pair.side_of(user).is_some())
    }

    /// The meeting of this name as it stands here, if its pair is open and `user` is in it.
    pub(super) fn meeting_named(&self, name: &MeetingName, user: UserId) -> Option<Meeting> {
        let pair = self.open_pair_of(name.pair, user)?;
        let known = self.meetings.get(&name.id).cloned();
        known.or_else(|| Some(pair.cadence.meeting_in_slot(pair.id, name.slot?)))
    }

    /// Cancelled meetings of the open pairs in which `user` prepares, newest first: of the last eight weeks, and none
    /// before the last one that was held, where what was prepared had its place.
    pub(super) fn lately_cancelled(&self, user: UserId, now: Timestamp) -> Vec<Meeting> {
        let mut cancelled = Vec::new();
        for pair in self.pairs.values().filter(|pair| pair.member == user && pair.state == PairState::Open) {
            let meetings = self.meetings_around(pair, now);
            let is_held = |meeting: &&Meeting| match meeting.state {
                MeetingState::Finished => true,
                MeetingState::Planned => meeting.starts_at().plus(length(meeting)) <= now,
                MeetingState::Cancelled => false,
            };
            let last_held = meetings.iter().filter(is_held).map(Meeting::starts_at).max();
            let since = last_held.max(Some(now.minus(CARRIED)));
            let is_late = |meeting: &Meeting| Some(meeting.starts_at()) > since;
            let is_cancelled = |meeting: &Meeting| meeting.state == MeetingState::Cancelled;
            cancelled.extend(meetings.into_iter().filter(|meeting| is_cancelled(meeting) && is_late(meeting)));
        }
        cancelled.sort_by_key(|meeting| std::cmp::Reverse((meeting.starts_at(), meeting.id)));
        cancelled
    }

    pub(super) fn name(&self, user: UserId) -> String {
        self.people.get(&user).map(|person| person.name.clone()).unwrap_or_default()
    }

    pub(super) fn site(&self, user: UserId) -> Option<String> {
        self.people.get(&user).and_then(|person| person.site_name.clone())
    }

    pub(super) fn pair(&self, pair: PairId) -> Option<&Pair> {
        self.pairs.get(&pair)
    }

    /// Pairs of a person, in the order of the partner's names.
    pub(super) fn pairs_of(&self, user: UserId) -> Vec<&Pair> {
        let mut pairs: Vec<_> = self.pairs.values().filter(|pair| pair.side_of(user).is_some()).collect();
        pairs.sort_by_key(|pair| (pair.partner_of(user).map(|partner| self.name(partner)), pair.id));
        pairs
    }

    /// The meetings that are records or asked for.
    pub(super) fn touched(&self) -> impl Iterator<Item = &Meeting> {
        self.meetings.values()
    }

    /// The meetings that somebody has ended, of the lines in which `user` is the member.
    pub(super) fn finished_as_member(&self, user: UserId) -> impl Iterator<Item = &Meeting> {
        let is_members = move |pair: &Pair| pair.member == user && pair.kind == PairKind::Line;
        self.meetings.values().filter(move |meeting| {
            meeting.state == MeetingState::Finished && self.pair(meeting.pair).is_some_and(is_members)
        })
    }

    /// Whether a person is the manager of an open pair.
    pub(super) fn is_manager(&self, user: UserId) -> bool {
        self.pairs.values().any(|pair| pair.manager == user && pair.state == PairState::Open)
    }

    /// The names of everybody known here but `user`.
    pub(super) fn other_names(&self, user: UserId) -> Vec<&str> {
        self.people.values().filter(|person| person.id != user).map(|person| person.name.as_str()).collect()
    }

    /// Actors of a document whose changes do not name their author.
    pub(super) fn authors_of(&self, document: DocumentId) -> &[(String, UserId)] {
        self.authors.get(&document).map_or(&[], Vec::as_slice)
    }

    /// What a person may do with a document, as far as this phone knows.
    pub(super) fn access(&self, key: &DocumentKey, user: UserId, now: Timestamp) -> Access {
        // A private note stays writable even when its pair is gone from this phone.
        if matches!(key, DocumentKey::Private { user: owner, .. } if *owner == user) {
            return Access::Write;
        }
        key.access(user, key.pair().and_then(|pair| self.pair(pair)), now)
    }

    /// A meeting by its id: touched by somebody, or a slot near today.
    pub(super) fn meeting(&self, id: MeetingId, now: Timestamp) -> Option<Meeting> {
        if let Some(meeting) = self.meetings.get(&id) {
            return Some(meeting.clone());
        }
        self.pairs.values().find_map(|pair| {
            let today = now.in_zone(&pair.cadence.zone).date();
            let (from, to) = (shifted(today, -BACK_DAYS), shifted(today, 2 * AHEAD_DAYS));
            let slot = pair.cadence.slots(from, to).find(|slot| Meeting::id_of_slot(pair.id, *slot) == id)?;
            Some(pair.cadence.meeting_in_slot(pair.id, slot))
        })
    }

    /// Meetings of a person that are not over, up to four weeks ahead, soonest first.
    pub(super) fn upcoming(&self, user: UserId, now: Timestamp) -> Vec<(Meeting, Side)> {
        let mut upcoming = Vec::new();
        for pair in self.pairs.values().filter(|pair| pair.state == PairState::Open) {
            let Some(side) = pair.side_of(user) else { continue };
            upcoming.extend(self.meetings_around(pair, now).into_iter().map(|meeting| (meeting, side)));
        }
        let horizon = now.plus(Duration::from_secs(AHEAD_DAYS.unsigned_abs() * 24 * 60 * 60));
        upcoming.retain(|(meeting, _)| {
            let starts = meeting.starts_at();
            meeting.state == MeetingState::Planned && starts.plus(length(meeting)) > now && starts <= horizon
        });
        upcoming.sort_by_key(|(meeting, _)| (meeting.starts_at(), meeting.id));
        upcoming
    }

    /// The first meeting of a pair that takes place and was not over at a moment near now.
    pub(super) fn first_after(&self, pair: PairId, since: Timestamp, now: Timestamp) -> Option<Meeting> {
        let meetings = self.meetings_around(self.pair(pair)?, now).into_iter();
        let is_after = |meeting: &Meeting| {
            let finished = meeting.finished.filter(|_| meeting.state == MeetingState::Finished);
            let ends = finished.unwrap_or_else(|| meeting.starts_at().plus(length(meeting)));
            meeting.state != MeetingState::Cancelled && ends >= since
        };
        meetings.filter(is_after).min_by_key(|meeting| (meeting.starts_at(), meeting.id))
    }

    /// Touched meetings of a pair and the untouched slots from five weeks before to four weeks after a moment.
    fn meetings_around(&self, pair: &Pair, now: Timestamp) -> Vec<Meeting> {
        let today = now.in_zone(&pair.cadence.zone).date();
        let mut meetings: Vec<_> = self.meetings.values().filter(|meeting| meeting.pair == pair.id).cloned().collect();
        for slot in pair.cadence.slots(shifted(today, -AHEAD_DAYS - 7), shifted(today, AHEAD_DAYS + 1)) {
            let meeting = pair.cadence.meeting_in_slot(pair.id, slot);
            if !self.meetings.contains_key(&meeting.id) {
                meetings.push(meeting);
            }
        }
        meetings
    }
}

fn shifted(date: civil::Date, days: i64) -> civil::Date {
    date.saturating_add(days.days())
}

//! What the bodies about commands share: devices, commands and their outcomes.

use taiwa_server::{
    records::{access::Principal, commands::take},
    store::people::Email,
};
use taiwa_shared::{
    domain::{
        cadence::Cadence,
        command::Action,
        meeting::{Meeting, MeetingTime},
        people::Pair,
    },
    ids::{CommandId, DeviceId},
    protocol::{
        commands::{Command, CommandsRequest, Outcome, RejectionReason},
        records::RecordEntry,
    },
    time::Zone,
};

use super::fixture::Fixture;

pub(super) const COMPANY: &str = "email,name,manager_email\n\
    hanako@a.jp,佐藤 花子,ken@a.jp\ntaro@a.jp,鈴木 太郎,ken@a.jp\nken@a.jp,高橋 健,\n\
    jiro@a.jp,林 次郎,mori@a.jp\nmori@a.jp,森 由美,\n";

/// Somebody on a device of their own; `n` tells devices apart.
pub(super) async fn on_device(fixture: &Fixture, slug: &str, email: &str, n: u8) -> Principal {
    let organisation = fixture.organisation(slug).await;
    let person = fixture.store.person_by_email(organisation, &Email::normalise(email)).await.unwrap().unwrap();
    let device = DeviceId::from_bytes([n; 16]);
    let mut tx = fixture.store.begin().await.unwrap();
    tx.add_device(organisation, device, person.id, "test", fixture.now()).await.unwrap();
    tx.commit().await.unwrap();
    Principal { device, ..fixture.principal(slug, email).await }
}

/// The `n`th command of a device; its id is made of `n` too.
pub(super) fn nth(n: u64, action: Action) -> Command {
    let id = CommandId::from_bytes(u128::from(n).to_be_bytes());
    Command { id, sequence: n, made: taiwa_shared::time::Timestamp::from_millis(0), action }
}

pub(super) async fn send(fixture: &Fixture, who: &Principal, commands: &[Command]) -> Vec<Outcome> {
    let request = CommandsRequest { commands: commands.to_vec() };
    let response = take(&fixture.store, &fixture.bus, who, &request, fixture.now()).await.unwrap();
    let ids: Vec<_> = response.outcomes.iter().map(|outcome| outcome.id).collect();
    assert_eq!(ids, commands.iter().map(|command| command.id).collect::<Vec<_>>());
    response.outcomes.into_iter().map(|outcome| outcome.outcome).collect()
}

pub(super) async fn send_one(fixture: &Fixture, who: &Principal, n: u64, action: Action) -> Outcome {
    send(fixture, who, &[nth(n, action)]).await.remove(0)
}

pub(super) fn rejected(reason: RejectionReason) -> Outcome {
    Outcome::Rejected { reason, current: None }
}

pub(super) fn reason_of(outcome: &Outcome) -> Option<RejectionReason> {
    match outcome {
        Outcome::Rejected { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// The meeting in the pair's slot some days after the first.
pub(super) fn slot(pair: &Pair, days: i64) -> Meeting {
    pair.cadence.meeting_in_slot(pair.id, pair.cadence.first.saturating_add(jiff::ToSpan::days(days)))
}

/// The day of a meeting at another hour.
pub(super) fn at(meeting: &Meeting, hour: i8) -> MeetingTime {
    let starts = meeting.starts.date().at(hour, 15, 0, 0);
    MeetingTime { starts, zone: Zone::tokyo(), length_minutes: 45 }
}

pub(super) fn move_to(meeting: &Meeting, base: u32, hour: i8) -> Action {
    Action::Move { meeting: meeting.name(), base, time: at(meeting, hour) }
}

pub(super) fn finish(fixture: &Fixture, meeting: &Meeting) -> Action {
    Action::Finish { meeting: meeting.name(), at: fixture.now() }
}

/// A meeting as somebody's pull delivers it.
pub(super) async fn pulled(fixture: &Fixture, who: &Principal, meeting: &Meeting) -> Option<Meeting> {
    let (entries, _) = fixture.pull(who, None).await;
    entries.into_iter().find_map(|entry| match entry {
        RecordEntry::Meeting(found) if found.id == meeting.id => Some(found),
        _ => None,
    })
}

/// A cadence and its revision as somebody's pull delivers them.
pub(super) async fn pulled_cadence(fixture: &Fixture, who: &Principal, pair: &Pair) -> Option<(Cadence, u32)> {
    let (entries, _) = fixture.pull(who, None).await;
    entries.into_iter().find_map(|entry| match entry {
        RecordEntry::Pair(found) if found.id == pair.id => Some((found.cadence, found.cadence_revision)),
        _ => None,
    })
}

pub(super) async fn counter(fixture: &Fixture, who: &Principal) -> i64 {
    fixture.store.counter(who.organisation).await.unwrap()
}

//! What commands make of meetings and cadences, and what both sides of the pair are told of it.

use taiwa_shared::{
    domain::{
        cadence::{Cadence, Rhythm},
        command::Action,
        meeting::{BriefSeen, Meeting, MeetingChange, MeetingState, MeetingTime},
    },
    ids::{HeadsDigest, MeetingId},
    protocol::commands::{Current, Outcome, RejectionReason},
};

use super::{
    fixture::{Fixture, MINUTE},
    orders::{
        COMPANY, at, finish, move_to, nth, on_device, pulled, pulled_cadence, reason_of, rejected, send, send_one, slot,
    },
};

super::on_both! {
    of_two_moves_the_second_is_told_how_it_stands;
    two_ends_by_two_phones_are_one_with_the_earlier_time;
    a_cancelled_meeting_is_put_back_by_a_move;
    only_the_manager_sees_a_brief;
    of_two_cadences_the_second_is_told_how_it_stands;
    a_slot_of_a_former_cadence_is_still_a_meeting;
    a_meeting_made_by_hand_is_a_meeting;
    times_that_cannot_be_meant_are_refused_with_how_it_stands;
}

async fn of_two_moves_the_second_is_told_how_it_stands(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let now = fixture.now();
    assert_eq!(send_one(&fixture, &ken, 1, move_to(&meeting, 0, 11)).await, Outcome::Applied);
    let Outcome::Conflict { current: Current::Meeting(current) } =
        send_one(&fixture, &hanako, 1, move_to(&meeting, 0, 15)).await
    else {
        panic!("a conflict with the meeting")
    };
    let change = current.change.clone().unwrap();
    assert_eq!(change, MeetingChange { by: ken.user, at: change.at, from: meeting.starts });
    assert!(change.at >= now && change.at <= fixture.now());
    let MeetingTime { starts, zone, length_minutes } = at(&meeting, 11);
    let expected = Meeting { starts, zone, length_minutes, revision: 1, change: Some(change), ..meeting.clone() };
    assert_eq!(current, expected);
    for who in [&hanako, &ken] {
        assert_eq!(pulled(&fixture, who, &meeting).await.as_ref(), Some(&expected));
    }
    // The person chose their own time after all.
    assert_eq!(send_one(&fixture, &hanako, 2, move_to(&meeting, 1, 15)).await, Outcome::Applied);
    assert_eq!(pulled(&fixture, &ken, &meeting).await.unwrap().time(), at(&meeting, 15));
    // Both meant the same.
    assert_eq!(send_one(&fixture, &ken, 2, move_to(&meeting, 1, 15)).await, Outcome::Applied);
}

async fn two_ends_by_two_phones_are_one_with_the_earlier_time(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let late = fixture.now();
    let early = late.minus(MINUTE);
    let end = |at| Action::Finish { meeting: meeting.name(), at };
    assert_eq!(send_one(&fixture, &hanako, 1, end(late)).await, Outcome::Applied);
    let (_, cursor) = fixture.pull(&hanako, None).await;
    assert_eq!(send_one(&fixture, &ken, 1, end(early)).await, Outcome::Applied);
    let expected = Meeting { state: MeetingState::Finished, finished: Some(early), ..meeting.clone() };
    for who in [&hanako, &ken] {
        assert_eq!(pulled(&fixture, who, &meeting).await.as_ref(), Some(&expected));
    }
    let (entries, _) = fixture.pull(&hanako, Some(&cursor)).await;
    assert_eq!(entries.len(), 1, "the other side is told: {entries:?}");
}

async fn a_cancelled_meeting_is_put_back_by_a_move(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let cancel = |base| Action::Cancel { meeting: meeting.name(), base };
    assert_eq!(send_one(&fixture, &hanako, 1, cancel(0)).await, Outcome::Applied);
    assert_eq!(pulled(&fixture, &ken, &meeting).await.unwrap().state, MeetingState::Cancelled);
    assert_eq!(send_one(&fixture, &ken, 1, cancel(0)).await, Outcome::Applied, "both meant the same");
    assert_eq!(send_one(&fixture, &ken, 2, move_to(&meeting, 1, 11)).await, Outcome::Applied);
    let back = pulled(&fixture, &hanako, &meeting).await.unwrap();
    assert_eq!((back.state, back.revision, back.time()), (MeetingState::Planned, 2, at(&meeting, 11)));
}

async fn only_the_manager_sees_a_brief(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let (at, heads) = (fixture.now(), HeadsDigest::from_bytes([5; 16]));
    let seen = Action::BriefSeen { meeting: meeting.name(), at, heads };
    let refused = send_one(&fixture, &hanako, 1, seen.clone()).await;
    assert_eq!(refused, rejected(RejectionReason::NotFound));
    assert_eq!(pulled(&fixture, &ken, &meeting).await, None);
    assert_eq!(send_one(&fixture, &ken, 1, seen).await, Outcome::Applied);
    let expected = Meeting { brief_seen: Some(BriefSeen { at, heads }), ..meeting.clone() };
    assert_eq!(pulled(&fixture, &hanako, &meeting).await, Some(expected));
}

async fn of_two_cadences_the_second_is_told_how_it_stands(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let pair = fixture.pair_of(&hanako).await;
    let weekly = Cadence { rhythm: Rhythm::Weekly, length_minutes: 45, ..pair.cadence.clone() };
    let set = |base, cadence: &Cadence| Action::SetCadence { pair: pair.id, base, cadence: cadence.clone() };
    let (_, cursor) = fixture.pull(&hanako, None).await;
    assert_eq!(send_one(&fixture, &ken, 1, set(0, &weekly)).await, Outcome::Applied);
    let (entries, _) = fixture.pull(&hanako, Some(&cursor)).await;
    assert!(!entries.is_empty(), "the other side is told");
    let short = Cadence { length_minutes: 15, ..pair.cadence.clone() };
    let current = Current::Cadence { cadence: weekly.clone(), revision: 1 };
    let conflict = Outcome::Conflict { current: current.clone() };
    assert_eq!(send_one(&fixture, &hanako, 1, set(0, &short)).await, conflict);
    assert_eq!(send_one(&fixture, &hanako, 2, set(0, &weekly)).await, Outcome::Applied, "both meant the same");
    let implausible = Cadence { length_minutes: 4, ..short.clone() };
    let refused = Outcome::Rejected { reason: RejectionReason::Implausible, current: Some(current) };
    assert_eq!(send_one(&fixture, &hanako, 3, set(1, &implausible)).await, refused);
    for who in [&hanako, &ken] {
        assert_eq!(pulled_cadence(&fixture, who, &pair).await, Some((weekly.clone(), 1)));
    }
    assert_eq!(send_one(&fixture, &hanako, 4, set(1, &short)).await, Outcome::Applied);
    assert_eq!(pulled_cadence(&fixture, &ken, &pair).await, Some((short, 2)));
}

async fn a_slot_of_a_former_cadence_is_still_a_meeting(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let pair = fixture.pair_of(&hanako).await;
    let former = slot(&pair, 14);
    let cadence = Cadence {
        rhythm: Rhythm::Weekly,
        first: pair.cadence.first.saturating_add(jiff::ToSpan::days(3)),
        ..pair.cadence.clone()
    };
    let batch = [nth(1, Action::SetCadence { pair: pair.id, base: 0, cadence }), nth(2, finish(&fixture, &former))];
    assert_eq!(send(&fixture, &hanako, &batch).await, [Outcome::Applied, Outcome::Applied]);
    assert_eq!(pulled(&fixture, &hanako, &former).await.unwrap().slot, former.slot);
}

async fn a_meeting_made_by_hand_is_a_meeting(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let pair = fixture.pair_of(&hanako).await;
    let day = slot(&pair, 3);
    let by_hand = Meeting { id: MeetingId::new(fixture.now(), [3; 10]), slot: None, ..day };
    let time = at(&by_hand, 16);
    let batch = [
        nth(1, Action::Schedule { meeting: by_hand.name(), time: time.clone() }),
        nth(2, move_to(&by_hand, 0, 17)),
        nth(3, Action::Schedule { meeting: by_hand.name(), time }),
    ];
    let outcomes = send(&fixture, &ken, &batch).await;
    assert!(matches!(outcomes[..], [Outcome::Applied, Outcome::Applied, Outcome::Conflict { .. }]), "{outcomes:?}");
    let stands = pulled(&fixture, &hanako, &by_hand).await.unwrap();
    assert_eq!((stands.slot, stands.time(), stands.revision), (None, at(&by_hand, 17), 1));
}

async fn times_that_cannot_be_meant_are_refused_with_how_it_stands(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let pair = fixture.pair_of(&hanako).await;
    let meeting = slot(&pair, 14);
    let by_hand = Meeting { id: MeetingId::new(fixture.now(), [3; 10]), slot: None, ..meeting.clone() };
    let long_ago = taiwa_shared::time::Timestamp::from_millis(i64::MIN);
    let short = MeetingTime { length_minutes: 4, ..at(&meeting, 11) };
    let far = MeetingTime { starts: jiff::civil::DateTime::MAX, ..at(&meeting, 11) };
    let mut actions = Vec::new();
    for time in [short, far] {
        actions.push(Action::Move { meeting: meeting.name(), base: 0, time: time.clone() });
        actions.push(Action::Schedule { meeting: meeting.name(), time: time.clone() });
        actions.push(Action::Schedule { meeting: by_hand.name(), time });
    }
    actions.push(Action::Finish { meeting: meeting.name(), at: long_ago });
    let heads = HeadsDigest::from_bytes([5; 16]);
    actions.push(Action::BriefSeen { meeting: meeting.name(), at: long_ago, heads });
    for (n, action) in actions.into_iter().enumerate() {
        let outcome = send_one(&fixture, &ken, 1 + n as u64, action.clone()).await;
        assert_eq!(reason_of(&outcome), Some(RejectionReason::Implausible), "{action:?}");
    }
    assert_eq!(pulled(&fixture, &hanako, &meeting).await, None);
    assert_eq!(pulled(&fixture, &hanako, &by_hand).await, None);
    assert_eq!(send_one(&fixture, &ken, 99, finish(&fixture, &meeting)).await, Outcome::Applied);
}

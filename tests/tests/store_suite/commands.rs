//! Commands: each is applied exactly once, in the order of its device, and only for whom the pair is.

use std::time::Duration;

use taiwa_server::{
    records::{
        access::Principal,
        commands::{CommandsError, MAX_COMMANDS_PER_DAY, OUTCOME_MEMORY, take},
        leaving,
    },
    store::{Store, pairs::Sight, people::Email},
};
use taiwa_shared::{
    domain::{command::Action, meeting::Meeting},
    ids::{CommandId, HeadsDigest, MeetingId, PairId},
    protocol::{
        commands::{Command, CommandsRequest, Current, Outcome, RejectionReason},
        records::RecordEntry,
    },
    time::Timestamp,
};

use super::{
    fixture::{DAY, Fixture, MINUTE},
    orders::{
        COMPANY, at, counter, finish, move_to, nth, on_device, pulled, reason_of, rejected, send, send_one, slot,
    },
};

super::on_both! {
    a_command_is_applied_once_however_often_it_is_sent;
    a_command_twice_in_one_batch_is_one;
    what_was_taken_is_answered_without_a_writer;
    an_older_sequence_is_out_of_order_and_gaps_are_fine;
    a_rejection_does_not_hold_up_what_comes_after_it;
    unknown_and_foreign_look_the_same_and_change_nothing;
    a_closed_pair_takes_no_command;
    a_day_has_its_quota_and_over_it_nothing_is_taken;
    an_ended_sign_in_takes_nothing;
    a_restored_server_knows_the_old_commands_and_takes_the_rest;
    outcomes_are_kept_for_sixty_days;
    news_come_only_with_a_change;
}

async fn a_command_is_applied_once_however_often_it_is_sent(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let first = [nth(1, move_to(&meeting, 0, 11)), nth(2, Action::Cancel { meeting: meeting.name(), base: 0 })];
    let outcomes = send(&fixture, &hanako, &first).await;
    assert!(matches!(outcomes[..], [Outcome::Applied, Outcome::Conflict { .. }]), "{outcomes:?}");
    // Meanwhile it was moved on; the reply to the first was lost, and it comes again, alone and with more.
    assert_eq!(send_one(&fixture, &ken, 1, move_to(&meeting, 1, 15)).await, Outcome::Applied);
    for _ in 0..3 {
        assert_eq!(send(&fixture, &hanako, &first).await, outcomes);
    }
    let more = [first[0].clone(), first[1].clone(), nth(3, finish(&fixture, &meeting))];
    assert_eq!(send(&fixture, &hanako, &more).await[..2], outcomes[..]);
    let stands = pulled(&fixture, &hanako, &meeting).await.unwrap();
    assert_eq!((stands.time(), stands.revision), (at(&meeting, 15), 2));
}

async fn a_command_twice_in_one_batch_is_one(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let once = nth(1, move_to(&meeting, 0, 11));
    let other = move_to(&meeting, 0, 16);
    let batch = [once.clone(), once.clone(), nth(2, other)];
    let outcomes = send(&fixture, &hanako, &batch).await;
    assert!(matches!(outcomes[..], [Outcome::Applied, Outcome::Applied, Outcome::Conflict { .. }]), "{outcomes:?}");
    assert_eq!(pulled(&fixture, &hanako, &meeting).await.unwrap().revision, 1);
}

async fn what_was_taken_is_answered_without_a_writer(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let batch = [nth(1, move_to(&meeting, 0, 11)), nth(2, move_to(&meeting, 0, 12))];
    let outcomes = send(&fixture, &hanako, &batch).await;
    let mut writer = fixture.store.begin().await.unwrap();
    writer.next_rev(hanako.organisation).await.unwrap();
    let again = tokio::time::timeout(Duration::from_secs(4), send(&fixture, &hanako, &batch)).await;
    assert_eq!(again.expect("answered without the writer"), outcomes);
}

async fn an_older_sequence_is_out_of_order_and_gaps_are_fine(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let tablet = on_device(&fixture, "a", "hanako@a.jp", 2).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let late = [nth(7, move_to(&meeting, 0, 11)), nth(5, move_to(&meeting, 1, 12)), nth(9, move_to(&meeting, 1, 13))];
    let expected = [Outcome::Applied, rejected(RejectionReason::OutOfOrder), Outcome::Applied];
    assert_eq!(send(&fixture, &hanako, &late).await, expected);
    assert_eq!(send_one(&fixture, &hanako, 8, move_to(&meeting, 2, 14)).await, expected[1]);
    let other_id = CommandId::from_bytes([8; 16]);
    let same = Command { id: other_id, ..nth(9, move_to(&meeting, 2, 14)) };
    assert_eq!(send(&fixture, &hanako, &[same]).await, [expected[1].clone()]);
    // An outcome like any other: it is given again.
    assert_eq!(send(&fixture, &hanako, &late).await, expected);
    // Another device of the same person counts for itself.
    assert_eq!(send_one(&fixture, &tablet, 3, move_to(&meeting, 2, 14)).await, Outcome::Applied);
    assert_eq!(send_one(&fixture, &hanako, u64::MAX, move_to(&meeting, 3, 15)).await, Outcome::Applied);
    assert_eq!(pulled(&fixture, &hanako, &meeting).await.unwrap().revision, 4);
}

async fn a_rejection_does_not_hold_up_what_comes_after_it(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let pair = fixture.pair_of(&hanako).await;
    let (meeting, next) = (slot(&pair, 14), slot(&pair, 28));
    let nowhere = Meeting { pair: PairId::from_bytes([9; 16]), ..meeting.clone() };
    let batch = [
        nth(1, Action::Unknown),
        nth(2, move_to(&nowhere, 0, 11)),
        nth(3, move_to(&meeting, 4, 11)),
        nth(4, Action::Schedule { meeting: meeting.name(), time: at(&meeting, 12) }),
        nth(5, finish(&fixture, &meeting)),
        nth(6, Action::Cancel { meeting: meeting.name(), base: 1 }),
        nth(7, Action::Cancel { meeting: next.name(), base: 0 }),
    ];
    let outcomes = send(&fixture, &hanako, &batch).await;
    assert_eq!(outcomes[0], rejected(RejectionReason::NotUnderstood));
    assert_eq!(outcomes[1], rejected(RejectionReason::NotFound));
    // What was not a record yet stands as its slot says.
    assert_eq!(outcomes[2], Outcome::Conflict { current: Current::Meeting(meeting.clone()) });
    assert_eq!(outcomes[3..5], [Outcome::Applied, Outcome::Applied]);
    assert_eq!(reason_of(&outcomes[5]), Some(RejectionReason::AlreadyFinished));
    let Outcome::Rejected { current: Some(Current::Meeting(current)), .. } = &outcomes[5] else { panic!() };
    assert_eq!(Some(current), pulled(&fixture, &hanako, &meeting).await.as_ref());
    assert_eq!(outcomes[6], Outcome::Applied);
}

async fn unknown_and_foreign_look_the_same_and_change_nothing(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    fixture.import("b", &COMPANY.replace("@a.jp", "@b.jp")).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let jiro = on_device(&fixture, "a", "jiro@a.jp", 2).await;
    let stranger = on_device(&fixture, "b", "hanako@b.jp", 3).await;
    let (ours, theirs) = (fixture.pair_of(&hanako).await, fixture.pair_of(&jiro).await);
    let meeting = slot(&ours, 14);
    assert_eq!(send_one(&fixture, &hanako, 1, move_to(&meeting, 0, 11)).await, Outcome::Applied);
    let before = pulled(&fixture, &hanako, &meeting).await;
    let counters = (counter(&fixture, &hanako).await, counter(&fixture, &stranger).await);

    let unknown = PairId::from_bytes([9; 16]);
    let actions = |pair: PairId, meeting: &Meeting| {
        let meeting = Meeting { pair, ..meeting.clone() };
        let (name, time) = (meeting.name(), at(&meeting, 15));
        vec![
            Action::Schedule { meeting: name, time },
            move_to(&meeting, 1, 15),
            move_to(&meeting, 0, 15),
            Action::Cancel { meeting: name, base: 1 },
            finish(&fixture, &meeting),
            Action::BriefSeen { meeting: name, at: fixture.now(), heads: HeadsDigest::from_bytes([1; 16]) },
            Action::SetCadence { pair, base: 0, cadence: theirs.cadence.clone() },
        ]
    };
    for who in [&jiro, &stranger] {
        for (n, action) in actions(ours.id, &meeting).into_iter().chain(actions(unknown, &meeting)).enumerate() {
            let outcome = send_one(&fixture, who, 100 + n as u64, action.clone()).await;
            assert_eq!(outcome, rejected(RejectionReason::NotFound), "{action:?}");
        }
    }
    // A meeting of one pair under the name of another, a slot that is none, one that is years away, an id that a slot has.
    let years_away = slot(&theirs, 900);
    let not_derived = Meeting { id: MeetingId::from_bytes([9; 16]), ..slot(&theirs, 14) };
    let no_slot = Meeting { slot: None, ..slot(&theirs, 14) };
    let by_hand_without_schedule = Meeting { id: MeetingId::new(fixture.now(), [3; 10]), ..no_slot.clone() };
    for (n, meeting) in
        [meeting.clone(), years_away, not_derived, no_slot.clone(), by_hand_without_schedule].into_iter().enumerate()
    {
        let action = move_to(&Meeting { pair: theirs.id, ..meeting }, 0, 15);
        let outcome = send_one(&fixture, &jiro, 200 + n as u64, action.clone()).await;
        assert_eq!(outcome, rejected(RejectionReason::NotFound), "{action:?}");
    }
    let takes_the_place_of_a_slot = Action::Schedule { meeting: no_slot.name(), time: at(&no_slot, 15) };
    let outcome = send_one(&fixture, &jiro, 300, takes_the_place_of_a_slot).await;
    assert_eq!(outcome, rejected(RejectionReason::NotFound));

    assert_eq!(pulled(&fixture, &hanako, &meeting).await, before);
    let (entries, _) = fixture.pull(&jiro, None).await;
    assert!(!entries.iter().any(|entry| matches!(entry, RecordEntry::Meeting(_))), "{entries:?}");
    // Whoever has lost sight of the pair is one of the strangers.
    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(hanako.organisation).await.unwrap();
    tx.set_sight(hanako.organisation, hanako.user, ours.id, Sight::Lost, rev).await.unwrap();
    tx.commit().await.unwrap();
    for (n, action) in actions(ours.id, &meeting).into_iter().enumerate() {
        let outcome = send_one(&fixture, &hanako, 400 + n as u64, action.clone()).await;
        assert_eq!(outcome, rejected(RejectionReason::NotFound), "{action:?}");
    }
    assert!(counters.0 < counter(&fixture, &hanako).await, "outcomes were stored");
}

async fn a_closed_pair_takes_no_command(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 2).await;
    let pair = fixture.pair_of(&hanako).await;
    let (meeting, untouched) = (slot(&pair, 14), slot(&pair, 28));
    assert_eq!(send_one(&fixture, &hanako, 1, move_to(&meeting, 0, 11)).await, Outcome::Applied);
    fixture.import("a", &COMPANY.replace("hanako@a.jp,佐藤 花子,ken@a.jp", "hanako@a.jp,佐藤 花子,mori@a.jp")).await;
    let before = pulled(&fixture, &ken, &meeting).await.unwrap();
    for (who, from) in [(&hanako, 10), (&ken, 20)] {
        let seen =
            Action::BriefSeen { meeting: meeting.name(), at: fixture.now(), heads: HeadsDigest::from_bytes([1; 16]) };
        let set = Action::SetCadence { pair: pair.id, base: 0, cadence: fixture.pair_of(&hanako).await.cadence };
        let actions = [
            move_to(&meeting, 1, 15),
            finish(&fixture, &meeting),
            move_to(&untouched, 0, 15),
            Action::Cancel { meeting: meeting.name(), base: 1 },
            set,
        ];
        for (n, action) in actions.into_iter().enumerate() {
            let outcome = send_one(&fixture, who, from + n as u64, action.clone()).await;
            assert_eq!(reason_of(&outcome), Some(RejectionReason::PairClosed), "{action:?}");
        }
        let outcome = send_one(&fixture, who, from + 9, seen).await;
        let expected = if who.user == ken.user { RejectionReason::PairClosed } else { RejectionReason::NotFound };
        assert_eq!(reason_of(&outcome), Some(expected));
    }
    assert_eq!(pulled(&fixture, &ken, &meeting).await, Some(before));
    assert_eq!(pulled(&fixture, &ken, &untouched).await, None);
}

async fn a_day_has_its_quota_and_over_it_nothing_is_taken(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let tablet = on_device(&fixture, "a", "hanako@a.jp", 2).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 3).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let most = u64::try_from(MAX_COMMANDS_PER_DAY).unwrap();
    let filling: Vec<_> = (1..most).map(|n| nth(n, Action::Unknown)).collect();
    for some in filling.chunks(50) {
        send(&fixture, &hanako, some).await;
    }
    let two = CommandsRequest { commands: vec![nth(most, finish(&fixture, &meeting)), nth(most + 1, Action::Unknown)] };
    for who in [&hanako, &tablet] {
        let refused = take(&fixture.store, &fixture.bus, who, &two, fixture.now()).await;
        let Err(CommandsError::TooMany { retry_after }) = refused else { panic!("{refused:?}") };
        assert!(retry_after > Duration::ZERO && retry_after <= DAY, "{retry_after:?}");
    }
    assert_eq!(pulled(&fixture, &hanako, &meeting).await, None, "none of the batch was taken");
    // What was taken before stays known, one more fits, and then no more; others have a day of their own.
    assert_eq!(send(&fixture, &hanako, &filling[..50]).await.len(), 50);
    assert_eq!(send(&fixture, &hanako, &two.commands[..1]).await, [Outcome::Applied]);
    let refused = take(&fixture.store, &fixture.bus, &hanako, &two, fixture.now()).await;
    assert!(matches!(refused, Err(CommandsError::TooMany { .. })), "{refused:?}");
    assert_eq!(send_one(&fixture, &ken, 1, finish(&fixture, &meeting)).await, Outcome::Applied);
    fixture.clock.advance(DAY);
    assert_eq!(send(&fixture, &hanako, &two.commands).await[0], Outcome::Applied);
}

async fn an_ended_sign_in_takes_nothing(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let tablet = on_device(&fixture, "a", "hanako@a.jp", 2).await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 3).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let request = CommandsRequest { commands: vec![nth(1, move_to(&meeting, 0, 11))] };
    let signed_out = async |who: Principal| {
        let outcome = take(&fixture.store, &fixture.bus, &who, &request, fixture.now()).await;
        assert!(matches!(outcome, Err(CommandsError::SignedOut)), "{outcome:?}");
    };
    let mut tx = fixture.store.begin().await.unwrap();
    tx.revoke_device(hanako.organisation, hanako.device, fixture.now()).await.unwrap();
    tx.commit().await.unwrap();
    signed_out(hanako).await;
    // Somebody else's device is no device.
    signed_out(Principal { device: ken.device, ..hanako }).await;
    let email = Email::normalise("hanako@a.jp");
    leaving::deactivate(&fixture.store, hanako.organisation, &email, fixture.now()).await.unwrap().unwrap();
    signed_out(tablet).await;
    assert_eq!(pulled(&fixture, &ken, &meeting).await, None);
}

async fn a_restored_server_knows_the_old_commands_and_takes_the_rest(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let all = [nth(1, move_to(&meeting, 0, 11)), nth(2, move_to(&meeting, 1, 12)), nth(3, move_to(&meeting, 2, 13))];
    let request = CommandsRequest { commands: all.to_vec() };
    send(&fixture, &hanako, &all[..1]).await;
    fixture.store.renew_epoch(fixture.now()).await.unwrap();
    let restored = Store::open(&fixture.url, fixture.now()).await.unwrap();
    let answer = take(&restored, &fixture.bus, &hanako, &request, fixture.now()).await.unwrap();
    assert_eq!(answer.epoch, restored.epoch());
    assert_ne!(answer.epoch, fixture.store.epoch());
    assert!(answer.outcomes.iter().all(|outcome| outcome.outcome == Outcome::Applied), "{answer:?}");
    let stands = pulled(&fixture, &hanako, &meeting).await.unwrap();
    assert_eq!((stands.time(), stands.revision), (at(&meeting, 13), 3));
}

async fn outcomes_are_kept_for_sixty_days(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    send_one(&fixture, &hanako, 1, Action::Unknown).await;
    fixture.clock.advance(OUTCOME_MEMORY - MINUTE);
    let before = |now: Timestamp| now.minus(OUTCOME_MEMORY);
    assert_eq!(fixture.store.forget_outcomes(before(fixture.now())).await.unwrap(), 0);
    send_one(&fixture, &hanako, 2, Action::Unknown).await;
    fixture.clock.advance(2 * MINUTE);
    assert_eq!(fixture.store.forget_outcomes(before(fixture.now())).await.unwrap(), 1);
    // Forgotten, but the device has not come any less far.
    assert_eq!(send_one(&fixture, &hanako, 1, Action::Unknown).await, rejected(RejectionReason::OutOfOrder));
    assert_eq!(send_one(&fixture, &hanako, 2, Action::Unknown).await, rejected(RejectionReason::NotUnderstood));
}

async fn news_come_only_with_a_change(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = on_device(&fixture, "a", "hanako@a.jp", 1).await;
    let meeting = slot(&fixture.pair_of(&hanako).await, 14);
    let mut news = fixture.bus.subscribe();
    send_one(&fixture, &hanako, 1, move_to(&meeting, 3, 11)).await;
    assert!(news.try_recv().is_err(), "a conflict");
    send(&fixture, &hanako, &[nth(2, move_to(&meeting, 0, 11)), nth(3, finish(&fixture, &meeting))]).await;
    assert!(news.try_recv().is_ok());
    assert!(news.try_recv().is_err(), "once for the batch");
    send(&fixture, &hanako, &[nth(2, move_to(&meeting, 0, 11))]).await;
    assert!(news.try_recv().is_err(), "a replay");
}

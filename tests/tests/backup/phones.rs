//! What phones bring back after a restore, and who has to sign in again.

use std::time::Duration;

use taiwa_mobile_core::sync::Connection;
use taiwa_server::operate::restore::Replace;
use taiwa_shared::protocol::login::{RefreshRequest, Secret, Tokens};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    rest::Rest,
};

use super::{
    house::{House, MANAGER, MEMBER},
    on_both,
};

on_both! {
    phones_bring_back_what_the_backup_lacks;
    one_phone_brings_back_what_the_other_wrote;
    a_sign_in_that_went_on_after_the_backup_asks_for_the_password_and_loses_nothing;
    a_sign_in_made_after_the_backup_asks_for_the_password_and_loses_nothing;
    a_token_from_before_the_backup_goes_on_and_ends_no_sign_in;
    a_phone_reads_what_the_same_persons_other_phone_brings_back;
    what_no_digest_told_of_at_the_backup_reaches_a_phone_after_the_restore;
    a_phone_whose_sign_in_ended_before_the_restore_says_so_and_goes_on_with_the_password;
}

async fn phones_bring_back_what_the_backup_lacks(mut house: House) {
    let (member, manager) = (house.phone(MEMBER).await, house.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    member.write(meeting, "控えにある文。").await;
    manager.reads(meeting, &["控えにある文。"]).await;
    house.backup("one").await.unwrap();
    // A document that the backup does not know at all, and changes that it lacks.
    member.session().await.set_word(meeting, "career.future".parse().unwrap(), "異動".to_owned()).await.unwrap();
    member.write(meeting, "田中の後の文。").await;
    manager.write(meeting, "佐藤の後の文。").await;
    for phone in [&member, &manager] {
        phone.reads(meeting, &["田中の後の文。", "佐藤の後の文。"]).await;
        phone.settled().await;
    }
    let before = house.changes().await;
    let lacking = super::changes_of(&super::backup_url(&house.path("one"))).await;
    assert_ne!(lacking, before, "the control: the backup lacks something");

    house.go_back_to("one").await;
    let after = eventually("everything is on the server again", PATIENCE, || async {
        let now = house.changes().await;
        before.iter().all(|(document, changes)| now.get(document) == Some(changes)).then_some(now)
    })
    .await;
    for phone in [&member, &manager] {
        phone.settled().await;
        phone.reads(meeting, &["控えにある文。", "田中の後の文。", "佐藤の後の文。"]).await;
        for (document, changes) in phone.changes().await {
            let genesis_apart: Vec<_> = changes.difference(&after[&document]).collect();
            assert!(genesis_apart.len() <= 1, "the phone has {genesis_apart:?}, which the server has not");
            assert!(changes.is_superset(&after[&document]));
        }
    }
    assert_eq!(house.report().await.damage, []);
}

async fn one_phone_brings_back_what_the_other_wrote(mut house: House) {
    let (mut member, manager) = (house.phone(MEMBER).await, house.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    member.write(meeting, "控えにある文。").await;
    manager.reads(meeting, &["控えにある文。"]).await;
    house.backup("one").await.unwrap();
    member.write(meeting, "田中の後の文。").await;
    member.settled().await;
    manager.reads(meeting, &["田中の後の文。"]).await;
    manager.settled().await;
    let before = house.changes().await;
    let (author, bringer) = (member.session().await.me(), manager.session().await.me());
    member.close().await;
    assert_eq!(house.report().await.relayed, []);

    house.go_back_to("one").await;
    eventually("the manager's phone brings it all", PATIENCE, || async {
        let now = house.changes().await;
        let memo = before.iter().max_by_key(|(_, changes)| changes.len()).unwrap();
        (now.get(memo.0) == Some(memo.1)).then_some(())
    })
    .await;
    let report = house.report().await;
    assert_eq!(report.damage, []);
    let relayed: Vec<_> = report.relayed.iter().map(|row| (row.author, row.brought_by)).collect();
    assert!(!relayed.is_empty() && relayed.iter().all(|row| *row == (Some(author), bringer)), "{relayed:?}");

    // Who comes later finds everything there, brings nothing twice, and reads the same.
    member.open().await;
    member.settled().await;
    assert_eq!(member.text(meeting).await, manager.text(meeting).await);
}

async fn a_sign_in_that_went_on_after_the_backup_asks_for_the_password_and_loses_nothing(mut house: House) {
    let member = house.phone(MEMBER).await;
    let meeting = member.next_meeting().await;
    member.write(meeting, "控えにある文。").await;
    member.settled().await;
    let old = member.refresh_token().await;
    house.backup("one").await.unwrap();
    house.clock.advance(Duration::from_secs(15 * 60));
    member.session().await.refresh(PATIENCE).await;
    eventually("the token was renewed", PATIENCE, || async {
        (member.refresh_token().await.expose() != old.expose()).then_some(())
    })
    .await;
    member.write(meeting, "後の文。").await;
    member.settled().await;
    house.stop().await;
    member.write(meeting, "送っていない文。").await;
    house.restore("one", Replace::KeepAside).await.unwrap();
    // The access token is over too, so the phone has to present a refresh token that the backup does not know.
    house.clock.advance(Duration::from_secs(15 * 60));
    house.start().await;
    member.is_asked_to_sign_in().await;
    member.reads(meeting, &["控えにある文。", "後の文。", "送っていない文。"]).await;
    member.sign_in_again(MEMBER).await;
    member.settled().await;
    member.reads(meeting, &["控えにある文。", "後の文。", "送っていない文。"]).await;
    let other = house.phone(MANAGER).await;
    other.next_meeting().await;
    other.reads(meeting, &["控えにある文。", "後の文。", "送っていない文。"]).await;
}

async fn a_sign_in_made_after_the_backup_asks_for_the_password_and_loses_nothing(mut house: House) {
    let mut first = house.phone(MEMBER).await;
    let meeting = first.next_meeting().await;
    first.settled().await;
    house.backup("one").await.unwrap();
    first.close().await;
    let second = house.phone(MEMBER).await;
    second.next_meeting().await;
    second.write(meeting, "新しい電話の文。").await;
    second.settled().await;
    house.go_back_to("one").await;
    second.is_asked_to_sign_in().await;
    second.write(meeting, "その後の文。").await;
    second.sign_in_again(MEMBER).await;
    second.settled().await;
    second.reads(meeting, &["新しい電話の文。", "その後の文。"]).await;
    let manager = house.phone(MANAGER).await;
    manager.reads(meeting, &["新しい電話の文。", "その後の文。"]).await;
    // A phone that slept through all of it.
    first.open().await;
    first.reads(meeting, &["新しい電話の文。", "その後の文。"]).await;
}

async fn a_token_from_before_the_backup_goes_on_and_ends_no_sign_in(mut house: House) {
    let member = house.phone(MEMBER).await;
    member.next_meeting().await;
    let mut member = member;
    let held = member.refresh_token().await;
    member.close().await;
    house.backup("one").await.unwrap();
    let rest = Rest::new(house.server().address());
    let refresh = async |token: &Secret| {
        rest.post("/v1/login/refresh", &RefreshRequest { refresh_token: token.clone() }).await.unwrap()
    };
    let successor: Tokens = refresh(&held).await.into().unwrap();
    house.go_back_to("one").await;
    // The successor is not known any more, which ends nothing; the token itself is good again, as in the backup.
    let unknown = refresh(&successor.refresh_token).await;
    assert_eq!((unknown.status.as_u16(), unknown.problem_code().as_str()), (401, "sign_in_again"));
    let again: Tokens = refresh(&held).await.into().unwrap();
    let unknown = refresh(&successor.refresh_token).await;
    assert_eq!(unknown.problem_code(), "sign_in_again");
    let on: Tokens = refresh(&again.refresh_token).await.into().unwrap();
    let records = Rest::new(house.server().address()).with_token(on.access_token.expose());
    assert_eq!(records.get("/v1/records").await.unwrap().status.as_u16(), 200);
    // Reuse is noticed as before: the family ends.
    assert_eq!(refresh(&held).await.problem_code(), "sign_in_again");
    assert_eq!(records.get("/v1/records").await.unwrap().status.as_u16(), 401);
}

async fn a_phone_reads_what_the_same_persons_other_phone_brings_back(mut house: House) {
    let mut first = house.phone(MEMBER).await;
    let meeting = first.next_meeting().await;
    first.write(meeting, "控えにある文。").await;
    first.settled().await;
    house.digests_are_renewed().await;
    house.backup("one").await.unwrap();
    first.close().await;
    // By password: an invitation would end the first phone's sign-in, in the store that the restore replaces.
    let second = house.phone_by_password(MEMBER).await;
    second.write(meeting, "新しい電話の文。").await;
    second.settled().await;
    house.go_back_to("one").await;
    // The first phone is there before what it lacks, and the memo is not on its screen.
    first.open().await;
    first.is_online().await;
    second.is_asked_to_sign_in().await;
    second.write(meeting, "その後の文。").await;
    second.sign_in_again(MEMBER).await;
    second.settled().await;
    first.has_the_memo_of(&second.changes().await).await;
    first.reads(meeting, &["控えにある文。", "新しい電話の文。", "その後の文。"]).await;
}

async fn what_no_digest_told_of_at_the_backup_reaches_a_phone_after_the_restore(mut house: House) {
    let mut first = house.phone(MEMBER).await;
    let meeting = first.next_meeting().await;
    first.write(meeting, "はじめの文。").await;
    first.settled().await;
    house.digests_are_renewed().await;
    first.close().await;
    let mut second = house.phone_by_password(MEMBER).await;
    second.write(meeting, "控えの直前の文。").await;
    second.settled().await;
    // The document has not fallen quiet: its record still has the digest that the first phone knows.
    house.backup("one").await.unwrap();
    let theirs = second.changes().await;
    second.close().await;
    house.go_back_to("one").await;
    first.open().await;
    first.is_online().await;
    first.has_the_memo_of(&theirs).await;
    first.reads(meeting, &["はじめの文。", "控えの直前の文。"]).await;
}

async fn a_phone_whose_sign_in_ended_before_the_restore_says_so_and_goes_on_with_the_password(mut house: House) {
    let mut first = house.phone(MEMBER).await;
    let meeting = first.next_meeting().await;
    first.settled().await;
    house.backup("one").await.unwrap();
    let second = house.phone(MEMBER).await;
    second.write(meeting, "新しい電話の文。").await;
    second.settled().await;
    // The invitation has ended this sign-in, and the phone has let its tokens go: that the backup knows them is no help.
    first.is_asked_to_sign_in().await;
    first.write(meeting, "送っていない文。").await;
    first.close().await;
    house.go_back_to("one").await;
    second.is_asked_to_sign_in().await;
    second.sign_in_again(MEMBER).await;
    second.settled().await;

    first.open().await;
    assert_ne!(first.session().await.sync_status().connection, Connection::Offline, "nothing has been tried yet");
    first.is_asked_to_sign_in().await;
    first.reads(meeting, &["送っていない文。"]).await;
    first.sign_in_again(MEMBER).await;
    first.settled().await;
    for phone in [&first, &second] {
        phone.reads(meeting, &["新しい電話の文。", "送っていない文。"]).await;
    }
}

//! Access follows the records at once, on open connections too; edits that can no longer be accepted become cards.

use std::time::Duration;

use serde_json::json;
use taiwa_mobile_core::sync::SyncRun;
use taiwa_shared::{
    domain::ownership::DocumentKey,
    protocol::{
        login::{RefreshRequest, Secret, Tokens},
        records::{ClaimOutcome, ClaimResponse},
    },
    sync::wire::Frame,
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    inspect::Contents,
    link::Direction,
    raw_socket::{Heard, RawSocket},
    rest::Rest,
    world::World,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_after_the_member_moved_becomes_a_card_and_reaches_nobody() {
    let mut world = World::open("moved").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "これまでの話。").await;
    manager.eventually_reads(meeting, "これまでの話。").await;
    let memo = member.memo_document(meeting).await;
    let mut open = RawSocket::join(world.address(), &world.access_token("sato").await, "open").await.unwrap();
    open.ask_for(memo).await.unwrap();
    assert!(matches!(open.hear().await, Heard::Frame(Frame::Sync { .. })), "the control: a manager gets the memo");
    // The manager's phone does not hear of the change, but what it says still arrives.
    manager.line().hold(Direction::Down);
    world.move_person("tanaka", "mori").await;
    loop {
        match open.hear().await {
            Heard::Frame(Frame::DocUnavailable { document, .. }) if document == memo => break,
            Heard::Frame(_) => {}
            Heard::Closed(code) => panic!("an open connection outlives the loss of one document: {code:?}"),
        }
    }
    manager.type_into_memo(meeting, 0, "移ったあとの一言。").await;
    manager.come_back();
    let cards =
        eventually("a card", PATIENCE, || async { Some(manager.cards().await).filter(|cards| !cards.is_empty()) })
            .await;
    assert!(cards.concat().contains("移ったあとの一言。"), "{cards:?}");
    manager.settled().await;

    let server = Contents::of_server(&world.database()).await.unwrap();
    assert!(!server.places_of("これまでの話。").is_empty(), "the control");
    assert_eq!(server.places_of("移ったあとの一言。"), Vec::<&str>::new());
    assert_eq!(member.memo_text(meeting).await, "これまでの話。");
    let new_manager = world.phone("mori").await;
    eventually("the new pair begins", PATIENCE, || async {
        let pairs = member.session().pairs();
        pairs.iter().any(|pair| pair.partner == new_manager.user()).then_some(())
    })
    .await;
    let new_meeting = member.next_meeting_with(&new_manager).await;
    member.type_into_memo(new_meeting, 0, "新しい上長との話").await;
    new_manager.eventually_reads(new_meeting, "新しい上長との話").await;
    assert_eq!(new_manager.contents().await.places_of("これまでの話。"), Vec::<&str>::new());
    assert_eq!(manager.contents().await.places_of("新しい上長との話"), Vec::<&str>::new());
    assert_eq!(manager.memo_text(meeting).await, "これまでの話。", "readable for thirty days, without the card's text");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_days_after_a_pair_was_closed_its_former_manager_has_nothing_and_its_member_everything() {
    let mut world = World::open("closed pair").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    let pair = member.pair_with(&manager).await;
    member.type_into_memo(meeting, 0, "閉じる前の話").await;
    manager.eventually_reads(meeting, "閉じる前の話").await;
    manager.add_private_note(&member, "自分の覚え書き").await;
    manager.settled().await;
    world.move_person("tanaka", "mori").await;
    // Two steps, so that sign-ins do not run out before the documents do.
    world.clock().advance(29 * DAY);
    eventually("the tokens are renewed", PATIENCE, || async {
        (manager.session().refresh(PATIENCE).await == SyncRun::Complete).then_some(())
    })
    .await;
    assert!(!manager.contents().await.places_of("閉じる前の話").is_empty(), "still readable");
    let login = world.password_login("sato").await;
    world.clock().advance(2 * DAY);
    manager.come_back();
    eventually("the memo leaves the phone", PATIENCE, || async {
        manager.contents().await.places_of("閉じる前の話").is_empty().then_some(())
    })
    .await;
    assert!(!manager.contents().await.places_of("自分の覚え書き").is_empty(), "a private note outlives the pair");
    assert_eq!(member.session().refresh(PATIENCE).await, SyncRun::Complete);
    assert_eq!(member.memo_text(meeting).await, "閉じる前の話", "the member reads on");
    let new_phone = world.phone("tanaka").await;
    new_phone.eventually_reads(meeting, "閉じる前の話").await;
    let tokens: Tokens = Rest::new(world.address())
        .post("/v1/login/refresh", &RefreshRequest { refresh_token: login.tokens.refresh_token })
        .await
        .unwrap()
        .into()
        .unwrap();
    let rest = Rest::new(world.address()).with_token(tokens.access_token.expose());
    let claim = json!({ "claims": [{ "key": DocumentKey::Memo { pair, meeting } }] });
    let response: ClaimResponse = rest.post("/v1/documents", &claim).await.unwrap().into().unwrap();
    assert_eq!(response.outcomes, [ClaimOutcome::Refused]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_sign_in_loses_its_open_socket_and_its_phone_keeps_everything() {
    let world = World::open("revoked").await;
    let login = world.login("tanaka").await;
    let mut socket = RawSocket::join(world.address(), login.tokens.access_token.expose(), "open").await.unwrap();
    let rest = Rest::new(world.address());
    let refresh = async |token: &Secret| {
        let request = RefreshRequest { refresh_token: token.clone() };
        rest.post("/v1/login/refresh", &request).await.unwrap()
    };
    let second: Tokens = refresh(&login.tokens.refresh_token).await.into().unwrap();
    let _third = refresh(&second.refresh_token).await;
    assert_eq!(refresh(&login.tokens.refresh_token).await.problem_code(), "sign_in_again", "the stolen one");
    assert_eq!(socket.until_closed().await, Some(4403), "the open socket is closed at once");
}

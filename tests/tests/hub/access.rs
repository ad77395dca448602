//! What the hub gives to whom: nothing without access, nothing after it, and nothing under another name.

use std::time::Duration;

use automerge::{Author, ROOT, transaction::Transactable};
use bytes::Bytes;
use taiwa_server::{bus::News, store::pairs::Sight, sync::HubLimits};
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{DocumentId, MeetingId},
    sync::wire::{Frame, RenewalToken},
    time::Clock,
};
use taiwa_tests::{
    plain_client::PlainClient,
    raw_socket::{Heard, RawSocket, join_frame},
};

use super::house::{House, MANAGER, MEMBER, ORGANISATION, STRANGER, TOKEN_LIFE, patient};

use super::two_on_a_memo;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_and_a_forbidden_document_answer_alike_byte_for_byte() {
    let house = House::open(patient()).await;
    let pair = house.pair().await;
    let key = DocumentKey::Draft { pair: pair.id, meeting: MeetingId::from_bytes([7; 16]) };
    let document = key.document_id(0);
    let mut answers = Vec::new();
    let mut clients = [
        house.client(STRANGER, "peer").await,
        PlainClient::connect(house.sign_in(STRANGER).await.1, "peer2", true).await,
    ];
    let mut manager = house.client(MANAGER, "managr").await;
    for exists in [false, true] {
        if exists {
            assert_eq!(house.document(&key).await, document);
            let mut member = house.client(MEMBER, "member").await;
            member.begin(&key);
            member.held(document).doc.put(ROOT, "x", 1).unwrap();
            member.until_acknowledged(document).await;
        }
        manager.ask(document).await;
        let from_manager = hear_about(&mut manager, document).await;
        clients[0].ask(document).await;
        let from_stranger = hear_about(&mut clients[0], document).await;
        answers.push((from_manager, from_stranger));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(matches!(Frame::decode(&answers[0].0), Ok(Frame::DocUnavailable { .. })));
    house.hub.stop().await;
}

async fn hear_about(client: &mut PlainClient, about: DocumentId) -> Bytes {
    loop {
        match client.listen().await {
            Heard::Frame(
                Frame::DocUnavailable { document, .. } | Frame::Sync { document, .. } | Frame::Request { document, .. },
            ) if document == about => return client.socket.heard.clone(),
            Heard::Frame(..) => {}
            Heard::Closed(code) => panic!("closed with {code:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_withdrawn_mid_connection_stops_every_byte() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let pair = house.store.open_pairs(ORGANISATION).await.unwrap().pop().unwrap();

    house.set_sight(MEMBER, pair.id, Sight::Lost).await;
    member.until("the member is told", |member| member.held(memo).unavailable).await;
    let heard = member.heard_bytes[&memo];
    manager.held(memo).type_text("二人だけの話");
    manager.broadcast(&manager.peer.clone(), memo, 1, vec![1]).await;
    manager.until_acknowledged(memo).await;
    // What the member still sends neither enters nor brings anything back.
    member.held(memo).type_text("入らない");
    member.flush().await;
    member.settle().await;
    manager.settle().await;
    assert_eq!(member.heard_bytes[&memo], heard, "bytes after access was withdrawn");
    assert!(member.ephemerals.is_empty());
    assert_eq!(manager.held(memo).body(), "二人だけの話はじめ");
    assert!(member.closed.is_none(), "other documents of the member go on");
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_leaves_between_the_news_and_the_check() {
    let house = House::open(patient()).await;
    let mut watcher = PlainClient::connect(house.sign_in(MANAGER).await.1, "watcher", true).await;
    for _ in 0..5 {
        let (mut member, mut manager, key, memo) = two_on_a_memo(&house).await;
        let pair = key.pair().unwrap();
        let heard = member.heard_bytes[&memo];
        // The first news wake connections at once; the second have to wait a moment, and the text comes sooner.
        watcher.news.clear();
        house.set_sight(MANAGER, pair, Sight::Granted).await;
        watcher.until("the first news", |watcher| !watcher.news.is_empty()).await;
        house.set_sight(MEMBER, pair, Sight::Lost).await;
        manager.held(memo).type_text("二人だけの話");
        manager.until_acknowledged(memo).await;
        member.until("the member is told", |member| member.held(memo).unavailable).await;
        member.settle().await;
        assert_eq!(member.heard_bytes[&memo], heard, "bytes after access was withdrawn");
    }
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_in_a_closed_pair_and_only_its_member_reads_it_after_thirty_days() {
    let limits = HubLimits { access_recheck: Duration::from_millis(20), tick: Duration::from_millis(5), ..patient() };
    let house = House::open(limits).await;
    let (mut member, mut manager, _, memo) = two_on_a_memo(&house).await;
    let pair = house.store.open_pairs(ORGANISATION).await.unwrap().pop().unwrap();
    house.close_pair(pair.id).await;
    member.until("the writing session ends", |member| member.held(memo).unavailable).await;
    manager.until("the writing session ends", |manager| manager.held(memo).unavailable).await;
    let stored = house.hub.statistics().changes_stored;

    for (user, name) in [(MEMBER, "member reads"), (MANAGER, "manager reads")] {
        let mut reader = house.client(user, name).await;
        reader.want(memo);
        reader.until("a closed pair is still readable", |reader| reader.held(memo).body() == "はじめ").await;
        reader.held(memo).type_text("あとから");
        reader.flush().await;
        reader.settle().await;
        assert_eq!(house.hub.statistics().changes_stored, stored);
        assert!(!reader.held(memo).unavailable);
    }

    // Thirty days later it is gone for the former manager, by the clock alone: no news come.
    let mut patient_readers = Vec::new();
    for (user, name) in [(MEMBER, "patient member"), (MANAGER, "patient manager")] {
        let (mut principal, _) = house.sign_in(user).await;
        principal.expires = house.clock.now().plus(Duration::from_secs(400 * 24 * 3_600));
        let url = format!("ws://{}/?token={}", house.address, house.token(principal));
        let mut reader = PlainClient::connect(url, name, false).await;
        reader.want(memo);
        reader.until("it reads", |reader| reader.held(memo).body() == "はじめ").await;
        patient_readers.push(reader);
    }
    house.clock.advance(Duration::from_secs(31 * 24 * 3_600));
    let [member, manager] = &mut patient_readers[..] else { panic!("two readers") };
    manager.until("it may no longer", |reader| reader.held(memo).unavailable).await;
    member.settle().await;
    assert!(!member.held(memo).unavailable, "the member keeps what was agreed");
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_sends_is_discarded() {
    let house = House::open(patient()).await;
    let pair = house.pair().await;
    let key = DocumentKey::Prep { pair: pair.id, meeting: MeetingId::from_bytes([7; 16]) };
    let prep = house.document(&key).await;
    let mut member = house.client(MEMBER, "member").await;
    member.begin(&key);
    member.held(prep).doc.put(ROOT, "mine", 1).unwrap();
    member.until_acknowledged(prep).await;
    let heads = member.held(prep).doc.get_heads();

    let mut manager = house.client(MANAGER, "manager").await;
    manager.begin(&key);
    manager.until("a reader gets it", |manager| manager.held(prep).doc.get_heads() == heads).await;
    manager.held(prep).doc.put(ROOT, "theirs", 2).unwrap();
    manager.held(prep).doc.commit();
    manager.flush().await;
    manager.settle().await;
    member.settle().await;
    assert_eq!(member.held(prep).doc.get_heads(), heads);
    assert_eq!(house.hub.statistics().changes_stored, 1);
    assert_eq!(house.hub.statistics().changes_uncommitted, 0);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_author_is_refused_and_an_actor_without_one_is_bound() {
    let house = House::open(patient()).await;
    let (mut member, mut manager, key, memo) = two_on_a_memo(&house).await;
    let stored = house.hub.statistics().changes_stored;
    let bound = house.store.authors(ORGANISATION, memo).await.unwrap();
    let actor = member.held(memo).doc.get_actor().to_bytes().to_vec();
    assert_eq!(bound, [(actor.clone(), MEMBER)]);

    let mut forger = house.client(MANAGER, "forger").await;
    forger.begin(&key);
    forger.until("the text", |forger| forger.held(memo).body() == "はじめ").await;
    forger.held(memo).doc.set_author(Some(Author::from(MEMBER.as_bytes().to_vec())));
    forger.held(memo).type_text("私が言いました");
    forger.flush().await;
    assert_eq!(forger.socket.until_closed().await, Some(4400));

    // A change in the name of the member's actor is no better.
    let mut stolen = house.client(MANAGER, "thief").await;
    let mut doc = member.held(memo).doc.fork();
    doc.set_actor(automerge::ActorId::from(actor));
    stolen.hold(memo, doc);
    stolen.held(memo).type_text("盗んだ名前");
    stolen.flush().await;
    while stolen.closed.is_none() {
        stolen.listen().await;
        stolen.flush().await;
    }
    assert_eq!(stolen.closed, Some(Some(4400)));

    member.held(memo).type_text("本当の");
    member.until_acknowledged(memo).await;
    manager.until("the honest go on", |manager| manager.held(memo).body() == "本当のはじめ").await;
    assert_eq!(house.hub.statistics().changes_stored, stored + 1);
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_closes_the_socket_unless_it_is_renewed() {
    let house = House::open(HubLimits { tick: Duration::from_millis(5), ..patient() }).await;
    let (renewer, url) = house.sign_in(MEMBER).await;
    let mut renewing = PlainClient::connect(url, "renewing", true).await;
    let mut forgetful = house.client(MEMBER, "forgetful").await;
    let mut borrower = house.client(MANAGER, "borrower").await;
    let mut fresh = renewer;
    fresh.expires = house.clock.now().plus(2 * TOKEN_LIFE);
    let token = house.token(fresh);
    for client in [&mut renewing, &mut borrower] {
        let (sender, target) = (client.peer.clone(), client.server.clone());
        let access_token = RenewalToken::new(token.clone());
        client.say(&Frame::Renew { sender, target, access_token }).await;
        client.settle().await;
    }
    house.clock.advance(TOKEN_LIFE);
    assert_eq!(forgetful.socket.until_closed().await, Some(4401));
    assert_eq!(borrower.socket.until_closed().await, Some(4401), "somebody else's token renews nothing");
    renewing.settle().await;
    house.clock.advance(TOKEN_LIFE);
    assert_eq!(renewing.socket.until_closed().await, Some(4401));
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_sign_in_closes_its_sockets() {
    let house = House::open(patient()).await;
    let (principal, url) = house.sign_in(MEMBER).await;
    let mut revoked = PlainClient::connect(url, "revoked", false).await;
    let mut other = house.client(MEMBER, "other").await;
    house.bus.publish(News::Revoked { device: principal.device });
    assert_eq!(revoked.socket.until_closed().await, Some(4403));
    other.settle().await;

    // By another process, which has no bus to say so: the records tell.
    let mut gone = house.client(MANAGER, "gone").await;
    house.let_go(MANAGER).await;
    assert_eq!(gone.socket.until_closed().await, Some(4403));
    other.settle().await;
    let mut late = RawSocket::open_by(house.sign_in(MANAGER).await.1, "attacker").await.unwrap();
    late.say(&join_frame(&gone.peer, false)).await.unwrap();
    assert_eq!(late.until_closed().await, Some(4403), "a sign-in that ended before the socket opened");
    house.hub.stop().await;
}

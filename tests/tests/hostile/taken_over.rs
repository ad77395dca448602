//! A phone whose server was taken over: what it says is refused, and the phone's other documents go on.

use taiwa_shared::domain::ownership::DocumentKey;
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    forger::{Attack, Forger},
    impostor::Impostor,
    oracle::Oracle,
    world::World,
};
use tokio_tungstenite::tungstenite::Message;

/// What is no frame, or none that a phone asked for.
fn no_frames() -> Vec<(&'static str, Message)> {
    vec![
        ("nothing at all", Message::binary(Vec::new())),
        ("no CBOR", Message::binary(vec![0xff; 40])),
        ("a text", Message::text("hello")),
        ("more than a frame may hold", Message::binary(vec![0; 3 * 1024 * 1024])),
        ("maps in maps, 100,000 deep", Message::binary([0xa1, 0x61, b'a'].repeat(100_000))),
        ("an array that says it has 2^62 elements", Message::binary(vec![0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_refuses_every_attack_of_its_server_and_its_other_documents_go_on() {
    let world = World::open("taken over").await;
    let member = world.phone("tanaka").await;
    let impostor = Impostor::open(world.address()).await.unwrap();
    let manager = world.phone_at("sato", &format!("http://{}", impostor.address()), None).await.unwrap();
    let meeting = member.next_meeting_with(&manager).await;
    let key = DocumentKey::Memo { pair: member.pair_with(&manager).await, meeting };
    let document = key.document_id(0);
    let later = member.session().upcoming().await.unwrap().into_iter().map(|it| it.meeting).find(|it| *it != meeting);
    let later = later.expect("several meetings lie ahead");
    manager.next_meeting_with(&member).await;
    for each in [meeting, later] {
        member.type_into_memo(each, 0, "始め").await;
        manager.eventually_reads(each, "始め").await;
    }

    let mut oracle = Oracle::new(&key).unwrap();
    oracle.connect(world.address(), &world.access_token("sato").await, "onlooker").await.unwrap();
    while oracle.text().unwrap() != "始め" {
        assert!(oracle.step().await.unwrap());
    }
    let (mut text, mut beside) = ("始め".to_owned(), "始め".to_owned());
    for (number, Attack { name, data, .. }) in Forger::new(oracle.replica()).attacks().into_iter().enumerate() {
        impostor.say(document, data);
        // What the real server says comes after it on the same socket, so then the attack has been dealt with.
        beside = format!("{number} {beside}");
        member.type_into_memo(later, 0, &format!("{number} ")).await;
        manager.eventually_reads(later, &beside).await;
        assert_eq!(manager.memo_text(meeting).await, text, "{name}");
        // A new connection begins anew with the document too.
        let sockets = impostor.sockets();
        impostor.cut();
        eventually("connected again", PATIENCE, || async { (impostor.sockets() > sockets).then_some(()) }).await;
        text = format!("{number} {text}");
        member.type_into_memo(meeting, 0, &format!("{number} ")).await;
        manager.eventually_reads(meeting, &text).await;
        println!("phone: {name}: refused");
    }
    for (name, message) in no_frames() {
        let sockets = impostor.sockets();
        impostor.say_message(message);
        eventually(name, PATIENCE, || async { (impostor.sockets() > sockets).then_some(()) }).await;
        text = format!("再 {text}");
        manager.type_into_memo(meeting, 0, "再 ").await;
        member.eventually_reads(meeting, &text).await;
    }
    manager.settled().await;
    member.eventually_same_heads(meeting, &[&manager]).await;
}

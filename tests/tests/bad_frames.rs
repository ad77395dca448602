//! Whatever bytes a peer sends: a clean accept or a clean close, and other people's documents go on undisturbed.

use bytes::Bytes;
use rand::RngExt;
use taiwa_shared::{
    ids::DocumentId,
    sync::wire::{Frame, PeerId, PeerMetadata},
    time::Timestamp,
};
use taiwa_tests::{
    raw_socket::{Heard, RawSocket},
    world::World,
};

enum Says {
    Bytes(Vec<u8>),
    Text(&'static str),
    Frame(Frame),
}

fn join(sender: &PeerId) -> Frame {
    let metadata = PeerMetadata { storage_id: None, is_ephemeral: true, taiwa: true };
    Frame::Join { sender: sender.clone(), metadata, versions: vec!["1".to_owned()] }
}

/// What nobody says before the introduction.
fn before_joining(document: DocumentId) -> Vec<(&'static str, Says)> {
    let me = PeerId::new("nobody").unwrap();
    let sync = Frame::Sync { sender: me.clone(), target: me.clone(), document, data: Bytes::from_static(b"x") };
    let Frame::Join { metadata, .. } = join(&me) else { unreachable!("a join") };
    let future = Frame::Join { sender: me, metadata, versions: vec!["99".to_owned()] };
    vec![
        ("nothing at all", Says::Bytes(Vec::new())),
        ("a word", Says::Bytes(b"hello".to_vec())),
        ("a text message", Says::Text(r#"{"type":"join"}"#)),
        ("a sync message first", Says::Frame(sync)),
        ("a version nobody speaks", Says::Frame(future)),
        ("more than a frame may hold", Says::Bytes(vec![0xa0; 3 * 1024 * 1024])),
        ("an array that says it has 2^62 elements", Says::Bytes(vec![0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0])),
        ("maps in maps, 100,000 deep", Says::Bytes([0xa1, 0x61, b'a'].repeat(100_000))),
        ("an endless array", Says::Bytes(vec![0x9f; 10_000])),
    ]
}

/// What nobody says after it, about a document of theirs.
fn after_joining(me: &PeerId, server: &PeerId, document: DocumentId, seed: &mut impl rand::Rng) -> Vec<(String, Says)> {
    let sync = |data: Vec<u8>| {
        let data = Bytes::from(data);
        Says::Frame(Frame::Sync { sender: me.clone(), target: server.clone(), document, data })
    };
    let stranger = PeerId::new("somebody else").unwrap();
    let mut all = vec![
        ("a text message".to_owned(), Says::Text("hello")),
        ("an empty sync message".to_owned(), sync(Vec::new())),
        ("a sync message of zeros".to_owned(), sync(vec![0; 1000])),
        ("a sync message with 2^63 heads".to_owned(), sync(vec![0x42, 255, 255, 255, 255, 255, 255, 255, 255, 127])),
        ("a sync message of another kind".to_owned(), sync(vec![0x99, 1, 2, 3])),
        (
            "somebody else's name".to_owned(),
            Says::Frame(Frame::Sync { sender: stranger, target: server.clone(), document, data: Bytes::new() }),
        ),
    ];
    for number in 0..20 {
        let length = seed.random_range(1..400);
        let mut noise: Vec<u8> = (0..length).map(|_| seed.random()).collect();
        noise[0] = 0x42;
        all.push((format!("noise {number} as a sync message"), sync(noise)));
    }
    all
}

async fn say(socket: &mut RawSocket, what: Says) {
    // The server may have closed already; the test looks at how.
    let _ = match what {
        Says::Bytes(bytes) => socket.say_bytes(bytes).await,
        Says::Text(text) => socket.say_text(text).await,
        Says::Frame(frame) => socket.say(&frame).await,
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_socket_ends_that_socket_and_disturbs_nobody() {
    let world = World::open("garbage frames").await;
    let mut random = world.seed().generator("garbage");
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "始め。").await;
    member.settled().await;
    let document = member.memo_document(meeting).await;
    // A colleague with a valid sign-in and access to the very document.
    let token = world.access_token("sato").await;
    let mut tried = 0;
    for (name, what) in before_joining(document) {
        let mut socket = RawSocket::open(world.address(), &token, "garbage").await.unwrap();
        say(&mut socket, what).await;
        println!("garbage: {name}: closed with {:?}", socket.until_closed().await);
        tried += 1;
    }
    let probe = RawSocket::join(world.address(), &token, "garbage").await.unwrap();
    for (name, what) in after_joining(&probe.me, &probe.server, document, &mut random) {
        let mut socket = RawSocket::join(world.address(), &token, "garbage").await.unwrap();
        say(&mut socket, what).await;
        let code = socket.until_closed().await;
        assert!(code.is_none_or(|code| code >= 1002), "{name}: closed with {code:?}");
        tried += 1;
    }
    member.type_into_memo(meeting, 0, "その後。").await;
    member.settled().await;
    manager.eventually_reads(meeting, "その後。始め。").await;
    println!("garbage: {tried} kinds ended their own socket only");
}

/// What the server says to a request for a document, with the document's id taken out.
async fn answer_to_request(world: &World, token: &str, document: DocumentId) -> String {
    let mut socket = RawSocket::join(world.address(), token, "asker").await.unwrap();
    socket.ask_for(document).await.unwrap();
    match socket.hear().await {
        Heard::Frame(frame) => format!("{frame:?}").replace(&format!("{document:?}"), "it"),
        Heard::Closed(code) => format!("closed {code:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_and_unknown_documents_answer_alike() {
    let world = World::open("forbidden and unknown").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "二人だけの話").await;
    member.settled().await;
    let forbidden = member.memo_document(meeting).await;
    let unknown = DocumentId::new(Timestamp::from_millis(1_760_000_000_000), [7; 10]);

    let insider = world.access_token("sato").await;
    let control = answer_to_request(&world, &insider, forbidden).await;
    assert!(control.contains("Sync"), "the control: the pair gets the memo: {control}");
    for outsider in ["ito", "abe", "mori", "kudo"] {
        let token = world.access_token(outsider).await;
        let answers =
            [answer_to_request(&world, &token, forbidden).await, answer_to_request(&world, &token, unknown).await];
        assert!(answers[0].contains("DocUnavailable"), "{outsider}: {}", answers[0]);
        assert_eq!(answers[0], answers[1], "{outsider}");
    }
}

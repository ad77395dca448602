//! Every known attack on a real socket: refused, and whoever else works on the very document goes on undisturbed.

mod taken_over;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::DocumentId,
    sync::{rejection::CLOSE_BAD_DATA, wire::Frame},
};
use taiwa_tests::{
    forger::{Attack, Forger, message},
    oracle::Oracle,
    raw_socket::{Heard, RawSocket},
    world::World,
};

async fn say(socket: &mut RawSocket, document: DocumentId, data: Vec<u8>) {
    let (sender, target) = (socket.me.clone(), socket.server.clone());
    // The server may have closed already; the test looks at how.
    let _ = socket.say(&Frame::Sync { sender, target, document, data: data.into() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attack_is_refused_while_the_others_go_on_typing() {
    let world = World::open("attacks").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "始め").await;
    member.settled().await;
    manager.eventually_reads(meeting, "始め").await;
    let key = DocumentKey::Memo { pair: member.pair_with(&manager).await, meeting };
    let document = key.document_id(0);
    // The manager's own sign-in, with write access to the very document: nobody could do more harm.
    let token = world.access_token("sato").await;
    let mut oracle = Oracle::new(&key).unwrap();
    oracle.connect(world.address(), &token, "onlooker").await.unwrap();
    while oracle.text().unwrap() != "始め" {
        assert!(oracle.step().await.unwrap());
    }
    let forger = Forger::new(oracle.replica());
    let attacks: Vec<Attack> = forger.attacks().into_iter().chain(forger.impersonations(member.user())).collect();
    let (over, connections) = (AtomicBool::new(false), [&member, &manager].map(|phone| phone.line().connections()));

    let typing = async {
        let mut count = 0;
        while count < 10 || !over.load(Ordering::Relaxed) {
            let (one, other) = if count % 2 == 0 { (&member, &manager) } else { (&manager, &member) };
            let text = format!("{count} {}", one.memo_text(meeting).await);
            one.type_into_memo(meeting, 0, &format!("{count} ")).await;
            other.eventually_reads(meeting, &text).await;
            count += 1;
        }
        count
    };
    let attacking = async {
        for Attack { name, data, code } in &attacks {
            let started = Instant::now();
            let mut socket = RawSocket::join(world.address(), &token, "attacker").await.unwrap();
            say(&mut socket, document, data.clone()).await;
            assert_eq!(socket.until_closed().await, Some(*code), "{name}");
            println!("attack: {name}: {} bytes, closed with {code} after {:?}", data.len(), started.elapsed());
        }
        over.store(true, Ordering::Relaxed);
    };
    let (count, ()) = tokio::join!(typing, attacking);

    member.settled().await;
    manager.settled().await;
    member.eventually_same_heads(meeting, &[&manager]).await;
    assert_eq!(member.memo_text(meeting).await, manager.memo_text(meeting).await);
    let after = [&member, &manager].map(|phone| phone.line().connections());
    assert_eq!(after, connections, "nobody else lost the connection");
    println!("attacks: {} refused while two people typed {count} times", attacks.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reader_sends_as_changes_is_not_even_looked_at() {
    let world = World::open("a reader's garbage").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.choose(meeting, "work.progress").await;
    member.set_word(meeting, "work.progress", "部品の納期").await;
    member.publish(meeting).await;
    manager.eventually_reads_brief(meeting, "部品の納期").await;
    let document = DocumentKey::Prep { pair: member.pair_with(&manager).await, meeting }.document_id(0);
    let token = world.access_token("sato").await;
    let mut reader = RawSocket::join(world.address(), &token, "reader").await.unwrap();
    reader.ask_for(document).await.unwrap();
    assert!(matches!(reader.hear().await, Heard::Frame(Frame::Sync { .. })), "the manager reads the preparation");
    // A mebibyte of garbage again and again; each of these would end the connection of a writer.
    let started = Instant::now();
    let garbage = [vec![vec![0xee; 1_000_000]], vec![vec![0x85, 0x6f, 0x4a, 0x83, 1, 2, 3, 4, 1, 0]; 60_000]];
    for chunks in garbage.iter().cycle().take(20) {
        say(&mut reader, document, message(chunks.clone())).await;
    }
    reader.ask_for(document).await.unwrap();
    assert!(matches!(reader.hear().await, Heard::Frame(Frame::Sync { .. })), "the reader is still welcome");
    println!("a reader's 20 MB of garbage took {:?}", started.elapsed());
    // What is no sync message at all ends a reader's connection too.
    say(&mut reader, document, vec![0x99; 100]).await;
    assert_eq!(reader.until_closed().await, Some(CLOSE_BAD_DATA));
    member.set_word(meeting, "work.progress", "部品の品質").await;
    member.publish(meeting).await;
    manager.eventually_reads_brief(meeting, "部品の品質").await;
}

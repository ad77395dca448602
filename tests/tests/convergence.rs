//! Replicas converge: after a seeded storm on every line, all phones and the server hold the same changes.

use rand::{RngExt, rngs::StdRng};
use taiwa_shared::ids::MeetingId;
use taiwa_tests::{inspect::Contents, phone::Phone, turn::my_turn, world::World};
use tokio::join;

const GUSTS: u32 = 25;
const EDITS: usize = 40;

/// Types `EDITS` marked words at random places, some of them while the line is down, and deletes nothing.
async fn write(phone: &Phone, meeting: MeetingId, who: char, mut random: StdRng) {
    for number in 0..EDITS {
        let length = phone.memo_text(meeting).await.encode_utf16().count();
        // Places between code units that belong together are the phone's to correct; these texts have none.
        let at = random.random_range(0..=length);
        phone.type_into_memo(meeting, at, &format!("《{who}{number}》")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_phones_on_bad_lines_end_with_equal_memos_and_lose_nothing() {
    let _turn = my_turn().await;
    let world = World::open("convergence").await;
    let seed = world.seed();
    let (phone, tablet, manager) =
        (world.phone("tanaka").await, world.phone("tanaka").await, world.phone("sato").await);
    let meeting = phone.next_meeting_with(&manager).await;
    join!(
        phone.line().storm(seed.generator("storm/phone"), GUSTS),
        tablet.line().storm(seed.generator("storm/tablet"), GUSTS),
        manager.line().storm(seed.generator("storm/manager"), GUSTS),
        write(&phone, meeting, '甲', seed.generator("edits/phone")),
        write(&tablet, meeting, '乙', seed.generator("edits/tablet")),
        write(&manager, meeting, '丙', seed.generator("edits/manager")),
    );
    for each in [&phone, &tablet, &manager] {
        each.come_back();
    }
    for each in [&phone, &tablet, &manager] {
        each.settled().await;
    }
    let heads = phone.eventually_same_heads(meeting, &[&tablet, &manager]).await;
    let text = phone.memo_text(meeting).await;
    assert_eq!(tablet.memo_text(meeting).await, text);
    assert_eq!(manager.memo_text(meeting).await, text);
    // Another phone may write inside a word; its letters stay in order around that.
    let letters: usize = text.chars().filter(|letter| "甲乙丙".contains(*letter)).count();
    assert_eq!(letters, 3 * EDITS, "every edit arrived once: {text}");
    let document = phone.memo_document(meeting).await;
    let server = Contents::of_server(&world.database()).await.unwrap();
    assert_eq!(server.heads_of(document), heads, "the server has stored the same heads");
    let connections = [&phone, &tablet, &manager].map(|each| each.line().connections());
    println!("convergence: {} edits, connections per phone {connections:?}, seed {seed}", 3 * EDITS);
}

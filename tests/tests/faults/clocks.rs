//! Clocks that jump: a server and phones whose time is set, forwards or back, while people write.

use std::time::Duration;

use taiwa_tests::world::World;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_jump_while_people_write_lose_nothing() {
    let world = World::open("clocks that jump").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = member.next_meeting_with(&manager).await;
    let mut text = String::new();
    // Tokens last ten minutes: forwards ends them, back makes them not valid yet.
    for (jump, forwards) in [(DAY, true), (DAY * 2, false), (DAY * 10, true), (DAY * 9, false), (DAY / 48, true)] {
        for (phone, word) in [(&member, "前"), (&manager, "後")] {
            phone.type_into_memo(meeting, 0, word).await;
            text.insert_str(0, word);
            member.eventually_reads(meeting, &text).await;
            manager.eventually_reads(meeting, &text).await;
        }
        if forwards {
            world.clock().advance(jump);
        } else {
            world.clock().set_back(jump);
        }
    }
    member.settled().await;
    manager.settled().await;
    member.eventually_same_heads(meeting, &[&manager]).await;
    assert_eq!(member.cards().await, Vec::<String>::new());
}

//! Every change has a proven author, known on every replica, offline.

use taiwa_tests::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wrote_what_is_known_on_every_phone_without_a_network() {
    let world = World::open("authors").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "部品の納期について\n").await;
    member.settled().await;
    manager.eventually_reads(meeting, "部品の納期について\n").await;
    let end = "部品の納期について\n".encode_utf16().count();
    manager.type_into_memo(meeting, end, "来週までに確認します").await;
    manager.settled().await;
    member.eventually_reads(meeting, "部品の納期について\n来週までに確認します").await;

    let written = vec![
        ("部品の納期について".to_owned(), vec![member.user()]),
        ("来週までに確認します".to_owned(), vec![manager.user()]),
    ];
    for phone in [member, manager] {
        phone.line().go_down();
        let phone = phone.reopened().await;
        assert_eq!(phone.memo_authors(meeting).await, written);
    }
}

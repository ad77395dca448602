//! Two phones that are both offline open the same document, and what they wrote merges.

use taiwa_tests::{eventually::eventually_equals, world::World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_offline_create_the_same_memo_and_merge() {
    let world = World::open("same memo").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    assert_eq!(meeting, manager.next_meeting_with(&member).await, "both know the next meeting by themselves");
    member.line().go_down();
    manager.line().go_down();

    member.type_into_memo(meeting, 0, "先月の受注について。").await;
    manager.type_into_memo(meeting, 0, "来期の目標について。").await;
    assert_eq!(member.memo_text(meeting).await, "先月の受注について。", "nobody waited for the network");
    assert_eq!(manager.memo_text(meeting).await, "来期の目標について。");
    assert!(member.unsent().await > 0 && manager.unsent().await > 0);

    member.come_back();
    manager.come_back();
    member.settled().await;
    manager.settled().await;
    let text = eventually_both_read_the_same(&member, &manager, meeting).await;
    assert!(text.contains("先月の受注について。") && text.contains("来期の目標について。"), "{text}");
    assert_eq!(member.memo_heads(meeting).await, manager.memo_heads(meeting).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_phones_of_one_person_fill_in_the_same_draft() {
    let world = World::open("same draft").await;
    let phone = world.phone("tanaka").await;
    let tablet = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    phone.line().go_down();
    tablet.line().go_down();
    phone.choose(meeting, "work.progress").await;
    tablet.choose(meeting, "work.method").await;
    phone.come_back();
    tablet.come_back();
    let both = vec!["work.method".to_owned(), "work.progress".to_owned()];
    eventually_equals("the phone shows both topics", &both, || phone.chosen(meeting)).await;
    eventually_equals("the tablet shows both topics", &both, || tablet.chosen(meeting)).await;
}

async fn eventually_both_read_the_same(
    one: &taiwa_tests::phone::Phone,
    other: &taiwa_tests::phone::Phone,
    meeting: taiwa_shared::ids::MeetingId,
) -> String {
    taiwa_tests::eventually::eventually("both read the same", taiwa_tests::eventually::PATIENCE, || async {
        let (here, there) = (one.memo_text(meeting).await, other.memo_text(meeting).await);
        (here == there).then_some(here)
    })
    .await
}

//! Nothing that the JavaScript library can do with a document is refused, and all of it arrives.

use taiwa_shared::ids::DocumentId;
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    interop::{Guest, javascript::JavaScriptClient},
    world::World,
};
use tokio::sync::Mutex;

use super::javascript;

/// Waits until two clients show the same document, which satisfies this, and returns it.
async fn both_show(
    clients: &[Mutex<JavaScriptClient>; 2],
    document: DocumentId,
    what: &str,
    is_so: impl Fn(&str) -> bool,
) -> String {
    eventually(what, PATIENCE, || async {
        let here = clients[0].lock().await.json(document).await.unwrap();
        let there = clients[1].lock().await.json(document).await.unwrap();
        (here == there && is_so(&here)).then_some(here)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_javascript_client_can_do_is_refused() {
    let Some(start) = javascript("nothing_that_a_javascript_client_can_do_is_refused") else { return };
    let world = World::open("everything in JavaScript").await;
    let phone = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    phone.type_into_memo(meeting, 0, "始め").await;
    phone.settled().await;
    let document = phone.memo_document(meeting).await;
    let mut one = start(world.address(), world.access_token("sato").await).await;
    let Some(start) = javascript("nothing_that_a_javascript_client_can_do_is_refused") else { return };
    let mut other = start(world.address(), world.access_token("tanaka").await).await;
    for client in [&mut one, &mut other] {
        assert_eq!(client.find(document).await.unwrap().as_deref(), Some("始め"));
    }
    let changes = one.everything(document).await.unwrap();
    assert!(changes > 18, "{changes} changes");
    let clients = [Mutex::new(one), Mutex::new(other)];
    let last = r#""last":true"#;
    let shown = both_show(&clients, document, "every kind of edit arrives", |shown| shown.contains(last)).await;
    for part in ["見出し", "前の版から。", "今の版から。", r#""count":{"counter":10}"#, r#""bytes":[9]"#]
    {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }

    // Both set the same keys apart from each other and count on there, and one settles it.
    clients[0].lock().await.put_counter(document, "sum", 1).await.unwrap();
    both_show(&clients, document, "the counter", |shown| shown.contains(r#""sum""#)).await;
    for (client, value) in clients.iter().zip([1, 2]) {
        let mut client = client.lock().await;
        client.leave().await.unwrap();
        client.put(document, "put", &value.to_string()).await.unwrap();
        client.increment(document, "sum", value).await.unwrap();
        client.put_counter(document, "two", value).await.unwrap();
    }
    for client in &clients {
        client.lock().await.come_back().await.unwrap();
    }
    let shown = both_show(&clients, document, "both values", |shown| shown.ends_with(r#",["1","2"]]"#)).await;
    assert!(shown.contains(r#""sum":{"counter":4}"#), "{shown}");
    let text = {
        let mut one = clients[0].lock().await;
        one.increment(document, "two", 5).await.unwrap();
        one.put(document, "put", "3").await.unwrap();
        one.text(document).await.unwrap()
    };
    let settled = |shown: &str| shown.contains(r#""put":"3""#) && shown.ends_with(",[]]");
    both_show(&clients, document, "settled", settled).await;
    assert!(text.ends_with("始め"), "{text}");
    phone.eventually_reads(meeting, &text).await;
}

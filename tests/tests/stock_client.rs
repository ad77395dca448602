//! A JavaScript `@automerge/automerge-repo` client co-edits a memo with a phone, goes offline and comes back.

use taiwa_shared::ids::MeetingId;
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    phone::Phone,
    skip::skip,
    stock_client::{StockClient, interop_folder},
    world::World,
};
use tokio::sync::Mutex;

async fn both_read(client: &Mutex<StockClient>, phone: &Phone, meeting: MeetingId, expected: &str) {
    eventually(&format!("both read {expected}"), PATIENCE, || async {
        let there = client.lock().await.text().await.expect("the client runs");
        (there == expected && phone.memo_text(meeting).await == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_client_co_edits_a_memo_goes_offline_and_comes_back() {
    let Some(folder) = interop_folder().unwrap() else {
        return skip("a_javascript_client_co_edits_a_memo_goes_offline_and_comes_back", "needs node and npm");
    };
    let world = World::open("javascript").await;
    let phone = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    phone.type_into_memo(meeting, 0, "電話から😀。").await;
    phone.settled().await;

    let token = world.access_token("sato").await;
    let mut client = StockClient::start(&folder, &format!("http://{}", world.address()), &token).unwrap();
    let document = phone.memo_document(meeting).await.to_base58check();
    assert_eq!(client.find(&document).await.unwrap(), "電話から😀。");
    let end = "電話から😀。".encode_utf16().count();
    client.splice(end, 0, "端末から👨‍👩‍👧。").await.unwrap();
    let client = Mutex::new(client);
    both_read(&client, &phone, meeting, "電話から😀。端末から👨‍👩‍👧。").await;
    phone.type_into_memo(meeting, 0, "一。").await;
    both_read(&client, &phone, meeting, "一。電話から😀。端末から👨‍👩‍👧。").await;

    client.lock().await.disconnect().await.unwrap();
    phone.line().go_down();
    client.lock().await.splice(0, 2, "壱。").await.unwrap();
    let text = phone.memo_text(meeting).await;
    phone.type_into_memo(meeting, text.encode_utf16().count(), "終わり。").await;
    client.lock().await.connect().await.unwrap();
    phone.come_back();
    both_read(&client, &phone, meeting, "壱。電話から😀。端末から👨‍👩‍👧。終わり。").await;
    manager.eventually_reads(meeting, "壱。電話から😀。端末から👨‍👩‍👧。終わり。").await;

    client.lock().await.splice(0, 0, "端末だけの段落\n").await.unwrap();
    let whole = "端末だけの段落\n壱。電話から😀。端末から👨‍👩‍👧。終わり。";
    manager.eventually_reads(meeting, whole).await;
    let written = ("端末だけの段落".to_owned(), vec![manager.user()]);
    eventually_equals("bound to whom it signed in as", &written, || async {
        manager.memo_authors(meeting).await.swap_remove(0)
    })
    .await;
}

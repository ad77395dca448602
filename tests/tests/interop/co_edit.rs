//! A client of others co-edits a memo with a phone, goes offline and comes back.

use std::net::SocketAddr;

use taiwa_tests::{eventually::eventually_equals, interop::Guest, world::World};
use tokio::sync::Mutex;

use super::{both_read, javascript, same_heads, samod};

async fn co_edits<G: Guest>(test: &str, start: impl AsyncFnOnce(SocketAddr, String) -> G) {
    let world = World::open(test).await;
    let phone = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&manager).await;
    phone.type_into_memo(meeting, 0, "電話から😀。").await;
    phone.settled().await;

    let mut guest = start(world.address(), world.access_token("sato").await).await;
    let document = phone.memo_document(meeting).await;
    assert_eq!(guest.find(document).await.unwrap().as_deref(), Some("電話から😀。"));
    let end = "電話から😀。".encode_utf16().count();
    guest.splice(document, end, 0, "端末から👨‍👩‍👧。").await.unwrap();
    let guest = Mutex::new(guest);
    both_read(&guest, &phone, meeting, "電話から😀。端末から👨‍👩‍👧。").await;
    phone.type_into_memo(meeting, 0, "一。").await;
    both_read(&guest, &phone, meeting, "一。電話から😀。端末から👨‍👩‍👧。").await;

    guest.lock().await.leave().await.unwrap();
    phone.line().go_down();
    guest.lock().await.splice(document, 0, 2, "壱。").await.unwrap();
    let text = phone.memo_text(meeting).await;
    phone.type_into_memo(meeting, text.encode_utf16().count(), "終わり。").await;
    guest.lock().await.come_back().await.unwrap();
    phone.come_back();
    both_read(&guest, &phone, meeting, "壱。電話から😀。端末から👨‍👩‍👧。終わり。").await;
    manager.eventually_reads(meeting, "壱。電話から😀。端末から👨‍👩‍👧。終わり。").await;

    guest.lock().await.splice(document, 0, 0, "端末だけの段落\n").await.unwrap();
    let whole = "端末だけの段落\n壱。電話から😀。端末から👨‍👩‍👧。終わり。";
    manager.eventually_reads(meeting, whole).await;
    let written = ("端末だけの段落".to_owned(), vec![manager.user()]);
    eventually_equals("bound to whom it signed in as", &written, || async {
        manager.memo_authors(meeting).await.swap_remove(0)
    })
    .await;
    both_read(&guest, &phone, meeting, whole).await;
    same_heads(&world, &guest, &phone, document).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_client_co_edits_a_memo_goes_offline_and_comes_back() {
    let Some(start) = javascript("a_javascript_client_co_edits_a_memo_goes_offline_and_comes_back") else { return };
    co_edits("co-edit with JavaScript", start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_samod_client_co_edits_a_memo_goes_offline_and_comes_back() {
    co_edits("co-edit with samod", samod).await;
}

//! Our engine at the sync servers of others: edits go both ways, over lines that are cut and to servers that forget.

use std::net::SocketAddr;

use rand::RngExt;
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{MeetingId, PairId},
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually_equals},
    interop::{Host, engine::EngineClient, javascript::JavaScriptServer, samod::SamodServer},
    link::Link,
    seed::Seed,
};
use tokio::{sync::Mutex, time::timeout};

use super::{carried_bytes, packages};

const CUTS: usize = 8;
/// By each side before each cut.
const EDITS: usize = 12;

fn engine(address: SocketAddr, name: &str) -> EngineClient {
    let memo = DocumentKey::Memo { pair: PairId::from_bytes([1; 16]), meeting: MeetingId::from_bytes([2; 16]) };
    EngineClient::new(&memo, address, name).unwrap()
}

/// Exchanges until the engine shows this text and knows that the server has everything; and so it is.
async fn settles<H: Host>(ours: &mut EngineClient, theirs: &mut H, expected: &str) {
    let is_there = |ours: &mut EngineClient| ours.is_settled() && ours.text().unwrap() == expected;
    ours.until(&format!("settled with {expected}"), is_there).await.unwrap();
    agree(ours, theirs).await;
    assert_eq!(theirs.text(ours.document()).await.unwrap(), expected);
}

/// Exchanges until heads are equal.
async fn agree<H: Host>(ours: &mut EngineClient, theirs: &mut H) {
    let (document, ours, theirs) = (ours.document(), Mutex::new(ours), Mutex::new(theirs));
    eventually_equals("equal heads", &true, || async {
        let mut ours = ours.lock().await;
        ours.exchange().await.unwrap();
        ours.is_settled() && theirs.lock().await.heads(document).await.unwrap() == ours.heads().unwrap()
    })
    .await;
}

/// Exchanges until the server's user has the document.
async fn opened<H: Host>(ours: &mut EngineClient, theirs: &mut H) -> String {
    let document = ours.document();
    ours.until("the server has it all", |ours| ours.is_settled()).await.unwrap();
    let found = timeout(PATIENCE, theirs.find(document)).await.expect("found in time").unwrap();
    found.expect("the engine brought the document")
}

async fn edits_go_both_ways<H: Host>(mut theirs: H) {
    let mut ours = engine(theirs.address(), "ours");
    ours.insert(0, "電話から😀").unwrap();
    assert_eq!(opened(&mut ours, &mut theirs).await, "電話から😀");
    let document = ours.document();
    theirs.splice(document, 0, 0, "彼方の").await.unwrap();
    settles(&mut ours, &mut theirs, "彼方の電話から😀").await;
    // Both at once.
    ours.insert(0, "一。").unwrap();
    let end = "彼方の電話から😀".encode_utf16().count();
    theirs.splice(document, end, 0, "。終").await.unwrap();
    settles(&mut ours, &mut theirs, "一。彼方の電話から😀。終").await;

    // Somebody who begins with nothing but the first change gets it all.
    let mut second = engine(theirs.address(), "second");
    settles(&mut second, &mut theirs, "一。彼方の電話から😀。終").await;
    second.insert(0, "零。").unwrap();
    settles(&mut second, &mut theirs, "零。一。彼方の電話から😀。終").await;
    settles(&mut ours, &mut theirs, "零。一。彼方の電話から😀。終").await;
}

async fn reconnects_with_what_it_has<H: Host>(test: &str, mut theirs: H) {
    let seed = Seed::of_this_run(test);
    let line = Link::open(theirs.address(), seed).await.unwrap();
    let mut ours = engine(line.address(), "ours");
    ours.insert(0, "始め").unwrap();
    assert_eq!(opened(&mut ours, &mut theirs).await, "始め");
    let document = ours.document();
    let mut moments = seed.generator("moments");
    for _ in 0..CUTS {
        let bytes = carried_bytes(&line) + moments.random_range(1..1_500);
        for _ in 0..EDITS {
            ours.insert(moments.random_range(0..=ours.text().unwrap().chars().count()), "《主》").unwrap();
            let length = theirs.text(document).await.unwrap().encode_utf16().count();
            theirs.splice(document, moments.random_range(0..=length), 0, "《客》").await.unwrap();
        }
        ours.until("some of it is under way", |_| carried_bytes(&line) >= bytes).await.unwrap();
        let connections = ours.connections();
        line.cut();
        ours.until("another connection", |ours| ours.connections() > connections).await.unwrap();
    }
    agree(&mut ours, &mut theirs).await;
    let text = ours.text().unwrap();
    assert_eq!(theirs.text(document).await.unwrap(), text);
    for letter in ['客', '主'] {
        let count = text.chars().filter(|it| *it == letter).count();
        assert_eq!(count, CUTS * EDITS, "every {letter} arrived once: {text}");
    }
    let (bytes, connections) = (carried_bytes(&line), ours.connections());
    ours.disconnect();
    ours.until("settled again", |ours| ours.is_settled()).await.unwrap();
    assert_eq!(ours.connections(), connections + 1);
    let again = carried_bytes(&line) - bytes;
    println!("{test}: {} connections, {again} bytes for one more with nothing new", ours.connections());
    assert!(again < 3_000, "a reconnect with nothing new repeats no changes: {again} bytes");
}

async fn brings_back_what_a_server_forgot<H: Host>(mut before: H, mut after: H) {
    let mut ours = engine(before.address(), "ours");
    ours.insert(0, "残る").unwrap();
    assert_eq!(opened(&mut ours, &mut before).await, "残る");
    before.splice(ours.document(), 0, 0, "彼方も").await.unwrap();
    settles(&mut ours, &mut before, "彼方も残る").await;
    // The next one knows nothing of what the engine takes for shared, and something that the engine does not know.
    let mut other = engine(after.address(), "other");
    other.insert(0, "別に").unwrap();
    assert_eq!(opened(&mut other, &mut after).await, "別に");
    ours.lead_to(after.address());
    drop(before);
    agree(&mut ours, &mut after).await;
    let text = ours.text().unwrap();
    assert!(["彼方も", "残る", "別に"].iter().all(|part| text.contains(part)), "nothing is lost: {text}");
    after.splice(ours.document(), 0, 0, "次に").await.unwrap();
    settles(&mut ours, &mut after, &format!("次に{text}")).await;
}

async fn javascript_server(test: &str) -> Option<JavaScriptServer> {
    Some(JavaScriptServer::start(&packages(test)?).await.unwrap())
}

async fn samod_server() -> SamodServer {
    SamodServer::start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_engine_and_a_javascript_server_exchange_edits_both_ways() {
    let test = "our_engine_and_a_javascript_server_exchange_edits_both_ways";
    let Some(server) = javascript_server(test).await else { return };
    edits_go_both_ways(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_engine_and_a_samod_server_exchange_edits_both_ways() {
    edits_go_both_ways(samod_server().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_engine_reconnects_to_a_javascript_server_with_what_it_has() {
    let test = "our_engine_reconnects_to_a_javascript_server_with_what_it_has";
    let Some(server) = javascript_server(test).await else { return };
    reconnects_with_what_it_has(test, server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_engine_reconnects_to_a_samod_server_with_what_it_has() {
    let test = "our_engine_reconnects_to_a_samod_server_with_what_it_has";
    reconnects_with_what_it_has(test, samod_server().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_engine_brings_back_what_a_javascript_server_forgot() {
    let test = "our_engine_brings_back_what_a_javascript_server_forgot";
    let Some(before) = javascript_server(test).await else { return };
    let after = javascript_server(test).await.unwrap();
    brings_back_what_a_server_forgot(before, after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_engine_brings_back_what_a_samod_server_forgot() {
    brings_back_what_a_server_forgot(samod_server().await, samod_server().await).await;
}

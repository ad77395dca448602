//! Acknowledged means stored: the server is killed with -9 under editing, again and again, and nothing it has
//! acknowledged is lost.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, rngs::StdRng};
use taiwa_shared::{
    domain::{meeting::Meeting, ownership::DocumentKey},
    ids::PairId,
    protocol::records::{ClaimOutcome, ClaimRequest, ClaimResponse, DocumentClaim, RecordEntry, RecordsPage},
};
use taiwa_tests::{
    eventually::eventually_equals, inspect::Contents, oracle::Oracle, rest::Rest, turn::my_turn, world::World,
};
use tokio::{task::JoinSet, time::timeout};

/// Rounds unless `TAIWA_KILLS` says otherwise, as `cargo xtask test --long` does.
const ROUNDS: usize = 50;
/// What a round must have acknowledged before the kill.
const ACKNOWLEDGED: usize = 200;
/// Changes a client makes ahead of the server's word; small, so that the kill meets many clients at work.
const AHEAD: usize = 6;

/// How often to kill.
pub(crate) fn rounds() -> usize {
    std::env::var("TAIWA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// Somebody with a token, and the pair whose memos they edit.
#[derive(Clone)]
struct Writer {
    name: String,
    token: String,
    pair: PairId,
}

/// The pair that a member is in, by the records that anybody's phone pulls.
async fn pair_of(world: &World, token: &str) -> PairId {
    let answer = Rest::new(world.address()).with_token(token).get("/v1/records").await.unwrap();
    let page: RecordsPage = answer.into().unwrap();
    let pair =
        page.entries.iter().find_map(|entry| if let RecordEntry::Pair(pair) = entry { Some(pair.id) } else { None });
    pair.expect("a member is in a pair")
}

/// Tells the server of the memo of this round's meeting.
async fn claim(world: &World, writer: &Writer, round: usize) -> DocumentKey {
    // Within the two years in which a slot may be claimed; after that the memos come again.
    let first: jiff::civil::Date = "2027-01-04".parse().unwrap();
    let slot = first.checked_add(jiff::Span::new().days((round % 400) as i64)).unwrap();
    let key = DocumentKey::Memo { pair: writer.pair, meeting: Meeting::id_of_slot(writer.pair, slot) };
    let request = ClaimRequest { claims: vec![DocumentClaim { key, slot: Some(slot) }] };
    let answer = Rest::new(world.address()).with_token(&writer.token).post("/v1/documents", &request).await.unwrap();
    let response: ClaimResponse = answer.into().unwrap();
    assert!(matches!(response.outcomes[..], [ClaimOutcome::Known { .. }]), "{:?}", response.outcomes);
    key
}

/// Changes that the server says it has received and not committed; asks again a few times while it says none, so that
/// the kill that follows meets one. The answer is some 0.1 ms old when the kill arrives; a commit takes some 5 ms.
async fn received_and_uncommitted(world: &World) -> u64 {
    let rest = Rest::new(world.address());
    for _ in 0..50 {
        let health: serde_json::Value = rest.get("/healthz").await.unwrap().into().unwrap();
        let uncommitted = health["hub"]["changes_uncommitted"].as_u64().expect("the server's figures");
        if uncommitted > 0 {
            return uncommitted;
        }
    }
    0
}

/// Edits until the connection breaks; the server is asked for nothing but its word.
async fn edit_until_killed(oracle: &mut Oracle, mark: &str, acknowledged: &AtomicUsize) {
    let mut number = 0;
    loop {
        while oracle.made().len() - oracle.acknowledged().len() < AHEAD {
            number += 1;
            if oracle.append(&format!("{mark}{number}。")).await.is_err() {
                break;
            }
        }
        let before = oracle.acknowledged().len();
        if !oracle.step().await.unwrap() {
            return;
        }
        acknowledged.fetch_add(oracle.acknowledged().len() - before, Ordering::SeqCst);
    }
}

/// Lets the clients synchronise until each agrees with the server and with all others of its document.
async fn converge(oracles: &mut [Oracle], world: &World, writers: &[Writer]) {
    for (oracle, writer) in oracles.iter_mut().zip(writers) {
        oracle.connect(world.address(), &writer.token, &writer.name).await.unwrap();
    }
    loop {
        for oracle in oracles.iter_mut() {
            while !oracle.agrees_with_server() {
                assert!(oracle.step().await.unwrap(), "the server goes on");
            }
        }
        let mut heads: Vec<_> = oracles.iter_mut().map(|oracle| (oracle.document(), oracle.heads())).collect();
        heads.sort();
        heads.dedup();
        let documents: BTreeSet<_> = oracles.iter().map(Oracle::document).collect();
        if heads.len() == documents.len() {
            return;
        }
        // Somebody is behind: what the others brought is still under way to them.
        for oracle in oracles.iter_mut() {
            let _ = timeout(Duration::from_millis(20), oracle.step()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed_again_and_again() {
    let _turn = my_turn().await;
    let mut world = World::open_as_process("killed server").await;
    let mut random: StdRng = world.seed().generator("kills");
    let mut writers = Vec::new();
    for (name, person, member) in [
        ("a", "tanaka", "tanaka"),
        ("b", "sato", "tanaka"),
        ("c", "ito", "ito"),
        ("d", "sato", "ito"),
        ("e", "abe", "abe"),
        ("f", "mori", "abe"),
    ] {
        let member_token = world.access_token(member).await;
        let token = world.access_token(person).await;
        writers.push(Writer { name: name.to_owned(), token, pair: pair_of(&world, &member_token).await });
    }
    let phone = world.phone("tanaka").await;
    let other_phone = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&other_phone).await;
    let mut typed = String::new();
    let (mut in_flight_in_any_round, mut received_in_any_round) = (0, 0);
    let mut all_acknowledged = Vec::new();

    for round in 0..rounds() {
        let started = Instant::now();
        let mut oracles = Vec::new();
        for writer in &writers {
            let mut oracle = Oracle::new(&claim(&world, writer, round).await).unwrap();
            oracle.connect(world.address(), &writer.token, &writer.name).await.unwrap();
            oracles.push(oracle);
        }
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut editing = JoinSet::new();
        for (mut oracle, writer) in oracles.into_iter().zip(writers.clone()) {
            let acknowledged = acknowledged.clone();
            editing.spawn(async move {
                edit_until_killed(&mut oracle, &writer.name, &acknowledged).await;
                (writer, oracle)
            });
        }
        let enough = ACKNOWLEDGED + random.random_range(0..80);
        let word = format!("{round}回目。");
        phone.type_into_memo(meeting, 0, &word).await;
        typed = word + &typed;
        while acknowledged.load(Ordering::SeqCst) < enough {
            tokio::task::yield_now().await;
        }
        let received = received_and_uncommitted(&world).await;
        world.kill_server();
        received_in_any_round += received;
        let (writers_now, mut oracles): (Vec<_>, Vec<_>) = editing.join_all().await.into_iter().unzip();

        let stored = Contents::of_server(&world.database()).await.unwrap();
        let (mut count, mut in_flight) = (0, 0);
        for oracle in &oracles {
            let changes = stored.changes_of(oracle.document());
            let lost: Vec<_> = oracle.acknowledged().iter().filter(|hash| !changes.contains(hash)).collect();
            assert_eq!(
                lost,
                Vec::<&automerge::ChangeHash>::new(),
                "round {round}: acknowledged and not in the database"
            );
            count += oracle.acknowledged().len();
            in_flight += oracle.in_flight();
            all_acknowledged.push((oracle.document(), oracle.acknowledged().to_vec()));
        }
        assert!(count >= ACKNOWLEDGED, "round {round}: only {count} acknowledged");
        in_flight_in_any_round += in_flight;

        world.restart_server().await;
        converge(&mut oracles, &world, &writers_now).await;
        for oracle in &oracles {
            assert_eq!(oracle.acknowledged().len(), oracle.made().len(), "round {round}: every edit arrives");
        }
        println!(
            "kill -9 of the server, round {}: {count} acknowledged, {in_flight} sent and not acknowledged, \
             {received} received and uncommitted when asked just before, 0 lost, {} ms",
            round + 1,
            started.elapsed().as_millis()
        );
    }
    assert!(in_flight_in_any_round > 0, "no kill met an edit without acknowledgement");
    assert!(received_in_any_round > 0, "no kill met an edit that was received and not committed");

    phone.come_back();
    other_phone.come_back();
    phone.settled().await;
    eventually_equals("the other phone reads all rounds", &typed, || other_phone.memo_text(meeting)).await;
    let stored = Contents::of_server(&world.database()).await.unwrap();
    for (document, acknowledged) in all_acknowledged {
        let changes = stored.changes_of(document);
        assert!(acknowledged.iter().all(|hash| changes.contains(hash)), "lost in a later round");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_loses_nothing_and_says_goodbye() {
    let mut world = World::open_as_process("graceful stop").await;
    let phone = world.phone("tanaka").await;
    let other = world.phone("sato").await;
    let meeting = phone.next_meeting_with(&other).await;
    phone.type_into_memo(meeting, 0, "止める直前").await;
    world.stop_server().await;
    world.restart_server().await;
    phone.come_back();
    phone.settled().await;
    other.come_back();
    other.eventually_reads(meeting, "止める直前").await;
}

//! `phone` and `reconnect`: the real phone core with the data of a manager with 13 members.
//!
//! The data are written by the members' clients with the product's own writers and reach the phone over the socket, as
//! they do in life. What is measured runs in processes of its own, so that start and memory are a phone's and not this
//! program's. Without a server, as in a basement.

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use taiwa_mobile_core::session::{MemoryVault, Options, SaveState, Session, SignIn, Taiwa, TokenVault};
use taiwa_shared::{
    documents::{self, Editor, draft, memo, notebook, prep},
    domain::ownership::DocumentKey,
    ids::{MeetingId, PromiseId},
    protocol::login::Secret,
    time::{Clock, Timestamp},
};
use taiwa_tests::{figures::Row, world::PASSWORD};
use tempfile::TempDir;

use super::Bench;
use crate::{
    client::Client,
    house::{House, Size},
    machine,
    meter::{Meter, round_trips},
    replica::Replica,
};

/// Members of the manager.
const MEMBERS: usize = 13;
/// Meetings of three years, every two weeks.
const THREE_YEARS: usize = 78;
/// Meetings of a year.
const A_YEAR: usize = 26;
/// Memos of the phone that reconnects, of each pair: 507 documents.
const RECONNECTING: usize = 39;
/// A memo of 600 letters: what is written in half an hour.
const LINE: &str = "来週の商談の準備について話した。資料は二人で見直す。キャリアのことは次回に。";
const LINES: usize = 16;
/// The vault of the measured phone.
const VAULT_KEY: [u8; 32] = [7; 32];
/// A first pull of everything takes seconds.
const FIRST_SYNC: Duration = Duration::from_secs(300);
/// The server writes into its records what a document has become when it has been quiet for five seconds; until then a
/// phone that comes does not know that there is something to fetch.
const RECORDED_AFTER: Duration = Duration::from_secs(6);
/// Between two of the measured edits: somebody who types.
const BETWEEN_EDITS: Duration = Duration::from_millis(20);

/// What a process of its own has measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    brief_ms: f64,
    memory_bytes: u64,
    edits_ms: Vec<f64>,
    on_disk_ms: Vec<f64>,
    searches_ms: Vec<f64>,
}

/// Measures `phone`.
///
/// # Errors
/// If the server or the core does not start, or a client fails.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let (long, year) = (prepared(bench, THREE_YEARS).await?, prepared(bench, A_YEAR).await?);
    let starts = if bench.quick { 10 } else { 30 };
    let mut briefs = Vec::new();
    for _ in 0..starts {
        briefs.push(look(&long, "brief")?.brief_ms);
    }
    let used = look(&long, "use")?;
    let memory = look(&year, "browse")?.memory_bytes;
    Ok(vec![
        Row::new("phone", "taiwa")
            .with("brief", "ms", quantile(&mut briefs, 0.5))
            .with("brief p95", "ms", quantile(&mut briefs, 0.95))
            .with("edit p50", "ms", quantile(&mut used.edits_ms.clone(), 0.5))
            .with("edit p99", "ms", quantile(&mut used.edits_ms.clone(), 0.99))
            .with("on disk p99", "ms", quantile(&mut used.on_disk_ms.clone(), 0.99))
            .with("search", "ms", quantile(&mut used.searches_ms.clone(), 0.5))
            .with("memory", "MB", memory as f64 / 1e6)
            .remark("brief, edits and search with 3 years × 13 members, memory with 12 months; memory above an empty process"),
    ])
}

/// Measures `reconnect`.
///
/// # Errors
/// As [`measure`].
pub(super) async fn reconnect(bench: &Bench) -> Result<Vec<Row>> {
    let size = Size { memos: RECONNECTING, ..Size::of_pairs(MEMBERS) };
    let house = House::open(size, bench.pinned).await?;
    write_documents(&house, size).await?;
    let meter = Meter::open(house.address()).await?;
    let folder = TempDir::new()?;
    let taiwa = Taiwa::open(options(folder.path())).await?;
    sign_in(&taiwa, &house, &format!("http://{}", meter.address())).await?;
    taiwa.close().await;
    let first = meter.take();
    meter.lengthen();

    let started = Instant::now();
    let taiwa = Taiwa::open(options(folder.path())).await?;
    let session = taiwa.session().await.context("the person is still signed in")?;
    ensure!(session.refresh(FIRST_SYNC).await.is_complete(), "the phone did not get in touch");
    let took = started.elapsed();
    let again = meter.take();
    ensure!(session.save_state().await? == SaveState::Synced, "the phone is not synchronised");
    taiwa.close().await;
    Ok(vec![
        Row::new("reconnect", "taiwa")
            .with("documents", "", (MEMBERS * RECONNECTING) as f64)
            .with("round trips", "", round_trips(took))
            .with("bytes", "kB", (again.up + again.down) as f64 / 1e3)
            .with("first sync", "kB", (first.up + first.down) as f64 / 1e3)
            .remark("records, socket and documents together, HTTP headers and tokens included"),
    ])
}

/// A phone with data, and tomorrow's meeting.
struct Prepared {
    folder: TempDir,
    meeting: MeetingId,
}

/// A phone with so many meetings of each pair.
async fn prepared(bench: &Bench, meetings: usize) -> Result<Prepared> {
    let size = Size { memos: meetings, every_days: 14, whole: true, ..Size::of_pairs(MEMBERS) };
    let house = House::open(size, bench.pinned).await?;
    write_documents(&house, size).await?;
    let folder = TempDir::new()?;
    let taiwa = Taiwa::open(options(folder.path())).await?;
    sign_in(&taiwa, &house, &format!("http://{}", house.address())).await?;
    taiwa.close().await;
    let meeting = house.table(0, meetings - 1, 1)?.key.meeting().context("a memo is of a meeting")?;
    Ok(Prepared { folder, meeting })
}

/// Every member writes their memos, and what they prepared, and promises.
async fn write_documents(house: &House, size: Size) -> Result<()> {
    let now = now();
    let topic = "work.progress".parse().context("a topic of the catalogue")?;
    let response = "advice".parse().context("a response of the catalogue")?;
    for pair in 0..size.pairs {
        let team = house.team(pair)?;
        let editor = |number: u8| Editor { user: team.member, actor: [number; 16] };
        let seat = house.table(pair, 0, 1)?.seats.remove(0);
        let mut client = Client::connect(&seat.door, &seat.name).await?;
        let mut hold = |key: DocumentKey, changes: Vec<Vec<u8>>| -> Result<()> {
            let mut replica = Replica::of_changes(&key, team.member, changes)?;
            replica.connect();
            client.hold(replica);
            Ok(())
        };
        for number in 0..size.memos {
            let key = house.table(pair, number, 1)?.key;
            let mut text = documents::Replica::open(key, 0, [], editor(1))?;
            memo::splice_utf16(&mut text, 0, 0, &format!("第{number}回\n{}", format!("{LINE}\n").repeat(LINES)), now)?;
            hold(key, text.take_changes())?;
            if let (true, Some(meeting)) = (size.whole, key.meeting()) {
                let pair = team.pair;
                let mut chosen = documents::Replica::open(DocumentKey::Draft { pair, meeting }, 0, [], editor(2))?;
                draft::set_response(&mut chosen, &topic, &response, now)?;
                draft::set_word(&mut chosen, &topic, "予定とのずれを相談したい", now)?;
                let key = DocumentKey::Prep { pair, meeting };
                let mut published = documents::Replica::open(key, 0, [], editor(3))?;
                prep::publish(&mut published, &chosen, now)?;
                hold(key, published.take_changes())?;
            }
        }
        if size.whole {
            let key = DocumentKey::Notebook { pair: team.pair };
            let mut notes = documents::Replica::open(key, 0, [], editor(4))?;
            for _ in 0..size.memos {
                let id = PromiseId::new(now, rand::random());
                let promise =
                    notebook::NewPromise { id, text: "資料を直して送る", who: team.member, meeting: None };
                notebook::add_promise(&mut notes, &promise, now)?;
                notebook::set_promise_done(&mut notes, id, true, now)?;
            }
            hold(key, notes.take_changes())?;
        }
        client.settle().await?;
    }
    tokio::time::sleep(RECORDED_AFTER).await;
    Ok(())
}

async fn sign_in(taiwa: &Taiwa, house: &House, url: &str) -> Result<()> {
    let (invitation, password) = (Secret::new(house.invite_manager().await?), Secret::new(PASSWORD));
    let session = taiwa.sign_in(url, SignIn::Invitation { invitation, password }).await?;
    let synced = async {
        while !session.refresh(FIRST_SYNC).await.is_complete() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(FIRST_SYNC, synced).await.context("the phone has not got everything in time")
}

fn options(folder: &Path) -> Options {
    let vault = MemoryVault::default();
    // In memory: nothing can fail.
    let _ = vault.store(VAULT_KEY);
    Options::new(folder, Arc::new(vault))
}

fn now() -> Timestamp {
    taiwa_server::clock::SystemClock.now()
}

/// Measures in a process of its own.
fn look(phone: &Prepared, what: &str) -> Result<Seen> {
    let mut process = Command::new(std::env::current_exe()?);
    let output = process.args(["as-phone", what, &phone.meeting.to_string()]).arg(phone.folder.path()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "measuring the phone ended with {}: {said}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The measured process: opens the core on a folder, does `what`, and prints what it saw.
///
/// # Errors
/// If the core refuses.
pub(crate) async fn run_process(what: &str, meeting: MeetingId, folder: &Path) -> Result<()> {
    let own = std::process::id();
    let before = machine::resident_bytes(own)?;
    let started = Instant::now();
    let taiwa = Taiwa::open(options(folder)).await?;
    let session = taiwa.session().await.context("somebody is signed in")?;
    let brief = session.brief(meeting).await?;
    let brief_ms = started.elapsed().as_secs_f64() * 1e3;
    ensure!(format!("{brief:?}").contains("予定とのずれ"), "the brief does not show what was prepared: {brief:?}");
    let (mut edits_ms, mut on_disk_ms, mut searches_ms) = (Vec::new(), Vec::new(), Vec::new());
    if what != "brief" {
        browse(&session).await?;
    }
    if what == "use" {
        (edits_ms, on_disk_ms) = type_into_memo(&session, meeting).await?;
        for query in ["第50回", "ｷｬﾘｱ 商談", "来", "どこにもない言葉"].repeat(5) {
            let started = Instant::now();
            session.search(query).await?;
            searches_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    let memory_bytes = machine::peak_resident_bytes(own)?.saturating_sub(before);
    let seen = Seen { brief_ms, memory_bytes, edits_ms, on_disk_ms, searches_ms };
    println!("{}", serde_json::to_string(&seen)?);
    taiwa.close().await;
    Ok(())
}

/// Looks at every screen.
async fn browse(session: &Session) -> Result<()> {
    session.home().await?;
    for meeting in session.upcoming().await? {
        session.brief(meeting.meeting).await?;
    }
    for pair in session.pairs() {
        for past in session.past_meetings(pair.pair).await? {
            session.memo(past.meeting).await?.read().await?;
        }
    }
    Ok(())
}

/// Types keys into a memo of 600 letters: how long each call takes, and after how long its change is on the disk.
async fn type_into_memo(session: &Session, meeting: MeetingId) -> Result<(Vec<f64>, Vec<f64>)> {
    let memo = session.memo(meeting).await?;
    let (mut calls, mut on_disk) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let unsent = session.unsent().await?;
        let started = Instant::now();
        memo.splice(0, 0, "あ".to_owned()).await?;
        calls.push(started.elapsed().as_secs_f64() * 1e3);
        while session.unsent().await? == unsent {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        on_disk.push(started.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(BETWEEN_EDITS).await;
    }
    Ok((calls, on_disk))
}

fn quantile(values: &mut [f64], quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = ((values.len() as f64 * quantile) as usize).min(values.len().saturating_sub(1));
    values.get(place).copied().unwrap_or(f64::NAN)
}

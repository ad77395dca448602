//! `tips`: what a manager waits for the first page of a million tips, a deep one, one for a topic and a response, and for
//! searches of every kind, on both databases, each with the server on one core.
//!
//! The tips are made of clauses and names whose frequencies follow Zipf's law, as those of a natural language do: there are
//! words that nearly every tip has, and words that one has. Every request asks for something else than the one before.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use taiwa_shared::protocol::tips::TipsPage;
use taiwa_tests::{figures::Row, postgres::Postgres, rest::Rest};

use self::writing::Writer;
use super::Bench;
use crate::{
    house::{House, Manager, Size},
    machine,
};

mod writing;

/// Tips of the company.
const TIPS: usize = 1_000_000;
/// With short steps: writing a million takes minutes.
const QUICK_TIPS: usize = 20_000;
/// Tips that are written in one transaction.
const PER_COMMIT: usize = 5_000;
/// A quarter of a small server's memory, as PostgreSQL's manual advises.
const SHARED_BUFFERS: &str = "1GB";
/// Longer waits count as this long.
const LONGEST_MICROS: u64 = 60_000_000;
/// Pages that are turned to before the deep ones are measured.
const DEEP: usize = 200;

/// Something that a manager asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    FirstPage,
    DeepPage,
    TopicAndResponse,
    CommonWord,
    TwoCommonWords,
    RareWord,
    AbsentWord,
    English,
    OneCharacter,
}

impl Question {
    const ALL: [Self; 9] = [
        Self::FirstPage,
        Self::DeepPage,
        Self::TopicAndResponse,
        Self::CommonWord,
        Self::TwoCommonWords,
        Self::RareWord,
        Self::AbsentWord,
        Self::English,
        Self::OneCharacter,
    ];

    /// As a column of the table.
    fn name(self) -> &'static str {
        match self {
            Self::FirstPage => "first page",
            Self::DeepPage => "deep page",
            Self::TopicAndResponse => "topic × response",
            Self::CommonWord => "common word",
            Self::TwoCommonWords => "two of them",
            Self::RareWord => "rare word",
            Self::AbsentWord => "absent word",
            Self::English => "English",
            Self::OneCharacter => "one character",
        }
    }

    /// What is asked, another one each time, and whether there has to be an answer.
    fn path(self, random: &mut StdRng, writer: &Writer, cursors: &[String]) -> (String, bool) {
        let search = |words: String| format!("/v1/tips?q={}", encoded(&words));
        match self {
            Self::FirstPage => (format!("/v1/tips?limit={}", random.random_range(10..=50)), true),
            Self::DeepPage => (format!("/v1/tips?cursor={}", cursors[random.random_range(0..cursors.len())]), true),
            Self::TopicAndResponse => {
                let (topic, response) = writer.topic_and_response(random);
                (format!("/v1/tips?topic={topic}&response={response}"), true)
            }
            Self::CommonWord => (search(writer.common(random)), true),
            Self::TwoCommonWords => {
                (search(format!("{} {}", writer.common(random), writer.frequent_name(random))), false)
            }
            Self::RareWord => (search(writer.rare_name(random)), false),
            Self::AbsentWord => (search(writer.absent(random)), false),
            Self::English => (search(writer.english(random).to_owned()), true),
            Self::OneCharacter => (search(writer.character(random).to_string()), true),
        }
    }
}

/// Measures.
///
/// # Errors
/// If a server does not start, or does not answer.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let size = Size::of_pairs(1);
    let house = House::open(size, bench.pinned).await?;
    let mut rows = vec![of_house(bench, house, "taiwa on SQLite").await?];
    match Postgres::with_buffers(SHARED_BUFFERS).await? {
        Some(postgres) => {
            let pinned = bench.pinned && machine::pin_to_server_core(postgres.pid());
            let house = House::open_on(&postgres, size, pinned).await?;
            rows.push(of_house(bench, house, "taiwa on PostgreSQL").await?);
        }
        None => {
            rows.push(Row::new("tips", "taiwa on PostgreSQL").remark("not measured: no PostgreSQL server is installed"))
        }
    }
    Ok(rows)
}

async fn of_house(bench: &Bench, house: House, name: &str) -> Result<Row> {
    let count = if bench.quick { QUICK_TIPS } else { TIPS };
    let (mut random, writer) = (StdRng::seed_from_u64(1), Writer::new());
    let manager = house.manager(0)?;
    let started = Instant::now();
    write(&house, &manager, &writer, count, &mut random).await?;
    eprintln!("   {name}: {count} tips in {:.0} s", started.elapsed().as_secs_f64());
    let rest = Rest::new(house.address()).with_token(manager.token);
    let cursors = turn_pages(&rest).await?;
    let each = if bench.quick { 100 } else { 500 };
    let mut row = Row::new("tips", name).with("tips", "", count as f64);
    let (mut worst, mut is_answered) = (0.0_f64, true);
    for question in Question::ALL {
        let mut took = Histogram::<u64>::new_with_bounds(1, LONGEST_MICROS, 3)?;
        let mut found = 0;
        for _ in 0..each {
            let (path, has_answer) = question.path(&mut random, &writer, &cursors);
            let started = Instant::now();
            let tips = ask(&rest, &path).await?.tips.len();
            took.saturating_record(micros(started.elapsed()));
            found += tips;
            is_answered &= tips > 0 || !has_answer;
        }
        let at = |quantile| took.value_at_quantile(quantile) as f64 / 1_000.0;
        eprintln!("   {:<18} p50 {:>7.2} ms  p99 {:>7.2} ms  {found} found", question.name(), at(0.5), at(0.99));
        worst = worst.max(at(0.99));
        row = row.with(question.name(), "ms", at(0.99));
    }
    Ok(row.with("worst", "ms", worst).sound(is_answered))
}

/// Has the tips written, as commands of many managers would.
async fn write(house: &House, manager: &Manager, writer: &Writer, count: usize, random: &mut StdRng) -> Result<()> {
    let store = house.store().await?;
    let mut left = count;
    while left > 0 {
        let now = left.min(PER_COMMIT);
        let mut tx = store.begin().await?;
        for _ in 0..now {
            writer.write(&mut tx, manager, random).await?;
        }
        tx.commit().await?;
        left -= now;
    }
    store.close().await;
    Ok(())
}

/// Turns many pages; where each ended.
async fn turn_pages(rest: &Rest) -> Result<Vec<String>> {
    let mut cursors: Vec<String> = Vec::with_capacity(DEEP);
    while cursors.len() < DEEP {
        let path = match cursors.last() {
            Some(cursor) => format!("/v1/tips?limit=50&cursor={cursor}"),
            None => "/v1/tips?limit=50".to_owned(),
        };
        let page = ask(rest, &path).await?;
        cursors.push(page.next.context("the feed ends before it is deep")?);
    }
    Ok(cursors.split_off(DEEP / 2))
}

async fn ask(rest: &Rest, path: &str) -> Result<TipsPage> {
    let answer = rest.get(path).await?;
    ensure!(answer.status.is_success(), "GET {path} was answered with {}: {}", answer.status, answer.text);
    answer.into()
}

/// As it stands in a query.
fn encoded(words: &str) -> String {
    words.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

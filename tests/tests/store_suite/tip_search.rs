//! The search for tips against a plain look at each of them, in Japanese and English, with hostile words too.

use rand::RngExt;
use sqlx::Connection;
use taiwa_server::{
    records::access::Principal,
    store::{tip_changes::NewRow, tips::Labels},
    tips::{
        feed::{self, Wanted},
        grams,
        score::score,
    },
};
use taiwa_shared::{
    domain::search::{Query, fold},
    ids::{OrganisationId, TipId},
    protocol::tips::TipScope,
    time::Timestamp,
};
use taiwa_tests::seed::Seed;

use super::{fixture::Fixture, tips::all};

super::on_both! {
    a_search_finds_what_a_look_at_every_tip_finds;
    words_are_found_however_they_are_written;
    an_index_that_was_lost_is_made_anew;
}

const PIECES: [&str; 16] = [
    "評価",
    "傾聴",
    "聞く",
    "Listen",
    "ｌｉｓｔｅｎ",
    "先に",
    "沈黙",
    "を",
    "10秒",
    "ﾒﾓ",
    "メモ",
    "％_\\",
    "\"OR\"",
    "が\u{3099}",
    "👩‍👩‍👧",
    "don't",
];

async fn company(fixture: &Fixture, slug: &str) -> Principal {
    let csv = format!("email,name,manager_email\nken@{slug}.jp,高橋 健,\njiro@{slug}.jp,林 次郎,ken@{slug}.jp\n");
    fixture.import(slug, &csv).await;
    fixture.principal(slug, &format!("ken@{slug}.jp")).await
}

/// Adds tips as the server does when they are written, each a millisecond after the one before.
async fn add(fixture: &Fixture, organisation: OrganisationId, texts: &[String]) {
    let mut tx = fixture.store.begin().await.unwrap();
    for (n, text) in texts.iter().enumerate() {
        let folded = fold(text);
        let response = if n % 2 == 0 { "think" } else { "listen" };
        let labels = Labels { topic: "career.future", category: "career", response };
        let made = Timestamp::from_millis(1_760_000_000_000 + n as i64);
        let row = NewRow {
            id: TipId::from_bytes(rand::random()),
            author: None,
            signs: "none",
            byline: None,
            text,
            folded: &folded,
            labels,
            made,
            score: score(made, 0),
            offered: "no",
            grams: &grams::of_text(organisation, &folded, labels),
        };
        tx.add_tip(organisation, &row).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn find(fixture: &Fixture, who: &Principal, words: &str, response: Option<&str>) -> Vec<String> {
    let query = Some(Query::parse(words).unwrap());
    let response = response.map(|slug| slug.parse().unwrap());
    let wanted = Wanted { query, response, ..all(TipScope::Company) };
    let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = feed::page(&fixture.store, who, &wanted, cursor.as_deref(), 47).await.unwrap();
        found.extend(page.tips.into_iter().map(|tip| tip.text));
        cursor = page.next;
        pages += 1;
        assert!(pages < 2_000, "{words:?} has no end");
        if cursor.is_none() {
            return found;
        }
    }
}

async fn a_search_finds_what_a_look_at_every_tip_finds(fixture: Fixture) {
    let seed = Seed::of_this_run("a_search_finds_what_a_look_at_every_tip_finds");
    let mut random = seed.generator("tips");
    let ken = company(&fixture, "a").await;
    let other = company(&fixture, "b").await;
    let mut text = |pieces: usize| {
        let words = (0..pieces).map(|_| {
            let space = if random.random_bool(0.3) { " " } else { "" };
            format!("{}{space}", PIECES[random.random_range(0..PIECES.len())])
        });
        words.collect::<String>()
    };
    // More than one search compares, and than PostgreSQL walks along before it asks the index.
    let texts: Vec<String> = (0..3_000).map(|n| format!("{}{n}", text(6))).collect();
    let others: Vec<String> = (0..200).map(|_| text(6)).collect();
    add(&fixture, ken.organisation, &texts).await;
    add(&fixture, other.organisation, &others).await;
    let queries: Vec<String> = (0..15).map(|n| text(1 + n % 3)).collect();
    let hostile =
        ["\" OR \"", "*", "a* OR b", "NEAR(評価 傾聴)", "grams:x", "%", "_", "\\", "';--", "無い言葉", "1", "e"];
    for words in queries.iter().map(String::as_str).chain(hostile) {
        for response in [None, Some("think")] {
            let needed = Query::parse(words).unwrap();
            if needed.words().is_empty() {
                continue;
            }
            let is_found = |(n, text): &(usize, &String)| {
                let folded = fold(text);
                (response.is_none() || n % 2 == 0) && needed.words().iter().all(|word| folded.contains(word.as_str()))
            };
            let expected: Vec<String> =
                texts.iter().enumerate().filter(is_found).map(|(_, text)| text.clone()).rev().collect();
            let found = find(&fixture, &ken, words, response).await;
            assert_eq!(found, expected, "{seed}: {words:?} for {response:?}");
        }
    }
}

async fn words_are_found_however_they_are_written(fixture: Fixture) {
    let ken = company(&fixture, "a").await;
    let texts = ["メモを先に読む", "Listen first", "評価の前に聞く"].map(str::to_owned);
    add(&fixture, ken.organisation, &texts).await;
    for (words, expected) in [
        ("ﾒﾓ", "メモを先に読む"),
        ("めも", "メモを先に読む"),
        ("LISTEN", "Listen first"),
        ("ｌｉｓｔ", "Listen first"),
        ("first　listen", "Listen first"),
        ("評価", "評価の前に聞く"),
        ("聞", "評価の前に聞く"),
    ] {
        assert_eq!(find(&fixture, &ken, words, None).await, [expected], "{words}");
    }
}

async fn an_index_that_was_lost_is_made_anew(fixture: Fixture) {
    let ken = company(&fixture, "a").await;
    // The last of all has a word of its own, which only the index finds before all others were looked at.
    let texts: Vec<String> = (0..2_500).map(|n| format!("{} {n}", if n == 0 { "傾聴" } else { "評価" })).collect();
    add(&fixture, ken.organisation, &texts).await;
    assert_eq!(fixture.store.index_missing_tips(grams::of_text).await.unwrap(), 0);
    let forget = "delete from tip_search";
    if fixture.url.starts_with("sqlite:") {
        let mut sql = sqlx::SqliteConnection::connect(&fixture.url).await.unwrap();
        sqlx::query(forget).execute(&mut sql).await.unwrap();
    } else {
        let mut sql = sqlx::PgConnection::connect(&fixture.url).await.unwrap();
        sqlx::query(forget).execute(&mut sql).await.unwrap();
    }
    assert_eq!(find(&fixture, &ken, "傾聴", None).await, [""; 0]);
    assert_eq!(fixture.store.index_missing_tips(grams::of_text).await.unwrap(), 2_500);
    assert_eq!(find(&fixture, &ken, "傾聴", None).await, ["傾聴 0"]);
    assert_eq!(find(&fixture, &ken, "評価", None).await.len(), 2_499);
}

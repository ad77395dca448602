//! Tips as many managers would have written them, by chance, and words to look for in them.
//!
//! Clauses come from the catalog's tips, names are made up; how often each is used follows Zipf's law.

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use taiwa_server::{
    store::{Tx, tip_changes::NewRow, tips::Labels},
    tips::{grams, score::score},
};
use taiwa_shared::{
    domain::{catalog::Catalog, search::fold, tip::MAX_TIP_GRAPHEMES},
    ids::TipId,
    time::Timestamp,
};

use crate::house::{Manager, now};

/// Different names in all tips; the rarest is in about five of a million.
const NAMES: usize = 20_000;
/// Names of lower rank are in some thousands of a million tips.
const FREQUENT: usize = 100;
/// Names of higher rank are in some hundreds at most.
const RARE: usize = 1_000;
/// One tip in so many is in English.
const ENGLISH_EVERY: u32 = 10;
/// How long ago the oldest was written.
const THREE_YEARS_MILLIS: i64 = 3 * 365 * 24 * 60 * 60 * 1_000;
/// Letters of names: all pairs of them are common, so that a name is not found by any two of its letters.
const LETTERS: [char; 40] = [
    'ア', 'イ', 'ウ', 'エ', 'オ', 'カ', 'キ', 'ク', 'ケ', 'コ', 'サ', 'シ', 'ス', 'セ', 'ソ', 'タ', 'チ', 'ツ', 'テ',
    'ト', 'ナ', 'ニ', 'ヌ', 'ネ', 'ノ', 'ハ', 'ヒ', 'フ', 'ヘ', 'ホ', 'マ', 'ミ', 'ム', 'メ', 'モ', 'ラ', 'リ', 'ル',
    'レ', 'ロ',
];

/// What tips are made of.
pub(super) struct Writer {
    japanese: Vec<&'static str>,
    english: Vec<&'static str>,
}

impl Writer {
    /// From the catalog.
    pub(super) fn new() -> Self {
        let tips = &Catalog::built_in().tips;
        let clauses = |text: &'static str, marks: &'static [char]| {
            text.split(marks).map(str::trim).filter(|clause| clause.chars().count() > 4)
        };
        Self {
            japanese: tips.iter().flat_map(|tip| clauses(&tip.text.ja, &['、', '。'])).collect(),
            english: tips.iter().flat_map(|tip| clauses(&tip.text.en, &[',', '.', ';'])).collect(),
        }
    }

    /// Writes one more.
    pub(super) async fn write(&self, tx: &mut Tx, by: &Manager, random: &mut StdRng) -> Result<()> {
        let text = self.text(random);
        let folded = fold(&text);
        let (topic, response) = self.topic_and_response(random);
        let labels = Labels { topic, category: topic.split('.').next().unwrap_or_default(), response };
        let made = Timestamp::from_millis(now().as_millis() - random.random_range(0..THREE_YEARS_MILLIS));
        let row = NewRow {
            id: TipId::new(made, random.random()),
            author: Some(by.user),
            signs: "line",
            byline: Some("営業・マネジャー歴3年"),
            text: &text,
            folded: &folded,
            labels,
            made,
            score: score(made, 0),
            offered: "no",
            grams: &grams::of_text(by.organisation, &folded, labels),
        };
        Ok(tx.add_tip(by.organisation, &row).await?)
    }

    fn text(&self, random: &mut StdRng) -> String {
        let (clauses, mark) =
            if random.random_ratio(1, ENGLISH_EVERY) { (&self.english, ", ") } else { (&self.japanese, "、") };
        let mut text = name(ranked(random, NAMES));
        for _ in 0..random.random_range(2..=4) {
            let clause = clauses[ranked(random, clauses.len())];
            if text.chars().count() + clause.chars().count() + mark.chars().count() <= MAX_TIP_GRAPHEMES {
                text.push_str(mark);
                text.push_str(clause);
            }
        }
        text
    }

    /// A topic of the catalog and a response.
    pub(super) fn topic_and_response(&self, random: &mut StdRng) -> (&'static str, &'static str) {
        let catalog = Catalog::built_in();
        let topic = &catalog.topics[ranked(random, catalog.topics.len())];
        let response = &catalog.responses[ranked(random, catalog.responses.len())];
        (topic.slug.as_str(), response.slug.as_str())
    }

    /// A word that tens of thousands of a million tips have, or most of them.
    pub(super) fn common(&self, random: &mut StdRng) -> String {
        let letters: Vec<char> = piece(&self.japanese, random).chars().collect();
        let long = random.random_range(2..=4).min(letters.len());
        let from = random.random_range(0..=letters.len() - long);
        letters.into_iter().skip(from).take(long).collect()
    }

    /// A name that many tips have.
    pub(super) fn frequent_name(&self, random: &mut StdRng) -> String {
        name(ranked(random, FREQUENT))
    }

    /// A name that few have.
    pub(super) fn rare_name(&self, random: &mut StdRng) -> String {
        name(random.random_range(RARE..NAMES))
    }

    /// A name that none has, though its pairs of letters are common.
    pub(super) fn absent(&self, random: &mut StdRng) -> String {
        name(random.random_range(NAMES..10 * NAMES))
    }

    /// An English word.
    pub(super) fn english(&self, random: &mut StdRng) -> &'static str {
        piece(&self.english, random)
    }

    /// A letter of a clause.
    pub(super) fn character(&self, random: &mut StdRng) -> char {
        let letters: Vec<char> = piece(&self.japanese, random).chars().collect();
        letters[random.random_range(0..letters.len())]
    }
}

/// A part of a clause that has only letters and digits, at least two.
fn piece(clauses: &[&'static str], random: &mut StdRng) -> &'static str {
    let pieces = clauses[random.random_range(0..clauses.len())]
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|piece| piece.chars().nth(1).is_some());
    let pieces: Vec<&str> = pieces.collect();
    pieces[random.random_range(0..pieces.len())]
}

/// A rank by Zipf's law: the chance of each is in proportion to one over the rank.
fn ranked(random: &mut StdRng, count: usize) -> usize {
    let share = random.random_range(0.0..1.0_f64);
    ((count as f64 + 1.0).powf(share) as usize).clamp(1, count) - 1
}

/// The name of a rank: four letters that no other has.
fn name(rank: usize) -> String {
    // Multiplied by a number that has no divisor in common with the number of names, neighbours look unlike.
    let mut rest = rank * 1_000_003 % LETTERS.len().pow(4);
    let mut name = String::new();
    for _ in 0..4 {
        name.push(LETTERS[rest % LETTERS.len()]);
        rest /= LETTERS.len();
    }
    name
}

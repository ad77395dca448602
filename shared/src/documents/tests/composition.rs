use proptest::prelude::*;

use super::{AOI, MEMO, SATO, exchange, now, phone, send};
use crate::documents::{
    DocumentError, Replica,
    composition::{self, Composition},
    memo,
};

fn both(text: &str) -> (Replica, Replica) {
    let (mut aoi, mut sato) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2));
    memo::splice_utf16(&mut aoi, 0, 0, text, now()).unwrap();
    send(&mut aoi, &mut sato);
    (aoi, sato)
}

#[test]
fn what_arrives_while_composing_stays() {
    let (mut aoi, mut sato) = both("会議メモ");
    let composition = composition::begin(&aoi);
    memo::splice_utf16(&mut sato, 0, 0, "【重要】", now()).unwrap();
    send(&mut sato, &mut aoi);
    let committed = composition::commit(&mut aoi, &composition, "会議メモを変換", 7, now()).unwrap();
    assert_eq!((committed.text.as_str(), committed.caret), ("【重要】会議メモを変換", 11));
    send(&mut aoi, &mut sato);
    assert_eq!(memo::text(&sato), "【重要】会議メモを変換");
}

#[test]
fn text_committed_into_a_deleted_paragraph_does_not_vanish() {
    let (mut aoi, mut sato) = both("一行目\n二行目\n三行目");
    let composition = composition::begin(&aoi);
    memo::splice_utf16(&mut sato, 4, 4, "", now()).unwrap();
    send(&mut sato, &mut aoi);
    let committed = composition::commit(&mut aoi, &composition, "一行目\n二行目は大事\n三行目", 10, now()).unwrap();
    assert!(committed.text.contains("は大事"), "{}", committed.text);
    exchange(&mut aoi, &mut sato);
    assert_eq!(memo::text(&sato), committed.text);
}

#[test]
fn a_cancelled_composition_writes_nothing_and_shows_what_arrived() {
    let (mut aoi, mut sato) = both("会議メモ");
    let composition = composition::begin(&aoi);
    memo::splice_utf16(&mut sato, 0, 0, "𠮷", now()).unwrap();
    send(&mut sato, &mut aoi);
    let committed = composition::commit(&mut aoi, &composition, "会議メモ", 2, now()).unwrap();
    assert_eq!((committed.text.as_str(), committed.caret), ("𠮷会議メモ", 4));
    assert!(aoi.take_changes().is_empty());
}

#[test]
fn own_edits_elsewhere_during_a_composition_merge_too_and_keep_their_author() {
    let (mut aoi, mut sato) = both("会議メモ");
    let composition = composition::begin(&aoi);
    memo::splice_utf16(&mut aoi, 0, 0, "他の画面から。", now()).unwrap();
    composition::commit(&mut aoi, &composition, "会議メモを変換", 7, now()).unwrap();
    let again = composition::begin(&aoi);
    memo::splice_utf16(&mut aoi, 0, 0, "もう一度。", now()).unwrap();
    let text = format!("{}した", again.text());
    composition::commit(&mut aoi, &again, &text, 900, now()).unwrap();
    send(&mut aoi, &mut sato);
    assert_eq!(memo::text(&sato), "もう一度。他の画面から。会議メモを変換した");
    assert_eq!(sato.paragraphs()[0].authors, [AOI]);
    assert!(sato.versions().iter().all(|version| version.author == Some(AOI)));
}

#[test]
fn a_composition_of_another_document_or_beyond_the_limit_is_refused() {
    let (mut aoi, _) = both("会議メモ");
    let other = phone(super::NOTEBOOK, AOI, 9);
    let foreign = composition::begin(&other);
    assert!(matches!(composition::commit(&mut aoi, &foreign, "一", 1, now()), Err(DocumentError::NotFound(_))));
    let composition = composition::begin(&aoi);
    let long = "あ".repeat(memo::MAX_BODY_CHARACTERS + 1);
    let refused = composition::commit(&mut aoi, &composition, &long, 1, now());
    assert!(matches!(refused, Err(DocumentError::TooLong { .. })));
    assert_eq!(memo::text(&aoi), "会議メモ");
}

#[derive(Debug, Clone)]
enum Step {
    Begin,
    Commit { at: usize, delete: usize, letters: usize },
    Splice { at: usize, delete: usize, letters: usize },
    Deliver,
}

fn step() -> impl Strategy<Value = (bool, Step)> {
    let edit = || (0..40_usize, 0..4_usize, 0..3_usize);
    let step = prop_oneof![
        2 => Just(Step::Begin),
        3 => edit().prop_map(|(at, delete, letters)| Step::Commit { at, delete, letters }),
        3 => edit().prop_map(|(at, delete, letters)| Step::Splice { at, delete, letters }),
        2 => Just(Step::Deliver),
    ];
    (any::<bool>(), step)
}

/// One of the two phones, with what it has composed and not sent.
struct Side {
    replica: Replica,
    composing: Option<Composition>,
    outbox: Vec<Vec<u8>>,
}

/// Letters that occur once each, so that every one can be followed: outside the BMP, from inside it, and clusters.
fn fresh_letters(next: &mut u32, count: usize) -> String {
    (0..count)
        .map(|_| {
            *next += 1;
            match *next % 3 {
                0 => char::from_u32(0x2_0000 + *next).unwrap().to_string(),
                1 => char::from_u32(0x4e00 + *next).unwrap().to_string(),
                _ => format!("{}\u{200d}👧", char::from_u32(0x1_f400 + *next % 0x3f).unwrap()),
            }
        })
        .collect()
}

/// The text with letters deleted and inserted at a place counted in letters, and what was deleted.
fn edited(text: &str, at: usize, delete: usize, insert: &str) -> (String, usize, Vec<String>) {
    use unicode_segmentation::UnicodeSegmentation;
    let letters: Vec<&str> = text.graphemes(true).collect();
    let at = at % (letters.len() + 1);
    let end = (at + delete).min(letters.len());
    let before = letters[..at].concat() + insert;
    let caret = before.encode_utf16().count();
    (before + &letters[end..].concat(), caret, letters[at..end].iter().map(|letter| (*letter).to_owned()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_composed_and_edited_meanwhile_converges_and_nothing_undeleted_is_lost(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let (aoi, sato) = both("会議メモ𠮷野家");
        let mut sides = [aoi, sato].map(|replica| Side { replica, composing: None, outbox: Vec::new() });
        for side in &mut sides {
            side.replica.take_changes();
        }
        let (mut next, mut written, mut deleted) = (0, Vec::<String>::new(), Vec::<String>::new());
        let ending = [(true, Step::Commit { at: 1, delete: 0, letters: 1 }), (false, Step::Commit { at: 2, delete: 1, letters: 1 })];
        for (first, step) in steps.into_iter().chain(ending) {
            let [a, b] = &mut sides;
            let (side, other) = if first { (a, b) } else { (b, a) };
            match step {
                Step::Begin if side.composing.is_none() => side.composing = Some(composition::begin(&side.replica)),
                Step::Commit { at, delete, letters } => {
                    let Some(composition) = side.composing.take() else { continue };
                    let insert = fresh_letters(&mut next, letters);
                    let (field, caret, gone) = edited(composition.text(), at, delete, &insert);
                    let committed = composition::commit(&mut side.replica, &composition, &field, caret, now()).unwrap();
                    prop_assert_eq!(&committed.text, &memo::text(&side.replica));
                    if letters > 0 {
                        let units: Vec<u16> = committed.text.encode_utf16().collect();
                        let before = String::from_utf16(&units[..committed.caret]).unwrap();
                        prop_assert!(before.ends_with(&insert), "{} does not end with {}", before, insert);
                    }
                    written.push(insert);
                    deleted.extend(gone);
                }
                Step::Splice { at, delete, letters } if side.composing.is_none() => {
                    let insert = fresh_letters(&mut next, letters);
                    let (field, caret, gone) = edited(&memo::text(&side.replica), at, delete, &insert);
                    memo::replace_text(&mut side.replica, &field, caret, now()).unwrap();
                    prop_assert_eq!(memo::text(&side.replica), field);
                    written.push(insert);
                    deleted.extend(gone);
                }
                Step::Deliver => {
                    let changes = side.replica.take_changes();
                    side.outbox.extend(changes);
                    other.replica.apply(&std::mem::take(&mut side.outbox)).unwrap();
                }
                Step::Begin | Step::Splice { .. } => {}
            }
        }
        let [a, b] = &mut sides;
        exchange(&mut a.replica, &mut b.replica);
        let text = memo::text(&a.replica);
        prop_assert_eq!(&text, &memo::text(&b.replica));
        for character in written.concat().chars().filter(|it| !"\u{200d}👧".contains(*it)) {
            let gone = deleted.iter().any(|letter| letter.contains(character));
            prop_assert!(gone || text.contains(character), "{character} of nobody's deletion is missing in {text}");
        }
    }
}

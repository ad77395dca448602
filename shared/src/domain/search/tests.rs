use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn query(text: &str) -> Query {
    Query::parse(text).unwrap()
}

/// Each line found, with what is marked in it.
fn marked(text: &str, lines: &[&str]) -> Vec<(usize, Vec<String>)> {
    let found = find(&query(text), lines);
    found
        .iter()
        .map(|found| (found.line, found.ranges.iter().map(|range| slice(lines[found.line], range)).collect()))
        .collect()
}

fn slice(text: &str, range: &Range<u32>) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    String::from_utf16(&units[range.start as usize..range.end as usize]).unwrap()
}

#[test]
fn a_word_is_found_however_it_was_typed() {
    for (typed, line, there) in [
        ("キャリア", "これからのｷｬﾘｱ", "ｷｬﾘｱ"),
        ("ｶﾞｲﾄﾞ", "ガイドを読む", "ガイド"),
        ("がいど", "ガイドを読む", "ガイド"),
        ("サ-バ-", "サーバーを見る", "サーバー"),
        ("サ−バ―", "ｻｰﾊﾞｰを見る", "ｻｰﾊﾞｰ"),
        ("abc", "資料ＡＢＣの件", "ＡＢＣ"),
        ("４２０", "420万円", "420"),
        ("か\u{3099}", "が", "が"),
        ("が", "か゛き", "か゛"),
        ("ヴ", "ゔぁいおりん", "ゔ"),
        ("わ\u{3099}", "ヷ", "ヷ"),
        ("キロ", "あと10㌔", "㌔"),
        ("株式", "㍿の話", "㍿"),
        ("絵文字", "👍絵文字👍", "絵文字"),
        ("カ", "か", "か"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ"),
    ] {
        assert_eq!(marked(typed, &[line]), [(0, vec![there.to_owned()])], "{typed} in {line}");
    }
    assert_eq!(marked("か", &["が"]), [], "a voicing mark makes another letter");
}

#[test]
fn all_words_have_to_be_there_and_a_line_with_all_goes_before_lines_together() {
    let lines = ["来週の商談の準備", "担当表を直す", "商談は担当表のあと"];
    assert_eq!(marked("商談　担当表", &lines), [(2, vec!["商談".to_owned(), "担当表".to_owned()])]);
    assert_eq!(marked("準備 担当表", &lines), [(0, vec!["準備".to_owned()])], "together");
    assert!(!find(&query("準備 担当表"), &lines)[0].is_whole);
    assert_eq!(marked("商談", &lines).len(), 2);
    assert_eq!(marked("商談 採用", &lines), []);
}

#[test]
fn marks_that_overlap_are_one() {
    assert_eq!(marked("担当表 当表を", &["担当表を直す"]), [(0, vec!["担当表を".to_owned()])]);
    assert_eq!(marked("あ", &["ああ"]), [(0, vec!["あ".to_owned(), "あ".to_owned()])]);
}

#[test]
fn nothing_typed_finds_nothing_and_too_much_is_said_to_be() {
    for empty in ["", " ", "　\n"] {
        assert!(query(empty).is_empty());
        assert_eq!(marked(empty, &["何か"]), []);
    }
    assert!(Query::parse(&"長".repeat(500)).is_ok());
    assert_eq!(Query::parse(&"長".repeat(501)), Err(QueryTooLongError));
    assert_eq!(QueryTooLongError.to_string(), format!("a search has at most {MAX_QUERY_CHARS} characters"));
}

#[test]
fn the_short_way_agrees_with_the_tables() {
    for c in '\0'..=char::MAX {
        let Some(folded) = simple(c) else { continue };
        assert_eq!(round(&c.to_string()), folded.to_string(), "{c:?}");
        assert_eq!((canonical_combining_class(c), is_nfc_quick(std::iter::once(c))), (0, IsNormalized::Yes), "{c:?}");
    }
}

/// Text as people write it, and text as nobody does.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        6 => "[ぁ-ゖァ-ヺー]{1,4}",
        3 => "[ｦ-ﾟ]{1,4}",
        2 => "[\u{3099}\u{309a}゛゜かがはぱカガハパヷヸヹヺわゐゑを]{1,4}",
        2 => "[a-zA-Zａ-ｚＡ-Ｚ0-9０-９ẖHİıſßẞςΣ\u{331}\u{307}]{1,4}",
        2 => "[-‐‑–—―−─ー～〜]{1,3}",
        2 => "[一二三四五㌔㍿①ﬁ㊙豈\u{2f00}]{1,3}",
        1 => "[\u{1100}-\u{11ff}ᄀ-ᇿﾠ-ￜ가-각]{1,4}",
        1 => "[ 　\t]",
        1 => any::<String>(),
    ];
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn folding_twice_changes_nothing_more(text in texts()) {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }

    #[test]
    fn a_part_of_a_line_is_found_and_every_mark_folds_to_the_word(text in texts(), from in any::<usize>(), length in 1_usize..6) {
        let folded = fold(&text);
        let from = from % folded.chars().count().max(1);
        let part: String = folded.chars().skip(from).take(length).collect();
        let query = query(&part);
        prop_assume!(!query.is_empty());
        let line = text.replace(['\n', '\r'], " ");
        let found = find(&query, &[&line]);
        prop_assert_eq!(found.len(), 1);
        prop_assert!(found[0].is_whole && !found[0].ranges.is_empty());
        let mut before = 0;
        for range in &found[0].ranges {
            prop_assert!(range.start >= before && range.start < range.end);
            before = range.end;
            let folded = fold(&slice(&line, range));
            prop_assert!(query.words().iter().any(|word| folded.contains(word.as_str())), "{:?} in {:?}", query, folded);
        }
    }

    #[test]
    fn whatever_is_found_holds_the_folded_words(text in texts(), typed in texts()) {
        let Ok(query) = Query::parse(&typed) else { return Ok(()) };
        let found = find(&query, &[&text]);
        let folded = fold(&text);
        let holds_all = query.words().iter().all(|word| folded.contains(word.as_str()));
        prop_assert_eq!(!found.is_empty(), holds_all && !query.is_empty());
    }
}

#[derive(Deserialize)]
struct Vectors {
    fold: Vec<(String, String)>,
    find: Vec<FindVector>,
}

#[derive(Deserialize)]
struct FindVector {
    query: String,
    lines: Vec<String>,
    found: Vec<FoundVector>,
}

/// Index of the line, whether it holds all words, UTF-16 ranges.
type FoundVector = (usize, bool, Vec<(u32, u32)>);

/// For other implementations of search; vectors are added and never changed.
#[test]
fn the_vectors_of_search_hold() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../../tests/vectors/search.json")).unwrap();
    for (text, folded) in vectors.fold {
        assert_eq!(fold(&text), folded, "{text}");
    }
    for vector in vectors.find {
        let found = find(&query(&vector.query), &vector.lines);
        let found: Vec<_> = found
            .into_iter()
            .map(|it| (it.line, it.is_whole, it.ranges.into_iter().map(|range| (range.start, range.end)).collect()))
            .collect();
        assert_eq!(found, vector.found, "{}", vector.query);
    }
}

//! Searching: any query over any lines finds places that are there, and folding is stable.

use taiwa_shared::domain::search::{Query, find, fold};

pub(super) fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (asked, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let folded = fold(asked);
    assert_eq!(fold(&folded), folded, "folding twice changes nothing more");
    let Ok(query) = Query::parse(asked) else { return };
    let lines: Vec<&str> = lines.lines().collect();
    for found in find(&query, &lines) {
        let units: Vec<u16> = lines[found.line].encode_utf16().collect();
        let mut end = 0;
        for range in &found.ranges {
            assert!(range.start >= end && range.start <= range.end, "ranges are in order and apart: {found:?}");
            end = range.end;
            let marked = units.get(range.start as usize..range.end as usize).expect("a range lies in its line");
            assert!(String::from_utf16(marked).is_ok(), "a range cuts no character in two: {found:?}");
        }
        assert!(!found.ranges.is_empty(), "a line that is found has something to mark");
    }
}

/// Queries with the lines to look through below them.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "進捗 けんとう\nしんちょくを検討した\n進捗ｹﾝﾄｳ",
        "Ａ1 ﾊﾞﾅﾅ\na１ バナナ🙂 a１",
        "ー\nーーー",
        "が\nか\u{3099}が",
        "",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

//! Finding a line again: what counts as the same letter, and which lines of a document hold all words of a query.
//!
//! Called by the phone over its own copy; nothing here is sent anywhere. Japanese is written without spaces, so a word
//! is found wherever its letters stand. Ranking of documents among each other is the caller's.

use std::ops::Range;

use unicode_normalization::{IsNormalized, UnicodeNormalization, char::canonical_combining_class, is_nfc_quick};

/// Longest query, in characters: a sentence that somebody pastes; longer ones find nothing else.
pub const MAX_QUERY_CHARS: usize = 500;
/// Most places marked in one line: more do not help the eye.
const MAX_RANGES: usize = 50;
/// Folding is stable after two rounds for everything that is assigned today; the others are a margin.
const MAX_ROUNDS: usize = 4;

/// The query is longer than [`MAX_QUERY_CHARS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a search has at most 500 characters")]
pub struct QueryTooLongError;

/// What somebody looks for: words that all have to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    words: Vec<String>,
}

/// A line of a document that answers a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Index of the line.
    pub line: usize,
    /// Where the words stand, in UTF-16 units of the line; in order and apart.
    pub ranges: Vec<Range<u32>>,
    /// Whether the line holds all words; otherwise the document's lines do together.
    pub is_whole: bool,
}

impl Query {
    /// Reads what somebody typed; spaces, wide ones too, separate words. Nothing typed is a query that finds nothing.
    ///
    /// # Errors
    /// [`QueryTooLongError`].
    pub fn parse(text: &str) -> Result<Self, QueryTooLongError> {
        if text.chars().nth(MAX_QUERY_CHARS).is_some() {
            return Err(QueryTooLongError);
        }
        let mut words: Vec<String> = Vec::new();
        for word in fold(text).split_whitespace() {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        Ok(Self { words })
    }

    /// The folded words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// The lines of one document that answer a query: each that holds all words; if there is none and the document holds
/// them all, the one line with the most.
pub fn find<S: AsRef<str>>(query: &Query, lines: &[S]) -> Vec<Found> {
    if query.is_empty() {
        return Vec::new();
    }
    let mut whole = Vec::new();
    let mut is_somewhere = vec![false; query.words.len()];
    let mut best = (0, 0);
    for (line, text) in lines.iter().enumerate() {
        let folded = fold(text.as_ref());
        let mut count = 0;
        for (word, found) in query.words.iter().zip(&mut is_somewhere) {
            if folded.contains(word.as_str()) {
                *found = true;
                count += 1;
            }
        }
        if count == query.words.len() {
            whole.push(found(query, line, text.as_ref(), true));
        }
        if count > best.0 {
            best = (count, line);
        }
    }
    if whole.is_empty() && is_somewhere.iter().all(|found| *found) {
        let (_, line) = best;
        whole.extend(lines.get(line).map(|text| found(query, line, text.as_ref(), false)));
    }
    whole
}

fn found(query: &Query, line: usize, text: &str, is_whole: bool) -> Found {
    let (folded, pieces) = fold_with_pieces(text);
    let mut ranges: Vec<Range<u32>> = Vec::new();
    for word in &query.words {
        let starts = folded.match_indices(word.as_str()).take(MAX_RANGES);
        ranges.extend(starts.map(|(start, _)| original(&pieces, start..start + word.len())));
    }
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<u32>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart.truncate(MAX_RANGES);
    Found { line, ranges: apart, is_whole }
}

/// A piece of a text that is folded by itself: where its folded form ends, and where it stands in the text.
struct Piece {
    folded_end: usize,
    original: Range<u32>,
}

/// The UTF-16 range of the pieces that a range of the folded text touches.
fn original(pieces: &[Piece], folded: Range<usize>) -> Range<u32> {
    let first = pieces.partition_point(|piece| piece.folded_end <= folded.start);
    let last = pieces.partition_point(|piece| piece.folded_end < folded.end);
    let end = pieces.get(last).or(pieces.last()).map_or(0, |piece| piece.original.end);
    pieces.get(first).map_or(end..end, |piece| piece.original.start..end)
}

/// The form in which texts are compared: compatibility forms, width, case, kana, long vowels and hyphens unified.
/// Folding twice changes nothing more.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_pieces(text, &mut folded, |_, _| {});
    folded
}

fn fold_with_pieces(text: &str) -> (String, Vec<Piece>) {
    let mut folded = String::with_capacity(text.len());
    let mut pieces = Vec::new();
    let mut at = 0;
    fold_pieces(text, &mut folded, |piece, folded_end| {
        let start = at;
        at += piece.chars().map(|c| c.len_utf16() as u32).sum::<u32>();
        pieces.push(Piece { folded_end, original: start..at });
    });
    (folded, pieces)
}

/// Folds piece by piece: a piece begins where a letter begins that joins with nothing before it.
fn fold_pieces(text: &str, folded: &mut String, mut done: impl FnMut(&str, usize)) {
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        let mut end = start + first.len_utf8();
        while let Some((_, next)) = chars.next_if(|(_, next)| joins_what_is_before(*next)) {
            end += next.len_utf8();
        }
        let piece = &text[start..end];
        match simple(first) {
            Some(simple) if end == start + first.len_utf8() => folded.push(simple),
            _ => fold_piece(piece, folded),
        }
        done(piece, folded.len());
    }
}

fn fold_piece(piece: &str, folded: &mut String) {
    let mut now = round(piece);
    for _ in 1..MAX_ROUNDS {
        let next = round(&now);
        if next == now {
            break;
        }
        now = next;
    }
    folded.push_str(&now);
}

fn round(text: &str) -> String {
    let marks = text.chars().map(voicing_mark);
    let lower = marks.nfkc().flat_map(char::to_lowercase);
    lower.flat_map(kana_and_hyphen).nfkc().collect()
}

/// Whether a character may change together with the one before it, once both are folded.
fn joins_what_is_before(c: char) -> bool {
    if simple(c).is_some() {
        return false;
    }
    let Some(first) = std::iter::once(voicing_mark(c)).nfkc().next() else { return true };
    canonical_combining_class(first) != 0 || is_nfc_quick(std::iter::once(first)) == IsNormalized::Maybe
}

/// What most characters of Japanese and English text fold to, without asking the tables of Unicode. Compared with the
/// tables for every character by a test.
fn simple(c: char) -> Option<char> {
    Some(match c {
        '\u{20}'..='\u{7e}' => c.to_ascii_lowercase(),
        'ぁ'..='ゔ' | '\u{4e00}'..='\u{9fff}' | '、' | '。' | '「' | '」' => c,
        'ァ'..='ヴ' => char::from_u32(u32::from(c) - KANA_DISTANCE)?,
        'ー' => '-',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0)?.to_ascii_lowercase(),
        '\u{3000}' => ' ',
        _ => return None,
    })
}

/// From katakana to hiragana in Unicode.
const KANA_DISTANCE: u32 = 0x60;

/// Voicing marks that stand by themselves belong to the kana before, as people type them.
fn voicing_mark(c: char) -> char {
    match c {
        '\u{309b}' => '\u{3099}',
        '\u{309c}' => '\u{309a}',
        other => other,
    }
}

fn kana_and_hyphen(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        // Katakana with a voicing mark that hiragana has no letter for.
        '\u{30f7}' => ('わ', Some('\u{3099}')),
        '\u{30f8}' => ('ゐ', Some('\u{3099}')),
        '\u{30f9}' => ('ゑ', Some('\u{3099}')),
        '\u{30fa}' => ('を', Some('\u{3099}')),
        'ァ'..='ヶ' | 'ヽ' | 'ヾ' => (char::from_u32(u32::from(c) - KANA_DISTANCE).unwrap_or(c), None),
        // The long vowel mark and every dash that is typed or converted in its place.
        'ー' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{2500}' | '\u{2501}' => ('-', None),
        'ς' => ('σ', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

#[cfg(test)]
mod tests;

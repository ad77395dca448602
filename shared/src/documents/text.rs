//! Positions in UTF-16 units, letters as people count them, and the one splice between two texts.
//!
//! Called by the memo's writers. An edit never begins or ends inside a letter (a grapheme cluster): half an emoji is
//! no text.

use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::replica::TextSplice;

/// Length in UTF-16 units.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Letters as people count them.
pub(super) fn letters(text: &str) -> usize {
    text.graphemes(true).count()
}

/// The first letters of a text.
pub(super) fn first_letters(text: &str, most: usize) -> &str {
    let end = text.grapheme_indices(true).nth(most).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// The part of a text at a UTF-16 range.
pub(super) fn slice(text: &str, at: usize, length: usize) -> &str {
    text.get(byte_at(text, at)..byte_at(text, at.saturating_add(length))).unwrap_or_default()
}

/// UTF-16 units of the character at a UTF-16 position; 0 at the end.
pub(super) fn width_at(text: &str, at: usize) -> usize {
    text.get(byte_at(text, at)..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf16)
}

/// Byte position of a UTF-16 position; inside a surrogate pair it is that of the pair, beyond the end the end.
fn byte_at(text: &str, at: usize) -> usize {
    let mut units = 0;
    for (byte, char) in text.char_indices() {
        if units + char.len_utf16() > at {
            return byte;
        }
        units += char.len_utf16();
    }
    text.len()
}

/// The letter that a byte position lies inside of, not at the edge of.
fn letter_around(text: &str, byte: usize) -> Option<Range<usize>> {
    let cursor = || GraphemeCursor::new(byte, text.len(), true);
    if cursor().is_boundary(text, 0).ok()? {
        return None;
    }
    Some(cursor().prev_boundary(text, 0).ok()??..cursor().next_boundary(text, 0).ok()??)
}

/// Fits an edit asked for by a text field to whole letters.
///
/// What is inserted inside a letter comes after it. If a part of a letter is deleted, the whole letter is replaced by
/// the part that stays, so that the text becomes what the field shows; half a surrogate pair cannot stay.
pub(super) fn fit(text: &str, at: usize, delete: usize, insert: &str) -> TextSplice {
    let mut start = byte_at(text, at);
    let asked_end = at.saturating_add(delete);
    let mut end = byte_at(text, asked_end);
    if units(text.get(..end).unwrap_or(text)) < asked_end {
        // The end is inside a surrogate pair: the whole character goes.
        end += text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    let mut insert = insert.to_owned();
    if delete == 0 {
        let inside = units(text.get(..start).unwrap_or(text)) < at;
        let after = letter_around(text, start).or_else(|| inside.then(|| letter_from(text, start)).flatten());
        start = after.map_or(start, |letter| letter.end);
        end = start;
    } else {
        if let Some(letter) = letter_around(text, start) {
            insert.insert_str(0, text.get(letter.start..start).unwrap_or_default());
            start = letter.start;
        }
        if let Some(letter) = letter_around(text, end) {
            insert.push_str(text.get(end..letter.end).unwrap_or_default());
            end = letter.end;
        }
    }
    let before = text.get(..start).unwrap_or(text);
    let deleted = text.get(start..end).unwrap_or_default();
    TextSplice { at: units(before), delete: units(deleted), insert }
}

fn letter_from(text: &str, start: usize) -> Option<Range<usize>> {
    text.get(start..)?.graphemes(true).next().map(|letter| start..start + letter.len())
}

/// The one splice that turns `base` into `field`, none if they are equal.
///
/// `caret` is where the field's caret stands, in its UTF-16 units. What was typed lies before the caret and what
/// follows it is as it was, so in repeated text (「ああ」) the right one of equal letters is taken.
pub(super) fn difference(base: &str, field: &str, caret: usize) -> Option<TextSplice> {
    if base == field {
        return None;
    }
    let base: Vec<&str> = base.graphemes(true).collect();
    let field_text = field;
    let field: Vec<&str> = field.graphemes(true).collect();
    let caret = byte_at(field_text, caret);
    let mut byte = 0;
    let before_caret = field.iter().take_while(|letter| {
        byte += letter.len();
        byte <= caret
    });
    let after_caret = field.len() - before_caret.count();

    let equal_ends = |base: &[&str], field: &[&str], most: usize| {
        base.iter().rev().zip(field.iter().rev()).take(most).take_while(|(a, b)| a == b).count()
    };
    let mut tail = equal_ends(&base, &field, after_caret);
    let (base_rest, field_rest) = (base.get(..base.len() - tail)?, field.get(..field.len() - tail)?);
    let head = base_rest.iter().zip(field_rest).take_while(|(a, b)| a == b).count();
    tail += equal_ends(base_rest.get(head..)?, field_rest.get(head..)?, usize::MAX);

    let length = |letters: &[&str]| letters.iter().map(|letter| units(letter)).sum();
    Some(TextSplice {
        at: length(base.get(..head)?),
        delete: length(base.get(head..base.len() - tail)?),
        insert: field.get(head..field.len() - tail)?.concat(),
    })
}

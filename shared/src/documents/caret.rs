//! Carets: positions in a memo that stay at their place while others write, and the note that tells them to others.
//!
//! A caret stands after the character before it, so that what its owner typed stays in front of it. Carets travel as
//! ephemeral messages; nothing of them enters a document. A caret in text that has not arrived yet has no position:
//! ask again after the next changes.

use automerge::{Automerge, ChangeHash, Cursor, ObjId, ReadDoc};
use minicbor::{Decoder, Encoder, data::Type};

use super::{
    genesis::Container,
    memo,
    replica::{Replica, guarded},
    text,
};

/// Version of the ephemeral message.
const VERSION: u64 = 1;

/// Longest message read, in bytes: an actor id of 64 bytes, a counter and three short keys.
const MAX_CARET_BYTES: usize = 256;

/// Longest cursor read, in bytes: an actor id of 64 bytes, a counter, lengths and tags.
const MAX_CURSOR_BYTES: usize = 96;

/// Where somebody's caret is; sent as an ephemeral message at most ten times a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caret {
    /// The position, as [`cursor_at`] gives it.
    pub cursor: Vec<u8>,
    /// Whether an input method is composing (入力中).
    pub typing: bool,
}

impl Caret {
    /// The message, as a CBOR map.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::with_capacity(self.cursor.len() + 24));
        let written = encoder
            .map(3)
            .and_then(|e| e.str("v")?.u64(VERSION))
            .and_then(|e| e.str("cursor")?.bytes(&self.cursor))
            .and_then(|e| e.str("typing")?.bool(self.typing));
        written.expect("writing into a vector does not fail");
        encoder.into_writer()
    }

    /// Reads a message; none if it is too long or is no caret. Unknown keys are ignored.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_CARET_BYTES {
            return None;
        }
        let mut decoder = Decoder::new(bytes);
        let (mut cursor, mut typing) = (None, false);
        let entries = decoder.map().ok()??;
        for _ in 0..entries {
            match (decoder.str().ok()?, decoder.datatype().ok()?) {
                ("cursor", Type::Bytes) => cursor = Some(decoder.bytes().ok()?),
                ("typing", Type::Bool) => typing = decoder.bool().ok()?,
                _ => decoder.skip().ok()?,
            }
        }
        let cursor = cursor.filter(|cursor| cursor.len() <= MAX_CURSOR_BYTES)?;
        Some(Self { cursor: cursor.to_vec(), typing })
    }
}

/// The place of a UTF-16 position in a memo, for [`index_of`] on any device; none beyond the end.
pub fn cursor_at(memo: &Replica, index: usize) -> Option<Vec<u8>> {
    anchor(memo, index, None).map(|cursor| cursor.to_bytes())
}

/// The UTF-16 position of a place now; none if it is in text that this device does not have, or no place at all.
pub fn index_of(memo: &Replica, cursor: &[u8]) -> Option<usize> {
    if cursor.len() > MAX_CURSOR_BYTES {
        return None;
    }
    let cursor = guarded(|| Cursor::try_from(cursor)).ok()?.ok()?;
    position(memo, &cursor)
}

/// The character before a position, in the text as it was at some heads.
pub(super) fn anchor(memo: &Replica, index: usize, heads: Option<&[ChangeHash]>) -> Option<Cursor> {
    let Some(before) = index.checked_sub(1) else { return Some(Cursor::Start) };
    let body = memo.container(Container::Body).ok()?;
    memo.doc().get_cursor(&body, before, heads).ok()
}

/// The position after the character of an anchor, or where that character was.
pub(super) fn position(memo: &Replica, cursor: &Cursor) -> Option<usize> {
    let body = memo.container(Container::Body).ok()?;
    let doc = memo.doc();
    let at = guarded(|| doc.get_cursor_position(&body, cursor, None)).ok()?.ok()?;
    Some(if stands_at(doc, &body, cursor, at) { at + text::width_at(&memo::text(memo), at) } else { at })
}

/// Whether the character of a cursor is still there, at the position that was found for it.
pub(super) fn stands_at(doc: &Automerge, body: &ObjId, cursor: &Cursor, at: usize) -> bool {
    matches!(cursor, Cursor::Op(_)) && doc.get_cursor(body, at, None).is_ok_and(|now| same(&now, cursor))
}

/// Whether two cursors name the same character, whatever they do once it is deleted.
fn same(a: &Cursor, b: &Cursor) -> bool {
    let name = |cursor: &Cursor| cursor.to_string().trim_start_matches('-').to_owned();
    name(a) == name(b)
}

//! The byte layout of a change chunk: header, dependencies, actors, column table, footer.
//!
//! Reads without decoding an operation; every length is checked against what is there before anything is allocated.
//! Layout: automerge.org/automerge-binary-format-spec, "Change chunk". Limits are the guard's business, except the
//! inflate cap.

use std::{borrow::Cow, io::Read, ops::Range};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{ActorId, ChangeHash, ChangeHeader, ChunkError};
use crate::{
    ids::UserId,
    sync::limits::{MAX_CHANGE_BYTES, MAX_FRAME_FIELDS},
};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const TYPE_CHANGE: u8 = 1;
const TYPE_DEFLATED: u8 = 2;
/// Footer entry that holds the author.
const FOOTER_AUTHOR: u64 = 1;

/// Reads forward through bytes that may be anything.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(length)?;
        self.rest = tail;
        Some(head)
    }

    /// An unsigned LEB128 in its shortest form.
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for index in 0..10 {
            let byte = *self.rest.get(index)?;
            if index == 9 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                if index > 0 && byte == 0 {
                    return None;
                }
                self.rest = &self.rest[index + 1..];
                return Some(value);
            }
        }
        None
    }

    /// A signed LEB128.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let mut value = 0i64;
        for index in 0..10 {
            let byte = *self.rest.get(index)?;
            let shift = 7 * index;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if shift + 7 < 64 && byte & 0x40 != 0 {
                    value |= -1 << (shift + 7);
                }
                self.rest = &self.rest[index + 1..];
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.unsigned()?).ok()
    }

    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    pub(crate) fn hash(&mut self) -> Option<ChangeHash> {
        self.take(32)?.try_into().ok().map(ChangeHash)
    }

    /// A counted list; nothing is reserved for entries that are not there.
    pub(crate) fn list<T>(&mut self, mut entry: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.length()?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(entry(self)?);
        }
        Some(list)
    }
}

/// Appends an unsigned LEB128.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The author as the change's footer has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorField {
    Absent,
    User(UserId),
    /// Of another length than a user id, or followed by something else.
    Malformed,
}

/// One column of operations: its specification (id, type) and bytes.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) spec: u32,
    pub(crate) range: Range<usize>,
}

/// The columns of a change, in the order of the chunk.
pub(crate) type Columns = Vec<Column>;

/// A change chunk taken apart, operations still encoded.
#[derive(Debug)]
pub(crate) struct ParsedChange<'a> {
    pub(crate) header: ChangeHeader,
    pub(crate) author: AuthorField,
    pub(crate) other_actors: Vec<ActorId>,
    pub(crate) commit_message_bytes: usize,
    pub(crate) columns: Columns,
    pub(crate) footer_bytes: usize,
    /// Operations, by the action column.
    pub(crate) operations: u64,
    /// The chunk as a plain (type 1) one.
    pub(crate) plain: Cow<'a, [u8]>,
}

impl<'a> ParsedChange<'a> {
    /// Takes apart exactly one chunk and verifies its hash.
    pub(crate) fn read(chunk: &'a [u8]) -> Result<Self, ChunkError> {
        let frame = ChunkFrame::read(chunk)?;
        if frame.total_bytes != chunk.len() {
            return Err(ChunkError::Malformed("bytes after the chunk"));
        }
        let (plain, body_start) = match frame.kind {
            TYPE_CHANGE => (Cow::Borrowed(chunk), frame.body.start),
            TYPE_DEFLATED => inflate(frame.checksum, &chunk[frame.body])?,
            other => return Err(ChunkError::NotAChange(other)),
        };
        if plain.len() > MAX_CHANGE_BYTES {
            return Err(ChunkError::TooLarge("change"));
        }
        let body = &plain[body_start..];
        let hash = hash_of(body);
        if hash.0[..4] != frame.checksum {
            return Err(ChunkError::Checksum);
        }
        let mut parsed = read_body(body, body_start, hash).ok_or(ChunkError::Malformed("change"))?;
        parsed.header.length_bytes = u32::try_from(chunk.len()).map_err(|_| ChunkError::TooLarge("change"))?;
        Ok(Self { plain, ..parsed })
    }

    /// Reads a plain chunk without verifying its hash, which stays zero; `None` if it is deflated or malformed.
    pub(crate) fn peek(chunk: &'a [u8]) -> Option<Self> {
        let frame = ChunkFrame::read(chunk).ok().filter(|frame| frame.kind == TYPE_CHANGE)?;
        let start = frame.body.start;
        let parsed = read_body(&chunk[frame.body], start, ChangeHash([0; 32]))?;
        Some(Self { plain: Cow::Borrowed(chunk), ..parsed })
    }

    /// The bytes of a column.
    pub(crate) fn column(&self, column: &Column) -> &[u8] {
        &self.plain[column.range.clone()]
    }
}

/// Where a chunk's parts lie.
struct ChunkFrame {
    checksum: [u8; 4],
    kind: u8,
    body: Range<usize>,
    total_bytes: usize,
}

impl ChunkFrame {
    fn read(bytes: &[u8]) -> Result<Self, ChunkError> {
        let malformed = ChunkError::Malformed("chunk header");
        let mut reader = Reader::new(bytes);
        let magic = reader.take(4).ok_or(malformed.clone())?;
        if magic != MAGIC {
            return Err(malformed);
        }
        let checksum = reader.take(4).and_then(|c| c.try_into().ok()).ok_or(malformed.clone())?;
        let kind = reader.take(1).map(|k| k[0]).ok_or(malformed.clone())?;
        let length = reader.length().ok_or(malformed.clone())?;
        let start = bytes.len() - reader.rest().len();
        reader.take(length).ok_or(malformed)?;
        Ok(Self { checksum, kind, body: start..start + length, total_bytes: start + length })
    }
}

/// Splits chunks that stand end to end, as in a log row or one entry of a version-2 sync message.
pub(crate) fn split_chunks(mut bytes: &[u8]) -> Result<Vec<&[u8]>, ChunkError> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let frame = ChunkFrame::read(bytes)?;
        if frame.kind != TYPE_CHANGE && frame.kind != TYPE_DEFLATED {
            return Err(ChunkError::NotAChange(frame.kind));
        }
        let (chunk, rest) = bytes.split_at(frame.total_bytes);
        chunks.push(chunk);
        bytes = rest;
    }
    Ok(chunks)
}

/// Inflates a deflated change's body, never past [`MAX_CHANGE_BYTES`], and makes a plain chunk of it.
fn inflate(checksum: [u8; 4], deflated: &[u8]) -> Result<(Cow<'static, [u8]>, usize), ChunkError> {
    let mut body = Vec::new();
    let mut decoder = flate2::bufread::DeflateDecoder::new(deflated);
    let cap = u64::try_from(MAX_CHANGE_BYTES).unwrap_or(u64::MAX);
    let read = decoder.by_ref().take(cap + 1).read_to_end(&mut body);
    read.map_err(|_| ChunkError::Malformed("deflate stream"))?;
    if body.len() > MAX_CHANGE_BYTES {
        return Err(ChunkError::TooLarge("inflated change"));
    }
    if decoder.total_in() != deflated.len() as u64 {
        return Err(ChunkError::Malformed("bytes after the deflate stream"));
    }
    let mut plain = Vec::with_capacity(body.len() + 16);
    plain.extend(MAGIC);
    plain.extend(checksum);
    plain.push(TYPE_CHANGE);
    write_unsigned(&mut plain, body.len() as u64);
    let body_start = plain.len();
    plain.extend(&body);
    Ok((Cow::Owned(plain), body_start))
}

fn hash_of(body: &[u8]) -> ChangeHash {
    let mut prefix = vec![TYPE_CHANGE];
    write_unsigned(&mut prefix, body.len() as u64);
    ChangeHash(Sha256::new().chain_update(&prefix).chain_update(body).finalize().into())
}

fn read_body<'a>(body: &[u8], body_start: usize, hash: ChangeHash) -> Option<ParsedChange<'a>> {
    let mut reader = Reader::new(body);
    let deps = reader.list(Reader::hash)?;
    let actor = ActorId::from(reader.prefixed()?);
    let seq = reader.unsigned()?;
    let start_op = reader.unsigned()?;
    reader.signed()?; // time: shown from the server's clock, never trusted
    let commit_message_bytes = std::str::from_utf8(reader.prefixed()?).ok()?.len();
    let other_actors = reader.list(|r| r.prefixed().map(ActorId::from))?;
    let specs = reader.list(|r| Some((u32::try_from(r.unsigned()?).ok()?, r.length()?)))?;
    if seq == 0 || start_op == 0 || specs.len() > MAX_FRAME_FIELDS {
        return None;
    }
    let mut columns = Columns::with_capacity(specs.len());
    for (spec, length) in specs {
        let start = body_start + body.len() - reader.rest().len();
        reader.take(length)?;
        columns.push(Column { spec, range: start..start + length });
    }
    let footer = reader.rest();
    let author = read_author(footer);
    let mut operations = 0;
    for column in columns.iter().filter(|column| column.spec == super::columns::ACTION) {
        let range = column.range.start - body_start..column.range.end - body_start;
        operations = super::columns::rows(column.spec, &body[range])?.rows;
    }
    let max_op = start_op.checked_add(operations)?.checked_sub(1)?;
    let user = if let AuthorField::User(user) = author { Some(user) } else { None };
    let header = ChangeHeader { hash, deps, actor, seq, start_op, max_op, author: user, length_bytes: 0 };
    Some(ParsedChange {
        header,
        author,
        other_actors,
        commit_message_bytes,
        columns,
        footer_bytes: footer.len(),
        operations,
        plain: Cow::Borrowed(&[]),
    })
}

fn read_author(footer: &[u8]) -> AuthorField {
    if footer.is_empty() {
        return AuthorField::Absent;
    }
    let mut reader = Reader::new(footer);
    match (reader.unsigned(), reader.prefixed()) {
        (Some(FOOTER_AUTHOR), Some(author)) if reader.is_empty() => match author.try_into() {
            Ok(bytes) => AuthorField::User(UserId::from_bytes(bytes)),
            Err(_) => AuthorField::Malformed,
        },
        _ => AuthorField::Malformed,
    }
}

/// The chunk as an allocation of its own: a slice would keep the whole message it came in.
pub(crate) fn own(chunk: &[u8]) -> Bytes {
    Bytes::copy_from_slice(chunk)
}

//! The body of a storage row: several change chunks, plain (a log) or deflated together (a pack).
//!
//! The first byte tells which. Packing keeps each chunk's bytes as they arrived; reading verifies every hash.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

use super::{ChunkError, StoredChange, format};
use crate::sync::limits::MAX_ROW_BYTES;

const LOG: u8 = 0;
const PACK: u8 = 1;

/// Joins chunks into a log row, which costs a copy: for the hot path.
pub fn encode_log(changes: &[Bytes]) -> Vec<u8> {
    let mut body = Vec::with_capacity(1 + changes.iter().map(Bytes::len).sum::<usize>());
    body.push(LOG);
    for change in changes {
        body.extend_from_slice(change);
    }
    body
}

/// Joins and deflates chunks into a pack row: for documents at rest.
pub fn encode_pack(changes: &[Bytes]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(vec![PACK], Compression::default());
    for change in changes {
        encoder.write_all(change).expect("writing into memory cannot fail");
    }
    encoder.finish().expect("writing into memory cannot fail")
}

/// Reads a row of either form and verifies every change's hash.
///
/// # Errors
/// [`ChunkError`] if the row is damaged or of an unknown form.
pub fn decode_row(body: &[u8]) -> Result<Vec<StoredChange>, ChunkError> {
    let (form, body) = body.split_first().ok_or(ChunkError::Malformed("empty row"))?;
    match *form {
        LOG => read_chunks(body),
        PACK => {
            let mut joined = Vec::new();
            let cap = u64::try_from(MAX_ROW_BYTES).unwrap_or(u64::MAX);
            let read = DeflateDecoder::new(body).take(cap + 1).read_to_end(&mut joined);
            read.map_err(|_| ChunkError::Malformed("deflate stream"))?;
            if joined.len() > MAX_ROW_BYTES {
                return Err(ChunkError::TooLarge("storage row"));
            }
            read_chunks(&joined)
        }
        other => Err(ChunkError::UnknownRow(other)),
    }
}

fn read_chunks(joined: &[u8]) -> Result<Vec<StoredChange>, ChunkError> {
    let chunks = format::split_chunks(joined)?;
    chunks.into_iter().map(|chunk| StoredChange::read(format::own(chunk))).collect()
}

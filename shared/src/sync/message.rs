//! The bytes of Automerge's sync message, version 1 and what version 2 differs in.
//!
//! Own reader rather than `automerge::sync::Message`: limits hold before anything is allocated, a Bloom filter that
//! would make Automerge divide by zero never becomes one, and the chunks of a reader are skipped unread.
//! Format: automerge 0.12 `sync.rs`; compared with it in tests.

use automerge::sync::BloomFilter;

use super::{
    chunks::{
        ChangeHash, ChunkError,
        format::{Reader, split_chunks, write_unsigned},
    },
    limits::{BLOOM_BITS_PER_ENTRY, BLOOM_PROBES, MAX_FRAME_BYTES, MAX_HASHES, MAX_HAVES},
    rejection::Rejection,
};

const VERSION_1: u8 = 0x42;
const VERSION_2: u8 = 0x43;
/// Stands before the flag bits for peers that know one flag only.
const LEGACY_FLAG: u8 = 0x02;
const FLAG_BITS: u8 = 0x80;

/// Forget what you have sent me.
pub(crate) const SYNC_RESET: u8 = 1;
/// I do not take changes from you.
pub(crate) const READ_ONLY: u8 = 1 << 1;
/// I understand [`SYNC_RESET`].
pub(crate) const SUPPORTS_SYNC_RESET: u8 = 1 << 2;

/// What a peer says to have: everything up to `last_sync`, and what the filter matches.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Have {
    pub(crate) last_sync: Vec<ChangeHash>,
    pub(crate) bloom: BloomFilter,
}

/// A received message.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) heads: Vec<ChangeHash>,
    pub(crate) need: Vec<ChangeHash>,
    pub(crate) have: Vec<Have>,
    /// Whether it carries chunks at all.
    pub(crate) has_chunks: bool,
    /// Flag bits, if the peer sends flags.
    pub(crate) flags: Option<u8>,
    entries: &'a [u8],
}

impl<'a> Incoming<'a> {
    pub(crate) fn read(data: &'a [u8]) -> Result<Self, Rejection> {
        if data.len() > MAX_FRAME_BYTES {
            return Err(Rejection::TooMuch("bytes of a sync message"));
        }
        let mut reader = Reader::new(data);
        match reader.take(1) {
            Some([VERSION_1 | VERSION_2]) => {}
            _ => return Err(Rejection::Malformed("type of message")),
        }
        let heads = hashes(&mut reader, "heads")?;
        let need = hashes(&mut reader, "need")?;
        let mut have = Vec::new();
        for _ in 0..count(&mut reader, MAX_HAVES, "have")? {
            let last_sync = hashes(&mut reader, "last sync")?;
            let bloom = reader.prefixed().ok_or(Rejection::Malformed("bloom filter"))?;
            have.push(Have { last_sync, bloom: read_bloom(bloom)? });
        }
        let entries = reader.rest();
        let mut has_chunks = false;
        let entry_count = reader.length().ok_or(Rejection::Malformed("changes"))?;
        for _ in 0..entry_count {
            let entry = reader.prefixed().ok_or(Rejection::Malformed("changes"))?;
            has_chunks |= !entry.is_empty();
        }
        let flags = match reader.is_empty() {
            true => None,
            false => Some(reader.prefixed().ok_or(Rejection::Malformed("flags"))?),
        };
        let bits = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & FLAG_BITS != 0).fold(0, |all, byte| all | byte);
        Ok(Self { heads, need, have, has_chunks, flags: flags.map(|bytes| bits(bytes) & !FLAG_BITS), entries })
    }

    /// The change chunks. One entry may hold several end to end (version 2).
    pub(crate) fn chunks(&self) -> Result<Vec<&'a [u8]>, Rejection> {
        let mut reader = Reader::new(self.entries);
        let mut chunks = Vec::new();
        let malformed = Rejection::Malformed("changes");
        for _ in 0..reader.length().ok_or(malformed.clone())? {
            let entry = reader.prefixed().ok_or(malformed.clone())?;
            chunks.extend(split_chunks(entry).map_err(|error| match error {
                ChunkError::NotAChange(0) => Rejection::DocumentChunk,
                _ => Rejection::Malformed("change chunk"),
            })?);
        }
        Ok(chunks)
    }
}

fn count(reader: &mut Reader<'_>, limit: usize, what: &'static str) -> Result<usize, Rejection> {
    match reader.length() {
        None => Err(Rejection::Malformed(what)),
        Some(count) if count > limit => Err(Rejection::TooMuch(what)),
        Some(count) => Ok(count),
    }
}

fn hashes(reader: &mut Reader<'_>, what: &'static str) -> Result<Vec<ChangeHash>, Rejection> {
    let count = count(reader, MAX_HASHES, what)?;
    (0..count).map(|_| reader.hash().ok_or(Rejection::Malformed(what))).collect()
}

fn read_bloom(bytes: &[u8]) -> Result<BloomFilter, Rejection> {
    let malformed = Rejection::Malformed("bloom filter");
    if bytes.is_empty() {
        return Ok(BloomFilter::default());
    }
    let mut reader = Reader::new(bytes);
    let numbers = (reader.unsigned(), reader.unsigned(), reader.unsigned());
    let (Some(entries), Some(BLOOM_BITS_PER_ENTRY), Some(BLOOM_PROBES)) = numbers else {
        return Err(malformed);
    };
    let bits = entries.checked_mul(BLOOM_BITS_PER_ENTRY).ok_or(malformed.clone())?;
    if entries == 0 || bits.div_ceil(8) != reader.rest().len() as u64 {
        return Err(malformed);
    }
    BloomFilter::try_from(bytes).map_err(|_| malformed)
}

/// Everything of a message before its changes: version, heads, need, have, number of changes.
pub(crate) fn write_front(
    heads: &[ChangeHash],
    need: &[ChangeHash],
    have: Option<&Have>,
    change_count: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + 32 * (heads.len() + need.len()));
    out.push(VERSION_1);
    write_hashes(&mut out, heads);
    write_hashes(&mut out, need);
    write_unsigned(&mut out, u64::from(have.is_some()));
    if let Some(have) = have {
        write_hashes(&mut out, &have.last_sync);
        let bloom = have.bloom.to_bytes();
        write_unsigned(&mut out, bloom.len() as u64);
        out.extend(bloom);
    }
    write_unsigned(&mut out, change_count as u64);
    out
}

/// One change after [`write_front`].
pub(crate) fn write_change(out: &mut Vec<u8>, chunk: &[u8]) {
    write_unsigned(out, chunk.len() as u64);
    out.extend_from_slice(chunk);
}

/// The flags after the changes.
pub(crate) fn write_flags(out: &mut Vec<u8>, flags: u8) {
    out.extend([2, LEGACY_FLAG, FLAG_BITS | flags]);
}

fn write_hashes(out: &mut Vec<u8>, hashes: &[ChangeHash]) {
    write_unsigned(out, hashes.len() as u64);
    for hash in hashes {
        out.extend_from_slice(&hash.0);
    }
}

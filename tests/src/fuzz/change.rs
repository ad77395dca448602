//! Change chunks with any body and a right frame around it, so that a checksum does not end the search.

use sha2::{Digest, Sha256};

/// Magic bytes of an Automerge chunk (Automerge binary format, 3.1).
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Magic bytes, checksum and kind.
const HEAD_BYTES: usize = 9;
const CHANGE_CHUNK: u8 = 1;

/// Chunks with these bodies, each of which stands after its length in two bytes.
pub(super) fn framed_all(mut bodies: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    while let [high, low, rest @ ..] = bodies {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (body, rest) = rest.split_at(length);
        chunks.push(framed(body));
        bodies = rest;
    }
    chunks
}

/// The bodies of chunks that are not deflated, as [`framed_all`] takes them.
pub(super) fn bodies_of(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut bodies = Vec::new();
    for chunk in chunks {
        // The length is a LEB128 number of as many bytes as have the highest bit set, and one more.
        let length_bytes = 1 + chunk[HEAD_BYTES..].iter().take_while(|byte| **byte & 0x80 != 0).count();
        let body = &chunk[HEAD_BYTES + length_bytes..];
        bodies.extend_from_slice(&u16::try_from(body.len()).expect("a seed is small").to_be_bytes());
        bodies.extend_from_slice(body);
    }
    bodies
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut counted = vec![CHANGE_CHUNK];
    let mut length = body.len();
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        counted.push(if length == 0 { byte } else { byte | 0x80 });
        if length == 0 {
            break;
        }
    }
    counted.extend_from_slice(body);
    let hash = Sha256::digest(&counted);
    [&MAGIC[..], &hash[..4], &counted].concat()
}

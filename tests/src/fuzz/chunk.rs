//! Stored rows of a document: read as a whole or named as damaged, never half.

use bytes::Bytes;
use taiwa_shared::sync::chunks::{StoredChange, decode_row, encode_log, encode_pack};

use super::{
    change::{bodies_of, framed_all},
    message,
};

/// The first byte says whether the rest is a row, or the bodies of the changes of one.
pub(super) fn chunk(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let row = match how % 3 {
        0 => rest.to_vec(),
        1 => encode_log(&row_of(rest)),
        _ => encode_pack(&row_of(rest)),
    };
    if let Ok(changes) = decode_row(&row) {
        assert_kept(&changes);
    }
}

fn row_of(bodies: &[u8]) -> Vec<Bytes> {
    framed_all(bodies).into_iter().map(Bytes::from).collect()
}

fn assert_kept(changes: &[StoredChange]) {
    let bytes: Vec<_> = changes.iter().map(|change| change.bytes.clone()).collect();
    for row in [encode_log(&bytes), encode_pack(&bytes)] {
        let again = decode_row(&row).expect("what was read is written as a row that can be read");
        assert_eq!(again, changes, "folding a row keeps every change");
    }
}

/// One document in each form.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let changes = message::history();
    let bytes: Vec<Bytes> = changes.iter().map(|change| Bytes::from(change.clone())).collect();
    let bodies = bodies_of(&changes);
    vec![
        [&[0][..], &encode_log(&bytes)].concat(),
        [&[0][..], &encode_pack(&bytes)].concat(),
        [&[1][..], &bodies].concat(),
        [&[2][..], &bodies].concat(),
    ]
}

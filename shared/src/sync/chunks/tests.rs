//! Chunks against what Automerge says of them, rows, damage.

use automerge::{Author, AutoCommit, ObjType, ROOT, transaction::Transactable};
use bytes::Bytes;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::{ChunkError, StoredChange, decode_row, encode_log, encode_pack};
use crate::ids::UserId;

fn document() -> AutoCommit {
    let mut doc = AutoCommit::new().with_author(Some(Author::from(vec![5; 16])));
    let text = doc.put_object(ROOT, "t", ObjType::Text).unwrap();
    doc.commit();
    for n in 0..30 {
        doc.splice_text(&text, 0, 0, &"長い".repeat(1 + n * n)).unwrap();
        doc.put(ROOT, "n", n as u64).unwrap();
        doc.commit();
    }
    doc.delete(ROOT, "n").unwrap();
    doc.commit();
    doc.empty_change(automerge::transaction::CommitOptions::default());
    doc
}

fn chunks() -> Vec<Bytes> {
    let mut doc = document();
    doc.get_changes(&[]).into_iter().map(|mut change| Bytes::from(change.bytes().into_owned())).collect()
}

#[test]
fn headers_agree_with_automerge() {
    let mut doc = document();
    for mut change in doc.get_changes(&[]) {
        for bytes in [change.raw_bytes().to_vec(), change.bytes().into_owned()] {
            let header = StoredChange::read(Bytes::from(bytes.clone())).unwrap().header;
            assert_eq!(header.hash, change.hash());
            assert_eq!(header.deps, change.deps());
            assert_eq!(&header.actor, change.actor_id());
            assert_eq!((header.seq, header.start_op), (change.seq(), change.start_op().get()));
            assert_eq!(header.max_op, change.max_op());
            assert_eq!(header.author, (change.seq() == 1).then(|| UserId::from_bytes([5; 16])));
            assert_eq!(header.length_bytes as usize, bytes.len());
        }
    }
}

#[test]
fn rows_give_back_every_chunk_as_it_was() {
    let chunks = chunks();
    assert!(chunks.iter().any(|chunk| chunk[8] == 2), "some of them are deflated");
    for row in [encode_log(&chunks), encode_pack(&chunks)] {
        let read: Vec<_> = decode_row(&row).unwrap().into_iter().map(|change| change.bytes).collect();
        assert_eq!(read, chunks);
    }
    assert!(encode_pack(&chunks).len() < encode_log(&chunks).len());
    assert_eq!(decode_row(&encode_log(&[])), Ok(vec![]));
    assert_eq!(decode_row(&[7]), Err(ChunkError::UnknownRow(7)));
    assert!(decode_row(&[]).is_err());
}

#[test]
fn damage_is_noticed() {
    let chunks = chunks();
    let log = encode_log(&chunks);
    let hashes: Vec<_> = decode_row(&log).unwrap().iter().map(|change| change.header.hash).collect();
    for at in (1..log.len()).step_by(13) {
        let mut damaged = log.clone();
        damaged[at] ^= 0x10;
        // Padding bits of a deflate stream say nothing; everything else is under the hash.
        let unharmed = |read: Vec<StoredChange>| {
            read.len() == hashes.len() && read.iter().map(|c| c.header.hash).eq(hashes.iter().copied())
        };
        assert!(decode_row(&damaged).map_or(true, unharmed), "byte {at}");
    }
    let mut doc = document();
    assert_eq!(StoredChange::read(doc.save().into()), Err(ChunkError::NotAChange(0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..300), form in 0u8..3) {
        let _ = decode_row(&[vec![form], data.clone()].concat());
        let chunk = [vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, form], data].concat();
        let _ = StoredChange::read(chunk.into());
    }
}

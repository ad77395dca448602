//! Sync messages: what the guard accepts applies on a fresh replica and survives saving and loading with equal heads.
//!
//! The first byte says what the rest is: a message as it stands, or the bodies of changes, which then get a right frame
//! and checksum, so that hostile operations are reached and not only hostile hashes.

use automerge::{
    AutoCommit, Automerge, Change, ObjType, ROOT, ReadDoc,
    sync::{ChunkList, Message, MessageVersion, State, SyncDoc},
    transaction::{CommitOptions, Transactable},
};
use bytes::Bytes;
use taiwa_shared::sync::{
    chunks::StoredChange,
    document::{Authors, DocumentSync, PeerAccess, PeerRole, SyncKind},
};

use super::change::{bodies_of, framed_all};

const PEER: u8 = 1;

pub(super) fn message(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let (genesis, doc) = document();
    let stored = |change: &Change| StoredChange::read(Bytes::copy_from_slice(change.raw_bytes())).expect("our own");
    let history: Vec<StoredChange> = doc.clone().get_changes(&[]).iter().map(stored).collect();
    let first = StoredChange::read(genesis).expect("our own");
    let mut sync = DocumentSync::open(first, history.clone(), []).expect("our own changes fit together");
    let access = if how & 1 == 0 { PeerAccess::Write } else { PeerAccess::Read };
    sync.connect(PEER, PeerRole { access, authors: Authors::Relayed });
    let kind = if how & 2 == 0 { SyncKind::Sync } else { SyncKind::Request };
    let message = if how & 4 == 0 { rest.to_vec() } else { with_changes(rest) };
    let Ok(accepted) = sync.receive(PEER, kind, &message) else {
        assert!(!sync.has_staged(), "a refused message leaves nothing behind");
        return;
    };
    assert!(access == PeerAccess::Write || accepted.is_empty(), "a reader changes nothing");
    sync.commit();
    while let Some(outgoing) = sync.next_message(PEER) {
        let bytes_of = |hash| {
            let all = history.iter().chain(accepted.iter().map(|accepted| &accepted.change));
            let found = all.clone().find(|change| change.header.hash == hash);
            found.expect("a message offers only what is there").bytes.clone()
        };
        let bytes: Vec<Bytes> = outgoing.changes().iter().map(|hash| bytes_of(*hash)).collect();
        outgoing.encode(&bytes);
    }
    if accepted.is_empty() {
        return;
    }
    let all = history.iter().chain(accepted.iter().map(|accepted| &accepted.change));
    let changes = all.map(|change| Change::from_bytes(change.bytes.to_vec()).expect("an accepted change is one"));
    let mut fresh = Automerge::new();
    fresh.apply_changes(changes).expect("what the guard accepts applies");
    let mut heads = fresh.get_heads();
    heads.sort_unstable();
    let mut known = sync.heads();
    known.sort_unstable();
    assert_eq!(heads, known, "the graph knows the document's heads");
    let mut loaded = Automerge::load(&fresh.save()).expect("a saved document loads").get_heads();
    loaded.sort_unstable();
    assert_eq!(loaded, heads, "saving loses nothing");
}

/// The same document each time, with something of every kind to refer to.
fn document() -> (Bytes, AutoCommit) {
    let commit = |doc: &mut AutoCommit| doc.commit_with(CommitOptions::default().with_time(0)).expect("an edit");
    let mut doc = AutoCommit::new().with_actor(b"genesis".into());
    let body = doc.put_object(ROOT, "body", ObjType::Text).expect("an empty document");
    let notes = doc.put_object(ROOT, "notes", ObjType::Map).expect("an empty document");
    commit(&mut doc);
    let genesis = doc.get_last_local_change().expect("it was just made");
    let genesis = Bytes::copy_from_slice(genesis.raw_bytes());
    doc.set_actor(b"another".into());
    doc.splice_text(&body, 0, 0, "こんにちは").expect("a text");
    doc.put(&notes, "count", automerge::ScalarValue::counter(1)).expect("a map");
    commit(&mut doc);
    let list = doc.put_object(&notes, "list", ObjType::List).expect("a map");
    doc.insert(&list, 0, 1.5).expect("a list");
    doc.splice_text(&body, 1, 2, "").expect("a text");
    commit(&mut doc);
    assert_eq!(doc.length(&body), 3);
    (genesis, doc)
}

/// Every change of the document, as chunks.
pub(super) fn history() -> Vec<Vec<u8>> {
    let (_, mut doc) = document();
    doc.get_changes(&[]).iter().map(|change| change.raw_bytes().to_vec()).collect()
}

/// A message that brings changes with these bodies.
fn with_changes(bodies: &[u8]) -> Vec<u8> {
    carrying(framed_all(bodies))
}

fn carrying(chunks: Vec<Vec<u8>>) -> Vec<u8> {
    let (heads, need, have) = (vec![], vec![], vec![]);
    let changes = ChunkList::from(chunks);
    Message { heads, need, have, changes, flags: None, version: MessageVersion::V1 }.encode()
}

/// What a client says first, an honest edit as a message and as a body, and one that an earlier message did not lead to.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (_, mut doc) = document();
    let mut state = State::new();
    let hello = doc.sync().generate_sync_message(&mut state).expect("a first message is always due").encode();
    let known = doc.get_heads();
    let mut edits = Vec::new();
    for edit in 0..4 {
        let (_, body) = doc.get(ROOT, "body").expect("a text").expect("a text");
        let (_, notes) = doc.get(ROOT, "notes").expect("a map").expect("a map");
        match edit {
            0 => doc.splice_text(&body, 1, 0, "あ🙂").expect("a text"),
            1 => doc.increment(&notes, "count", 2).expect("a counter"),
            2 => doc.splice_text(&body, 0, 2, "").expect("a text"),
            _ => doc.put(&notes, "list", "x").expect("a map"),
        }
        doc.commit_with(CommitOptions::default().with_time(0));
        edits.push(doc.get_last_local_change().expect("it was just made").raw_bytes().to_vec());
    }
    let mut seeds = vec![[&[0][..], &hello].concat(), [&[1][..], &hello].concat(), [&[2][..], &hello].concat()];
    let all: Vec<_> = doc.get_changes(&known).iter().map(|change| change.raw_bytes().to_vec()).collect();
    seeds.push([&[0][..], &carrying(all)].concat());
    seeds.push([&[0][..], &carrying(edits[2..].to_vec())].concat());
    seeds.extend((1..=edits.len()).map(|count| [&[4][..], &bodies_of(&edits[..count])].concat()));
    seeds
}

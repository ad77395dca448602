//! What a conversation about a long document costs: in messages, in steps, and that the steps are counted.

use automerge::sync::Message;

use super::{super::limits::MAX_GRAPH_STEPS, *};

const HUB: usize = 1;

/// Everything that `doc` has beyond the genesis.
fn changes_of(doc: &mut AutoCommit) -> Vec<StoredChange> {
    let changes = doc.get_changes(&[genesis().header.hash]);
    changes.into_iter().map(|mut change| StoredChange::read(change.bytes().into_owned().into()).unwrap()).collect()
}

/// A server's document with these changes, in this order, and a session of somebody who has nothing.
fn server(stored: Vec<StoredChange>) -> (DocumentSync<usize>, HashMap<ChangeHash, Bytes>) {
    let bytes = stored.iter().map(|change| (change.header.hash, change.bytes.clone()));
    let bytes = bytes.chain([(genesis().header.hash, genesis().bytes)]).collect();
    let mut sync = DocumentSync::open(genesis(), stored, []).unwrap();
    sync.connect(HUB, writer(9));
    (sync, bytes)
}

fn message(sync: &mut DocumentSync<usize>, bytes: &HashMap<ChangeHash, Bytes>) -> Option<Vec<u8>> {
    let outgoing = sync.next_message(HUB)?;
    let chunks: Vec<_> = outgoing.changes().iter().map(|hash| bytes[hash].clone()).collect();
    Some(outgoing.encode(&chunks))
}

#[test]
fn a_long_answer_has_its_filter_once_at_its_beginning_and_once_at_its_end() {
    let mut doc = document(&mut Seeded(1), Some(user(1)));
    (0..3_000).for_each(|_| type_key(&mut doc, "k"));
    let (mut sync, bytes) = server(changes_of(&mut doc));
    let mut stock = Stock { doc: document(&mut Seeded(2), Some(user(9))), state: State::new() };
    sync.receive(HUB, SyncKind::Sync, &stock.send().unwrap()).unwrap();
    let answer: Vec<_> = std::iter::from_fn(|| message(&mut sync, &bytes)).collect();
    assert!(answer.len() > 4, "{} messages", answer.len());
    let with_filter = answer.iter().map(|data| !Message::decode(data).unwrap().have.is_empty());
    let expected = (0..answer.len()).map(|n| n == 0 || n + 1 == answer.len());
    assert!(with_filter.eq(expected));

    // The stock client has taken all of it, and goes on telling what it writes.
    answer.iter().for_each(|data| stock.receive(data));
    type_key(&mut stock.doc, "z");
    while let Some(data) = stock.send() {
        sync.receive(HUB, SyncKind::Sync, &data).unwrap();
        sync.commit();
    }
    let mut heads = stock.doc.get_heads();
    heads.sort_unstable();
    assert_eq!(sync.heads(), heads);
}

#[test]
fn what_many_messages_brought_to_the_server_a_phone_takes_in_one() {
    // Two who write at the same time and never see each other: each change costs a walk through the other's.
    let (mut one, mut other) = (document(&mut Seeded(1), Some(user(1))), document(&mut Seeded(2), Some(user(1))));
    (0..4_000).for_each(|_| type_key(&mut one, "1"));
    (0..4_000).for_each(|_| type_key(&mut other, "2"));
    let both = changes_of(&mut one).into_iter().zip(changes_of(&mut other)).flat_map(|(a, b)| [a, b]);
    let (mut sync, bytes) = server(both.collect());

    let mut phone = DocumentSync::<()>::open(genesis(), [], []).unwrap();
    let mut client = DocumentSync::<()>::open(genesis(), [], []).unwrap();
    phone.connect((), relay());
    client.connect((), relay());
    client.next_message(());
    sync.receive(HUB, SyncKind::Sync, &phone.next_message(()).unwrap().encode(&[])).unwrap();
    let mut is_too_much_for_one_client = false;
    while let Some(data) = message(&mut sync, &bytes) {
        phone.receive_from_server((), SyncKind::Sync, &data).unwrap();
        phone.commit();
        is_too_much_for_one_client |= client.receive((), SyncKind::Sync, &data).is_err();
        client.commit();
    }
    assert_eq!(phone.heads(), sync.heads());
    assert!(is_too_much_for_one_client, "otherwise {MAX_GRAPH_STEPS} steps were enough for anybody");
}

#[test]
fn what_has_to_be_walked_through_for_a_peer_is_counted() {
    let mut doc = document(&mut Seeded(1), Some(user(1)));
    (0..500).for_each(|_| type_key(&mut doc, "k"));
    let (mut sync, bytes) = server(changes_of(&mut doc));
    let mut stock = Stock { doc: document(&mut Seeded(2), Some(user(9))), state: State::new() };
    let hello = stock.send().unwrap();
    for _ in 0..3 {
        // "I have nothing": everything is looked through to answer it, and once more to ask in return.
        sync.receive(HUB, SyncKind::Request, &hello).unwrap();
        assert!(sync.take_walked(HUB) >= 500);
        while message(&mut sync, &bytes).is_some() {}
        assert!(sync.take_walked(HUB) >= 500);
        assert_eq!(sync.take_walked(HUB), 0);
    }
}

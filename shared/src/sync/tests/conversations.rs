//! Single conversations: figures, continuation, false positives, who hears what.

use automerge::{
    AutoCommit, ROOT,
    sync::{BloomFilter, ChunkList, Message, State},
    transaction::{CommitOptions, Transactable},
};

use super::{Hub, Phone, Seeded, Stock, document, edit, relay, type_key, user, writer};
use crate::sync::{
    chunks::StoredChange,
    document::SyncKind,
    limits::{MAX_FRAME_BYTES, MAX_MESSAGE_BYTES_OUT},
    rejection::{ChangeFault, GraphError, Rejection},
};

const A: usize = 1;
const B: usize = 2;

/// What a conversation cost.
#[derive(Debug, Default, PartialEq, Eq)]
struct Traffic {
    up: Vec<usize>,
    down: Vec<usize>,
}

fn talk(hub: &mut Hub, peer: usize, phone: &mut Phone) -> Traffic {
    let mut traffic = Traffic::default();
    for _ in 0..200 {
        let before = (traffic.up.len(), traffic.down.len());
        while let Some(data) = phone.send() {
            traffic.up.push(data.len());
            hub.receive(peer, &data).unwrap();
        }
        hub.commit();
        while let Some(data) = hub.send(peer) {
            traffic.down.push(data.len());
            phone.receive(&data).unwrap();
        }
        if before == (traffic.up.len(), traffic.down.len()) {
            return traffic;
        }
    }
    panic!("they do not stop talking");
}

fn phone(rng: &mut Seeded, n: u8) -> Phone {
    let mut phone = Phone::new(document(rng, Some(user(n))));
    phone.sync.connect((), relay());
    phone
}

#[test]
fn an_edit_costs_two_messages_on_each_link() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(1));
    let (mut a, mut b) = (phone(&mut rng, 1), phone(&mut rng, 2));
    hub.sync.connect(A, writer(1));
    hub.sync.connect(B, writer(2));
    talk(&mut hub, A, &mut a);
    talk(&mut hub, B, &mut b);
    a.key();
    talk(&mut hub, A, &mut a);
    talk(&mut hub, B, &mut b);
    for _ in 0..50 {
        a.key();
        let to_a = talk(&mut hub, A, &mut a);
        assert_eq!((to_a.up.len(), to_a.down.len()), (1, 1));
        assert!(to_a.up[0] < 240 && to_a.down[0] < 80, "{to_a:?}");
        let to_b = talk(&mut hub, B, &mut b);
        assert_eq!((to_b.up.len(), to_b.down.len()), (1, 1));
        assert!(a.sync.peer_has_all(()) && hub.sync.peer_has_all(B));
    }
    assert_eq!(a.sync.heads(), b.sync.heads());
}

#[test]
fn an_unchanged_document_reconnects_in_two_small_messages() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(2));
    let mut a = phone(&mut rng, 1);
    hub.sync.connect(A, writer(1));
    (0..300).for_each(|_| a.edit(&mut rng));
    talk(&mut hub, A, &mut a);
    let shared = a.sync.heads();
    a.sync.connect((), relay());
    a.sync.seed_shared_heads((), &shared);
    hub.sync.connect(A, writer(1));
    let seeded = talk(&mut hub, A, &mut a);
    assert_eq!((seeded.up.len(), seeded.down.len()), (1, 1));
    assert!(seeded.up[0] <= 80 && seeded.down[0] <= 80, "{seeded:?}");

    // Without what the phone remembers, it costs a Bloom filter once, and the hub's answer stays small.
    a.sync.connect((), relay());
    hub.sync.connect(A, writer(1));
    let fresh = talk(&mut hub, A, &mut a);
    assert_eq!((fresh.up.len(), fresh.down.len()), (1, 1));
    assert!(fresh.up[0] < 500 && fresh.down[0] <= 80, "{fresh:?}");
}

#[test]
fn long_uploads_and_downloads_go_in_messages_of_bounded_size() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(3));
    let (mut a, mut b) = (phone(&mut rng, 1), phone(&mut rng, 2));
    hub.sync.connect(A, writer(1));
    (0..1_500).for_each(|_| a.edit(&mut rng));
    let total: usize = a.store.values().map(|chunk| chunk.len()).sum();
    assert!(total > 2 * MAX_MESSAGE_BYTES_OUT);
    let up = talk(&mut hub, A, &mut a);
    assert_eq!(hub.sync.heads(), a.sync.heads());
    assert!(up.up.iter().all(|size| *size <= MAX_MESSAGE_BYTES_OUT + 8_192), "{up:?}");
    assert!(up.up.iter().sum::<usize>() < total * 11 / 10, "an upload goes up once: {up:?}");
    assert!(up.down.iter().sum::<usize>() < 10_000, "an upload is not echoed: {up:?}");

    hub.sync.connect(B, writer(2));
    let down = talk(&mut hub, B, &mut b);
    assert_eq!(hub.sync.heads(), b.sync.heads());
    assert!(down.down.iter().all(|size| *size <= MAX_MESSAGE_BYTES_OUT + 8_192), "{down:?}");
    assert!(down.down.iter().sum::<usize>() < total * 11 / 10, "{down:?}");
}

#[test]
fn a_false_positive_of_our_filter_is_repaired() {
    let mut rng = Seeded(4);
    let mut hub = Hub::new();
    let mut a = phone(&mut rng, 1);
    hub.sync.connect(A, writer(1));
    (0..200).for_each(|_| a.edit(&mut rng));
    talk(&mut hub, A, &mut a);
    let of_the_hub = a.sync.heads().len();
    assert_eq!(of_the_hub, 1);
    let filter = BloomFilter::from_hashes(hub.store.keys());
    // A client whose first offline change happens to match the filter that the hub will send it: 1 in 100 does.
    let mut doc = loop {
        let mut doc = document(&mut rng, Some(user(2)));
        type_key(&mut doc, "k");
        if filter.contains_hash(&doc.get_heads()[0]) {
            break doc;
        }
    };
    (0..150).for_each(|_| type_key(&mut doc, "k"));
    for is_stock in [true, false] {
        let mut hub_copy = Hub { store: hub.store.clone(), ..Hub::new() };
        hub_copy.reopen();
        hub_copy.sync.connect(B, writer(2));
        if is_stock {
            let mut stock = Stock { doc: doc.fork().with_actor(rng.actor()), state: State::new() };
            let mut was_parked = false;
            for _ in 0..10 {
                while let Some(data) = stock.send() {
                    let carried = Message::decode(&data).unwrap().changes.len();
                    was_parked |= carried > 0 && hub_copy.receive(B, &data).unwrap() == 0;
                    if carried == 0 {
                        hub_copy.receive(B, &data).unwrap();
                    }
                }
                hub_copy.commit();
                while let Some(data) = hub_copy.send(B) {
                    stock.receive(&data);
                }
            }
            assert!(was_parked, "the false positive did not happen");
            assert_eq!(stock.doc.get_heads(), hub_copy.sync.heads());
        } else {
            let mut second = phone(&mut rng, 2);
            for change in doc.get_changes(&second.doc.get_heads()) {
                let change = StoredChange::read(change.raw_bytes().to_vec().into()).unwrap();
                second.store.insert(change.header.hash, change.bytes.clone());
                second.sync.stage_local(change).unwrap();
            }
            second.sync.commit();
            second.doc = doc.fork().with_actor(rng.actor());
            talk(&mut hub_copy, B, &mut second);
            assert_eq!(second.sync.heads(), hub_copy.sync.heads());
        }
    }
}

#[test]
fn what_a_peer_names_and_never_sends_ends_the_session() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(5));
    let mut doc = document(&mut rng, Some(user(1)));
    let mut state = State::new();
    edit(&mut doc, &mut rng);
    let mut stock = Stock { doc, state: std::mem::take(&mut state) };
    hub.sync.connect(A, writer(1));
    let mut result = Ok(0);
    for _ in 0..10 {
        while let Some(data) = stock.send() {
            let mut message = Message::decode(&data).unwrap();
            message.changes = ChunkList::empty();
            result = result.and_then(|_| hub.receive(A, &message.encode()));
        }
        let Some(data) = hub.send(A) else { break };
        stock.receive(&data);
    }
    assert_eq!(result, Err(Rejection::NeedUnanswered));
    assert!(!Rejection::NeedUnanswered.is_hostile());
}

#[test]
fn a_server_that_lost_a_change_after_acknowledging_gets_it_back() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(6));
    let mut a = phone(&mut rng, 1);
    hub.sync.connect(A, writer(1));
    (0..20).for_each(|_| a.edit(&mut rng));
    talk(&mut hub, A, &mut a);
    let shared = a.sync.heads();
    hub = Hub::new();
    hub.sync.connect(A, writer(1));
    a.sync.connect((), relay());
    a.sync.seed_shared_heads((), &shared);
    talk(&mut hub, A, &mut a);
    assert_eq!(hub.sync.heads(), shared);
}

#[test]
fn a_new_request_starts_the_session_over() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(7));
    let mut a = phone(&mut rng, 1);
    hub.sync.connect(A, writer(1));
    a.edit(&mut rng);
    talk(&mut hub, A, &mut a);
    let empty = Message::decode(&Stock { doc: AutoCommit::new(), state: State::new() }.send().unwrap()).unwrap();
    hub.sync.receive(A, SyncKind::Request, &empty.encode()).unwrap();
    let data = hub.send(A).unwrap();
    assert_eq!(Message::decode(&data).unwrap().changes.len(), 2, "genesis and edit");
}

#[test]
fn commits_may_overlap_and_a_failed_store_forgets_what_is_staged() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(8));
    let mut a = phone(&mut rng, 1);
    hub.sync.connect(A, writer(1));
    talk(&mut hub, A, &mut a);
    a.edit(&mut rng);
    hub.receive(A, &a.send().unwrap()).unwrap();
    let first = hub.sync.stage_mark();
    a.edit(&mut rng);
    hub.receive(A, &a.send().unwrap()).unwrap();
    assert_eq!((hub.sync.len(), hub.send(A)), (1, None));
    hub.sync.commit_until(first);
    assert_eq!(hub.sync.len(), 2);
    assert!(hub.sync.has_staged());
    let stale = hub.sync.stage_mark();
    hub.sync.rollback();
    hub.sync.commit_until(stale);
    assert_eq!((hub.sync.len(), hub.sync.has_staged(), hub.sync.is_connected(A)), (2, false, false));
}

#[test]
fn a_phone_knows_what_the_server_has_stored() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(9));
    let mut a = phone(&mut rng, 1);
    hub.sync.connect(A, writer(1));
    talk(&mut hub, A, &mut a);
    a.edit(&mut rng);
    let change = a.sync.heads()[0];
    assert!(!a.sync.is_acknowledged((), &change));
    hub.receive(A, &a.send().unwrap()).unwrap();
    assert_eq!(hub.send(A), None, "no acknowledgement before the commit");
    hub.commit();
    a.receive(&hub.send(A).unwrap()).unwrap();
    assert!(a.sync.is_acknowledged((), &change) && a.sync.peer_has_all(()));
    a.edit(&mut rng);
    let next = a.sync.heads()[0];
    assert_eq!(a.sync.acknowledged((), &[change, next]), [change]);
}

#[test]
fn the_offline_upload_of_a_stock_client_fits_a_frame() {
    let mut rng = Seeded(10);
    let mut doc = document(&mut rng, Some(user(1)));
    for n in 0..2_000 {
        doc.put(ROOT, format!("k{}", n % 7), n).unwrap();
        doc.commit_with(CommitOptions::default().with_time(0));
    }
    let mut stock = Stock { doc, state: State::new() };
    let mut hub = Hub::new();
    hub.sync.connect(A, writer(1));
    for _ in 0..4 {
        while let Some(data) = stock.send() {
            assert!(data.len() < MAX_FRAME_BYTES);
            hub.receive(A, &data).unwrap();
        }
        hub.commit();
        while let Some(data) = hub.send(A) {
            stock.receive(&data);
        }
    }
    assert_eq!(hub.sync.heads(), stock.doc.get_heads());
}

#[test]
fn a_local_change_that_peers_would_refuse_is_noticed_at_once() {
    let mut rng = Seeded(12);
    let mut a = phone(&mut rng, 1);
    let genesis = a.doc.get_heads();
    a.key();
    // Automerge itself makes such changes: an empty one, then an edit as of before it.
    let base = a.doc.get_heads();
    a.doc.empty_change(CommitOptions::default().with_time(0));
    a.doc.isolate(&base);
    type_key(&mut a.doc, "k");
    a.doc.integrate();
    let read = |change: &automerge::Change| StoredChange::read(change.raw_bytes().to_vec().into()).unwrap();
    let results: Vec<_> = a.doc.get_changes(&base).iter().map(|change| a.sync.stage_local(read(change))).collect();
    assert_eq!(results[0], Ok(()));
    assert!(matches!(results[1], Err(GraphError::DoesNotFit { fault: ChangeFault::PreviousNotAncestor, .. })));

    let mut other = document(&mut rng, Some(user(2)));
    type_key(&mut other, &"x".repeat(5_001));
    let long = read(&other.get_changes(&genesis)[0]);
    assert_eq!(a.sync.stage_local(long.clone()), Err(GraphError::TooLarge(long.header.hash)));
}

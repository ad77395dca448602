//! Every attack that was seen to break Automerge 0.12, and some more: a clean refusal, the document undisturbed.

mod floods;

use automerge::{
    AutoCommit, Change, ChangeHash, ExpandedChange, ObjType, ROOT, ReadDoc,
    legacy::{ElementId, Key, ObjectId, OpId, OpType},
    sync::{BloomFilter, ChunkList, Have, Message, MessageVersion},
    transaction::{CommitOptions, Transactable},
};
use flate2::{Compression, write::DeflateEncoder};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use sha2::{Digest, Sha256};
use std::{io::Write, num::NonZeroU64};

use super::{Hub, Seeded, document, edit, type_key, user, writer};
use crate::sync::{
    chunks::{ActorId, StoredChange, format::write_unsigned},
    document::{Authors, PeerAccess, PeerRole, SyncKind, UncheckedMessage, weigh},
    limits::{
        MAX_CHANGE_OPS, MAX_FRAME_BYTES, MAX_HASHES, MAX_HEADS, MAX_MESSAGE_CHANGE_BYTES, MAX_MESSAGE_KEY_BYTES,
        MAX_MESSAGE_OPERATIONS, MAX_MISSING, MAX_PARKED_CHANGES,
    },
    rejection::{ChangeFault, Rejection},
};

const VICTIM: usize = 1;
const ATTACKER: usize = 2;

/// How a forged change differs from an honest one.
type Twist = fn(&mut ExpandedChange);

/// A hub on which user 1 has written something, and the attacker's (user 2) copy of the document.
struct Scene {
    hub: Hub,
    victim: AutoCommit,
    attacker: AutoCommit,
}

fn message(chunks: Vec<Vec<u8>>) -> Vec<u8> {
    let changes = ChunkList::from(chunks);
    Message { heads: vec![], need: vec![], have: vec![], changes, flags: None, version: MessageVersion::V1 }.encode()
}

fn changes_since(doc: &mut AutoCommit, heads: &[ChangeHash]) -> Vec<Vec<u8>> {
    doc.get_changes(heads).iter().map(|change| change.raw_bytes().to_vec()).collect()
}

fn scene() -> Scene {
    let mut rng = Seeded(7);
    let mut hub = Hub::new();
    let mut victim = document(&mut rng, Some(user(1)));
    let start = victim.get_heads();
    (0..5).for_each(|_| edit(&mut victim, &mut rng));
    hub.sync.connect(VICTIM, writer(1));
    hub.receive(VICTIM, &message(changes_since(&mut victim, &start))).unwrap();
    hub.commit();
    let attacker = victim.fork().with_author(None).with_actor(rng.actor());
    hub.sync.connect(ATTACKER, writer(2));
    Scene { hub, victim, attacker }
}

impl Scene {
    /// The attacker's next change, honest so far.
    fn honest(&mut self) -> Change {
        let (_, body) = self.attacker.get(ROOT, "body").unwrap().unwrap();
        self.attacker.splice_text(&body, 0, 0, "x").unwrap();
        self.attacker.commit_with(CommitOptions::default().with_time(0));
        self.attacker.get_last_local_change().unwrap()
    }

    fn forge(&mut self, twist: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
        let mut expanded = self.honest().decode();
        twist(&mut expanded);
        Change::from(expanded).raw_bytes().to_vec()
    }

    /// Sends it and checks that it is refused and that everybody else goes on.
    fn refuses(mut self, data: &[u8]) -> Rejection {
        let (heads, len) = (self.hub.sync.heads(), self.hub.sync.len());
        let rejection = self.hub.receive(ATTACKER, data).expect_err("the attack was accepted");
        assert!(!self.hub.sync.has_staged() && self.hub.sync.heads() == heads && self.hub.sync.len() == len);
        assert_eq!(self.hub.receive(ATTACKER, data), Err(Rejection::NotConnected));
        assert_eq!(self.hub.send(ATTACKER), None);
        let before = self.victim.get_heads();
        type_key(&mut self.victim, "k");
        let chunks = changes_since(&mut self.victim, &before);
        assert_eq!(self.hub.receive(VICTIM, &message(chunks)), Ok(1), "the victim cannot go on");
        rejection
    }

    fn refuses_chunk(self, chunk: Vec<u8>) -> Rejection {
        self.refuses(&message(vec![chunk]))
    }
}

fn fault(rejection: Rejection) -> ChangeFault {
    assert!(rejection.is_hostile());
    match rejection {
        Rejection::Change { fault, .. } => fault,
        other => panic!("not a fault of a change: {other}"),
    }
}

/// A chunk of any type around any body, with the right checksum.
fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![1];
    write_unsigned(&mut hashed, body.len() as u64);
    hashed.extend(body);
    let hash = Sha256::digest(&hashed);
    let stored = if kind == 2 { deflate(body) } else { body.to_vec() };
    let mut out = vec![0x85, 0x6f, 0x4a, 0x83];
    out.extend(&hash[..4]);
    out.push(kind);
    write_unsigned(&mut out, stored.len() as u64);
    out.extend(stored);
    out
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// The body of a first change of a fresh actor on `dep` with these columns.
fn body(dep: ChangeHash, columns: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = vec![1];
    out.extend(dep.0);
    out.extend([2, 9, 9, 1]); // actor 0909, seq 1
    write_unsigned(&mut out, 2_000); // start op
    out.extend([0, 0, 0]); // time, message, other actors
    write_unsigned(&mut out, columns.len() as u64);
    for (spec, data) in columns {
        write_unsigned(&mut out, u64::from(*spec));
        write_unsigned(&mut out, data.len() as u64);
    }
    columns.iter().for_each(|(_, data)| out.extend(*data));
    out
}

fn run_of(count: i64, value: u8) -> Vec<u8> {
    // Positive counts in signed LEB128: six bits in the last byte.
    let (mut out, mut rest) = (Vec::new(), count);
    while rest >= 64 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.push(value);
    out
}

#[test]
fn the_honest_change_is_accepted() {
    let mut scene = scene();
    let change = scene.forge(|_| {});
    assert_eq!(scene.hub.receive(ATTACKER, &message(vec![change])), Ok(1));
}

#[test]
fn an_honest_empty_change_is_accepted() {
    let mut one = scene();
    let before = one.attacker.get_heads();
    one.attacker.empty_change(CommitOptions::default().with_time(0));
    type_key(&mut one.attacker, "k");
    let chunks = changes_since(&mut one.attacker, &before);
    assert_eq!(one.hub.receive(ATTACKER, &message(chunks)), Ok(2));
}

#[test]
fn bloom_filters_of_another_shape_are_refused() {
    let blooms: [&[u8]; 5] =
        [&[3, 0, 7], &[3, 10, 0, 1, 2, 3, 4], &[3, 10, 7, 1], &[0, 10, 7], &[3, 11, 7, 1, 2, 3, 4, 5]];
    for bloom in blooms {
        let mut data = vec![0x42, 0, 0, 1, 0, bloom.len() as u8];
        data.extend(bloom);
        data.push(0);
        for role in [PeerAccess::Read, PeerAccess::Write] {
            let mut scene = scene();
            scene.hub.sync.connect(ATTACKER, PeerRole { access: role, authors: Authors::Only(user(2)) });
            assert_eq!(scene.refuses(&data), Rejection::Malformed("bloom filter"), "{bloom:?}");
        }
    }
}

#[test]
fn too_many_hashes_or_filters_are_refused() {
    let many = |count: usize| (0..count).map(|n| ChangeHash([n as u8; 32])).collect::<Vec<_>>();
    let mut base = Message::decode(&message(vec![])).unwrap();
    base.have = vec![Have { last_sync: vec![], bloom: BloomFilter::default() }; 5];
    assert_eq!(scene().refuses(&base.clone().encode()), Rejection::TooMuch("have"));
    base.have.clear();
    let mut heads = many(MAX_HASHES + 1);
    heads.sort();
    base.heads = heads.clone();
    assert_eq!(scene().refuses(&base.clone().encode()), Rejection::TooMuch("heads"));
    (base.heads, base.need) = (vec![], heads);
    assert_eq!(scene().refuses(&base.encode()), Rejection::TooMuch("need"));
}

#[test]
fn lengths_beyond_the_message_are_refused() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    for front in [
        vec![0x42],
        vec![0x42, 0],
        vec![0x42, 0, 0],
        vec![0x42, 0, 0, 0],
        vec![0x42, 0, 0, 0, 1],
        vec![0x42, 0, 0, 0, 0],
    ] {
        let rejection = scene().refuses(&[front, huge.to_vec()].concat());
        assert!(matches!(rejection, Rejection::Malformed(_) | Rejection::TooMuch(_)));
    }
    scene().refuses(&[]);
    scene().refuses(&[0x43]);
    scene().refuses(&[0x44, 0, 0, 0, 0]);
    scene().refuses(&vec![0x42; 2 * 1024 * 1024]);
}

#[test]
fn run_lengths_that_claim_millions_are_refused_before_anybody_walks_them() {
    let dep = scene().hub.sync.heads()[0];
    let started = std::time::Instant::now();
    for count in [MAX_CHANGE_OPS as i64 + 1, 1_000_000, 5_000_000, 1 << 40] {
        for kind in [1, 2] {
            let columns: [(u32, &[u8]); 2] = [(66, &run_of(count, 1)), (86, &run_of(count, 0))];
            let rejection = scene().refuses_chunk(chunk(kind, &body(dep, &columns)));
            assert!(matches!(rejection, Rejection::TooMuch(_)), "{rejection}");
        }
    }
    let nulls = [0, 0x80, 0x80, 0x80, 4];
    let columns: [(u32, &[u8]); 2] = [(21, &nulls), (66, &run_of(1, 1))];
    assert_eq!(scene().refuses_chunk(chunk(1, &body(dep, &columns))), Rejection::TooMuch("rows of a column"));
    let columns: [(u32, &[u8]); 2] = [(66, &run_of(1, 3)), (112, &[1, 0x80, 0x80, 0x80, 4])];
    assert_eq!(scene().refuses_chunk(chunk(1, &body(dep, &columns))), Rejection::TooMuch("predecessors of a change"));
    assert!(started.elapsed().as_secs() < 20, "counting takes time with what is claimed");
}

#[test]
fn a_deflated_change_is_not_inflated_beyond_the_cap() {
    let dep = scene().hub.sync.heads()[0];
    let text = vec![b'x'; 50_000_000];
    let bomb = chunk(2, &body(dep, &[(66, &run_of(1, 1)), (87, &text)]));
    assert!(bomb.len() < 100_000);
    assert_eq!(scene().refuses_chunk(bomb), Rejection::TooMuch("inflated change"));
    let mut trailing = chunk(2, &body(dep, &[(66, &run_of(1, 1))]));
    let at = trailing.len();
    trailing[9] += 3;
    trailing.splice(at..at, [1, 2, 3]);
    assert_eq!(scene().refuses_chunk(trailing), Rejection::Malformed("change chunk"));
}

/// As many chunks of a few bytes as the budget of a message needs to be exceeded.
fn many_times(chunk: &[u8], each: usize, budget: usize) -> Vec<u8> {
    let data = message(vec![chunk.to_vec(); budget / each + 1]);
    assert!(data.len() < MAX_FRAME_BYTES, "it would not even fit into a frame: {}", data.len());
    data
}

#[test]
fn what_fits_into_a_frame_is_refused_if_all_of_it_together_costs_too_much() {
    let dep = scene().hub.sync.heads()[0];
    let started = std::time::Instant::now();
    // Each of these is within the limits of a change, and known after the first, so that nothing is ever decoded.
    let zeros = vec![0; 200 * 1024];
    let large = chunk(2, &body(dep, &[(66, &run_of(1, 1)), (87, &zeros)]));
    let data = many_times(&large, zeros.len(), MAX_MESSAGE_CHANGE_BYTES);
    assert!(weigh(&data) > data.len() && weigh(&data) >= MAX_MESSAGE_CHANGE_BYTES);
    assert_eq!(scene().refuses(&data), Rejection::TooMuch("bytes of a message's changes"));

    let busy = chunk(1, &body(dep, &[(66, &run_of(MAX_CHANGE_OPS as i64, 1))]));
    let data = many_times(&busy, MAX_CHANGE_OPS as usize, MAX_MESSAGE_OPERATIONS as usize);
    assert!(weigh(&data) > MAX_MESSAGE_OPERATIONS as usize, "a small message that is not checked inline");
    assert_eq!(scene().refuses(&data), Rejection::TooMuch("operations of a message"));

    let predecessors: [(u32, &[u8]); 2] = [(66, &run_of(1, 3)), (112, &[1, 0xa0, 0x9c, 1])];
    let data = many_times(&chunk(1, &body(dep, &predecessors)), 20_000, MAX_MESSAGE_OPERATIONS as usize);
    assert_eq!(scene().refuses(&data), Rejection::TooMuch("operations of a message"));

    // One change of 100 KB whose single long key is named by each of its operations.
    let (mut keys, long) = (run_of(MAX_CHANGE_OPS as i64, 0), vec![b'k'; 100_000]);
    keys.pop();
    write_unsigned(&mut keys, long.len() as u64);
    keys.extend(long);
    let named = chunk(1, &body(dep, &[(21, &keys), (66, &run_of(MAX_CHANGE_OPS as i64, 1))]));
    assert!(weigh(&message(vec![named.clone()])) > MAX_MESSAGE_KEY_BYTES as usize);
    assert_eq!(scene().refuses_chunk(named), Rejection::TooMuch("keys of a message"));
    assert!(started.elapsed().as_secs() < 10, "counting takes time with what is claimed");
}

#[test]
fn an_offline_upload_of_a_full_frame_is_accepted() {
    let mut one = scene();
    let before = one.attacker.get_heads();
    for n in 0..7_000 {
        type_key(&mut one.attacker, if n % 50 == 0 { "長い休みのあとで" } else { "あ" });
    }
    let data = message(changes_since(&mut one.attacker, &before));
    assert!(data.len() > MAX_FRAME_BYTES / 2 && data.len() < MAX_FRAME_BYTES, "{}", data.len());
    assert_eq!(one.hub.receive(ATTACKER, &data), Ok(7_000));

    // A manuscript pasted in parts, each of which deflates to little.
    let mut one = scene();
    let before = one.attacker.get_heads();
    for _ in 0..100 {
        type_key(&mut one.attacker, &"対話と沈黙と".repeat(300));
    }
    let data = message(changes_since(&mut one.attacker, &before));
    assert_eq!(one.hub.receive(ATTACKER, &data), Ok(100));
}

#[test]
fn a_message_that_was_inspected_before_access_was_lessened_brings_nothing() {
    let mut one = scene();
    let data = message(vec![one.honest().raw_bytes().to_vec()]);
    let read = UncheckedMessage::read(SyncKind::Sync, &data, one.hub.sync.takes_changes(ATTACKER)).unwrap();
    let inspected = read.inspect(|_| false).unwrap();
    assert_eq!(inspected.size().0, 1);
    one.hub.sync.set_role(ATTACKER, PeerRole { access: PeerAccess::Read, authors: Authors::Only(user(2)) });
    assert_eq!(one.hub.sync.admit(ATTACKER, inspected), Ok(vec![]));
    assert!(!one.hub.sync.has_staged());
}

#[test]
fn other_kinds_of_chunks_are_refused() {
    let mut one = scene();
    let saved = one.attacker.save();
    assert_eq!(one.refuses_chunk(saved), Rejection::DocumentChunk);
    assert_eq!(scene().refuses_chunk(chunk(3, &[1, 2, 3])), Rejection::Malformed("change chunk"));
    assert_eq!(scene().refuses_chunk(chunk(9, &[1, 2, 3])), Rejection::Malformed("change chunk"));
}

#[test]
fn a_good_change_before_a_bad_one_is_not_kept() {
    let mut one = scene();
    let good = one.honest().raw_bytes().to_vec();
    let mut bad = one.honest().raw_bytes().to_vec();
    *bad.last_mut().unwrap() ^= 1;
    let rejection = one.refuses(&message(vec![good, bad]));
    assert_eq!(rejection, Rejection::Malformed("checksum of a change"));

    let mut one = scene();
    let good = one.honest().raw_bytes().to_vec();
    let bad = one.forge(|change| change.seq = 9);
    // Both in one entry, as version-2 messages have them.
    assert_eq!(fault(one.refuses(&message(vec![[good, bad].concat()]))), ChangeFault::Sequence);
}

#[test]
fn sequence_numbers_must_follow_on() {
    let mut one = scene();
    let first = one.forge(|change| change.seq = 5);
    assert_eq!(fault(one.refuses_chunk(first)), ChangeFault::Sequence);

    let mut one = scene();
    let base = one.attacker.get_heads();
    let first = one.honest().raw_bytes().to_vec();
    let aside = one.forge(|change| change.deps.clone_from(&base));
    assert_eq!(fault(one.refuses(&message(vec![first, aside]))), ChangeFault::PreviousNotAncestor);

    let mut one = scene();
    let first = one.honest().raw_bytes().to_vec();
    let again = one.forge(|change| change.seq = 1);
    assert_eq!(fault(one.refuses(&message(vec![first, again]))), ChangeFault::Sequence);
}

#[test]
fn operation_counters_must_follow_on() {
    let start = |op| move |change: &mut ExpandedChange| change.start_op = NonZeroU64::new(op).unwrap();
    let mut one = scene();
    let low = one.forge(start(2));
    let found = fault(one.refuses_chunk(low));
    assert!(matches!(found, ChangeFault::StartOp | ChangeFault::Operation(_)), "{found}");
    let mut one = scene();
    let high = one.forge(start(1_000_000));
    assert_eq!(fault(one.refuses_chunk(high)), ChangeFault::StartOp);
    let mut one = scene();
    let huge = one.forge(start(4_294_967_290));
    assert_eq!(one.refuses_chunk(huge), Rejection::TooMuch("operation counter"));
}

#[test]
fn operations_that_can_never_be_right_are_refused() {
    let twists: [(&str, Twist); 9] = [
        ("deletes nothing", |c| {
            let op = &mut c.operations[0];
            (op.action, op.insert, op.key) = (OpType::Delete, false, Key::Map("k".into()));
            op.obj = ObjectId::Root;
        }),
        ("inserts at a key", |c| c.operations[0].key = Key::Map("k".into())),
        ("inserts with a predecessor", |c| c.operations[0].pred = vec![OpId(1, c.actor_id.clone())].into()),
        ("sets the head", |c| (c.operations[0].insert, c.operations[0].key) = (false, Key::head())),
        ("element of the root", |c| c.operations[0].obj = ObjectId::Root),
        ("element from the future", |c| {
            c.operations[0].key = Key::Seq(ElementId::Id(OpId(1 << 30, c.actor_id.clone())))
        }),
        ("object from the future", |c| c.operations[0].obj = ObjectId::Id(OpId(c.start_op.get(), c.actor_id.clone()))),
        ("table", |c| c.operations[0].action = OpType::Make(ObjType::Table)),
        ("end of a mark", |c| c.operations[0].action = OpType::MarkEnd(false)),
    ];
    for (name, twist) in twists {
        let mut one = scene();
        let chunk = one.forge(twist);
        assert!(matches!(fault(one.refuses_chunk(chunk)), ChangeFault::Operation(_)), "{name}");
    }
}

#[test]
fn unknown_actors_in_operations_are_refused() {
    fn nobody() -> ActorId {
        ActorId::from(vec![0xaa; 16])
    }
    let twists: [Twist; 3] = [
        |c| c.operations[0].obj = ObjectId::Id(OpId(1, nobody())),
        |c| c.operations[0].key = Key::Seq(ElementId::Id(OpId(1, nobody()))),
        |c| {
            let op = &mut c.operations[0];
            (op.insert, op.obj, op.key) = (false, ObjectId::Root, Key::Map("k".into()));
            op.pred = vec![OpId(1, nobody())].into();
        },
    ];
    for twist in twists {
        let mut one = scene();
        let chunk = one.forge(twist);
        assert_eq!(fault(one.refuses_chunk(chunk)), ChangeFault::UnknownActor);
    }
}

#[test]
fn other_encodings_of_the_same_operations_are_refused() {
    // An actor that no operation refers to: Automerge applies it, and cannot load the document after saving.
    let mut one = scene();
    let change = one.honest();
    let victims_actor = one.victim.get_actor().to_bytes().to_vec();
    let body = &change.raw_bytes()[9..];
    let length_bytes = body.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let mut body = body[length_bytes..].to_vec();
    let mut start_op = Vec::new();
    write_unsigned(&mut start_op, change.start_op().get());
    let at = 1 + 32 * change.deps().len() + 17 + 1 + start_op.len() + 1 + 1;
    let others: usize = change.other_actor_ids().iter().map(|actor| 1 + actor.to_bytes().len()).sum();
    body[at] += 1;
    body.splice(at + 1 + others..at + 1 + others, [vec![16], victims_actor].concat());
    let chunk = chunk(1, &body);
    assert!(Change::try_from(&chunk[..]).is_ok(), "Automerge itself takes it");
    assert_eq!(fault(one.refuses_chunk(chunk)), ChangeFault::NotCanonical);

    // A literal run where Automerge writes a repeat.
    let dep = scene().hub.sync.heads()[0];
    let keys: &[u8] = &[0x7e, 1, b'a', 1, b'b'];
    let canonical = super::attacks::chunk(
        1,
        &self::body(dep, &[(21, keys), (52, &[2]), (66, &[2, 1]), (86, &[2, 0]), (112, &[2, 0])]),
    );
    let literal = super::attacks::chunk(
        1,
        &self::body(dep, &[(21, keys), (52, &[2]), (66, &[0x7e, 1, 1]), (86, &[2, 0]), (112, &[2, 0])]),
    );
    assert_eq!(scene().hub.receive(ATTACKER, &message(vec![canonical])), Ok(1));
    assert_eq!(fault(scene().refuses_chunk(literal)), ChangeFault::NotCanonical);
}

#[test]
fn nobody_writes_as_somebody_else() {
    let author = |n: u8| [vec![1, 16], vec![n; 16]].concat();
    let mut one = scene();
    let claims = one.forge(|change| change.extra_bytes = author(1));
    assert_eq!(fault(one.refuses_chunk(claims)), ChangeFault::ForeignAuthor);

    let mut one = scene();
    let odd = one.forge(|change| change.extra_bytes = vec![1, 3, 2, 2, 2]);
    assert_eq!(fault(one.refuses_chunk(odd)), ChangeFault::MalformedAuthor);

    let mut one = scene();
    let first = one.honest().raw_bytes().to_vec();
    let late = one.forge(|change| change.extra_bytes = author(2));
    assert_eq!(fault(one.refuses(&message(vec![first, late]))), ChangeFault::MalformedAuthor);

    // The victim's actor goes on, but on the attacker's connection.
    let mut one = scene();
    let (actor, seq) = (one.victim.get_actor().clone(), one.victim.get_changes(&[]).len() as u64);
    let forged = one.forge(|change| (change.actor_id, change.seq) = (actor, seq));
    assert_eq!(fault(one.refuses_chunk(forged)), ChangeFault::ForeignAuthor);
}

#[test]
fn the_genesis_cannot_be_forged_or_continued() {
    let mut one = scene();
    let continued = one.forge(|change| (change.actor_id, change.seq) = (ActorId::from(b"genesis".to_vec()), 2));
    assert_eq!(fault(one.refuses_chunk(continued)), ChangeFault::Genesis);

    let mut rng = Seeded(3);
    let mut other = AutoCommit::new().with_actor(rng.actor());
    other.put(ROOT, "a", 1).unwrap();
    let root = changes_since(&mut other, &[]).remove(0);
    assert_eq!(fault(scene().refuses_chunk(root)), ChangeFault::Genesis);
}

#[test]
fn orphans_are_kept_to_a_limit() {
    let mut one = scene();
    let mut chunks = Vec::new();
    let mut dep = ChangeHash([9; 32]);
    for _ in 0..MAX_PARKED_CHANGES + 1 {
        let orphan = chunk(1, &body(dep, &[]));
        dep = StoredChange::read(orphan.clone().into()).unwrap().header.hash;
        chunks.push(orphan);
    }
    let parts: Vec<_> = chunks.chunks(8_000).map(|part| message(part.to_vec())).collect();
    let (last, before) = parts.split_last().unwrap();
    for part in before {
        assert_eq!(one.hub.receive(ATTACKER, part), Ok(0));
    }
    assert_eq!(one.refuses(last), Rejection::TooMuch("changes without their dependencies"));

    let lone = |n: usize| chunk(1, &body(ChangeHash(Sha256::digest(n.to_be_bytes()).into()), &[]));
    let many = message((0..MAX_MISSING + 1).map(lone).collect());
    assert_eq!(scene().refuses(&many), Rejection::TooMuch("changes without their dependencies"));
}

#[test]
fn a_readers_changes_are_discarded_unread() {
    let mut one = scene();
    one.hub.sync.connect(ATTACKER, PeerRole { access: PeerAccess::Read, authors: Authors::Only(user(2)) });
    let change = one.honest().raw_bytes().to_vec();
    assert_eq!(one.hub.receive(ATTACKER, &message(vec![change, b"rubbish".to_vec()])), Ok(0));
    assert!(!one.hub.sync.has_staged());
}

#[test]
fn a_parked_change_that_turns_out_bad_ends_only_its_own_session() {
    let mut one = scene();
    let before = one.victim.get_heads();
    type_key(&mut one.victim, "k");
    let missing = one.victim.get_heads();
    let orphan = one.forge(|change| (change.deps, change.seq) = (missing.clone(), 7));
    assert_eq!(one.hub.receive(ATTACKER, &message(vec![orphan])), Ok(0));
    let chunks = changes_since(&mut one.victim, &before);
    assert_eq!(one.hub.receive(VICTIM, &message(chunks)), Ok(1));
    assert_eq!(fault(one.hub.receive(ATTACKER, &message(vec![])).unwrap_err()), ChangeFault::Sequence);
    assert!(one.hub.sync.is_connected(VICTIM));
}

#[test]
fn parked_changes_of_a_peer_whose_access_is_not_certain_are_not_released() {
    let mut one = scene();
    let before = one.victim.get_heads();
    type_key(&mut one.victim, "k");
    one.attacker.merge(&mut one.victim).unwrap();
    let orphan = one.honest().raw_bytes().to_vec();
    assert_eq!(one.hub.receive(ATTACKER, &message(vec![orphan.clone()])), Ok(0));
    let data = message(changes_since(&mut one.victim, &before));
    let read = UncheckedMessage::read(SyncKind::Sync, &data, true).unwrap().inspect(|_| false).unwrap();
    let accepted = one.hub.sync.admit_beside(VICTIM, read, |peer| peer != ATTACKER).unwrap();
    assert_eq!(
        accepted.iter().map(|(peer, _)| *peer).collect::<Vec<_>>(),
        [VICTIM],
        "only what the victim brought itself"
    );
    assert!(one.hub.sync.is_connected(ATTACKER));
    // Nothing is left of it, and if the peer may write after all, it brings it again.
    assert_eq!(one.hub.receive(ATTACKER, &message(vec![orphan])), Ok(1));
}

#[test]
fn nobody_pays_for_the_heads_that_somebody_else_made() {
    let (mut one, mut rng) = (scene(), Seeded(21));
    let mut head = |from: &mut AutoCommit| {
        let mut fork = from.fork().with_actor(rng.actor());
        type_key(&mut fork, "h");
        (fork.get_last_local_change().unwrap().raw_bytes().to_vec(), fork)
    };
    let mut offline = one.victim.fork().with_actor(one.victim.get_actor().clone());
    let before = offline.get_heads();
    let chunks: Vec<_> = (0..MAX_HEADS).map(|_| head(&mut one.attacker).0).collect();
    assert_eq!(one.hub.receive(ATTACKER, &message(chunks)), Ok(MAX_HEADS));
    one.hub.commit();
    type_key(&mut offline, "x");
    assert_eq!(one.hub.receive(VICTIM, &message(changes_since(&mut offline, &before))), Ok(1));
    one.hub.commit();
    let last = head(&mut one.attacker).0;
    assert_eq!(one.hub.receive(ATTACKER, &message(vec![last])), Err(Rejection::TooMuch("heads of the document")));

    // What a message diverges it may merge itself.
    let mut one = scene();
    let before = one.attacker.get_heads();
    let mut merged = one.attacker.fork();
    for _ in 0..2 * MAX_HEADS {
        merged.merge(&mut head(&mut one.attacker).1).unwrap();
    }
    merged.set_actor(ActorId::from(vec![5; 16]));
    type_key(&mut merged, "m");
    let data = message(changes_since(&mut merged, &before));
    assert_eq!(one.hub.receive(ATTACKER, &data), Ok(2 * MAX_HEADS + 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_a_clean_answer(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut one = scene();
        let heads = one.hub.sync.heads();
        for front in [vec![], vec![0x42, 0, 0, 0, 1]] {
            let _ = one.hub.receive(ATTACKER, &[front, data.clone()].concat());
            one.hub.sync.connect(ATTACKER, writer(2));
            let _ = one.hub.send(ATTACKER);
        }
        let _ = one.hub.sync.receive(VICTIM, SyncKind::Request, &data);
        prop_assert_eq!(one.hub.sync.heads(), heads);
    }

    #[test]
    fn flipped_bytes_with_a_repaired_checksum_give_a_clean_answer(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut one = scene();
        let raw = one.honest().raw_bytes().to_vec();
        let front = 9 + raw[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let mut body = raw[front..].to_vec();
        for (at, flip) in flips {
            let at = at.index(body.len());
            body[at] ^= flip;
        }
        let len = one.hub.sync.len();
        match one.hub.receive(ATTACKER, &message(vec![chunk(1, &body)])) {
            Ok(count) => prop_assert!(count <= 1),
            Err(_) => prop_assert!(!one.hub.sync.has_staged()),
        }
        prop_assert_eq!(one.hub.sync.len(), len);
    }
}

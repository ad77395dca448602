//! Sync messages that no client makes: every attack that is known to break Automerge 0.12, ready to be sent.
//!
//! Made from a replica of the document under attack, so that each is wrong in one point only. Sends nothing.

use std::{io::Write, num::NonZeroU64};

use automerge::{
    ActorId, AutoCommit, Change, ChangeHash, ExpandedChange, ObjId, ObjType, ROOT, ReadDoc, ScalarValue,
    legacy::{ElementId, Key, ObjectId, Op, OpId, OpType},
    marks::{ExpandMark, Mark},
    sync::{ChunkList, Message, MessageVersion},
    transaction::Transactable,
};
use flate2::{Compression, write::DeflateEncoder};
use sha2::{Digest, Sha256};
use taiwa_shared::{
    ids::UserId,
    sync::rejection::{CLOSE_BAD_DATA, CLOSE_START_AFRESH},
};

/// Something hostile to say about a document.
pub struct Attack {
    /// What it is.
    pub name: &'static str,
    /// The sync message.
    pub data: Vec<u8>,
    /// How a server closes the connection that it came on.
    pub code: u16,
}

/// A replica of a memo that has some text, from which attacks are made.
pub struct Forger {
    memo: AutoCommit,
    /// The text, as an operation names it.
    body: ObjectId,
    /// Its first letter.
    letter: OpId,
}

impl Forger {
    /// A forger with a memo that is not empty.
    ///
    /// # Panics
    /// If it is empty, or no memo.
    pub fn new(memo: &AutoCommit) -> Self {
        let (_, body) = memo.get(ROOT, "body").expect("readable").expect("a memo has a body");
        let (_, letter) = memo.get(&body, 0).expect("readable").expect("the memo has text");
        Self { memo: memo.clone(), body: ObjectId::Id(op_id(&body)), letter: op_id(&letter) }
    }

    /// Attacks on whoever takes changes, a server or a phone.
    pub fn attacks(&self) -> Vec<Attack> {
        let mut all = vec![
            attack("a Bloom filter of zero bits", vec![0x42, 0, 0, 1, 0, 4, 3, 0, 7, 0, 0]),
            attack("2^63 heads", [&[0x42][..], &[0xff; 9], &[0x7f]].concat()),
            attack("no sync message", vec![0x99; 100]),
        ];
        all.extend(self.wrong_references());
        all.extend(self.wrong_places_in_history());
        all.extend(self.bombs());
        all.extend(self.floods());
        all
    }

    /// Attacks on a server, which knows who sends.
    ///
    /// # Panics
    /// If `victim` has written nothing into the memo.
    pub fn impersonations(&self, victim: UserId) -> Vec<Attack> {
        let author = [&[1, 16][..], victim.as_bytes()].concat();
        let changes = self.memo.clone().get_changes(&[]);
        let is_victims = |change: &&Change| change.decode().extra_bytes == author;
        let actor = changes.iter().find(is_victims).expect("the victim has written").actor_id().clone();
        let seq = changes.iter().filter(|change| *change.actor_id() == actor).count() as u64 + 1;
        vec![
            attack("the author of somebody else", message(vec![self.forged(|change| change.extra_bytes = author)])),
            attack(
                "the actor of somebody else",
                message(vec![self.forged(|change| (change.actor_id, change.seq) = (actor, seq))]),
            ),
        ]
    }

    fn wrong_references(&self) -> Vec<Attack> {
        let nobody = OpId::new(2, &ActorId::from(vec![0xaa; 16]));
        let nowhere = OpId::new(2, self.letter.actor());
        let Self { body, letter, .. } = self;
        // An object that is there and no text, and a value in it.
        let value = ObjectId::Id(letter.clone());
        let with = |name, ops: Vec<Op>| attack(name, message(vec![self.forged(|change| change.operations = ops)]));
        let insert = |obj: &ObjectId, after: &OpId| Op { insert: true, ..put(obj, element(after), &[]) };
        let at_once = |change: &mut ExpandedChange| {
            // As if its author knew the first change only; counters go on from everything, as isolated edits do.
            change.deps = vec![self.first()];
        };
        let delete =
            |obj: &ObjectId, at: &OpId, over: &[&OpId]| Op { action: OpType::Delete, ..put(obj, element(at), over) };
        vec![
            with("an object of an actor that is nowhere", vec![put(&ObjectId::Id(nobody.clone()), "k".into(), &[])]),
            with("an object that is nowhere", vec![put(&ObjectId::Id(nowhere.clone()), "k".into(), &[])]),
            with("a letter as an object", vec![put(&value, "k".into(), &[])]),
            with("after a letter that is nowhere", vec![insert(body, &nowhere)]),
            with("over a value that is nowhere", vec![put(&ObjectId::Root, "k".into(), &[&nowhere])]),
            with("over a value of an actor that is nowhere", vec![put(&ObjectId::Root, "k".into(), &[&nobody])]),
            with("over a value of another object", vec![put(&ObjectId::Root, "k".into(), &[letter])]),
            with("a key in a text", vec![put(body, "k".into(), &[])]),
            with("a deletion of nothing", vec![delete(body, letter, &[])]),
            with("a table", vec![Op { action: OpType::Make(ObjType::Table), ..put(&ObjectId::Root, "t".into(), &[]) }]),
            attack(
                "after a letter that its author cannot know",
                message(vec![self.forged(|change| {
                    at_once(change);
                    change.operations = vec![insert(body, letter)];
                })]),
            ),
            attack(
                "over a letter that its author cannot know",
                message(vec![self.forged(|change| {
                    at_once(change);
                    change.operations = vec![delete(body, letter, &[letter])];
                })]),
            ),
            attack("a mark", message(vec![self.marked()])),
        ]
    }

    fn wrong_places_in_history(&self) -> Vec<Attack> {
        let start = |op| move |change: &mut ExpandedChange| change.start_op = counter(op);
        let good = self.forged(|_| {});
        let mut corrupt = good.clone();
        *corrupt.last_mut().expect("a change has bytes") ^= 1;
        let root = |change: &mut ExpandedChange| {
            change.deps.clear();
            change.operations.clear();
        };
        vec![
            attack("a fifth change without four before it", message(vec![self.forged(|change| change.seq = 5)])),
            attack("a second change that does not know the first", {
                let second =
                    self.forged(|change| (change.seq, change.start_op) = (2, counter(change.start_op.get() + 1)));
                message(vec![good.clone(), second])
            }),
            attack("a counter near 2^32", message(vec![self.forged(start(4_294_967_290))])),
            attack("a counter far ahead", message(vec![self.forged(start(1_000_000))])),
            attack("a counter that is used already", message(vec![self.forged(start(2))])),
            attack("a second first change", message(vec![self.forged(root)])),
            attack("a good change and a corrupt one", message(vec![good.clone(), corrupt.clone()])),
            attack("a good change with a corrupt tail", message(vec![[good.clone(), vec![1, 2, 3]].concat()])),
            attack("a good change with a corrupt one behind it", message(vec![[good, corrupt].concat()])),
            Attack { code: CLOSE_START_AFRESH, ..attack("a whole document", message(vec![self.memo.clone().save()])) },
        ]
    }

    fn bombs(&self) -> Vec<Attack> {
        let head = self.memo.clone().get_heads()[0];
        let change = |kind, columns: &[(u32, &[u8])]| message(vec![chunk(kind, &change_body(head, columns))]);
        let zeros = vec![0; 50_000_000];
        let nested = |levels: u64| {
            self.forged(|change| {
                let start = change.start_op.get();
                let inside = |level: u64| match level {
                    0 => ObjectId::Root,
                    _ => ObjectId::Id(OpId::new(start + level - 1, &change.actor_id)),
                };
                let make = |level| Op { action: OpType::Make(ObjType::Map), ..put(&inside(level), "in".into(), &[]) };
                change.operations = (0..levels).map(make).collect();
            })
        };
        vec![
            attack("five million nulls in 100 bytes", change(1, &[(66, &run(5_000_000, 1)), (86, &run(5_000_000, 0))])),
            attack("2^40 operations", change(1, &[(66, &run(1 << 40, 1))])),
            attack(
                "20 million predecessors",
                change(1, &[(66, &run(1, 3)), (112, &run(1, 0x7f)), (113, &run(20_000_000, 0))]),
            ),
            attack("50 MB in 50 KB", change(2, &[(66, &run(1, 1)), (87, &zeros)])),
            attack("maps in maps, 100,000 deep", message(vec![nested(100_000)])),
            attack("maps in maps, 4,000 deep", message(vec![nested(4_000)])),
        ]
    }

    fn floods(&self) -> Vec<Attack> {
        let orphan = |n: u32| chunk(1, &change_body(ChangeHash(Sha256::digest(n.to_be_bytes()).into()), &[]));
        let template = self.plain();
        let actor = |n: u32| ActorId::from([&[0xac; 12][..], &n.to_be_bytes()].concat());
        let at_once = |n| bytes_of(ExpandedChange { actor_id: actor(n), ..template.clone() });
        vec![
            attack("5,000 changes whose past never comes", message((0..5_000).map(orphan).collect())),
            attack("5,000 people typing at once", message((0..5_000).map(at_once).collect())),
        ]
    }

    /// A change of a new actor that types a letter, good in itself, twisted.
    fn forged(&self, twist: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
        let mut change = self.plain();
        twist(&mut change);
        bytes_of(change)
    }

    fn plain(&self) -> ExpandedChange {
        let mut fork = self.memo.clone().with_author(None).with_actor(ActorId::random());
        let (_, body) = fork.get(ROOT, "body").expect("readable").expect("a memo has a body");
        fork.splice_text(&body, 0, 0, "x").expect("the start is in range");
        fork.commit();
        fork.get_last_local_change().expect("it was just made").decode()
    }

    fn marked(&self) -> Vec<u8> {
        let mut fork = self.memo.clone().with_author(None).with_actor(ActorId::random());
        let (_, body) = fork.get(ROOT, "body").expect("readable").expect("a memo has a body");
        let bold = Mark::new("bold".to_owned(), true, 0, 1);
        fork.mark(&body, bold, ExpandMark::After).expect("the first letter can be marked");
        fork.commit();
        fork.get_last_local_change().expect("it was just made").raw_bytes().to_vec()
    }

    fn first(&self) -> ChangeHash {
        self.memo.clone().get_changes(&[])[0].hash()
    }
}

fn attack(name: &'static str, data: Vec<u8>) -> Attack {
    Attack { name, data, code: CLOSE_BAD_DATA }
}

/// A sync message that brings these chunks and says nothing else.
pub fn message(chunks: Vec<Vec<u8>>) -> Vec<u8> {
    let changes = ChunkList::from(chunks);
    Message { heads: vec![], need: vec![], have: vec![], changes, flags: None, version: MessageVersion::V1 }.encode()
}

fn bytes_of(change: ExpandedChange) -> Vec<u8> {
    Change::from(change).raw_bytes().to_vec()
}

fn op_id(id: &ObjId) -> OpId {
    match id {
        ObjId::Id(counter, actor, _) => OpId::new(*counter, actor),
        ObjId::Root => panic!("the root has no operation"),
    }
}

fn put(obj: &ObjectId, key: Key, over: &[&OpId]) -> Op {
    let pred: Vec<OpId> = over.iter().map(|id| (*id).clone()).collect();
    Op { action: OpType::Put(ScalarValue::Null), obj: obj.clone(), key, pred: pred.into(), insert: false }
}

fn element(id: &OpId) -> Key {
    Key::Seq(ElementId::Id(id.clone()))
}

fn counter(op: u64) -> NonZeroU64 {
    NonZeroU64::new(op).expect("counters begin at one")
}

/// A chunk of a change, plain (1) or deflated (2), around any body, with the right checksum.
fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![1];
    unsigned(&mut hashed, body.len() as u64);
    hashed.extend(body);
    let hash = Sha256::digest(&hashed);
    let stored = if kind == 2 { deflate(body) } else { body.to_vec() };
    let mut out = vec![0x85, 0x6f, 0x4a, 0x83];
    out.extend(&hash[..4]);
    out.push(kind);
    unsigned(&mut out, stored.len() as u64);
    out.extend(stored);
    out
}

/// The body of a first change of a new actor on top of `dep`, with these columns of operations.
fn change_body(dep: ChangeHash, columns: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = vec![1];
    out.extend(dep.0);
    out.extend([2, 9, 9, 1]);
    unsigned(&mut out, 2_000);
    out.extend([0, 0, 0]);
    unsigned(&mut out, columns.len() as u64);
    for (spec, data) in columns {
        unsigned(&mut out, u64::from(*spec));
        unsigned(&mut out, data.len() as u64);
    }
    columns.iter().for_each(|(_, data)| out.extend(*data));
    out
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).expect("writing into memory cannot fail");
    encoder.finish().expect("writing into memory cannot fail")
}

/// A run length: so many times this value.
fn run(count: u64, value: u8) -> Vec<u8> {
    // Signed LEB128 of a positive number: six bits in the last byte.
    let (mut out, mut rest) = (Vec::new(), count);
    while rest >= 64 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.push(value);
    out
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

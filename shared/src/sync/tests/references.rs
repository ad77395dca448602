//! What an operation refers to must be there, be of the right kind, and be known to its author.

use automerge::{
    AutoCommit, Change, ExpandedChange, ObjId, ObjType, ROOT, ReadDoc, ScalarValue,
    legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec},
    sync::{ChunkList, Message, MessageVersion},
    transaction::{CommitOptions, Transactable},
};

use super::{Hub, Seeded, document, relay};
use crate::sync::rejection::{ChangeFault, Rejection};

const PEER: usize = 1;

/// A document with one thing of each kind, and something that the forger has not seen.
struct Scene {
    hub: Hub,
    doc: AutoCommit,
    forger: AutoCommit,
    text: ObjectId,
    letter: OpId,
    list: ObjectId,
    item: OpId,
    notes: ObjectId,
    value: OpId,
    other_value: OpId,
    counter: OpId,
    unseen_object: ObjectId,
    unseen_value: OpId,
    unseen_letter: OpId,
    /// Counter of the forger's next operation.
    next: u64,
}

fn commit(doc: &mut AutoCommit) {
    doc.commit_with(CommitOptions::default().with_time(0));
}

fn op_id(id: &ObjId) -> OpId {
    match id {
        ObjId::Id(counter, actor, _) => OpId::new(*counter, actor),
        ObjId::Root => panic!("the root has no operation"),
    }
}

fn value_at(doc: &AutoCommit, object: &ObjId, key: &str) -> OpId {
    op_id(&doc.get(object, key).unwrap().unwrap().1)
}

fn element_at(doc: &AutoCommit, object: &ObjId, at: usize) -> OpId {
    op_id(&doc.get(object, at).unwrap().unwrap().1)
}

fn send(hub: &mut Hub, changes: &[Change]) -> Result<usize, Rejection> {
    let chunks: Vec<_> = changes.iter().map(|change| change.raw_bytes().to_vec()).collect();
    let changes = ChunkList::from(chunks);
    let message =
        Message { heads: vec![], need: vec![], have: vec![], changes, flags: None, version: MessageVersion::V1 };
    let taken = hub.receive(PEER, &message.encode());
    hub.commit();
    taken
}

fn scene() -> Scene {
    let mut rng = Seeded(11);
    let mut hub = Hub::new();
    hub.sync.connect(PEER, relay());
    let mut doc = document(&mut rng, None);
    let start = doc.get_heads();
    let (_, body) = doc.get(ROOT, "body").unwrap().unwrap();
    let (_, notes) = doc.get(ROOT, "notes").unwrap().unwrap();
    doc.splice_text(&body, 0, 0, "あい").unwrap();
    let list = doc.put_object(&notes, "list", ObjType::List).unwrap();
    doc.insert(&list, 0, 1).unwrap();
    doc.put(&notes, "one", 1).unwrap();
    doc.put(&notes, "other", 2).unwrap();
    doc.put(&notes, "count", ScalarValue::counter(1)).unwrap();
    commit(&mut doc);
    let mut forger = doc.fork().with_actor(rng.actor());
    // Counters above those of what it will not see.
    (0..20).for_each(|n| forger.put(ROOT, "x", n).unwrap());
    commit(&mut forger);
    let unseen = doc.put_object(&notes, "unseen", ObjType::Map).unwrap();
    doc.put(&notes, "one", 3).unwrap();
    doc.splice_text(&body, 2, 0, "う").unwrap();
    commit(&mut doc);
    send(&mut hub, &doc.get_changes(&start)).unwrap();
    let early = forger.get_last_local_change().unwrap();
    send(&mut hub, std::slice::from_ref(&early)).unwrap();
    Scene {
        next: early.max_op() + 1,
        text: ObjectId::Id(op_id(&body)),
        letter: element_at(&forger, &body, 0),
        list: ObjectId::Id(op_id(&list)),
        item: element_at(&forger, &list, 0),
        notes: ObjectId::Id(op_id(&notes)),
        value: value_at(&forger, &notes, "one"),
        other_value: value_at(&forger, &notes, "other"),
        counter: value_at(&forger, &notes, "count"),
        unseen_object: ObjectId::Id(op_id(&unseen)),
        unseen_value: value_at(&doc, &notes, "one"),
        unseen_letter: element_at(&doc, &body, 2),
        hub,
        doc,
        forger,
    }
}

fn put(obj: &ObjectId, key: Key, pred: &[&OpId]) -> Op {
    let pred: SortedVec<OpId> = pred.iter().map(|id| (*id).clone()).collect();
    Op { action: OpType::Put(ScalarValue::Null), obj: obj.clone(), key, pred, insert: false }
}

fn insert(obj: &ObjectId, after: Key) -> Op {
    Op { insert: true, ..put(obj, after, &[]) }
}

fn element(id: &OpId) -> Key {
    Key::Seq(ElementId::Id(id.clone()))
}

impl Scene {
    /// The forger's next change with these operations.
    fn forged(&mut self, operations: Vec<Op>) -> Change {
        self.forger.put(ROOT, "x", 1).unwrap();
        commit(&mut self.forger);
        let honest = self.forger.get_last_local_change().unwrap().decode();
        Change::from(ExpandedChange { operations, ..honest })
    }

    fn fault(mut self, operations: Vec<Op>) -> Option<ChangeFault> {
        let change = self.forged(operations);
        let before = self.hub.sync.heads();
        match send(&mut self.hub, &[change]) {
            Ok(_) => None,
            Err(Rejection::Change { fault, .. }) => {
                assert_eq!(self.hub.sync.heads(), before, "the document is undisturbed");
                // The others go on.
                self.hub.sync.connect(PEER, relay());
                let start = self.doc.get_heads();
                self.doc.put(ROOT, "k", 1).unwrap();
                commit(&mut self.doc);
                assert_eq!(send(&mut self.hub, &self.doc.get_changes(&start)), Ok(1));
                Some(fault)
            }
            Err(other) => panic!("not a fault of a change: {other}"),
        }
    }
}

#[test]
fn wrong_references_are_refused() {
    type Forge = fn(&Scene) -> Vec<Op>;
    let cases: [(&str, Forge); 19] = [
        ("a value as object", |s| vec![put(&ObjectId::Id(s.value.clone()), "k".into(), &[])]),
        ("an object that is nowhere", |s| vec![put(&ObjectId::Id(OpId::new(1, s.letter.actor())), "k".into(), &[])]),
        ("an object made at the same time", |s| vec![put(&s.unseen_object, "k".into(), &[])]),
        ("a key in a text", |s| vec![put(&s.text, "k".into(), &[])]),
        ("an element in a map", |s| vec![insert(&s.notes, element(&s.letter))]),
        ("after an element of another object", |s| vec![insert(&s.text, element(&s.item))]),
        ("after a value of a map", |s| vec![insert(&s.text, element(&s.value))]),
        ("after an element inserted at the same time", |s| vec![insert(&s.text, element(&s.unseen_letter))]),
        ("after an element that is nowhere", |s| {
            vec![insert(&s.text, element(&OpId::new(s.counter.counter() + 1, s.letter.actor())))]
        }),
        ("a predecessor at another key", |s| vec![put(&s.notes, "one".into(), &[&s.other_value])]),
        ("a predecessor in another object", |s| vec![put(&ObjectId::Root, "one".into(), &[&s.value])]),
        ("a predecessor made at the same time", |s| vec![put(&s.notes, "one".into(), &[&s.unseen_value])]),
        ("a predecessor that is nowhere", |s| vec![put(&s.notes, "one".into(), &[&OpId::new(1, s.letter.actor())])]),
        ("a predecessor named twice", |s| vec![put(&s.notes, "one".into(), &[&s.value, &s.value])]),
        ("another element as predecessor", |s| vec![put(&s.list, element(&s.item), &[&s.letter])]),
        ("an increment of a number", |s| {
            vec![Op { action: OpType::Increment(1), ..put(&s.notes, "one".into(), &[&s.value]) }]
        }),
        ("a character that becomes a number", |s| vec![put(&s.text, element(&s.letter), &[&s.letter])]),
        ("something that was only deleted", |s| {
            let delete = Op { action: OpType::Delete, ..put(&s.notes, "one".into(), &[&s.value]) };
            let deleted = OpId::new(s.next, s.forger.get_actor());
            vec![delete, put(&s.notes, "one".into(), &[&deleted])]
        }),
        ("objects in objects in objects", |s| {
            let make = |depth: u64| {
                let inside = ObjectId::Id(OpId::new(s.next + depth - 1, s.forger.get_actor()));
                let obj = if depth == 0 { s.notes.clone() } else { inside };
                Op { action: OpType::Make(ObjType::Map), ..put(&obj, "in".into(), &[]) }
            };
            (0..1_000).map(make).collect()
        }),
    ];
    for (name, forge) in cases {
        let scene = scene();
        let operations = forge(&scene);
        let fault = scene.fault(operations);
        assert!(matches!(fault, Some(ChangeFault::Reference(_))), "{name}: {fault:?}");
    }
}

#[test]
fn right_references_of_the_same_shapes_are_accepted() {
    type Forge = fn(&Scene) -> Vec<Op>;
    let cases: [(&str, Forge); 6] = [
        ("a value over another", |s| vec![put(&s.notes, "one".into(), &[&s.value])]),
        ("beside a value", |s| vec![put(&s.notes, "one".into(), &[])]),
        ("an element after another", |s| vec![insert(&s.list, element(&s.item))]),
        ("an element set anew", |s| vec![put(&s.list, element(&s.item), &[&s.item])]),
        ("an increment", |s| vec![Op { action: OpType::Increment(1), ..put(&s.notes, "count".into(), &[&s.counter]) }]),
        ("a deletion", |s| vec![Op { action: OpType::Delete, ..put(&s.text, element(&s.letter), &[&s.letter]) }]),
    ];
    for (name, forge) in cases {
        let scene = scene();
        let operations = forge(&scene);
        assert_eq!(scene.fault(operations), None, "{name}");
    }
}

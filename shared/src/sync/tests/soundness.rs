//! Whatever the guard accepts applies to any replica and survives saving, and nothing honest is refused.
//!
//! Documents grow by every kind of operation that a stock client makes on taiwa's documents. Then honest changes are
//! twisted at random, so that they refer to anything that exists anywhere, and sent. `SYNC_SEED=<n>` repeats one run.

use std::collections::{BTreeMap, HashMap};

use automerge::{
    AutoCommit, Automerge, Change, ExpandedChange, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value,
    legacy::{ElementId, Key, ObjectId, Op, OpId, OpType},
    sync::{ChunkList, Message, MessageVersion},
    transaction::{CommitOptions, Transactable},
};

use super::{Hub, Seeded, document, edit, genesis, relay, simulation::NameSeed, type_key, user};
use crate::sync::{chunks::ChangeHash, rejection::Rejection};

/// Runs of this test; a change to the guard is worth `SYNC_RUNS=5000` once.
const RUNS: u64 = 30;
const PEER: usize = 1;
const TWISTED: usize = 25;

struct World {
    rng: Seeded,
    hub: Hub,
    /// In the order in which the hub took them.
    history: Vec<Change>,
    docs: Vec<AutoCommit>,
    reached: Reached,
}

/// What the honest changes did, and how often.
#[derive(Default)]
struct Reached {
    kinds: BTreeMap<String, usize>,
    objects: HashMap<OpId, ObjType>,
}

impl Reached {
    fn learn(&mut self, change: &Change) {
        let expanded = change.decode();
        for (counter, op) in (expanded.start_op.get()..).zip(&expanded.operations) {
            if let OpType::Make(kind) = &op.action {
                self.objects.insert(OpId::new(counter, &expanded.actor_id), *kind);
            }
        }
    }

    fn note(&mut self, change: &Change) {
        let mut reached = |kind: &str| *self.kinds.entry(kind.to_owned()).or_default() += 1;
        let expanded = change.decode();
        let marks = [
            ("change without operations", expanded.operations.is_empty()),
            ("change that names its author", !expanded.extra_bytes.is_empty()),
            ("change with a message", expanded.message.is_some()),
            ("change on top of several", expanded.deps.len() > 1),
        ];
        marks.into_iter().filter(|(_, is_so)| *is_so).for_each(|(kind, _)| reached(kind));
        for op in &expanded.operations {
            let inside = match &op.obj {
                ObjectId::Root => ObjType::Map,
                ObjectId::Id(id) => self.objects[id],
            };
            let deed = match &op.action {
                OpType::Make(kind) => format!("make {kind}"),
                OpType::Put(value) => format!("put {}", scalar_name(value)),
                OpType::Increment(_) => "increment".to_owned(),
                OpType::Delete => "delete".to_owned(),
                OpType::MarkBegin(..) | OpType::MarkEnd(_) => "mark".to_owned(),
            };
            let how = if op.insert { "inserted in" } else { "in" };
            reached(&format!("{deed} {how} {inside}"));
            if op.pred.len() > 1 {
                let over = if matches!(op.action, OpType::Increment(_)) { "increment" } else { "anything" };
                reached(&format!("{over} over several values"));
            }
        }
    }
}

fn scalar_name(value: &ScalarValue) -> &'static str {
    match value {
        ScalarValue::Null => "null",
        ScalarValue::Boolean(_) => "boolean",
        ScalarValue::Int(_) => "int",
        ScalarValue::Uint(_) => "uint",
        ScalarValue::F64(_) => "f64",
        ScalarValue::Str(_) => "str",
        ScalarValue::Bytes(_) => "bytes",
        ScalarValue::Timestamp(_) => "timestamp",
        ScalarValue::Counter(_) => "counter",
        ScalarValue::Unknown { .. } => "unknown",
    }
}

/// Everything that a stock client can do with a document. Marks are refused, see docs/adr; no client makes tables.
fn everything() -> Vec<String> {
    let scalars = ["null", "boolean", "int", "uint", "f64", "str", "bytes", "timestamp", "counter"];
    let values: Vec<String> = scalars
        .iter()
        .map(|scalar| format!("put {scalar}"))
        .chain(["map", "list", "text"].iter().map(|kind| format!("make {kind}")))
        .collect();
    let places = ["in map", "in list", "inserted in list"];
    let mut all: Vec<String> =
        places.iter().flat_map(|place| values.iter().map(move |value| format!("{value} {place}"))).collect();
    let others = [
        "increment in map",
        "increment in list",
        "delete in map",
        "delete in list",
        "delete in text",
        "put str inserted in text",
        "make map inserted in text",
        "anything over several values",
        "increment over several values",
        "change without operations",
        "change that names its author",
        "change with a message",
        "change on top of several",
    ];
    all.extend(others.map(str::to_owned));
    all
}

fn commit(doc: &mut AutoCommit) {
    doc.commit_with(CommitOptions::default().with_time(0));
}

fn objects(doc: &AutoCommit) -> Vec<(ObjId, ObjType)> {
    let mut found = vec![(ROOT, ObjType::Map)];
    let mut next = 0;
    while next < found.len() && found.len() < 60 {
        let (object, kind) = found[next].clone();
        next += 1;
        if kind == ObjType::Text {
            continue;
        }
        let children: Vec<_> = if kind == ObjType::Map {
            doc.map_range(&object, ..).map(|item| (item.value.clone().into_value(), item.id())).collect()
        } else {
            doc.list_range(&object, ..).map(|item| (item.value.clone().into_value(), item.id())).collect()
        };
        found.extend(children.into_iter().filter_map(|(value, id)| match value {
            Value::Object(kind) => Some((id, kind)),
            Value::Scalar(_) => None,
        }));
    }
    found
}

fn scalar(rng: &mut Seeded) -> ScalarValue {
    match rng.below(10) {
        0 | 1 => ScalarValue::counter(3),
        2 => ScalarValue::Null,
        3 => ScalarValue::F64(0.5),
        4 => ScalarValue::Boolean(true),
        5 => ScalarValue::Bytes(vec![7; 3]),
        6 => ScalarValue::Timestamp(9),
        7 => ScalarValue::Uint(rng.next()),
        8 => ScalarValue::Int(-9),
        _ => ScalarValue::Str("値".into()),
    }
}

/// Anything a stock client can do anywhere in a document.
fn stock_edit(doc: &mut AutoCommit, rng: &mut Seeded) {
    let all = objects(doc);
    let before = doc.get_heads();
    for _ in 0..1 + rng.below(5) {
        // Lists as often as maps, though there are fewer of them.
        let wanted = [ObjType::Map, ObjType::List, ObjType::List, ObjType::Text][rng.below(4)];
        let alike: Vec<_> = all.iter().filter(|(_, kind)| *kind == wanted).collect();
        let (object, kind) = if alike.is_empty() { &all[0] } else { alike[rng.below(alike.len())] };
        let kinds = [ObjType::Map, ObjType::List, ObjType::Text];
        let child = kinds[rng.below(3)];
        // What does not fit (increment of a text, deletion of nothing) is refused by Automerge and changes nothing.
        match kind {
            ObjType::Map | ObjType::Table => {
                let key = format!("k{}", rng.below(5));
                match rng.below(6) {
                    0 => drop(doc.delete(object, &*key)),
                    1 | 2 => drop(doc.increment(object, &*key, 2)),
                    3 => drop(doc.put_object(object, &*key, child)),
                    _ => drop(doc.put(object, &*key, scalar(rng))),
                }
            }
            ObjType::List => {
                let length = doc.length(object);
                match rng.below(12) {
                    0 if length > 0 => drop(doc.delete(object, rng.below(length))),
                    1..4 if length > 0 => (0..length).for_each(|at| drop(doc.increment(object, at, -1))),
                    4..7 if length > 0 => drop(doc.put(object, rng.below(length), scalar(rng))),
                    7 if length > 0 => drop(doc.put_object(object, rng.below(length), child)),
                    8 => drop(doc.insert_object(object, rng.below(length + 1), child)),
                    _ => drop(doc.insert(object, rng.below(length + 1), scalar(rng))),
                }
            }
            ObjType::Text => {
                let length = doc.length(object);
                let at = rng.below(length + 1);
                match rng.below(8) {
                    0 => drop(doc.splice_text(object, at, (length - at).min(3) as isize, "")),
                    1 => drop(doc.split_block(object, at)),
                    2 => drop(doc.update_text(object, "すっかり書き直した🙂")),
                    _ => drop(doc.splice_text(object, at, 0, "あい🙂")),
                }
            }
        }
    }
    commit(doc);
    if doc.get_heads() == before {
        edit(doc, rng);
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Seeded(seed);
        let mut hub = Hub::new();
        hub.sync.connect(PEER, relay());
        let docs = [None, Some(user(1)), Some(user(2))].map(|author| document(&mut rng, author)).into();
        let first = Change::try_from(&genesis().bytes[..]).unwrap();
        let mut reached = Reached::default();
        reached.learn(&first);
        Self { rng, hub, history: vec![first], docs, reached }
    }

    fn send(&mut self, changes: Vec<Change>) -> Result<(), Rejection> {
        let chunks: Vec<_> = changes.iter().map(|change| change.raw_bytes().to_vec()).collect();
        let changes_of = ChunkList::from(chunks);
        let (heads, need, have) = (vec![], vec![], vec![]);
        let message = Message { heads, need, have, changes: changes_of, flags: None, version: MessageVersion::V1 };
        match self.hub.receive(PEER, &message.encode()) {
            Ok(_) => {
                self.hub.commit();
                changes.iter().for_each(|change| self.reached.learn(change));
                self.history.extend(changes);
                Ok(())
            }
            Err(rejection) => {
                self.hub.sync.connect(PEER, relay());
                Err(rejection)
            }
        }
    }

    /// A client edits, and now and then hears of everything; the hub takes what is new.
    fn honest_step(&mut self) {
        let at = self.rng.below(self.docs.len());
        if self.rng.one_in(4) {
            self.docs[at].apply_changes(self.history.iter().cloned()).expect("what was accepted applies");
        }
        let doc = &mut self.docs[at];
        match self.rng.below(12) {
            0 => {
                // Not on its own, see `edit`.
                doc.empty_change(CommitOptions::default().with_time(0));
                type_key(doc, "あ");
            }
            1..5 => edit(doc, &mut self.rng),
            _ => stock_edit(doc, &mut self.rng),
        }
        let known: Vec<ChangeHash> = self.history.iter().map(Change::hash).collect();
        let new: Vec<_> =
            self.docs[at].get_changes(&[]).into_iter().filter(|change| !known.contains(&change.hash())).collect();
        self.send(new.clone()).expect("an honest change was refused");
        new.iter().for_each(|change| self.reached.note(change));
    }

    /// Operations of all changes, to refer to.
    fn ids(&self) -> Vec<OpId> {
        let of = |change: &Change| {
            let (start, actor, length) = (change.start_op().get(), change.actor_id().clone(), change.len() as u64);
            (start..start + length).map(move |counter| OpId::new(counter, &actor))
        };
        self.history.iter().flat_map(of).collect()
    }

    /// A fresh actor's change, twisted.
    fn twisted(&mut self) -> Option<Change> {
        let from = self.rng.below(self.docs.len());
        let mut fork = self.docs[from].fork().with_actor(self.rng.actor());
        stock_edit(&mut fork, &mut self.rng);
        let mut expanded = fork.get_last_local_change()?.decode();
        let ids = self.ids();
        for _ in 0..1 + self.rng.below(2) {
            self.twist(&mut expanded, &ids);
        }
        // Automerge cannot write down everything; what it panics at is not a change.
        std::panic::catch_unwind(|| Change::from(expanded)).ok()
    }

    fn any_id(&mut self, ids: &[OpId], own: &ExpandedChange) -> OpId {
        match self.rng.below(12) {
            0 => OpId::new(own.start_op.get() + self.rng.below(4) as u64, &own.actor_id),
            1 => OpId::new(self.rng.below(200) as u64, ids[self.rng.below(ids.len())].actor()),
            _ => ids[self.rng.below(ids.len())].clone(),
        }
    }

    fn twist(&mut self, change: &mut ExpandedChange, ids: &[OpId]) {
        if change.operations.is_empty() {
            return;
        }
        let at = self.rng.below(change.operations.len());
        let id = self.any_id(ids, change);
        let rng = &mut self.rng;
        match rng.below(12) {
            0 => change.operations[at].obj = ObjectId::Id(id),
            1 => change.operations[at].obj = ObjectId::Root,
            2 => change.operations[at].key = Key::Map(format!("k{}", rng.below(5)).as_str().into()),
            3 => change.operations[at].key = Key::Seq(ElementId::Id(id)),
            4 => change.operations[at].key = Key::Seq(ElementId::Head),
            5 => change.operations[at].pred = vec![id].into(),
            6 => {
                let op: &mut Op = &mut change.operations[at];
                let mut all: Vec<_> = op.pred.iter().cloned().collect();
                all.push(id);
                op.pred = all.into();
            }
            7 => change.operations[at].pred = Vec::new().into(),
            8 => change.operations[at].insert ^= true,
            9 => {
                let actions = [
                    OpType::Delete,
                    OpType::Increment(1),
                    OpType::Make(ObjType::Map),
                    OpType::Make(ObjType::Text),
                    OpType::Put(ScalarValue::Null),
                    OpType::Put(ScalarValue::counter(1)),
                ];
                change.operations[at].action = actions[rng.below(actions.len())].clone();
            }
            10 => {
                // On top of an older state: what it refers to may be later.
                let base = &self.history[rng.below(self.history.len())];
                change.deps = vec![base.hash()];
            }
            _ => change.start_op = change.start_op.saturating_add(rng.below(50) as u64),
        }
    }

    /// What was accepted applies to a fresh replica and to one that has all but the last, and can be saved.
    fn check(&self) {
        let mut fresh = Automerge::new();
        fresh.apply_changes(self.history.iter().cloned()).expect("accepted changes apply");
        let mut grown = Automerge::new();
        let (last, before) = self.history.split_last().unwrap();
        grown.apply_changes(before.iter().cloned()).expect("accepted changes apply");
        grown.apply_changes([last.clone()]).expect("an accepted change applies by itself");
        let sorted = |mut heads: Vec<ChangeHash>| {
            heads.sort_unstable();
            heads
        };
        let heads = sorted(fresh.get_heads());
        assert_eq!(heads, self.hub.sync.heads(), "a replica has other heads than the hub");
        assert_eq!(heads, sorted(grown.get_heads()), "two replicas have different heads");
        let shown = contents(&fresh);
        assert_eq!(shown, contents(&grown), "two replicas show different things");
        let loaded = Automerge::load(&fresh.save()).expect("a saved document can be loaded");
        assert_eq!(heads, sorted(loaded.get_heads()), "saving changed the heads");
        assert_eq!(shown, contents(&loaded), "saving changed what is shown");
    }
}

/// Everything a document shows, conflicts too.
fn contents(doc: &Automerge) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    let mut open = vec![(ROOT, ObjType::Map)];
    while let Some((object, kind)) = open.pop() {
        if kind == ObjType::Text {
            shown.insert(format!("{object} text"), doc.text(&object).unwrap());
        }
        let keys: Vec<String> = doc.keys(&object).collect();
        let length = doc.length(&object);
        let values: Vec<(String, Vec<_>)> = match kind {
            ObjType::Map | ObjType::Table => {
                keys.into_iter().map(|key| (key.clone(), doc.get_all(&object, &*key).unwrap())).collect()
            }
            ObjType::List | ObjType::Text => {
                (0..length).map(|at| (at.to_string(), doc.get_all(&object, at).unwrap())).collect()
            }
        };
        for (place, all) in values {
            for (value, id) in all {
                shown.insert(format!("{object} {place} {id}"), format!("{value:?}"));
                if let Value::Object(kind) = value {
                    open.push((id, kind));
                }
            }
        }
    }
    shown
}

/// Runs one seed; returns how many twisted changes were accepted and refused, and what the honest ones did.
fn run(seed: u64) -> (usize, usize, Reached) {
    let _seed = NameSeed(seed);
    let mut world = World::new(seed);
    for _ in 0..20 {
        world.honest_step();
    }
    world.check();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..TWISTED {
        let Some(change) = world.twisted() else { continue };
        if world.history.iter().any(|known| known.hash() == change.hash()) {
            continue;
        }
        match world.send(vec![change]) {
            Ok(()) => {
                accepted += 1;
                world.check();
            }
            Err(_) => refused += 1,
        }
        if world.rng.one_in(3) {
            world.honest_step();
        }
    }
    world.check();
    (accepted, refused, world.reached)
}

#[test]
fn whatever_is_accepted_applies_everywhere_and_nothing_honest_is_refused() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SYNC_SEED") {
        run(seed);
        return;
    }
    let runs = number("SYNC_RUNS").unwrap_or(RUNS);
    let (mut accepted, mut refused) = (0, 0);
    let mut reached: BTreeMap<String, usize> = everything().into_iter().map(|kind| (kind, 0)).collect();
    for seed in 1..=runs {
        let (more_accepted, more_refused, kinds) = run(seed);
        accepted += more_accepted;
        refused += more_refused;
        kinds.kinds.into_iter().for_each(|(kind, times)| *reached.entry(kind).or_default() += times);
    }
    println!("soundness: honest changes did {reached:#?}");
    for (kind, times) in &reached {
        assert!(everything().contains(kind), "{kind} is not in the list of what a client can do");
        assert!(*times >= 2, "{kind}: {times} times in {runs} runs are too few to prove anything");
    }
    println!("soundness: {accepted} twisted changes accepted, {refused} refused");
    assert!(accepted > 2 * runs as usize && refused > 2 * runs as usize, "the twists are too tame or too wild");
}

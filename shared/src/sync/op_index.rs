//! What every operation of a document is, so that a new change's references are checked without opening the document.
//!
//! Kept by the change graph and as long as it: operation id to (object, key or element, kind, change). Typing is one
//! entry per burst, because the insertions of an actor have neighbouring counters. Holds no values. Deletions and
//! increments are not in it: nothing refers to them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    graph::Index,
    guard::references::{Deed, LocalId, ObjectKind, Operation, Operations, Place},
    limits::MAX_OBJECT_DEPTH,
    rejection::ChangeFault,
};

/// Number of an actor in the graph.
pub(crate) type ActorNumber = u32;
/// Number of an object here; 0 is the root map.
type ObjectNumber = u32;

const ROOT: ObjectNumber = 0;
/// Up to so many predecessors of one operation are compared with each other one by one.
const FEW: usize = 8;

/// An operation of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct OpId {
    actor: ActorNumber,
    counter: u32,
}

/// Where in its object an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    /// Number of a key here.
    Key(u32),
    /// An inserted element is its own place.
    Itself,
    /// Another value of an element.
    Element(OpId),
}

/// Operations of one actor with neighbouring counters that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: u32,
    length: u32,
    object: ObjectNumber,
    spot: Spot,
    is_counter: bool,
}

#[derive(Debug)]
struct Object {
    id: OpId,
    kind: ObjectKind,
    depth: u16,
    /// The change that made it.
    made: Index,
}

/// The operations of one actor.
#[derive(Debug, Default)]
struct ActorOps {
    /// Counter of the first operation, and the change; in order.
    changes: Vec<(u32, Index)>,
    runs: Vec<Run>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OpIndex {
    actors: Vec<ActorOps>,
    /// All but the root map.
    objects: Vec<Object>,
    object_by_id: HashMap<OpId, ObjectNumber>,
    /// With the change that brought it.
    keys: Vec<(Arc<str>, Index)>,
    key_by_text: HashMap<Arc<str>, u32>,
}

/// What a change can know of the document: all but these changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Horizon {
    /// Sorted.
    beyond: Vec<Index>,
}

impl Horizon {
    /// `beyond` are the changes that are not ancestors, sorted.
    pub(crate) fn new(beyond: Vec<Index>) -> Self {
        Self { beyond }
    }

    fn sees(&self, change: Index) -> bool {
        self.beyond.binary_search(&change).is_err()
    }
}

/// A change while it is added: its operations, and the actors and keys as they are numbered here.
struct Adding<'a> {
    change: Index,
    actors: &'a [ActorNumber],
    horizon: Option<&'a Horizon>,
    operations: &'a Operations,
    keys: Vec<Option<u32>>,
}

impl Adding<'_> {
    fn global(&self, id: LocalId) -> OpId {
        let actor = self.actors.get(id.actor as usize).copied().unwrap_or(ActorNumber::MAX);
        OpId { actor, counter: id.counter }
    }

    fn sees(&self, change: Index) -> bool {
        self.horizon.is_none_or(|horizon| horizon.sees(change))
    }
}

fn fault<T>(what: &'static str) -> Result<T, ChangeFault> {
    Err(ChangeFault::Reference(what))
}

impl OpIndex {
    /// Adds the operations of a change; `actors` are the graph's numbers of [`Operations::actors`]. Each reference has
    /// to lead to something that is there, fits, and lies within `horizon`. Without a horizon the change was let in
    /// before: what does not fit is left out.
    ///
    /// # Errors
    /// [`ChangeFault`]; then the change has to be cut off with [`Self::truncate`].
    pub(crate) fn push(
        &mut self,
        change: Index,
        actors: &[ActorNumber],
        operations: &Operations,
        horizon: Option<&Horizon>,
    ) -> Result<(), ChangeFault> {
        let Some(own) = actors.first().map(|actor| *actor as usize) else { return Ok(()) };
        if self.actors.len() <= own {
            self.actors.resize_with(own + 1, ActorOps::default);
        }
        self.actors[own].changes.push((operations.start, change));
        let mut adding = Adding { change, actors, horizon, operations, keys: vec![None; operations.keys.len()] };
        for (counter, operation, predecessors) in operations.each() {
            let id = OpId { actor: actors[0], counter };
            match self.add(&mut adding, id, operation, predecessors) {
                Err(fault) if horizon.is_some() => return Err(fault),
                _ => {}
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        adding: &mut Adding<'_>,
        id: OpId,
        operation: &Operation,
        predecessors: &[LocalId],
    ) -> Result<(), ChangeFault> {
        let (object, depth) = self.object(adding, operation)?;
        let spot = self.spot(adding, object, operation)?;
        self.check_predecessors(adding, object, spot, operation.deed, predecessors)?;
        match operation.deed {
            Deed::Delete | Deed::Increment => return Ok(()),
            Deed::Make(_) if depth >= MAX_OBJECT_DEPTH => return fault("objects nested too deeply"),
            Deed::Make(kind) => {
                self.objects.push(Object { id, kind, depth: depth + 1, made: adding.change });
                self.object_by_id.insert(id, self.objects.len() as ObjectNumber);
            }
            Deed::Put | Deed::PutCounter => {}
        }
        let is_counter = operation.deed == Deed::PutCounter;
        let run = Run { start: id.counter, length: 1, object, spot, is_counter };
        let runs = &mut self.actors[id.actor as usize].runs;
        match runs.last_mut() {
            Some(last) if last.is_continued_by(&run) => last.length += 1,
            _ => runs.push(run),
        }
        Ok(())
    }

    /// The object that an operation works in, and how deep it lies.
    fn object(&self, adding: &Adding<'_>, operation: &Operation) -> Result<(ObjectNumber, u16), ChangeFault> {
        let Some(id) = operation.object else { return Ok((ROOT, 0)) };
        match self.object_by_id.get(&adding.global(id)) {
            Some(number) => {
                let object = &self.objects[*number as usize - 1];
                if adding.sees(object.made) {
                    Ok((*number, object.depth))
                } else {
                    fault("object made at the same time")
                }
            }
            None => fault("no such object"),
        }
    }

    fn kind(&self, object: ObjectNumber) -> ObjectKind {
        match object {
            ROOT => ObjectKind::Map,
            other => self.objects[other as usize - 1].kind,
        }
    }

    fn spot(
        &mut self,
        adding: &mut Adding<'_>,
        object: ObjectNumber,
        operation: &Operation,
    ) -> Result<Spot, ChangeFault> {
        let kind = self.kind(object);
        // Automerge 0.12 only inserts into texts and deletes from them, and panics over anything else.
        if kind == ObjectKind::Text && !operation.inserts && operation.deed != Deed::Delete {
            return fault("a character that is changed in place");
        }
        match (kind, operation.place) {
            (ObjectKind::Map, Place::Key(key)) if !operation.inserts => Ok(Spot::Key(self.key(adding, key))),
            (ObjectKind::List | ObjectKind::Text, Place::Head) if operation.inserts => Ok(Spot::Itself),
            (ObjectKind::List | ObjectKind::Text, Place::Element(element)) => {
                let id = adding.global(element);
                let Some((run, change)) = self.find(id) else { return fault("no such element") };
                if run.object != object || run.spot != Spot::Itself {
                    fault("not an element of this object")
                } else if !adding.sees(change) {
                    fault("element inserted at the same time")
                } else {
                    Ok(if operation.inserts { Spot::Itself } else { Spot::Element(id) })
                }
            }
            _ => fault("a key in a sequence, or an element in a map"),
        }
    }

    /// The number of a change's key here; a new one is kept.
    fn key(&mut self, adding: &mut Adding<'_>, key: u32) -> u32 {
        if let Some(known) = adding.keys[key as usize] {
            return known;
        }
        let text = &adding.operations.keys[key as usize];
        let number = match self.key_by_text.get(&**text) {
            Some(number) => *number,
            None => {
                let number = self.keys.len() as u32;
                let text: Arc<str> = Arc::from(&**text);
                self.keys.push((Arc::clone(&text), adding.change));
                self.key_by_text.insert(text, number);
                number
            }
        };
        adding.keys[key as usize] = Some(number);
        number
    }

    fn check_predecessors(
        &self,
        adding: &Adding<'_>,
        object: ObjectNumber,
        spot: Spot,
        deed: Deed,
        predecessors: &[LocalId],
    ) -> Result<(), ChangeFault> {
        let mut counts = false;
        for local in predecessors {
            let id = adding.global(*local);
            let Some((run, change)) = self.find(id) else { return fault("no such predecessor") };
            let is_same_spot = match spot {
                Spot::Key(_) => run.spot == spot,
                Spot::Element(element) => (run.spot == Spot::Itself && id == element) || run.spot == spot,
                Spot::Itself => false,
            };
            if run.object != object || !is_same_spot {
                return fault("predecessor at another place");
            }
            if !adding.sees(change) {
                return fault("predecessor made at the same time");
            }
            counts |= run.is_counter;
        }
        // Beside the counter its predecessors may be values that were set at the same time.
        if deed == Deed::Increment && !counts {
            return fault("increment of something that does not count");
        }
        if are_different(predecessors) { Ok(()) } else { fault("predecessor named twice") }
    }

    /// The run an operation lies in, and its change.
    fn find(&self, id: OpId) -> Option<(Run, Index)> {
        let actor = self.actors.get(id.actor as usize)?;
        let run = actor.runs[..actor.runs.partition_point(|run| run.start <= id.counter)].last()?;
        if id.counter - run.start >= run.length {
            return None;
        }
        let changes = &actor.changes[..actor.changes.partition_point(|(start, _)| *start <= id.counter)];
        changes.last().map(|(_, change)| (*run, *change))
    }

    /// Cuts off the changes from `length` on.
    pub(crate) fn truncate(&mut self, length: Index) {
        for actor in &mut self.actors {
            let kept = actor.changes.partition_point(|(_, change)| *change < length);
            let Some((first, _)) = actor.changes.get(kept).copied() else { continue };
            actor.changes.truncate(kept);
            actor.runs.truncate(actor.runs.partition_point(|run| run.start < first));
            if let Some(last) = actor.runs.last_mut() {
                last.length = last.length.min(first - last.start);
            }
        }
        while self.actors.last().is_some_and(|actor| actor.changes.is_empty()) {
            self.actors.pop();
        }
        while let Some(object) = self.objects.pop_if(|object| object.made >= length) {
            self.object_by_id.remove(&object.id);
        }
        while let Some((text, _)) = self.keys.pop_if(|(_, brought)| *brought >= length) {
            self.key_by_text.remove(&text);
        }
    }

    /// About how much memory it takes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let actor = |actor: &ActorOps| {
            size_of::<ActorOps>()
                + actor.changes.capacity() * size_of::<(u32, Index)>()
                + actor.runs.capacity() * size_of::<Run>()
        };
        let key = |(text, _): &(Arc<str>, Index)| text.len() + 4 * size_of::<usize>();
        self.actors.iter().map(actor).sum::<usize>()
            + self.objects.capacity() * (size_of::<Object>() + size_of::<(OpId, ObjectNumber)>())
            + self.keys.iter().map(key).sum::<usize>()
            + self.keys.capacity() * 2 * size_of::<(Arc<str>, Index)>()
    }
}

impl Run {
    fn is_continued_by(&self, next: &Self) -> bool {
        let grown = Self { start: self.start + self.length, length: 1, ..*self };
        self.spot == Spot::Itself && grown == *next
    }
}

fn are_different(predecessors: &[LocalId]) -> bool {
    if predecessors.len() <= FEW {
        return predecessors.iter().enumerate().all(|(at, id)| !predecessors[..at].contains(id));
    }
    let mut seen = HashSet::with_capacity(predecessors.len());
    predecessors.iter().all(|id| seen.insert((id.actor, id.counter)))
}

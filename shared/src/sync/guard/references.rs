//! The operations of one change in short: what each one makes and what it refers to, without values.
//!
//! Made while a change is inspected, outside the document's lock; the op index checks and keeps it. Actors and keys
//! are numbers into tables of the change, so that a run length that names one key five thousand times costs it once.

use std::{
    collections::HashMap,
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{
    Change, ExpandedChange, ObjType, ScalarValue,
    legacy::{ElementId, Key, ObjectId, OpId, OpType},
};

use crate::sync::{chunks::ActorId, rejection::ChangeFault};

/// An operation by its counter and the number of its actor in [`Operations::actors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalId {
    pub(crate) actor: u32,
    pub(crate) counter: u32,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Map,
    List,
    Text,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Make(ObjectKind),
    Put,
    PutCounter,
    Increment,
    Delete,
}

/// Where in its object an operation works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Number of a key in [`Operations::keys`].
    Key(u32),
    /// Before the first element.
    Head,
    /// At an element, or after it when inserting.
    Element(LocalId),
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The object, if it is not the root map.
    pub(crate) object: Option<LocalId>,
    pub(crate) place: Place,
    pub(crate) inserts: bool,
    pub(crate) deed: Deed,
    /// End of its predecessors in [`Operations::predecessors`]; they begin where those of the operation before end.
    pub(crate) predecessors_end: u32,
}

/// The operations of one change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Operations {
    /// Counter of the first.
    pub(crate) start: u32,
    /// The change's own actor is the first.
    pub(crate) actors: Vec<ActorId>,
    pub(crate) keys: Vec<Box<str>>,
    pub(crate) list: Vec<Operation>,
    pub(crate) predecessors: Vec<LocalId>,
}

impl Operations {
    /// Of a change whose bytes are of our own making, or were let in before.
    pub(crate) fn read(plain: &[u8]) -> Result<Self, ChangeFault> {
        let read = catch_unwind(AssertUnwindSafe(|| {
            let change = Change::try_from(plain).map_err(|_| ChangeFault::Undecodable)?;
            Self::of(&change.decode())
        }));
        read.unwrap_or(Err(ChangeFault::Undecodable))
    }

    /// Of a decoded change.
    pub(crate) fn of<'a>(change: &'a ExpandedChange) -> Result<Self, ChangeFault> {
        let start = u32::try_from(change.start_op.get()).map_err(|_| ChangeFault::StartOp)?;
        let mut actors = Numbers::new();
        actors.number(&change.actor_id);
        let mut keys: Numbers<'_, str> = Numbers::new();
        let mut list = Vec::with_capacity(change.operations.len());
        let mut predecessors = Vec::new();
        for op in &change.operations {
            let mut local = |id: &'a OpId| -> Result<LocalId, ChangeFault> {
                let counter = u32::try_from(id.counter()).map_err(|_| ChangeFault::Undecodable)?;
                Ok(LocalId { actor: actors.number(id.actor()), counter })
            };
            let object = match &op.obj {
                ObjectId::Root => None,
                ObjectId::Id(id) => Some(local(id)?),
            };
            let place = match &op.key {
                Key::Seq(ElementId::Head) => Place::Head,
                Key::Seq(ElementId::Id(id)) => Place::Element(local(id)?),
                Key::Map(key) => Place::Key(keys.number(key.as_str())),
            };
            let deed = match &op.action {
                OpType::Make(ObjType::Map) => Deed::Make(ObjectKind::Map),
                OpType::Make(ObjType::List) => Deed::Make(ObjectKind::List),
                OpType::Make(ObjType::Text) => Deed::Make(ObjectKind::Text),
                OpType::Make(ObjType::Table) => return Err(ChangeFault::Operation("table")),
                OpType::Put(ScalarValue::Counter(_)) => Deed::PutCounter,
                OpType::Put(_) => Deed::Put,
                OpType::Increment(_) => Deed::Increment,
                OpType::Delete => Deed::Delete,
                OpType::MarkBegin(..) | OpType::MarkEnd(_) => return Err(ChangeFault::Operation("mark")),
            };
            for id in op.pred.iter() {
                predecessors.push(local(id)?);
            }
            let predecessors_end = predecessors.len() as u32;
            list.push(Operation { object, place, inserts: op.insert, deed, predecessors_end });
        }
        let actors = actors.all.into_iter().cloned().collect();
        let keys = keys.all.into_iter().map(Box::from).collect();
        Ok(Self { start, actors, keys, list, predecessors })
    }

    /// The operations with their counters and predecessors.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u32, &Operation, &[LocalId])> {
        let mut from = 0;
        (self.start..).zip(&self.list).map(move |(counter, operation)| {
            let end = operation.predecessors_end as usize;
            let predecessors = self.predecessors.get(std::mem::replace(&mut from, end)..end).unwrap_or_default();
            (counter, operation, predecessors)
        })
    }
}

/// Values of one kind, numbered as they come.
struct Numbers<'a, T: ?Sized> {
    all: Vec<&'a T>,
    by_value: HashMap<&'a T, u32>,
}

impl<'a, T: ?Sized + Eq + Hash> Numbers<'a, T> {
    fn new() -> Self {
        Self { all: Vec::new(), by_value: HashMap::new() }
    }

    fn number(&mut self, value: &'a T) -> u32 {
        *self.by_value.entry(value).or_insert_with(|| {
            self.all.push(value);
            self.all.len() as u32 - 1
        })
    }
}

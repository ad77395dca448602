//! Edits without a document: the changes that a person makes who types in a place of their own in a memo.
//!
//! Each change is the one that Automerge would make, so peers store and apply it as any other; making it costs a few
//! microseconds however long the memo is. Knows nothing of sockets and sync.

use std::num::NonZeroU64;

use anyhow::{Context, Result};
use automerge::{
    ActorId, AutoCommit, Change, ChangeHash, ExpandedChange, ObjId, ROOT, ReadDoc, ScalarValue,
    legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec},
};
use bytes::Bytes;
use taiwa_shared::{documents::Genesis, ids::UserId, sync::chunks::StoredChange};

/// Footer entry of a change that names its author (automerge 0.12, `change.rs`).
const FOOTER_AUTHOR: u8 = 1;

/// Somebody who types in one memo, on one device.
#[derive(Debug)]
pub(crate) struct Typist {
    user: UserId,
    actor: ActorId,
    body: ObjectId,
    sequence: u64,
    /// The last letter they typed; the next one comes behind it.
    last: ElementId,
}

impl Typist {
    /// Somebody who has not typed yet.
    ///
    /// # Errors
    /// If the document is no memo.
    pub(crate) fn new(user: UserId, genesis: &Genesis) -> Result<Self> {
        let memo = AutoCommit::load(&genesis.bytes).context("load the first change")?;
        let Some((_, ObjId::Id(counter, actor, _))) = memo.get(ROOT, "body")? else {
            anyhow::bail!("the document is no memo");
        };
        let body = ObjectId::Id(OpId::new(counter, &actor));
        Ok(Self { user, actor: ActorId::random(), body, sequence: 0, last: ElementId::Head })
    }

    /// Types a text as one change on top of `heads`; its first operation is `start`.
    ///
    /// # Errors
    /// If the text is empty.
    pub(crate) fn type_text(&mut self, text: &str, mut heads: Vec<ChangeHash>, start: u64) -> Result<StoredChange> {
        heads.sort_unstable();
        self.sequence += 1;
        let start = NonZeroU64::new(start).context("operations count from one")?;
        let mut operations = Vec::new();
        for (counter, letter) in (start.get()..).zip(text.chars()) {
            operations.push(Op {
                action: OpType::Put(ScalarValue::Str(letter.to_string().into())),
                obj: self.body.clone(),
                key: Key::Seq(self.last.clone()),
                pred: SortedVec::new(),
                insert: true,
            });
            self.last = ElementId::Id(OpId::new(counter, &self.actor));
        }
        anyhow::ensure!(!operations.is_empty(), "an empty text is no change");
        let names_author = self.sequence == 1;
        let author = || [&[FOOTER_AUTHOR, 16], self.user.as_bytes().as_slice()].concat();
        let change = Change::from(ExpandedChange {
            operations,
            actor_id: self.actor.clone(),
            hash: None,
            seq: self.sequence,
            start_op: start,
            time: 0,
            message: None,
            deps: heads,
            extra_bytes: if names_author { author() } else { Vec::new() },
            author: None,
        });
        StoredChange::read(Bytes::copy_from_slice(change.raw_bytes())).context("a change of our own")
    }
}

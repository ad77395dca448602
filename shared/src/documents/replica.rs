//! One open document: applies what arrived, hands out what was written here, and survives whatever the bytes contain.
//!
//! Called by the phone's session. Text is counted in UTF-16 units, as every client's text field does; there is one
//! constructor, because Automerge's own default counts differently. Stores nothing and sends nothing.

use std::{
    collections::{BTreeMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{
    ActorId, Author, Automerge, AutomergeError, Change, ChangeHash, ObjId, PatchAction, PatchLog, ROOT, ReadDoc,
    TextEncoding,
    legacy::{ObjectId, OpId},
    transaction::{CommitOptions, Transaction},
};

use super::{
    error::DocumentError,
    genesis::{Container, containers, genesis},
    text,
};
use crate::{domain::ownership::DocumentKey, ids::UserId, time::Timestamp};

/// Who writes, and as which actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Editor {
    /// The person; stands in the actor's first change.
    pub user: UserId,
    /// Sixteen fresh random bytes per process start and document; never stored, never derived.
    pub actor: [u8; 16],
}

/// One change of a text, in UTF-16 units of the text as the changes before it left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSplice {
    /// Where.
    pub at: usize,
    /// How many units go.
    pub delete: usize,
    /// What comes.
    pub insert: String,
}

/// What a batch of changes did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// What happened to the memo's text, in order; empty in other documents.
    pub body: Vec<TextSplice>,
    /// Names of the other parts that were touched and have to be read again, such as `promises`.
    pub touched: Vec<String>,
}

impl Applied {
    /// Whether nothing that anybody sees has changed.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && self.touched.is_empty()
    }
}

/// One open document.
pub struct Replica {
    key: DocumentKey,
    generation: u32,
    editor: Editor,
    doc: Automerge,
    /// Every change in `doc`, from which it is rebuilt should Automerge panic half way.
    known: Vec<Vec<u8>>,
    /// Changes made here and not yet taken, as the place of each in `known`.
    untaken: Vec<usize>,
    /// People behind actors whose changes do not say so.
    bindings: BTreeMap<ActorId, UserId>,
}

impl Replica {
    /// Opens a document from its change chunks, which may be given in any order, with or without the genesis.
    ///
    /// # Errors
    /// [`DocumentError::Refused`] if a chunk is not a change that fits, [`DocumentError::Incomplete`] if some are missing.
    pub fn open<'a>(
        key: DocumentKey,
        generation: u32,
        changes: impl IntoIterator<Item = &'a [u8]>,
        editor: Editor,
    ) -> Result<Self, DocumentError> {
        let first = genesis(&key, generation);
        let doc = guarded(|| new_document(&[&first.bytes], &editor))??;
        let known = vec![first.bytes];
        let mut replica = Self { key, generation, editor, doc, known, untaken: Vec::new(), bindings: BTreeMap::new() };
        let changes: Vec<&[u8]> = changes.into_iter().collect();
        replica.apply(&changes)?;
        Ok(replica)
    }

    /// Applies changes in one batch; those that are known already do nothing.
    ///
    /// # Errors
    /// As [`Self::open`]; then nothing was applied and the document goes on as before.
    pub fn apply<B: AsRef<[u8]>>(&mut self, changes: &[B]) -> Result<Applied, DocumentError> {
        let fresh = self.read_changes(changes)?;
        if fresh.is_empty() {
            return Ok(Applied::default());
        }
        let bytes: Vec<Vec<u8>> = fresh.iter().map(|change| change.raw_bytes().to_vec()).collect();
        let (key, doc) = (&self.key, &mut self.doc);
        let outcome = guarded(|| apply_and_describe(key, doc, fresh));
        match outcome {
            Ok(Ok(applied)) => {
                self.known.extend(bytes);
                Ok(applied)
            }
            Ok(Err(_)) => {
                self.rebuild()?;
                Err(DocumentError::Refused("it contradicts what is known"))
            }
            Err(_) => {
                self.rebuild()?;
                Err(DocumentError::Refused("its operations do not fit the document"))
            }
        }
    }

    /// Hashes of the newest changes.
    pub fn heads(&self) -> Vec<ChangeHash> {
        self.doc.get_heads()
    }

    /// Changes made here since the last call, as plain change chunks in the order of their making.
    pub fn take_changes(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.untaken).into_iter().filter_map(|place| self.known.get(place).cloned()).collect()
    }

    /// Which document this is.
    pub fn key(&self) -> &DocumentKey {
        &self.key
    }

    /// Which generation of it.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Who writes here.
    pub fn editor(&self) -> &Editor {
        &self.editor
    }

    /// The person behind an actor whose changes do not name their author, as the server's records say.
    pub fn bind_actor(&mut self, actor: &[u8], user: UserId) {
        self.bindings.insert(ActorId::from(actor), user);
    }

    /// The person behind an actor, where that is known.
    pub fn author_of(&self, actor: &[u8]) -> Option<UserId> {
        self.author(&ActorId::from(actor))
    }

    pub(super) fn author(&self, actor: &ActorId) -> Option<UserId> {
        let named =
            self.doc.get_author_for_actor(actor).and_then(|author| <[u8; 16]>::try_from(author.as_bytes()).ok());
        named.map(UserId::from_bytes).or_else(|| self.bindings.get(actor).copied())
    }

    pub(super) fn doc(&self) -> &Automerge {
        &self.doc
    }

    /// A container of this kind of document.
    pub(super) fn container(&self, container: Container) -> Result<ObjId, DocumentError> {
        container.object(&self.key).ok_or(DocumentError::WrongKind { wanted: container.key(), actual: self.key.kind() })
    }

    /// Makes one change; nothing is recorded if the closure fails or writes nothing.
    pub(super) fn edit<T>(
        &mut self,
        now: Timestamp,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, DocumentError>,
    ) -> Result<T, DocumentError> {
        self.edit_on(None, now, write).map(|(result, _)| result)
    }

    /// Makes one change; on top of `base` it is as if nothing after it had happened yet, and merges with that.
    pub(super) fn edit_on<T>(
        &mut self,
        base: Option<&[ChangeHash]>,
        now: Timestamp,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, DocumentError>,
    ) -> Result<(T, Option<ChangeHash>), DocumentError> {
        let doc = &mut self.doc;
        let outcome = guarded(|| {
            let mut tx = match base {
                Some(heads) => {
                    doc.transaction_at(PatchLog::inactive(), heads).map_err(AutomergeError::PatchLogMismatch)?
                }
                None => doc.transaction(),
            };
            match write(&mut tx) {
                Ok(result) => {
                    let (hash, _) = tx.commit_with(CommitOptions::default().with_time(minute(now)));
                    let change = hash.and_then(|hash| doc.get_change_by_hash(&hash));
                    Ok((result, change))
                }
                Err(error) => {
                    tx.rollback();
                    Err(error)
                }
            }
        });
        match outcome {
            Ok(Ok((result, change))) => {
                let hash = change.as_ref().map(Change::hash);
                if let Some(change) = change {
                    self.untaken.push(self.known.len());
                    self.known.push(change.raw_bytes().to_vec());
                }
                Ok((result, hash))
            }
            Ok(Err(error)) => Err(error),
            Err(panicked) => {
                self.rebuild()?;
                Err(panicked)
            }
        }
    }

    /// The changes that are not known yet; every one parses and has what it depends on.
    fn read_changes<B: AsRef<[u8]>>(&self, chunks: &[B]) -> Result<Vec<Change>, DocumentError> {
        let mut fresh = Vec::with_capacity(chunks.len());
        let mut hashes = HashSet::new();
        for chunk in chunks {
            let change = guarded(|| Change::from_bytes(chunk.as_ref().to_vec()))
                .map_err(|_| DocumentError::Refused("it cannot be decoded"))?
                .map_err(|_| DocumentError::Refused("it is not a change"))?;
            if !self.knows(&change.hash()) && hashes.insert(change.hash()) {
                fresh.push(change);
            }
        }
        let depended: HashSet<ChangeHash> = fresh.iter().flat_map(|change| change.deps().iter().copied()).collect();
        let missing = depended.iter().filter(|hash| !hashes.contains(*hash) && !self.knows(hash)).count();
        if missing > 0 { Err(DocumentError::Incomplete { missing }) } else { Ok(fresh) }
    }

    /// Whether the document contains a change.
    pub(super) fn knows(&self, hash: &ChangeHash) -> bool {
        self.doc.get_change_meta_by_hash(hash).is_some()
    }

    /// Makes the document again from the changes that were good.
    fn rebuild(&mut self) -> Result<(), DocumentError> {
        let (known, editor) = (&self.known, &self.editor);
        self.doc = guarded(|| new_document(known, editor))??;
        Ok(())
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Replica");
        debug.field("key", &self.key).field("generation", &self.generation).field("changes", &self.known.len());
        debug.finish_non_exhaustive()
    }
}

/// The one place that makes a document.
fn new_document<B: AsRef<[u8]>>(changes: &[B], editor: &Editor) -> Result<Automerge, AutomergeError> {
    let mut doc = Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit);
    // Setting the author also picks a random actor, so the editor's own comes after it.
    doc.set_author(Some(Author::from(editor.user.as_bytes().to_vec())));
    doc.set_actor(ActorId::from(editor.actor.as_slice()));
    let changes = changes.iter().map(|bytes| Change::from_bytes(bytes.as_ref().to_vec()));
    doc.apply_changes(changes.collect::<Result<Vec<_>, _>>()?)?;
    Ok(doc)
}

/// Automerge panics on some operations that contradict the document; the caller rebuilds it then.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, DocumentError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| DocumentError::Panicked)
}

/// Seconds of the full minute: how fast somebody types must not be a by-product of the history.
fn minute(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(60_000) * 60
}

/// Applies changes and says what they did.
///
/// Automerge gives every patch the whole path to its object, which is quadratic in the depth of objects that a hostile
/// change may nest. So it logs patches only while nothing but the memo's text is written, and otherwise compares the
/// text alone.
fn apply_and_describe(key: &DocumentKey, doc: &mut Automerge, changes: Vec<Change>) -> Result<Applied, AutomergeError> {
    let body = Container::Body.object(key);
    let (mut touches_body, mut touched) = (false, Vec::new());
    for change in &changes {
        for operation in change.decode().operations {
            let ObjectId::Id(OpId(counter, actor)) = &operation.obj else { continue };
            let object = ObjId::Id(*counter, actor.clone(), 0);
            touches_body |= Some(&object) == body.as_ref();
            // An object that is none of the containers is an entry of one of them.
            let own = containers(key).iter().find(|container| container.object(key).as_ref() == Some(&object));
            for container in own.map_or(containers(key), std::slice::from_ref) {
                let field = container.key();
                if *container != Container::Body && !touched.iter().any(|known| known == field) {
                    touched.push(field.to_owned());
                }
            }
        }
    }
    let Some(body) = body.filter(|_| touches_body) else {
        doc.apply_changes(changes)?;
        return Ok(Applied { body: Vec::new(), touched });
    };
    let patches = if !stands(doc, &body) {
        let before = doc.text(&body)?;
        doc.apply_changes(changes)?;
        let splice = text::difference(&before, &doc.text(&body)?, usize::MAX);
        return Ok(Applied { body: splice.into_iter().collect(), touched });
    } else if touched.is_empty() {
        let mut log = PatchLog::active();
        doc.apply_changes_log_patches(changes, &mut log)?;
        doc.make_patches(&mut log)
    } else {
        let before = doc.get_heads();
        doc.apply_changes(changes)?;
        doc.diff_obj(&body, &before, &doc.get_heads(), false)?
    };
    let body = patches.into_iter().filter_map(|patch| text_splice(patch.action)).collect();
    Ok(Applied { body, touched })
}

/// Whether the memo's text is what stands at its key; if it is not, Automerge logs no patches for it.
fn stands(doc: &Automerge, body: &ObjId) -> bool {
    doc.get(ROOT, Container::Body.key()).ok().flatten().is_some_and(|(_, id)| id == *body)
}

fn text_splice(action: PatchAction) -> Option<TextSplice> {
    match action {
        PatchAction::SpliceText { index, value, .. } => {
            Some(TextSplice { at: index, delete: 0, insert: value.make_string() })
        }
        PatchAction::DeleteSeq { index, length } => {
            Some(TextSplice { at: index, delete: length, insert: String::new() })
        }
        _ => None,
    }
}

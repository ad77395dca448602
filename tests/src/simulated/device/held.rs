//! One document as a simulated device holds it: our engine, Automerge's replica, and what was made, sent and told.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use automerge::{AutoCommit, ChangeHash, ObjId, ROOT, ReadDoc, transaction::Transactable};
use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use taiwa_shared::{
    documents::genesis,
    domain::ownership::DocumentKey,
    ids::DocumentId,
    sync::{
        chunks::StoredChange,
        document::{Authors, DocumentSync, PeerAccess, PeerRole, SyncKind},
    },
};

/// The one peer of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Server;

/// As a phone sees its hub.
const SERVER_ROLE: PeerRole = PeerRole { access: PeerAccess::Write, authors: Authors::Relayed };

/// One document as a device holds it.
pub(super) struct Held {
    sync: DocumentSync<Server>,
    chunks: HashMap<ChangeHash, Bytes>,
    replica: AutoCommit,
    body: Option<ObjId>,
    /// Own changes, each with the character it brought.
    pub(super) made: Vec<(ChangeHash, String)>,
    pub(super) acknowledged: BTreeSet<ChangeHash>,
    /// What the server sent.
    pub(super) received: BTreeSet<ChangeHash>,
    /// What the server was known to have when the connection broke.
    shared: Vec<ChangeHash>,
    /// Whether the server said that there is no such document.
    pub(super) unavailable: bool,
}

impl Held {
    /// A document from its first change on.
    ///
    /// # Errors
    /// If that does not load.
    pub(super) fn begin(key: &DocumentKey) -> Result<(DocumentId, Self)> {
        let first = genesis(key, 0);
        let replica = AutoCommit::load(&first.bytes).context("load the first change")?;
        let body = replica.get(ROOT, "body")?.map(|(_, body)| body);
        let change = StoredChange::read(first.bytes.into())?;
        let held = Self {
            chunks: HashMap::from([(change.header.hash, change.bytes.clone())]),
            sync: DocumentSync::open(change, [], [])?,
            replica,
            body,
            made: Vec::new(),
            acknowledged: BTreeSet::new(),
            received: BTreeSet::new(),
            shared: Vec::new(),
            unavailable: false,
        };
        Ok((first.document, held))
    }

    /// A session with the server begins.
    pub(super) fn connect(&mut self) {
        // What was withdrawn is asked for at every connection.
        self.unavailable = false;
        self.sync.connect(Server, SERVER_ROLE);
        self.sync.seed_shared_heads(Server, &self.shared);
    }

    /// The session is over.
    pub(super) fn disconnect(&mut self) {
        if self.sync.peer_has_all(Server) {
            self.shared = self.sync.heads();
        }
        self.sync.disconnect(Server);
    }

    /// Makes one change that brings one character which no other change brings.
    ///
    /// # Errors
    /// If the engine does not take it.
    pub(super) fn edit(&mut self, line: usize, random: &mut StdRng) -> Result<()> {
        let text = character(line, self.made.len()).to_string();
        match &self.body {
            Some(body) => {
                let length = self.replica.length(body);
                self.replica.splice_text(body, random.random_range(0..=length), 0, &text)?;
            }
            None => self.replica.put(ROOT, text.as_str(), true)?,
        }
        let change = self.replica.get_last_local_change().context("an edit is a change")?.raw_bytes().to_vec();
        let change = StoredChange::read(change.into())?;
        self.made.push((change.header.hash, text));
        self.chunks.insert(change.header.hash, change.bytes.clone());
        self.sync.stage_local(change)?;
        self.sync.commit();
        Ok(())
    }

    /// The next message for the server.
    ///
    /// # Errors
    /// If the engine names a change that is not here.
    pub(super) fn next_message(&mut self) -> Result<Option<(SyncKind, Bytes)>> {
        let Some(message) = self.sync.next_message(Server) else { return Ok(None) };
        let kind = message.kind;
        let chunk = |hash| self.chunks.get(hash).cloned().context("every change has its bytes");
        let chunks = message.changes().iter().map(chunk).collect::<Result<Vec<_>>>()?;
        Ok(Some((kind, Bytes::from(message.encode(&chunks)))))
    }

    /// Takes what the server sends.
    ///
    /// # Errors
    /// If the engine refuses it.
    pub(super) fn take(&mut self, kind: SyncKind, data: &[u8]) -> Result<()> {
        for accepted in self.sync.receive_from_server(Server, kind, data)? {
            self.replica.load_incremental(&accepted.change.bytes)?;
            self.received.insert(accepted.change.header.hash);
            self.chunks.insert(accepted.change.header.hash, accepted.change.bytes);
        }
        self.sync.commit();
        let open = self.made.iter().map(|(hash, _)| *hash).filter(|hash| !self.acknowledged.contains(hash));
        let open: Vec<_> = open.collect();
        self.acknowledged.extend(self.sync.acknowledged(Server, &open));
        Ok(())
    }

    /// The heads as the engine has them, sorted.
    pub(super) fn heads(&self) -> Vec<ChangeHash> {
        self.sync.heads()
    }

    /// Whether both sides know that the other has everything, and nothing is left to say.
    pub(super) fn is_settled(&self) -> bool {
        !self.sync.wants_to_send(Server) && self.sync.peer_has_all(Server) && self.sync.has_all_of(Server)
    }

    /// What is on screen: the heads and the text, or the keys where there is no text.
    ///
    /// # Errors
    /// If the document is not readable.
    pub(super) fn shown(&mut self) -> Result<(Vec<ChangeHash>, String)> {
        let mut heads = self.replica.get_heads();
        heads.sort_unstable();
        let text = match &self.body {
            Some(body) => self.replica.text(body)?,
            None => self.replica.keys(ROOT).collect(),
        };
        Ok((heads, text))
    }
}

/// A Chinese character for each change of a device to a document; one, so that nobody types into the middle of it.
fn character(line: usize, change: usize) -> char {
    let number = 0x4e00 + u32::try_from(line * 4_000 + change % 4_000).expect("few devices");
    char::from_u32(number).expect("there are 20,000 from U+4E00 on")
}

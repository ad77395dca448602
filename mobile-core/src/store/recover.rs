//! A damaged file: set aside, never deleted, and everything that can still be read goes into a new store.
//!
//! Records and the other person's changes come back from the server. What matters here are the account, the commands,
//! and the edits that had not been sent, together with the changes they stand upon.

use std::{
    collections::HashSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

use taiwa_shared::{
    documents::genesis,
    ids::DocumentId,
    sync::chunks::{ChangeHash, StoredChange},
};

use super::{Store, StoreError, VaultKey, chunks::Row, documents::DocumentRow, seal::Place};

const ACCOUNT: &str = "select part, sealed from account";
const WRITE_ACCOUNT: &str = "insert into account (part, sealed) values ($1, $2)
    on conflict (part) do update set sealed = excluded.sealed";
const DOCUMENTS: &str = "select id, sealed from document";
const CARDS: &str = "select id, sealed from refused_edit";
const WRITE_CARD: &str = "insert into refused_edit (id, sealed) values ($1, $2) on conflict (id) do nothing";
/// From the index alone, so that a damaged page of the table does not hide the rows on the others.
const COMMAND_NUMBERS: &str = "select sequence, state from command order by state, sequence";
const COMMANDS: &str = "select sequence, id, state, epoch, sealed from command";
const COMMAND: &str = "select sequence, id, state, epoch, sealed from command where sequence = $1";
const WRITE_COMMAND: &str = "insert into command (sequence, id, state, epoch, sealed) values ($1, $2, $3, $4, $5)";
const LAST_SEQUENCE: &str = "select max(seq) from sqlite_sequence where name = 'command'";
/// The counter of commands goes on here after a damage that may have taken the newest of them: more than anybody gives,
/// so that no number is given twice.
const SEQUENCE_LEAP: i64 = 1_000_000;
const LEAP: &str = "insert into sqlite_sequence (name, seq) values ('command', $1)";
const FORGET_SEQUENCE: &str = "delete from sqlite_sequence where name = 'command'";
const POSITIONS: &str = "select position, hash is not null from chunk where document = $1 order by position";
const CHUNK: &str = "select position, hash, sealed from chunk where position = $1";

/// What could be read from a damaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Where the damaged file is now.
    pub kept_at: PathBuf,
    /// Edits that had not been sent and are in the new store.
    pub unsent_kept: u32,
    /// Edits that are known not to have been sent and could not be read.
    pub unsent_lost: u32,
    /// Whether the new store knows who is signed in.
    pub signed_in: bool,
}

/// Changes in causal order, and whether each was unsent.
type ChangesWithState = Vec<(StoredChange, bool)>;

/// A sealed command with its number, id, state and epoch.
type CommandColumns = (i64, Vec<u8>, i64, Option<Vec<u8>>, Vec<u8>);

/// Sealed rows keep their place, so that they are copied as they are.
#[derive(Default)]
struct Salvage {
    account: Vec<(String, Vec<u8>)>,
    cards: Vec<(Vec<u8>, Vec<u8>)>,
    commands: Vec<CommandColumns>,
    last_sequence: i64,
    documents: Vec<(DocumentId, DocumentRow, ChangesWithState)>,
    unsent_lost: u32,
}

impl Store {
    /// Sets the file at `path` aside, never deleting it, and says where it is now.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the file system refuses.
    pub fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
        let beside = |suffix: &str| {
            let mut name = OsString::from(path.as_os_str());
            name.push(suffix);
            PathBuf::from(name)
        };
        let aside = (1u32..).map(|n| beside(&format!(".damaged-{n}"))).find(|to| !to.exists());
        let aside = aside.expect("one of four thousand million names is free");
        for suffix in ["-wal", "-shm", ""] {
            let mut to = OsString::from(aside.as_os_str());
            to.push(suffix);
            match std::fs::rename(beside(suffix), to) {
                Err(error) if suffix.is_empty() || error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Failed(Box::new(error)));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(aside)
    }

    /// Sets a damaged file aside and makes a new store with the account, the cards and every change that still reads.
    ///
    /// # Errors
    /// [`StoreError::Failed`] or [`StoreError::StorageFull`] if the new store cannot be written.
    pub async fn recover(path: &Path, key: &VaultKey) -> Result<(Self, Recovered), StoreError> {
        let kept_at = Self::set_aside(path)?;
        let found = match Self::open(&kept_at, key).await {
            Ok(old) => {
                let found = old.salvage().await;
                old.close().await;
                found
            }
            Err(error) => {
                tracing::warn!(%error, "nothing can be read from the damaged store");
                Salvage::default()
            }
        };
        let store = Self::open(path, key).await?;
        let mut recovered = Recovered {
            kept_at,
            unsent_kept: count(found.commands.iter().filter(|row| row.2 == 1)),
            unsent_lost: found.unsent_lost,
            signed_in: found.account.iter().any(|(part, _)| part == "identity"),
        };
        store.copy_sealed(&found).await?;
        for (id, row, changes) in found.documents {
            let (whole, lost) = causally_whole(&row, changes);
            recovered.unsent_lost += lost;
            recovered.unsent_kept += store.restore(id, row, whole).await?;
        }
        Ok((store, recovered))
    }

    /// Reads row by row, so that one damaged page costs only what is on it.
    async fn salvage(&self) -> Salvage {
        let mut found = Salvage::default();
        let read = &self.0.read;
        let account: Vec<(String, Vec<u8>)> = sqlx::query_as(ACCOUNT).fetch_all(read).await.unwrap_or_default();
        // The cursor is left out: the records are gone, and are pulled again from the start.
        found.account = account
            .into_iter()
            .filter(|(part, sealed)| part != "cursor" && self.opens("account", part.as_bytes(), sealed))
            .collect();
        let cards: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(CARDS).fetch_all(read).await.unwrap_or_default();
        found.cards = cards.into_iter().filter(|(id, sealed)| self.opens("refused_edit", id, sealed)).collect();
        let (commands, lost) = self.salvage_commands().await;
        let known: Option<i64> = sqlx::query_scalar(LAST_SEQUENCE).fetch_one(read).await.ok().flatten();
        found.last_sequence = commands.iter().map(|row| row.0).chain(known).max().unwrap_or(0);
        found.unsent_lost += lost;
        found.commands = commands;
        let documents: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(DOCUMENTS).fetch_all(read).await.unwrap_or_default();
        for (id, sealed) in documents {
            let Ok(id) = self.document_id(&id) else { continue };
            let opened = self.0.sealer.open_json::<DocumentRow>(Place("document", id.as_bytes()), &sealed);
            let (changes, lost) = self.salvage_changes(id).await;
            match opened {
                Ok(row) => {
                    found.unsent_lost += lost;
                    found.documents.push((id, row, changes));
                }
                Err(_) => found.unsent_lost += lost + count_unsent(&changes),
            }
        }
        found
    }

    /// The commands that read, and how many that waited do not.
    async fn salvage_commands(&self) -> (Vec<CommandColumns>, u32) {
        let read = &self.0.read;
        let numbers: Result<Vec<(i64, i64)>, _> = sqlx::query_as(COMMAND_NUMBERS).fetch_all(read).await;
        let (mut commands, mut lost) = (Vec::new(), 0);
        if let Ok(numbers) = numbers {
            for (sequence, state) in numbers {
                let row = sqlx::query_as(COMMAND).bind(sequence).fetch_optional(read).await;
                match row.ok().flatten() {
                    Some(row) => commands.push(row),
                    None => lost += u32::from(is_unanswered(state)),
                }
            }
        } else {
            // The index is damaged; the table need not be.
            commands = sqlx::query_as(COMMANDS).fetch_all(read).await.unwrap_or_default();
        }
        commands.retain(|row: &CommandColumns| {
            let opens = self.opens("command", &row.1, &row.4);
            lost += u32::from(!opens && is_unanswered(row.2));
            opens
        });
        for row in &mut commands {
            // Sent once more, what was answered gets the same answer.
            row.2 = if is_unanswered(row.2) { 1 } else { row.2 };
        }
        (commands, lost)
    }

    async fn salvage_changes(&self, document: DocumentId) -> (ChangesWithState, u32) {
        let positions = sqlx::query_as(POSITIONS).bind(&document.as_bytes()[..]).fetch_all(&self.0.read).await;
        let positions: Vec<(i64, bool)> = positions.unwrap_or_default();
        let (mut changes, mut lost) = (Vec::new(), 0);
        for (position, is_unsent) in positions {
            let row: Option<Row> =
                sqlx::query_as(CHUNK).bind(position).fetch_optional(&self.0.read).await.ok().flatten();
            match row.map(|(_, _, sealed)| self.open_chunk(document, position, &sealed)) {
                Some(Ok(read)) => changes.extend(read.into_iter().map(|change| (change, is_unsent))),
                Some(Err(_)) | None => lost += u32::from(is_unsent),
            }
        }
        (changes, lost)
    }

    fn opens(&self, table: &'static str, row: &[u8], sealed: &[u8]) -> bool {
        self.0.sealer.open(Place(table, row), sealed).is_ok()
    }

    async fn copy_sealed(&self, found: &Salvage) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (part, sealed) in &found.account {
            let query = sqlx::query(WRITE_ACCOUNT).bind(part).bind(sealed);
            query.execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        for (id, sealed) in &found.cards {
            let query = sqlx::query(WRITE_CARD).bind(id).bind(sealed);
            query.execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        for (sequence, id, state, epoch, sealed) in &found.commands {
            let query = sqlx::query(WRITE_COMMAND).bind(sequence).bind(id).bind(state).bind(epoch).bind(sealed);
            query.execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        }
        sqlx::query(FORGET_SEQUENCE).execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        let leap = sqlx::query(LEAP).bind(found.last_sequence.saturating_add(SEQUENCE_LEAP));
        leap.execute(&mut *tx).await.map_err(|e| self.failed(e))?;
        self.commit(tx).await
    }

    /// Puts a document with its readable changes into this store; says how many of them are unsent.
    async fn restore(
        &self,
        id: DocumentId,
        mut row: DocumentRow,
        changes: ChangesWithState,
    ) -> Result<u32, StoreError> {
        // The server may have more than is left here: it is asked again.
        row.server_digest = None;
        let unsent = count_unsent(&changes);
        let mut tx = self.begin().await?;
        self.insert_document(&mut tx, id, &row).await?;
        self.commit(tx).await?;
        for (change, is_unsent) in changes {
            if is_unsent {
                self.append_local(id, &[change]).await?;
            } else {
                self.append_remote(&[(id, vec![change])]).await?;
            }
        }
        Ok(unsent)
    }
}

/// Whether a command waits for the server; a damaged state counts as waiting.
fn is_unanswered(state: i64) -> bool {
    !matches!(state, 2 | 3)
}

fn count_unsent(changes: &[(StoredChange, bool)]) -> u32 {
    count(changes.iter().filter(|(_, is_unsent)| *is_unsent))
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// Keeps the changes whose dependencies are all kept, down to the genesis; counts the unsent ones among the rest.
fn causally_whole(row: &DocumentRow, changes: ChangesWithState) -> (ChangesWithState, u32) {
    let mut known: HashSet<ChangeHash> = HashSet::from([genesis(&row.key, row.generation).hash]);
    let (mut whole, mut lost) = (Vec::new(), 0);
    for (change, is_unsent) in changes {
        if change.header.deps.iter().all(|dep| known.contains(dep)) {
            known.insert(change.header.hash);
            whole.push((change, is_unsent));
        } else {
            lost += u32::from(is_unsent);
        }
    }
    (whole, lost)
}

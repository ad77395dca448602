//! A damaged file: everything that can still be read goes into a new store, which takes its place; the damaged one is kept
//! beside it.
//!
//! Records and the other person's changes come back from the server. What matters here are the account, the commands, the
//! ratings, and the edits that had not been sent, together with the changes they stand upon.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use taiwa_shared::{
    documents::genesis,
    ids::DocumentId,
    sync::chunks::{ChangeHash, StoredChange},
};

use super::{
    Store, StoreError, VaultKey, Write, account::RECOVERED, chunks::Row, documents::DocumentRow, place, seal::Place,
};

const ACCOUNT: &str = "select part, sealed from account";
const WRITE_ACCOUNT: &str = "insert into account (part, sealed) values ($1, $2)
    on conflict (part) do update set sealed = excluded.sealed";
const DOCUMENTS: &str = "select id, sealed from document";
const CARDS: &str = "select id, sealed from refused_edit";
const WRITE_CARD: &str = "insert into refused_edit (id, sealed) values ($1, $2) on conflict (id) do nothing";
const RATINGS: &str = "select meeting, state, sealed from rating";
const WRITE_RATING: &str =
    "insert into rating (meeting, state, sealed) values ($1, $2, $3) on conflict (meeting) do nothing";
const SHELF: &str = "select part, sealed from shelf";
const WRITE_SHELF: &str = "insert into shelf (part, sealed) values ($1, $2) on conflict (part) do nothing";
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Where the damaged file is now; not said again after a restart.
    #[serde(skip)]
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

/// A sealed rating with its meeting and state.
type RatingColumns = (Vec<u8>, i64, Vec<u8>);

/// Sealed rows keep their place, so that they are copied as they are.
#[derive(Default)]
struct Salvage {
    account: Vec<(String, Vec<u8>)>,
    cards: Vec<(Vec<u8>, Vec<u8>)>,
    ratings: Vec<RatingColumns>,
    shelf: Vec<(String, Vec<u8>)>,
    commands: Vec<CommandColumns>,
    last_sequence: i64,
    documents: Vec<(DocumentId, DocumentRow, ChangesWithState)>,
    unsent_lost: u32,
}

impl Store {
    /// Makes a new store with the account, the cards and every change that still reads, and puts it in the place of a
    /// damaged file. Killed or refused anywhere in between, everything is still there, and opening goes on from there.
    ///
    /// # Errors
    /// [`StoreError::StorageFull`] if the new store does not fit and [`StoreError::Failed`] if the device does not let
    /// the old one be read; nothing has changed then.
    pub async fn recover(path: &Path, key: &VaultKey) -> Result<(Self, Recovered), StoreError> {
        place::finish(path).map_err(StoreError::of_file)?;
        let old = Self::open_as_it_is(path, key);
        let found = old.salvage().await;
        old.close().await;
        let built = Self::build(&place::building(path), key, found?).await;
        let mut recovered = match built {
            Ok(recovered) => recovered,
            Err(error) => {
                // It takes space that is needed; what is left of it goes at the next open.
                let _ = place::give_up_building(path);
                return Err(error);
            }
        };
        recovered.kept_at = place::put_in_place(path).map_err(StoreError::of_file)?;
        Ok((Self::open(path, key).await?, recovered))
    }

    /// Fills a new store, in one transaction, and closes it.
    async fn build(path: &Path, key: &VaultKey, found: Salvage) -> Result<Recovered, StoreError> {
        let store = Self::open(path, key).await?;
        let recovered = store.fill(found).await;
        let closed = store.close_whole().await;
        closed.and(recovered)
    }

    async fn fill(&self, found: Salvage) -> Result<Recovered, StoreError> {
        let mut recovered = Recovered {
            kept_at: PathBuf::new(),
            unsent_kept: count(found.commands.iter().filter(|row| row.2 == 1))
                .saturating_add(count(found.ratings.iter().filter(|row| row.1 == 1))),
            unsent_lost: found.unsent_lost,
            signed_in: found.account.iter().any(|(part, _)| part == "identity"),
        };
        // The person has not been told yet what an earlier damage cost.
        let earlier = found.account.iter().find(|(part, _)| part == RECOVERED);
        let earlier = earlier.and_then(|(part, sealed)| {
            self.0.sealer.open_json::<Option<Recovered>>(Place("account", part.as_bytes()), sealed).ok().flatten()
        });
        recovered.unsent_lost += earlier.map_or(0, |earlier| earlier.unsent_lost);
        let mut tx = self.begin().await?;
        self.copy_sealed(&mut tx, &found).await?;
        for (id, row, changes) in found.documents {
            let (whole, lost) = causally_whole(&row, changes);
            recovered.unsent_lost += lost;
            recovered.unsent_kept += self.restore(&mut tx, id, row, whole).await?;
        }
        self.put_recovered(&mut tx, &recovered).await?;
        self.commit(tx).await?;
        Ok(recovered)
    }

    /// What a query found; nothing if the contents of the file are at fault, and an error if the device is.
    fn readable<T>(&self, read: Result<T, sqlx::Error>) -> Result<Option<T>, StoreError> {
        match read {
            Ok(found) => Ok(Some(found)),
            Err(error) => StoreError::is_of_contents(&self.0.path, error).map(|()| None),
        }
    }

    /// Reads row by row, so that one damaged page costs only what is on it.
    async fn salvage(&self) -> Result<Salvage, StoreError> {
        let mut found = Salvage::default();
        let read = &self.0.read;
        let account: Option<Vec<(String, Vec<u8>)>> = self.readable(sqlx::query_as(ACCOUNT).fetch_all(read).await)?;
        // The cursor is left out: the records are gone, and are pulled again from the start.
        found.account = account
            .unwrap_or_default()
            .into_iter()
            .filter(|(part, sealed)| part != "cursor" && self.opens("account", part.as_bytes(), sealed))
            .collect();
        let cards: Option<Vec<(Vec<u8>, Vec<u8>)>> = self.readable(sqlx::query_as(CARDS).fetch_all(read).await)?;
        let cards = cards.unwrap_or_default().into_iter();
        found.cards = cards.filter(|(id, sealed)| self.opens("refused_edit", id, sealed)).collect();
        self.salvage_beside(&mut found).await?;
        let (commands, lost) = self.salvage_commands().await?;
        let known: Option<Option<i64>> = self.readable(sqlx::query_scalar(LAST_SEQUENCE).fetch_one(read).await)?;
        found.last_sequence = commands.iter().map(|row| row.0).chain(known.flatten()).max().unwrap_or(0);
        found.unsent_lost += lost;
        found.commands = commands;
        let documents: Option<Vec<(Vec<u8>, Vec<u8>)>> =
            self.readable(sqlx::query_as(DOCUMENTS).fetch_all(read).await)?;
        for (id, sealed) in documents.unwrap_or_default() {
            let Ok(id) = self.document_id(&id) else { continue };
            let opened = self.0.sealer.open_json::<DocumentRow>(Place("document", id.as_bytes()), &sealed);
            let (changes, lost) = self.salvage_changes(id).await?;
            match opened {
                Ok(row) => {
                    found.unsent_lost += lost;
                    found.documents.push((id, row, changes));
                }
                Err(_) => found.unsent_lost += lost + count_unsent(&changes),
            }
        }
        Ok(found)
    }

    /// Ratings, and what is on the shelf.
    async fn salvage_beside(&self, found: &mut Salvage) -> Result<(), StoreError> {
        let read = &self.0.read;
        let ratings: Option<Vec<RatingColumns>> = self.readable(sqlx::query_as(RATINGS).fetch_all(read).await)?;
        for (meeting, state, sealed) in ratings.unwrap_or_default() {
            if self.opens("rating", &meeting, &sealed) {
                // Sent once more, what the server has stays as it is there.
                let state = if matches!(state, 2..=4) { state } else { 1 };
                found.ratings.push((meeting, state, sealed));
            } else {
                found.unsent_lost += u32::from(!matches!(state, 2..=4));
            }
        }
        let shelf: Option<Vec<(String, Vec<u8>)>> = self.readable(sqlx::query_as(SHELF).fetch_all(read).await)?;
        let shelf = shelf.unwrap_or_default().into_iter();
        found.shelf = shelf.filter(|(part, sealed)| self.opens("shelf", part.as_bytes(), sealed)).collect();
        Ok(())
    }

    /// The commands that read, and how many that waited do not.
    async fn salvage_commands(&self) -> Result<(Vec<CommandColumns>, u32), StoreError> {
        let read = &self.0.read;
        let numbers: Option<Vec<(i64, i64)>> = self.readable(sqlx::query_as(COMMAND_NUMBERS).fetch_all(read).await)?;
        let (mut commands, mut lost) = (Vec::new(), 0);
        if let Some(numbers) = numbers {
            for (sequence, state) in numbers {
                let row = sqlx::query_as(COMMAND).bind(sequence).fetch_optional(read).await;
                match self.readable(row)?.flatten() {
                    Some(row) => commands.push(row),
                    None => lost += u32::from(is_unanswered(state)),
                }
            }
        } else {
            // The index is damaged; the table need not be.
            commands = self.readable(sqlx::query_as(COMMANDS).fetch_all(read).await)?.unwrap_or_default();
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
        Ok((commands, lost))
    }

    async fn salvage_changes(&self, document: DocumentId) -> Result<(ChangesWithState, u32), StoreError> {
        let positions = sqlx::query_as(POSITIONS).bind(&document.as_bytes()[..]).fetch_all(&self.0.read).await;
        let positions: Vec<(i64, bool)> = self.readable(positions)?.unwrap_or_default();
        let (mut changes, mut lost) = (Vec::new(), 0);
        for (position, is_unsent) in positions {
            let row = sqlx::query_as(CHUNK).bind(position).fetch_optional(&self.0.read).await;
            let row: Option<Option<Row>> = self.readable(row)?;
            match row.flatten().map(|(_, _, sealed)| self.open_chunk(document, position, &sealed)) {
                Some(Ok(read)) => changes.extend(read.into_iter().map(|change| (change, is_unsent))),
                Some(Err(_)) | None => lost += u32::from(is_unsent),
            }
        }
        Ok((changes, lost))
    }

    fn opens(&self, table: &'static str, row: &[u8], sealed: &[u8]) -> bool {
        self.0.sealer.open(Place(table, row), sealed).is_ok()
    }

    async fn copy_sealed(&self, tx: &mut Write, found: &Salvage) -> Result<(), StoreError> {
        for (part, sealed) in &found.account {
            let query = sqlx::query(WRITE_ACCOUNT).bind(part).bind(sealed);
            query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        }
        for (id, sealed) in &found.cards {
            let query = sqlx::query(WRITE_CARD).bind(id).bind(sealed);
            query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        }
        for (meeting, state, sealed) in &found.ratings {
            let query = sqlx::query(WRITE_RATING).bind(meeting).bind(state).bind(sealed);
            query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        }
        for (part, sealed) in &found.shelf {
            let query = sqlx::query(WRITE_SHELF).bind(part).bind(sealed);
            query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        }
        for (sequence, id, state, epoch, sealed) in &found.commands {
            let query = sqlx::query(WRITE_COMMAND).bind(sequence).bind(id).bind(state).bind(epoch).bind(sealed);
            query.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        }
        sqlx::query(FORGET_SEQUENCE).execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        let leap = sqlx::query(LEAP).bind(found.last_sequence.saturating_add(SEQUENCE_LEAP));
        leap.execute(&mut **tx).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// Puts a document with its readable changes into this store; says how many of them are unsent.
    async fn restore(
        &self,
        tx: &mut Write,
        id: DocumentId,
        mut row: DocumentRow,
        changes: ChangesWithState,
    ) -> Result<u32, StoreError> {
        // The server may have more than is left here: it is asked again.
        row.server_digest = None;
        let unsent = count_unsent(&changes);
        self.insert_document(tx, id, &row).await?;
        for (change, is_unsent) in changes {
            if is_unsent {
                self.insert_local(tx, id, &[change]).await?;
            } else {
                self.insert_remote(tx, id, &[change]).await?;
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

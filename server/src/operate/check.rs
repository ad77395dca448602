//! `check`: whether a database, or a backup, is whole: every chunk's hash, every document's graph and heads, references,
//! counters.
//!
//! Changes nothing and works beside a running server. Names what is damaged by id and kind, never by contents.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use taiwa_shared::{
    documents::genesis,
    ids::{DocumentId, OrganisationId, UserId},
    sync::{
        chunks::{ActorId, StoredChange, decode_row},
        document::DocumentSync,
    },
};

use super::{Progress, Step, written};
use crate::store::{
    Store, StoreError,
    chunks::ChunkRow,
    verify::{DocumentToCheck, MOST_NAMED, RecordedHeads},
};

/// First byte of a row that is not sealed; this version writes no others.
const PLAIN: u8 = 0;
/// A step is told every so many documents.
const STEP: u64 = 200;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Organisations.
    pub organisations: u64,
    /// People, of whom `active` are active.
    pub people: u64,
    /// Active people.
    pub active: u64,
    /// Pairs, of which `open_pairs` are open.
    pub pairs: u64,
    /// Open pairs.
    pub open_pairs: u64,
    /// Meetings that are records.
    pub meetings: u64,
    /// Sign-ins that have not ended.
    pub devices: u64,
    /// Documents.
    pub documents: u64,
    /// Changes of documents, each of whose hashes was verified.
    pub changes: u64,
    /// Bytes of these changes, as they were sent.
    pub bytes: u64,
    /// Changes that somebody else than their author brought, after a restore.
    pub relayed: Vec<RelayedChanges>,
    /// What is damaged; nothing if all is well.
    pub damage: Vec<Damage>,
}

/// That after a restore somebody brought changes of somebody else to a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelayedChanges {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which document.
    pub document: DocumentId,
    /// The person whom the changes name.
    pub author: Option<UserId>,
    /// Who brought them.
    pub brought_by: UserId,
    /// How many starts of an app made them.
    pub actors: i64,
    /// When the first of them came.
    pub since: String,
}

/// One thing that is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// What kind of thing.
    pub kind: DamageKind,
    /// Whose, where that is known.
    pub organisation: Option<OrganisationId>,
    /// The id of what is damaged, where it has one.
    pub id: Option<String>,
    /// What is wrong with it; never contents.
    pub detail: String,
}

/// What kind of thing is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// The file or a table cannot be read.
    Database,
    /// A document's rows or record.
    Document,
    /// Something refers to what is not there.
    Reference,
    /// An organisation's counter is behind its records, so phones would miss changes.
    Counter,
}

impl Damage {
    fn of_database(part: &str, error: &StoreError) -> Self {
        let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
        let detail = format!("{part}: {error}{source}");
        Self { kind: DamageKind::Database, organisation: None, id: None, detail }
    }

    fn of_document(organisation: OrganisationId, document: DocumentId, detail: String) -> Self {
        Self { kind: DamageKind::Document, organisation: Some(organisation), id: Some(document.to_string()), detail }
    }
}

/// Checks everything. What cannot be read is damage, not an error, so that the rest is checked all the same.
pub async fn check(store: &Store, progress: Progress<'_>) -> Report {
    let mut report = Report::default();
    match store.integrity().await {
        Ok(verdict) if verdict == "ok" => {}
        Ok(detail) => {
            report.damage.push(Damage { kind: DamageKind::Database, organisation: None, id: None, detail });
        }
        Err(error) => report.damage.push(Damage::of_database("the file", &error)),
    }
    match store.holds().await {
        Ok(holds) => {
            let count = |number: i64| u64::try_from(number).unwrap_or(0);
            report.organisations = count(holds.organisations);
            (report.people, report.active) = (count(holds.people), count(holds.active));
            (report.pairs, report.open_pairs) = (count(holds.pairs), count(holds.open_pairs));
            (report.meetings, report.devices) = (count(holds.meetings), count(holds.devices));
            report.documents = count(holds.documents);
        }
        Err(error) => report.damage.push(Damage::of_database("counting", &error)),
    }
    check_documents(store, &mut report, progress).await;
    check_records(store, &mut report).await;
    report
}

async fn check_documents(store: &Store, report: &mut Report, progress: Progress<'_>) {
    let mut after = (OrganisationId::from_bytes([0; 16]), DocumentId::from_bytes([0; 16]));
    let mut done = 0;
    loop {
        let page = match store.documents_after(after).await {
            Ok(page) => page,
            Err(error) => return report.damage.push(Damage::of_database("the documents", &error)),
        };
        if page.is_empty() {
            return;
        }
        for document in page {
            let (organisation, id) = match document {
                Ok(document) => {
                    match check_document(store, &document).await {
                        Ok((changes, bytes)) => {
                            report.changes += changes;
                            report.bytes += bytes;
                        }
                        Err(detail) => {
                            let damage = Damage::of_document(document.organisation, document.document, detail);
                            report.damage.push(damage);
                        }
                    }
                    (document.organisation, document.document)
                }
                Err((organisation, id, detail)) => {
                    report.damage.push(Damage::of_document(organisation, id, detail));
                    (organisation, id)
                }
            };
            after = (organisation, id);
            done += 1;
            if done % STEP == 0 {
                progress(Step::Checked { documents: done, of: report.documents.max(done) });
            }
        }
    }
}

/// How many changes a document has and how many bytes these are, or what is wrong with it.
async fn check_document(store: &Store, document: &DocumentToCheck) -> Result<(u64, u64), String> {
    let unreadable = |error: StoreError| Damage::of_database("its rows cannot be read", &error).detail;
    let DocumentToCheck { organisation, document: id, key, generation } = *document;
    // The record first: a digest that is written after it can only be newer.
    let recorded = store.recorded_heads(organisation, id).await.map_err(unreadable)?;
    let rows = store.chunks(organisation, id).await.map_err(unreadable)?;
    let authors = store.authors(organisation, id).await.map_err(unreadable)?;
    if key.document_id(generation) != id {
        return Err("its id does not follow from its record".to_owned());
    }
    let reading = tokio::task::spawn_blocking(move || {
        let changes = read_rows(&rows)?;
        let genesis = StoredChange::read(Bytes::from(genesis(&key, generation).bytes))
            .map_err(|error| format!("its first change: {error}"))?;
        let (count, bytes) = (changes.len(), changes.iter().map(|change| change.bytes.len()).sum::<usize>());
        let bindings = authors.into_iter().map(|(actor, user)| (ActorId::from(actor), user));
        let read = DocumentSync::<u64>::open(genesis, changes, bindings).map_err(|error| error.to_string())?;
        Ok((count as u64, bytes as u64, read.digest()))
    });
    let (count, bytes, digest) = reading.await.unwrap_or_else(|_| Err("reading it panicked".to_owned()))?;
    let expected = if count == 0 { RecordedHeads::None } else { RecordedHeads::Of(digest) };
    if recorded != expected && recorded != RecordedHeads::Stale {
        // A server that committed between the two readings has noted so or renewed the digest.
        if store.recorded_heads(organisation, id).await.map_err(unreadable)? == recorded {
            return Err("its heads are not those that its record names: changes are missing, or too many".to_owned());
        }
    }
    Ok((count, bytes))
}

/// All changes of some rows; reading one verifies its hash.
fn read_rows(rows: &[ChunkRow]) -> Result<Vec<StoredChange>, String> {
    let mut changes = Vec::new();
    for ChunkRow { n, body } in rows {
        match body.split_first() {
            Some((&PLAIN, body)) => {
                changes.append(&mut decode_row(body).map_err(|error| format!("row {n}: {error}"))?);
            }
            _ => return Err(format!("row {n} does not begin as this version's rows do")),
        }
    }
    Ok(changes)
}

async fn check_records(store: &Store, report: &mut Report) {
    match store.dangling().await {
        Ok(dangling) => {
            let mut named: BTreeMap<&str, i64> = BTreeMap::new();
            for found in dangling {
                *named.entry(found.what).or_default() += 1;
                let is_last = named[found.what] == MOST_NAMED;
                let detail =
                    if is_last { format!("{}, and perhaps more of them", found.what) } else { found.what.to_owned() };
                report.damage.push(Damage {
                    kind: DamageKind::Reference,
                    organisation: Some(found.organisation),
                    id: Some(found.id.to_string()),
                    detail,
                });
            }
        }
        Err(error) => report.damage.push(Damage::of_database("references", &error)),
    }
    match store.counters_behind().await {
        Ok(behind) => report.damage.extend(behind.into_iter().map(|(organisation, counter, rev)| Damage {
            kind: DamageKind::Counter,
            organisation: Some(organisation),
            id: None,
            detail: format!("the counter is {counter} and a record has {rev}"),
        })),
        Err(error) => report.damage.push(Damage::of_database("counters", &error)),
    }
    match store.relayed().await {
        Ok(relayed) => report.relayed.extend(relayed.into_iter().map(|row| RelayedChanges {
            organisation: row.organisation,
            document: row.document,
            author: row.author,
            brought_by: row.brought_by,
            actors: row.actors,
            since: written(row.at),
        })),
        Err(error) => report.damage.push(Damage::of_database("relayed changes", &error)),
    }
}

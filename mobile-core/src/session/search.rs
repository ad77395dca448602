//! Search over everything on this phone that people wrote, without a network.
//!
//! Scans the sealed texts row by row: three years of a manager with 13 members are some 600,000 characters, which need no index. What
//! somebody looks for is kept nowhere and sent to nobody.

use std::{cmp::Reverse, collections::HashMap, ops::Range, sync::Arc};

use taiwa_shared::{
    documents::DocumentError,
    domain::{
        brief::local_time,
        ownership::{Access, DocumentKey},
        search::{self, MAX_QUERY_CHARS, Query},
    },
    ids::{DocumentId, MeetingId, PairId},
    time::Timestamp,
};
use tokio::task::JoinError;

use super::{
    Session, SessionError,
    roster::Roster,
    search_text::{SearchKind, SearchText},
};
use crate::store::LocalDocument;

/// Most lines shown: who has more types another word.
const MAX_HITS: usize = 200;

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// What it was found in.
    pub kind: SearchKind,
    /// Of which pair; none for 現場メモ.
    pub pair: Option<PairId>,
    /// Name of the other person; empty if there is none or the pair has left this phone.
    pub partner_name: String,
    /// At which meeting.
    pub meeting: Option<MeetingId>,
    /// When the meeting was, or when it was written.
    pub at: Option<Timestamp>,
    /// The same as people say it.
    pub when: Option<String>,
    /// The line.
    pub line: String,
    /// What to mark in it, in UTF-16 units.
    pub ranges: Vec<Range<u32>>,
}

/// A line found, before it is ranked.
struct Hit {
    document: DocumentKey,
    kind: SearchKind,
    meeting: Option<MeetingId>,
    at: Option<Timestamp>,
    is_whole: bool,
    line: String,
    ranges: Vec<Range<u32>>,
}

/// What a scan found, and the documents whose text was not as new as they are.
#[derive(Default)]
struct Scan {
    hits: Vec<Hit>,
    stale: Vec<DocumentId>,
}

impl Session {
    /// Lines that hold all words of `text`, however they were typed: those with all words in one line first, newer before
    /// older. Nothing typed finds nothing; at most 200 lines.
    ///
    /// # Errors
    /// [`SessionError::TooLong`] above 500 characters, or if the store cannot be read.
    pub async fn search(&self, text: &str) -> Result<Vec<SearchHit>, SessionError> {
        let too_long = |_| SessionError::TooLong { limit: MAX_QUERY_CHARS, length: text.chars().count() };
        let query = Arc::new(Query::parse(text).map_err(too_long)?);
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let mut scan = self.scan(query.clone()).await?;
        if !scan.stale.is_empty() {
            self.desk.renew(scan.stale).await?;
            scan = self.scan(query).await?;
        }
        let mut hits = scan.hits;
        hits.sort_by_key(|hit| Reverse((hit.is_whole, hit.at)));
        hits.truncate(MAX_HITS);
        Ok(hits.into_iter().map(|hit| self.shown(hit)).collect())
    }

    async fn scan(&self, query: Arc<Query>) -> Result<Scan, SessionError> {
        let documents = self.core.store.documents().await?;
        let texts = self.core.store.search_texts().await?;
        let core = self.core.clone();
        let scanned = tokio::task::spawn_blocking(move || {
            let mut texts: HashMap<_, _> = texts.into_iter().map(|text| (text.document, text)).collect();
            let mut scan = Scan::default();
            let now = core.now();
            let roster = core.roster();
            let is_readable = |document: &&LocalDocument| {
                document.local_digest.is_some() && roster.access(&document.key, core.me(), now) != Access::None
            };
            for document in documents.iter().filter(is_readable) {
                let text = texts.remove(&document.id).and_then(|text| core.store.open_search_text(&text));
                match text {
                    Some(text) => scan.look_into(&roster, now, &query, (document, text)),
                    None => scan.stale.push(document.id),
                }
            }
            scan
        });
        // What a panic says may quote a document.
        let panicked = |error: JoinError| {
            if error.is_panic() { SessionError::from(DocumentError::Panicked) } else { SessionError::Ended }
        };
        scanned.await.map_err(panicked)
    }

    fn shown(&self, hit: Hit) -> SearchHit {
        let roster = self.core.roster();
        let pair = hit.document.pair();
        let partner = pair.and_then(|pair| roster.pair(pair)).and_then(|pair| pair.partner_of(self.me()));
        let say = |at| local_time(at, self.core.now(), &self.core.zone, self.core.language);
        SearchHit {
            kind: hit.kind,
            pair,
            partner_name: partner.map(|partner| roster.name(partner)).unwrap_or_default(),
            meeting: hit.meeting,
            at: hit.at,
            when: hit.at.map(say),
            line: hit.line,
            ranges: hit.ranges,
        }
    }
}

impl Scan {
    fn look_into(
        &mut self,
        roster: &Roster,
        now: Timestamp,
        query: &Query,
        (document, mut text): (&LocalDocument, SearchText),
    ) {
        if text.made_of != document.local_digest {
            self.stale.push(document.id);
        }
        for thing in &mut text.things {
            let found = search::find(query, &thing.lines);
            if found.is_empty() {
                continue;
            }
            let meets = thing.meeting.and_then(|meeting| roster.meeting(meeting, now));
            let at = thing.created.or_else(|| meets.map(|meeting| meeting.starts_at()));
            self.hits.extend(found.into_iter().map(|found| Hit {
                document: document.key,
                kind: thing.kind,
                meeting: thing.meeting,
                at,
                is_whole: found.is_whole,
                line: std::mem::take(&mut thing.lines[found.line]),
                ranges: found.ranges,
            }));
        }
    }
}

//! The hub's numbers, each with its unit and reason. Tests make the times shorter; nothing else changes them.

use std::time::Duration;

use taiwa_shared::sync::limits::{MAX_CHANGE_OPS, MAX_OP, MAX_START_OP_GAP};

/// Changes of a document by default.
const DOCUMENT_CHANGES: usize = 200_000;

/// What a document in a commit adds to the time until the next. A commit costs about as much as storing 20 documents.
const GATHER_PER_DOCUMENT: Duration = Duration::from_micros(100);

// A document is full before its operation counters are used up, however somebody drives them up.
const _: () = assert!(DOCUMENT_CHANGES as u64 * (MAX_START_OP_GAP + MAX_CHANGE_OPS) < MAX_OP);

/// Times and amounts that bound what one connection or document can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubLimits {
    /// A client that has not introduced itself after this is not one.
    pub join_timeout: Duration,
    /// Time between pings; a connection that missed two is dead.
    pub ping_interval: Duration,
    /// One message that the client's side does not take for this long means that the connection is dead.
    pub write_timeout: Duration,
    /// Commits follow each other no faster than this; with a sync to disk of 0.2 ms, 5 ms save 20 µs per edit.
    /// An idle hub commits at once.
    pub commit_window: Duration,
    /// As [`Self::commit_window`], at most, when commits are large: then more is saved than it delays.
    pub busy_commit_window: Duration,
    /// While somebody goes on typing, an acknowledgement may wait this long for a message that goes anyway. RFC 1122
    /// allows TCP 0.5 s.
    pub acknowledge_within: Duration,
    /// A document without new changes for this long gets its digest renewed in its record.
    pub quiet_after: Duration,
    /// A document without connected peers for this long is evicted.
    pub evict_after: Duration,
    /// Open documents may take about this much memory before unused ones are evicted early, oldest first.
    pub resident_budget_bytes: usize,
    /// How often every session's access is checked without news: closed pairs become unreadable by time alone, and a
    /// sign-in may have been ended by another process.
    pub access_recheck: Duration,
    /// How often expired tokens are looked for; quiet and unused documents every fourth time.
    pub tick: Duration,
    /// Documents that one connection may have joined.
    pub documents_per_connection: usize,
    /// Bytes of a document's changes as clients sent them; beyond, it takes none. A pair that fills a memo of 50 KB key
    /// by key has 3 MB of them; opening more than this would take a phone seconds.
    pub document_bytes: usize,
    /// Changes of a document; beyond, it takes none. They take 100 bytes of memory each while it is open.
    pub document_changes: usize,
    /// Largest ephemeral message; a caret is under 100 bytes.
    pub ephemeral_bytes: usize,
    /// Ephemeral messages per second and connection; carets come at 10 per second at most.
    pub ephemerals_per_second: u32,
    /// Bytes of new changes that one person may send in a day, over all documents and connections. A manager with 13
    /// members writes some MB in a year; a phone that brings back everything after a loss has less than this.
    pub person_bytes_per_day: usize,
    /// Work that one person may make at once, in bytes of ordinary changes at 20 ns: about a second of one core.
    pub person_work_burst: usize,
    /// Work that one person may go on making, as [`Self::person_work_burst`]: about a sixth of one core.
    pub person_work_per_second: usize,
    /// An idle document with more rows than this is folded into one.
    pub pack_rows: usize,
    /// An idle document with more unpacked bytes than this is folded into one row.
    pub pack_log_bytes: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            join_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            write_timeout: Duration::from_secs(40),
            commit_window: Duration::from_millis(5),
            busy_commit_window: Duration::from_millis(25),
            acknowledge_within: Duration::from_millis(250),
            quiet_after: Duration::from_secs(5),
            evict_after: Duration::from_secs(60),
            resident_budget_bytes: 256 * 1024 * 1024,
            access_recheck: Duration::from_secs(60),
            tick: Duration::from_millis(250),
            documents_per_connection: 1_000,
            document_bytes: 64 * 1024 * 1024,
            document_changes: DOCUMENT_CHANGES,
            ephemeral_bytes: 16 * 1024,
            ephemerals_per_second: 20,
            person_bytes_per_day: 512 * 1024 * 1024,
            person_work_burst: 64 * 1024 * 1024,
            person_work_per_second: 8 * 1024 * 1024,
            pack_rows: 8,
            pack_log_bytes: 64 * 1024,
        }
    }
}

impl HubLimits {
    /// How soon a commit may follow one of so many documents.
    pub(super) fn commit_window_after(&self, documents: usize) -> Duration {
        let larger = GATHER_PER_DOCUMENT.saturating_mul(u32::try_from(documents).unwrap_or(u32::MAX));
        self.commit_window.saturating_add(larger).min(self.busy_commit_window.max(self.commit_window))
    }
}

/// What the hub holds and has done, for `/healthz` and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubStatistics {
    /// Connected sockets.
    pub connections: usize,
    /// Open documents.
    pub documents: usize,
    /// About how many bytes these take.
    pub resident_bytes: usize,
    /// Commits since the start.
    pub commits: u64,
    /// Changes stored since the start.
    pub changes_stored: u64,
    /// Changes received that no commit has made durable yet.
    pub changes_uncommitted: usize,
    /// Documents that cannot be opened because their rows are damaged.
    pub quarantined: usize,
}

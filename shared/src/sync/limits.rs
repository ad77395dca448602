//! Every limit of the sync engine, with its unit and where the number comes from.
//!
//! Limits on what a peer sends are checked before anything is allocated for it. A limit that an honest client can
//! reach says what that client has to do instead.

use std::time::Duration;

/// 1 MiB: the largest frame that is read. Our own messages stay near 64 KiB; the largest honest one is a stock
/// client's first upload of about 8 000 one-key changes at 125 bytes each.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// 64 KiB of changes per outgoing message: larger ones pin read buffers for the life of a connection (1.25 MB after
/// one 650 KB upload). One change larger than this travels alone.
pub const MAX_MESSAGE_BYTES_OUT: usize = 64 * 1024;

/// How long a client's acknowledgement may wait for a message that goes anyway: nobody waits for it, and a
/// phone's radio is not woken for it while somebody types. An answer that is waited for is never held back.
pub const CLIENT_ACKNOWLEDGES_WITHIN: Duration = Duration::from_secs(1);

/// Hashes in `heads` or `need`: concurrent heads come from people typing at once, so tens are already a lot.
pub const MAX_HASHES: usize = 256;

/// `have` entries of a message: stock clients send one.
pub const MAX_HAVES: usize = 4;

/// 4 MiB: what the changes of one message may inflate to. A full frame of keystrokes is not deflated at all; text
/// deflates to a third.
pub const MAX_MESSAGE_CHANGE_BYTES: usize = 4 * MAX_FRAME_BYTES;

/// Operations and predecessors of one message together, about 0.1 s of checking. A client that was offline for days
/// sends some 10 000; a manuscript of 200 000 characters pasted in parts still passes.
pub const MAX_MESSAGE_OPERATIONS: u64 = 250_000;

/// 8 MiB: key texts of one message, each as often as operations name it. A run length names one of 200 KB five
/// thousand times in a change of 250 KB; ours have up to 40 bytes.
pub const MAX_MESSAGE_KEY_BYTES: u64 = 8 * 1024 * 1024;

/// Bloom filter bits per entry: what every known client sends. Zero makes Automerge 0.12 divide by zero.
pub const BLOOM_BITS_PER_ENTRY: u64 = 10;

/// Bloom filter probes: what every known client sends.
pub const BLOOM_PROBES: u64 = 7;

/// 256 KiB: the largest single change, inflated. A memo is 50 KB of text; longer pastes are split by the writer.
pub const MAX_CHANGE_BYTES: usize = 256 * 1024;

/// Operations in one change. A writer splits longer pastes: 5 000 characters are more than anybody types at once.
pub const MAX_CHANGE_OPS: u64 = 5_000;

/// Predecessors in one change: each overwrites or deletes an earlier operation, a few per operation after conflicts.
pub const MAX_CHANGE_PREDECESSORS: u64 = 4 * MAX_CHANGE_OPS;

/// Dependencies of one change; as [`MAX_HASHES`].
pub const MAX_CHANGE_DEPENDENCIES: usize = MAX_HASHES;

/// Bytes of an actor id. Random ones have 16; Automerge's isolated editing prefixes up to 20 more.
pub const MAX_ACTOR_BYTES: usize = 64;

/// Other actors that one change refers to.
pub const MAX_CHANGE_ACTORS: usize = 1_024;

/// Bytes after the operations of a change, where the author stands (18 bytes).
pub const MAX_CHANGE_FOOTER_BYTES: usize = 64;

/// Bytes of a commit message in a change.
pub const MAX_COMMIT_MESSAGE_BYTES: usize = 1_024;

/// 2^31: operation counters above this bring Automerge's 32-bit counters to the point where every edit panics.
pub const MAX_OP: u64 = 1 << 31;

/// How far a change's first operation may lie above the document's last. Only edits as of an earlier state leave a gap:
/// they count on from everything their author has, of which one large change may still be under way. Counters are
/// used up after [`MAX_OP`] divided by this and a change's own operations: more changes than a hub takes.
pub const MAX_START_OP_GAP: u64 = MAX_CHANGE_OPS;

/// 2 MiB of changes per peer that wait for a missing dependency. A false positive of a Bloom filter (1 %) can leave
/// a whole offline upload (one frame) waiting for its first change, so this is more than a frame, not a handful.
pub const MAX_PARKED_BYTES: usize = 2 * MAX_FRAME_BYTES;

/// Changes per peer that wait for a missing dependency; bounds the bookkeeping beside [`MAX_PARKED_BYTES`].
pub const MAX_PARKED_CHANGES: usize = 16 * 1024;

/// Different dependencies that one peer's parked changes wait for. A filter's false positive makes one.
pub const MAX_MISSING: usize = 4 * MAX_HASHES;

/// Steps through the change graph that the changes of one message may cost, about 40 ms.
pub const MAX_GRAPH_STEPS: usize = 4_000_000;

/// Messages without progress after which a `need` counts as never to be answered. One may have been under way when
/// we asked; the next answers us; Automerge leaves out what it believes to have sent, for ever.
pub const MAX_UNANSWERED_NEEDS: u8 = 3;

/// Runs of changes per document of which we remember who brought them; beyond, the oldest may be echoed (harmless).
pub const MAX_RUNS: usize = 1_024;

/// Changes asked for by name and not sent yet, per peer: as many full `need`s as can arrive while we write one message.
pub const MAX_WANTED: usize = 16 * MAX_HASHES;

/// Bytes of a peer id.
pub const MAX_PEER_ID_BYTES: usize = 128;

/// Bytes of the short texts in frames (session ids, storage ids, error messages).
pub const MAX_TEXT_BYTES: usize = 1_024;

/// Bytes of an access token in a renewal frame; ours have about 400.
pub const MAX_TOKEN_BYTES: usize = 4_096;

/// Fields of a frame's map, known and unknown.
pub const MAX_FRAME_FIELDS: usize = 32;

/// 64 MiB: the largest storage row, inflated. Rows are made by us; this bounds the damage of a damaged one.
pub const MAX_ROW_BYTES: usize = 64 * 1024 * 1024;

/// Heads of a document that one person made: devices that diverged at the same time. A client restarted offline makes
/// a chain, not heads. Those of both people stay within [`MAX_HASHES`], so that our own messages are accepted everywhere.
pub const MAX_HEADS: usize = 128;

/// Objects within objects. Ours are three deep; Automerge reads nested objects recursively, and the smallest stack of
/// a phone's thread ends at about 500.
pub const MAX_OBJECT_DEPTH: u16 = 64;

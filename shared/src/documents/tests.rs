//! Tests of the documents through their public API: two people, two phones, no network in between.

mod choices;
mod composition;
mod genesis;
mod hostile;
mod memo;
mod notebook;

use super::{Editor, Replica};
use crate::{
    domain::ownership::DocumentKey,
    ids::{MeetingId, PairId, UserId},
    time::Timestamp,
};

const AOI: UserId = UserId::from_bytes([0xa0; 16]);
const SATO: UserId = UserId::from_bytes([0x5a; 16]);
const PAIR: PairId = PairId::from_bytes([4; 16]);
const MEETING: MeetingId = MeetingId::from_bytes([5; 16]);

const DRAFT: DocumentKey = DocumentKey::Draft { pair: PAIR, meeting: MEETING };
const PREP: DocumentKey = DocumentKey::Prep { pair: PAIR, meeting: MEETING };
const NOTEBOOK: DocumentKey = DocumentKey::Notebook { pair: PAIR };
const MEMO: DocumentKey = DocumentKey::Memo { pair: PAIR, meeting: MEETING };
const PRIVATE: DocumentKey = DocumentKey::Private { pair: PAIR, user: AOI };
const FIELD_NOTES: DocumentKey = DocumentKey::FieldNotes { user: AOI };

const ALL: [DocumentKey; 6] = [DRAFT, PREP, NOTEBOOK, MEMO, PRIVATE, FIELD_NOTES];

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_760_000_040_000 + minute * 60_000 + 12_345)
}

const fn now() -> Timestamp {
    Timestamp::from_millis(1_760_000_000_000)
}

/// A phone that has just made the document by itself.
fn phone(key: DocumentKey, user: UserId, actor: u8) -> Replica {
    Replica::open(key, 0, [], Editor { user, actor: [actor; 16] }).unwrap()
}

/// Everything written on `from` since the last time arrives at `to`.
fn send(from: &mut Replica, to: &mut Replica) {
    let changes = from.take_changes();
    to.apply(&changes).unwrap();
}

/// Both send what they have, as if the network came back.
fn exchange(a: &mut Replica, b: &mut Replica) {
    let (from_a, from_b) = (a.take_changes(), b.take_changes());
    a.apply(&from_b).unwrap();
    b.apply(&from_a).unwrap();
    assert_eq!(a.heads(), b.heads());
}

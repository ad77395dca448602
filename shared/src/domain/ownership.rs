//! Which document belongs to whom, how its id follows from that, and who may read or write it.
//!
//! Called by phone and server alike. A document's id is UUIDv5 of its owner key and generation, so two phones that
//! are both offline open the *same* document. Generation 0 is the first; erasing history moves to the next.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::people::{Pair, PairState, Side};
use crate::{
    ids::{DocumentId, MeetingId, PairId, UserId},
    time::Timestamp,
};

/// UUIDv5 namespace of document ids; made once at random, never changed.
const DOCUMENT_NAMESPACE: Uuid = Uuid::from_u128(0x5b1c_6f0e_9a3d_4c57_8e21_d04f_7a96_c3b8);

/// How long a former manager still reads the documents of a closed pair: long enough to hand over, then their copy
/// goes. The member keeps reading what was agreed with them.
pub const CLOSED_PAIR_READABLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The owner of a document and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DocumentKey {
    /// The member's prep form while it is being filled in; never leaves the member's own devices.
    Draft {
        /// Pair of the meeting.
        pair: PairId,
        /// Meeting it prepares.
        meeting: MeetingId,
    },
    /// The published prep: topics, responses, one line each.
    Prep {
        /// Pair of the meeting.
        pair: PairId,
        /// Meeting it prepares.
        meeting: MeetingId,
    },
    /// Promises, intentions and next agenda of a pair.
    Notebook {
        /// The pair.
        pair: PairId,
    },
    /// The shared memo of a meeting.
    Memo {
        /// Pair of the meeting.
        pair: PairId,
        /// The meeting.
        meeting: MeetingId,
    },
    /// One person's private notes about a pair.
    Private {
        /// The pair the notes are about.
        pair: PairId,
        /// Whose notes.
        user: UserId,
    },
    /// One person's private notes of no pair (現場メモ).
    FieldNotes {
        /// Whose notes.
        user: UserId,
    },
}

/// What somebody may do with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Not even know that it exists.
    None,
    /// Receive it.
    Read,
    /// Receive and change it.
    Write,
}

impl DocumentKey {
    /// The id of a generation of this document.
    pub fn document_id(&self, generation: u32) -> DocumentId {
        let name = match self {
            Self::Draft { pair, meeting } => format!("draft/{pair}/{meeting}/{generation}"),
            Self::Prep { pair, meeting } => format!("prep/{pair}/{meeting}/{generation}"),
            Self::Notebook { pair } => format!("notebook/{pair}/{generation}"),
            Self::Memo { pair, meeting } => format!("memo/{pair}/{meeting}/{generation}"),
            Self::Private { pair, user } => format!("private/{pair}/{user}/{generation}"),
            Self::FieldNotes { user } => format!("field-notes/{user}/{generation}"),
        };
        DocumentId::from_uuid(Uuid::new_v5(&DOCUMENT_NAMESPACE, name.as_bytes()))
    }

    /// The pair it belongs to, if any.
    pub fn pair(&self) -> Option<PairId> {
        match self {
            Self::Draft { pair, .. }
            | Self::Prep { pair, .. }
            | Self::Notebook { pair }
            | Self::Memo { pair, .. }
            | Self::Private { pair, .. } => Some(*pair),
            Self::FieldNotes { .. } => None,
        }
    }

    /// The meeting it belongs to, if any.
    pub fn meeting(&self) -> Option<MeetingId> {
        match self {
            Self::Draft { meeting, .. } | Self::Prep { meeting, .. } | Self::Memo { meeting, .. } => Some(*meeting),
            Self::Notebook { .. } | Self::Private { .. } | Self::FieldNotes { .. } => None,
        }
    }

    /// The stable word for this kind, as in SQL and in the document's own content.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Draft { .. } => "draft",
            Self::Prep { .. } => "prep",
            Self::Notebook { .. } => "notebook",
            Self::Memo { .. } => "memo",
            Self::Private { .. } => "private",
            Self::FieldNotes { .. } => "field_notes",
        }
    }

    /// What `user` may do with this document at `now`; `pair` is the record of [`Self::pair`], if there is one.
    ///
    /// A missing pair record means no access: what is unknown and what is forbidden look the same.
    pub fn access(&self, user: UserId, pair: Option<&Pair>, now: Timestamp) -> Access {
        if let Self::FieldNotes { user: owner } = self {
            return if *owner == user { Access::Write } else { Access::None };
        }
        let Some(pair) = pair.filter(|pair| Some(pair.id) == self.pair()) else {
            return Access::None;
        };
        let Some(side) = pair.side_of(user) else {
            return Access::None;
        };
        let while_open = match self {
            Self::Draft { .. } if side == Side::Member => Access::Write,
            Self::Draft { .. } => Access::None,
            Self::Prep { .. } if side == Side::Member => Access::Write,
            Self::Prep { .. } => Access::Read,
            Self::Notebook { .. } | Self::Memo { .. } => Access::Write,
            // A private note outlives the pair: it belongs to its writer alone.
            Self::Private { user: owner, .. } => {
                return if *owner == user { Access::Write } else { Access::None };
            }
            Self::FieldNotes { .. } => Access::None,
        };
        match pair.state {
            PairState::Open => while_open,
            PairState::Closed { at } if side == Side::Member || now < at.plus(CLOSED_PAIR_READABLE) => {
                while_open.min(Access::Read)
            }
            PairState::Closed { .. } => Access::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{cadence::Cadence, people::PairKind};

    const MEMBER: UserId = UserId::from_bytes([1; 16]);
    const MANAGER: UserId = UserId::from_bytes([2; 16]);
    const HR: UserId = UserId::from_bytes([3; 16]);
    const PAIR: PairId = PairId::from_bytes([4; 16]);
    const MEETING: MeetingId = MeetingId::from_bytes([5; 16]);
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn pair(state: PairState) -> Pair {
        Pair {
            id: PAIR,
            member: MEMBER,
            manager: MANAGER,
            kind: PairKind::Line,
            cadence: Cadence::default(),
            cadence_revision: 0,
            state,
        }
    }

    #[test]
    fn who_sees_what_follows_the_privacy_table() {
        use Access::{None, Read, Write};
        let now = Timestamp::from_millis(0);
        let open = pair(PairState::Open);
        for (key, member, manager) in [
            (DocumentKey::Draft { pair: PAIR, meeting: MEETING }, Write, None),
            (DocumentKey::Prep { pair: PAIR, meeting: MEETING }, Write, Read),
            (DocumentKey::Notebook { pair: PAIR }, Write, Write),
            (DocumentKey::Memo { pair: PAIR, meeting: MEETING }, Write, Write),
            (DocumentKey::Private { pair: PAIR, user: MEMBER }, Write, None),
            (DocumentKey::Private { pair: PAIR, user: MANAGER }, None, Write),
            (DocumentKey::FieldNotes { user: MEMBER }, Write, None),
        ] {
            assert_eq!(key.access(MEMBER, Some(&open), now), member, "{key:?} member");
            assert_eq!(key.access(MANAGER, Some(&open), now), manager, "{key:?} manager");
            assert_eq!(key.access(HR, Some(&open), now), None, "{key:?} hr");
        }
    }

    #[test]
    fn a_closed_pair_is_read_only_for_the_member_for_good_and_for_the_former_manager_for_thirty_days() {
        use Access::{None, Read, Write};
        let closed_at = Timestamp::from_millis(1_000);
        let closed = pair(PairState::Closed { at: closed_at });
        let (last_moment, later) =
            (closed_at.plus(CLOSED_PAIR_READABLE).minus(MILLISECOND), closed_at.plus(CLOSED_PAIR_READABLE));
        let years_later = closed_at.plus(CLOSED_PAIR_READABLE * 50);
        for (key, member, manager_first, manager_later) in [
            (DocumentKey::Draft { pair: PAIR, meeting: MEETING }, Read, None, None),
            (DocumentKey::Prep { pair: PAIR, meeting: MEETING }, Read, Read, None),
            (DocumentKey::Notebook { pair: PAIR }, Read, Read, None),
            (DocumentKey::Memo { pair: PAIR, meeting: MEETING }, Read, Read, None),
            (DocumentKey::Private { pair: PAIR, user: MEMBER }, Write, None, None),
            (DocumentKey::Private { pair: PAIR, user: MANAGER }, None, Write, Write),
        ] {
            for now in [closed_at, last_moment, later, years_later] {
                assert_eq!(key.access(MEMBER, Some(&closed), now), member, "{key:?} member {now:?}");
                let manager = if now < later { manager_first } else { manager_later };
                assert_eq!(key.access(MANAGER, Some(&closed), now), manager, "{key:?} manager {now:?}");
                assert_eq!(key.access(HR, Some(&closed), now), None, "{key:?} hr {now:?}");
            }
        }
    }

    #[test]
    fn another_pairs_record_gives_no_access() {
        let mut other = pair(PairState::Open);
        other.id = PairId::from_bytes([9; 16]);
        let key = DocumentKey::Notebook { pair: PAIR };
        assert_eq!(key.access(MEMBER, Some(&other), Timestamp::default()), Access::None);
        assert_eq!(key.access(MEMBER, None, Timestamp::default()), Access::None);
    }

    #[test]
    fn document_ids_are_pinned() {
        let key = DocumentKey::Memo { pair: PAIR, meeting: MEETING };
        assert_eq!(key.document_id(0), key.document_id(0));
        assert_ne!(key.document_id(0), key.document_id(1));
        assert_ne!(key.document_id(0), DocumentKey::Prep { pair: PAIR, meeting: MEETING }.document_id(0));
    }
}

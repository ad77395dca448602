//! Which documents have to be exchanged, decided from what the store knows; no document is opened for it.
//!
//! A phone with 500 unchanged documents exchanges none of them. Called after every exchange of records.

use std::collections::HashSet;

use taiwa_shared::{domain::ownership::Access, ids::DocumentId};

use crate::store::{LocalDocument, RefusalReason};

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// To exchange, the most urgent first.
    pub(super) exchange: Vec<DocumentId>,
    /// The server does not know of these yet, and there is something to exchange.
    pub(super) claim: Vec<DocumentId>,
    /// Unsent edits that the server would not take, known from the records alone.
    pub(super) refuse: Vec<(DocumentId, RefusalReason)>,
}

/// How soon a document has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    OnScreen,
    Unsent,
    Changed,
}

/// Plans the exchange of `documents`.
pub(super) fn plan(documents: &[LocalDocument], on_screen: &HashSet<DocumentId>, wanted: &HashSet<DocumentId>) -> Plan {
    let mut plan = Plan::default();
    let mut exchange = Vec::new();
    for document in documents {
        if document.unacknowledged > 0 && document.access < Access::Write && document.refused.is_none() {
            plan.refuse.push((document.id, RefusalReason::NoAccess));
        }
        if document.access == Access::None {
            continue;
        }
        let Some(urgency) = urgency(document, on_screen, wanted) else { continue };
        if document.claimed {
            exchange.push((urgency, document.id));
        } else if urgency < Urgency::Changed {
            plan.claim.push(document.id);
        }
    }
    exchange.sort_unstable();
    plan.exchange = exchange.into_iter().map(|(_, id)| id).collect();
    plan
}

/// Whether the person's unsent changes stay out of the exchange.
pub(super) fn is_withheld(document: &LocalDocument) -> bool {
    document.access < Access::Write || document.refused.is_some()
}

fn urgency(document: &LocalDocument, on_screen: &HashSet<DocumentId>, wanted: &HashSet<DocumentId>) -> Option<Urgency> {
    if on_screen.contains(&document.id) {
        Some(Urgency::OnScreen)
    } else if document.unacknowledged > 0 && !is_withheld(document) {
        Some(Urgency::Unsent)
    } else if wanted.contains(&document.id) || document.server_digest != document.local_digest {
        Some(Urgency::Changed)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use taiwa_shared::{
        domain::ownership::DocumentKey,
        ids::{HeadsDigest, MeetingId, PairId},
    };

    use super::*;

    fn document(n: u8, change: impl FnOnce(&mut LocalDocument)) -> LocalDocument {
        let key = DocumentKey::Memo { pair: PairId::from_bytes([1; 16]), meeting: MeetingId::from_bytes([n; 16]) };
        let digest = Some(HeadsDigest::from_bytes([n; 16]));
        let mut document = LocalDocument {
            id: DocumentId::from_bytes([n; 16]),
            key,
            generation: 0,
            access: Access::Write,
            slot: None,
            server_digest: digest,
            local_digest: digest,
            claimed: true,
            refused: None,
            unacknowledged: 0,
        };
        change(&mut document);
        document
    }

    fn id(n: u8) -> DocumentId {
        DocumentId::from_bytes([n; 16])
    }

    fn check(documents: &[LocalDocument], on_screen: &[u8], wanted: &[u8]) -> Plan {
        let ids = |ns: &[u8]| ns.iter().map(|n| id(*n)).collect::<HashSet<_>>();
        plan(documents, &ids(on_screen), &ids(wanted))
    }

    #[test]
    fn five_hundred_unchanged_documents_are_left_alone() {
        let documents: Vec<_> = (0..=255).chain(0..=243).map(|n| document(n, |_| {})).collect();
        assert_eq!(check(&documents, &[], &[]), Plan::default());
    }

    #[test]
    fn what_is_on_screen_comes_first_then_unsent_then_changed() {
        let documents = [
            document(1, |d| d.server_digest = None),
            document(2, |d| d.unacknowledged = 3),
            document(3, |_| {}),
            document(4, |_| {}),
            document(5, |_| {}),
        ];
        let expected = Plan { exchange: vec![id(3), id(2), id(1), id(4)], ..Plan::default() };
        assert_eq!(check(&documents, &[3], &[4]), expected);
    }

    #[test]
    fn a_document_that_the_server_does_not_know_is_claimed_before_it_is_exchanged() {
        let unclaimed = |d: &mut LocalDocument| (d.claimed, d.server_digest) = (false, None);
        let documents = [
            document(1, |d| {
                unclaimed(d);
                d.unacknowledged = 1;
            }),
            document(2, unclaimed),
            document(3, unclaimed),
        ];
        let expected = Plan { claim: vec![id(1), id(2)], ..Plan::default() };
        assert_eq!(check(&documents, &[2], &[]), expected);
    }

    #[test]
    fn unsent_edits_without_write_access_are_refused_and_the_rest_is_still_read() {
        let documents = [
            document(1, |d| (d.unacknowledged, d.access, d.server_digest) = (2, Access::Read, None)),
            document(2, |d| (d.unacknowledged, d.access) = (2, Access::None)),
            document(3, |d| (d.unacknowledged, d.refused) = (2, Some(RefusalReason::Full))),
        ];
        let expected = Plan {
            exchange: vec![id(1)],
            refuse: vec![(id(1), RefusalReason::NoAccess), (id(2), RefusalReason::NoAccess)],
            ..Plan::default()
        };
        assert_eq!(check(&documents, &[], &[]), expected);
    }
}

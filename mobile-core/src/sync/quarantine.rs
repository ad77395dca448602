//! One document that the server refuses must not keep all others from being synchronised.
//!
//! The server closes the connection on a change that it does not accept, without saying which document it was. So
//! the documents with unacknowledged changes at that moment become suspects and have their turns one at a time; the one that
//! is alone under suspicion when the server refuses again is the one. Pure; lives longer than a connection.

use std::collections::BTreeSet;

use taiwa_shared::ids::DocumentId;

/// Suspects, if the server has refused anything lately.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    suspects: BTreeSet<DocumentId>,
}

impl Quarantine {
    /// Whether a document may be exchanged now.
    pub(super) fn admits(&self, document: DocumentId) -> bool {
        !self.suspects.contains(&document) || self.suspects.first() == Some(&document)
    }

    /// The server refused something while these had unacknowledged changes; the answer is the document to give up.
    pub(super) fn refused(&mut self, unacknowledged: &[DocumentId]) -> Option<DocumentId> {
        let on_trial = self.suspects.first().copied();
        if let Some(document) = on_trial.filter(|document| unacknowledged.contains(document)) {
            self.suspects.remove(&document);
            return Some(document);
        }
        self.suspects.extend(unacknowledged);
        None
    }

    /// Only documents with unsent changes can be what the server refuses.
    pub(super) fn keep_only(&mut self, is_unsent: impl Fn(DocumentId) -> bool) {
        self.suspects.retain(|document| is_unsent(*document));
    }

    /// The server has acknowledged everything of this document; true if another suspect may now have its turn.
    pub(super) fn acquit(&mut self, document: DocumentId) -> bool {
        self.suspects.remove(&document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> DocumentId {
        DocumentId::from_bytes([n; 16])
    }

    #[test]
    fn the_refused_document_is_found_and_the_others_go_on() {
        let bad = id(3);
        let mut quarantine = Quarantine::default();
        let all: Vec<_> = (1..=5).map(id).collect();
        let mut unsent = all.clone();
        let mut given_up = Vec::new();
        let mut connections = 0;
        while !unsent.is_empty() {
            connections += 1;
            assert!(connections < 10, "still unsent after {connections} connections: {unsent:?}");
            // One connection: documents are sent until the server meets the bad one.
            loop {
                let sent: Vec<_> = unsent.iter().copied().filter(|id| quarantine.admits(*id)).collect();
                if sent.is_empty() {
                    break;
                }
                if sent.contains(&bad) {
                    if let Some(found) = quarantine.refused(&sent) {
                        given_up.push(found);
                        unsent.retain(|id| *id != found);
                    }
                    break;
                }
                for id in sent {
                    unsent.retain(|unsent| *unsent != id);
                    quarantine.acquit(id);
                }
            }
        }
        assert_eq!(given_up, [bad]);
    }

    #[test]
    fn a_single_refusal_gives_up_nothing() {
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.refused(&[id(1)]), None);
        assert!(quarantine.admits(id(1)));
        assert_eq!(quarantine.refused(&[id(1)]), Some(id(1)));
    }
}

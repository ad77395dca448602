//! One document that the server refuses must not keep all others from being synchronised.
//!
//! The server closes the connection on a change that it does not accept, without saying which document it was. So
//! the documents of which it was sent changes that it had not acknowledged at that moment become suspects and have their turns one at a time; the one
//! that is alone under suspicion when the server refuses again is the one. Pure; lives longer than a connection.

use std::collections::BTreeSet;

use taiwa_shared::ids::DocumentId;

/// Suspects, if the server has refused anything lately.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    suspects: BTreeSet<DocumentId>,
    /// Found, and nothing of this person's in them that could be given up: left alone until the app starts again.
    aside: BTreeSet<DocumentId>,
}

impl Quarantine {
    /// Whether a document may be exchanged now.
    pub(super) fn admits(&self, document: DocumentId) -> bool {
        let is_on_trial = || self.suspects.first() == Some(&document);
        !self.aside.contains(&document) && (!self.suspects.contains(&document) || is_on_trial())
    }

    /// The server refused something while these changes had no verdict; the answer is the document to give up.
    pub(super) fn refused(&mut self, sent: &[DocumentId]) -> Option<DocumentId> {
        let on_trial = self.suspects.first().copied();
        if let Some(document) = on_trial.filter(|document| sent == [*document]) {
            self.suspects.remove(&document);
            return Some(document);
        }
        // Somebody wrote in another document meanwhile: either could be it.
        self.suspects.extend(sent);
        None
    }

    /// Leaves a document alone until the app starts again.
    pub(super) fn set_aside(&mut self, document: DocumentId) {
        self.aside.insert(document);
    }

    /// Forgets suspects that will not be sent any more.
    pub(super) fn keep_only(&mut self, may_be_sent: impl Fn(DocumentId) -> bool) {
        self.suspects.retain(|document| may_be_sent(*document));
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
    fn what_was_written_elsewhere_during_a_trial_is_not_given_up() {
        let (bad, honest) = (id(2), id(1));
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.refused(&[bad, honest]), None);
        // The honest one has its trial first, and somebody types into the bad one, which was open.
        assert_eq!(quarantine.refused(&[honest, bad]), None);
        assert!(quarantine.admits(honest) && !quarantine.admits(bad));
        assert!(quarantine.acquit(honest));
        assert_eq!(quarantine.refused(&[bad]), Some(bad));
    }

    #[test]
    fn what_is_set_aside_has_no_turn_again() {
        let mut quarantine = Quarantine::default();
        quarantine.set_aside(id(1));
        assert!(!quarantine.admits(id(1)) && quarantine.admits(id(2)));
    }

    #[test]
    fn a_single_refusal_gives_up_nothing() {
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.refused(&[id(1)]), None);
        assert!(quarantine.admits(id(1)));
        assert_eq!(quarantine.refused(&[id(1)]), Some(id(1)));
    }
}

//! What must hold during a simulation, and at its end.

use std::collections::BTreeSet;

use automerge::ChangeHash;
use taiwa_shared::{
    documents::genesis,
    domain::ownership::DocumentKey,
    ids::{DocumentId, UserId},
    sync::wire::Frame,
};
use taiwa_tests::simulated::house::{FIRST, SECOND, documents_of};

use super::story::{Owned, Story};

fn all_documents() -> impl Iterator<Item = DocumentKey> {
    documents_of(FIRST).into_iter().chain(documents_of(SECOND))
}

/// The document that a frame is about, if it carries anything of one.
fn carried(frame: &Frame) -> Option<DocumentId> {
    match frame {
        Frame::Sync { document, .. } | Frame::Request { document, .. } | Frame::Ephemeral { document, .. } => {
            Some(*document)
        }
        _ => None,
    }
}

fn is_lost(story: &Story, user: UserId, document: DocumentId) -> bool {
    story.withdrawn.as_ref().is_some_and(|lost| lost.user == user && lost.documents().contains(&document))
}

/// Devices that have a document and may see it.
fn holders(story: &Story, document: DocumentId) -> impl Iterator<Item = &Owned> {
    story
        .devices
        .iter()
        .filter(move |owned| owned.device.documents().contains(&document) && !is_lost(story, owned.user, document))
}

/// P2 and P3: whatever the server acknowledged or forwarded is in its database.
pub(super) async fn what_was_told_is_stored(story: &Story) {
    for (key, stored) in story.house.stored().await.unwrap() {
        let document = key.document_id(0);
        for owned in story.devices.iter().filter(|owned| owned.device.documents().contains(&document)) {
            let told = owned.device.told(document);
            let missing: Vec<_> = told.difference(&stored.changes).filter(|hash| **hash != first(&key)).collect();
            let line = owned.device.line();
            assert!(missing.is_empty(), "device {line} was told of changes that are not stored: {missing:?}");
        }
        assert!(stored.twice.is_empty(), "stored twice in {document}: {:?}", stored.twice);
    }
}

fn first(key: &DocumentKey) -> ChangeHash {
    genesis(key, 0).hash
}

/// P4: not one byte of what somebody may not see any more leaves the server, and nothing that they make enters.
pub(super) async fn nothing_after_withdrawal(story: &Story) {
    let Some(lost) = &story.withdrawn else { return };
    let mut stored = story.house.stored().await.unwrap();
    stored.retain(|key, _| key.pair() == Some(lost.pair));
    for owned in story.devices.iter().filter(|owned| owned.user == lost.user) {
        let line = owned.device.line();
        for frame in story.network.said(line).since(lost.said[line]) {
            let document = carried(&frame).filter(|document| lost.documents().contains(document));
            assert_eq!(document, None, "after access was withdrawn the server said to device {line}: {frame:?}");
        }
        for (key, stored) in &stored {
            let document = key.document_id(0);
            for (hash, text) in owned.device.made(document) {
                let entered = stored.changes.contains(&hash) && !lost.made.contains(&hash);
                assert!(!entered, "{text}, made after access was withdrawn, entered {document}");
            }
        }
    }
}

/// P1: whoever may see a document has the same of it as all others, and both sides know.
pub(super) fn is_converged(story: &Story) -> bool {
    story.devices.iter().all(|owned| owned.device.is_settled())
        && story.devices.iter().all(|owned| {
            let documents = owned.device.documents();
            documents.iter().all(|id| owned.device.is_unavailable(*id) == is_lost(story, owned.user, *id))
        })
        && all_documents().all(|key| {
            let document = key.document_id(0);
            let heads: BTreeSet<_> = holders(story, document).map(|owned| owned.device.heads(document)).collect();
            heads.len() <= 1
        })
}

pub(super) fn what_differs(story: &Story) -> String {
    let of_device = |owned: &Owned| {
        let of_document = |document: DocumentId| {
            let heads: Vec<_> =
                owned.device.heads(document).iter().map(|head| head.to_string()[..8].to_owned()).collect();
            format!("\n  {document} unavailable {} {heads:?}", owned.device.is_unavailable(document))
        };
        let documents: String = owned.device.documents().into_iter().map(of_document).collect();
        format!("\ndevice {} settled {}{documents}", owned.device.line(), owned.device.is_settled())
    };
    story.devices.iter().map(of_device).collect()
}

/// P11: after the last edit they stop talking.
pub(super) fn nobody_spoke_since(story: &Story, said: &[usize]) {
    for (line, said) in said.iter().enumerate() {
        let spoken: Vec<_> = story.network.said(line).since(*said);
        let spoken: Vec<_> = spoken.iter().filter(|frame| carried(frame).is_some()).collect();
        assert!(spoken.is_empty(), "everybody has everything, and the server says on line {line}: {spoken:?}");
    }
}

/// At rest: the database holds exactly what people made, once, and every screen shows it.
pub(super) async fn everything_is_as_it_should(story: &mut Story) {
    nothing_after_withdrawal(story).await;
    what_was_told_is_stored(story).await;
    for (key, stored) in story.house.stored().await.unwrap() {
        let document = key.document_id(0);
        let mut made = BTreeSet::from([first(&key)]);
        let mut texts = Vec::new();
        for owned in story.devices.iter().filter(|owned| owned.device.documents().contains(&document)) {
            for (hash, text) in owned.device.made(document) {
                made.insert(hash);
                let has_entered = stored.changes.contains(&hash);
                assert!(has_entered || is_lost(story, owned.user, document), "{text} of {document} is not stored");
                texts.extend(has_entered.then_some(text));
            }
        }
        let nobodys: Vec<_> = stored.changes.difference(&made).collect();
        assert!(nobodys.is_empty(), "nobody made {nobodys:?} of {document}");
        if stored.rows > 0 && stored.rows < stored.changes.len() / 4 {
            story.network.count("documents packed");
        }
        texts.sort_unstable();
        for owned in holders(story, document) {
            let (heads, shown) = owned.device.shown(document).unwrap();
            assert_eq!(heads, owned.device.heads(document), "engine and document differ on {document}");
            // A prep has other keys besides.
            let mut typed: Vec<_> = shown.chars().filter(|character| !character.is_ascii()).map(String::from).collect();
            typed.sort_unstable();
            assert_eq!(typed, texts, "each change once and nothing else in {document}");
        }
    }
}

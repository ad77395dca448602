//! Edits that can no longer be sent are never dropped: their text becomes a card 「送れなかった入力」.
//!
//! Called by the owner of the documents before anything is removed. The text of a card is what the document shows with
//! the unsent changes and not without them.

use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::DocumentId,
    protocol::records::{RecordEntry, RecordsPage},
    sync::chunks::StoredChange,
};

use super::{SessionError, core::Core, desk::open_replica, summary::added_text};
use crate::store::{LocalDocument, PageEffects, RefusalReason, RefusedEdit, RefusedEditId};

/// What a page of records removes from this phone, and the cards that stay of it.
pub(super) async fn effects_of(core: &Core, page: &RecordsPage) -> Result<PageEffects, SessionError> {
    let mut effects = PageEffects::default();
    let removes = |entry: &RecordEntry| {
        matches!(entry, RecordEntry::PairLost { .. })
            || matches!(entry, RecordEntry::Document(document) if document.generation > 0)
    };
    if !page.entries.iter().any(removes) {
        return Ok(effects);
    }
    for document in core.store.documents().await? {
        if let Some(reason) = reason_to_remove(page, &document) {
            if document.unacknowledged > 0 {
                effects.cards.push(card(core, &document, reason).await?);
            }
            effects.purge.push(document.id);
        }
    }
    Ok(effects)
}

fn reason_to_remove(page: &RecordsPage, document: &LocalDocument) -> Option<RefusalReason> {
    page.entries.iter().find_map(|entry| match entry {
        // A private note belongs to its writer alone and outlives the pair.
        RecordEntry::PairLost { pair }
            if document.key.pair() == Some(*pair) && !matches!(document.key, DocumentKey::Private { .. }) =>
        {
            Some(RefusalReason::NoAccess)
        }
        RecordEntry::Document(newer) if newer.key == document.key && newer.generation > document.generation => {
            Some(RefusalReason::Replaced)
        }
        _ => None,
    })
}

/// Documents whose unsent changes are refused and still stand in the document instead of on a card.
pub(super) async fn without_card(core: &Core) -> Result<Vec<(DocumentId, RefusalReason)>, SessionError> {
    let mut found = Vec::new();
    for (document, _) in core.store.unacknowledged().await? {
        let known = core.store.document(document).await?;
        found.extend(known.and_then(|known| known.refused).map(|reason| (document, reason)));
    }
    Ok(found)
}

/// Turns the unsent changes of a document into a card; the document goes back to what the server has.
pub(super) async fn keep_as_card(core: &Core, document: DocumentId, reason: RefusalReason) -> Result<(), SessionError> {
    let Some(known) = core.store.document(document).await?.filter(|known| known.unacknowledged > 0) else {
        return Ok(());
    };
    let card = card(core, &known, reason).await?;
    Ok(core.store.turn_into_card(document, &card).await?)
}

/// The card of a document's unsent changes; its text is empty if they hold none, such as a tick.
async fn card(core: &Core, document: &LocalDocument, reason: RefusalReason) -> Result<RefusedEdit, SessionError> {
    // Changes that received ones stand upon have reached the server, though its word for it has not arrived.
    core.store.settle(document.id).await?;
    let changes = core.store.changes_with_state(document.id).await?;
    let sent: Vec<StoredChange> = changes.iter().filter(|(_, unsent)| !unsent).map(|(it, _)| it.clone()).collect();
    let all = changes.into_iter().map(|(change, _)| change).collect();
    let before = open_replica(core, document.key, document.generation, sent).await?;
    let after = open_replica(core, document.key, document.generation, all).await?;
    let text = added_text(&before, &after, core.language);
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("the operating system gives random bytes");
    let id = RefusedEditId::from_bytes(id);
    Ok(RefusedEdit { id, document: document.id, key: document.key, text, reason, at: core.now() })
}

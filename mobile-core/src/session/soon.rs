//! Keeps what members tell their managers coming at once: the preps of the next day are exchanged live.
//!
//! A record says that a document exists, and its digest follows when the document has been quiet for seconds; a manager who
//! looks at the brief in the last ten must not wait for that. Whoever is joined gets a change as soon as it is stored.

use std::{collections::HashSet, sync::Arc, time::Duration};

use taiwa_shared::{
    domain::{ownership::DocumentKey, people::Side},
    ids::DocumentId,
};

use super::core::Core;
use crate::sync::SyncHandle;

/// How long before a meeting its prep is live: a manager has a handful of meetings in a day.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);
/// How often to look which meetings are near, besides after every pull; small against [`AHEAD`].
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);

/// Runs until the session ends; the sync keeps a document live only while it is connected at all.
pub(super) async fn keep_live(core: Arc<Core>, sync: SyncHandle) {
    let mut changes = core.changes.subscribe();
    let mut live = HashSet::new();
    loop {
        let roster = core.roster();
        let near = preps(&core);
        near.difference(&live).for_each(|document| sync.open_document(*document));
        live.difference(&near).for_each(|document| sync.close_document(*document));
        live = near;
        let look_again = tokio::time::sleep(LOOK_AGAIN);
        tokio::pin!(look_again);
        loop {
            tokio::select! {
                () = core.ended.cancelled() => return,
                () = &mut look_again => break,
                changed = changes.changed() => match changed {
                    // Only a pull replaces the roster; most changes are keystrokes.
                    Ok(()) if Arc::ptr_eq(&roster, &core.roster()) => {}
                    Ok(()) => break,
                    Err(_) => return,
                },
            }
        }
    }
}

/// Preps that members write for this person's meetings within a day, or for those under way.
pub(super) fn preps(core: &Core) -> HashSet<DocumentId> {
    let now = core.now();
    let upcoming = core.roster().upcoming(core.me(), now);
    let near =
        upcoming.iter().filter(|(meeting, side)| *side == Side::Manager && meeting.starts_at() <= now.plus(AHEAD));
    near.map(|(meeting, _)| core.document_id(&DocumentKey::Prep { pair: meeting.pair, meeting: meeting.id })).collect()
}

//! Claims: a phone tells the server of documents whose ids it derived by itself.
//!
//! The server derives the id again, checks that the person may know of it, and makes the record (and the meeting's).
//! What is unknown, forbidden or not derivable is refused in one way. Claiming again changes nothing.

use std::time::Duration;

use taiwa_shared::{
    domain::{
        meeting::Meeting,
        ownership::{Access, DocumentKey},
        people::{Pair, PairState},
    },
    protocol::records::{ClaimOutcome, ClaimRequest, ClaimResponse, DocumentClaim},
    time::Timestamp,
};

use super::access::{Principal, access_to};
use crate::{
    bus::{Bus, News},
    store::{Store, StoreError, Tx},
};

/// Claims in one request: what a phone of a manager collects in a week offline, with room.
pub const MAX_CLAIMS: usize = 200;
/// Documents of one pair: three per meeting, weekly for twelve years.
pub const MAX_DOCUMENTS_PER_PAIR: i64 = 2_000;
/// How far from now the slot of a claimed meeting may lie.
const SLOT_WINDOW: Duration = Duration::from_secs(2 * 366 * 24 * 60 * 60);

/// Answers each claim of `request`, which has at most [`MAX_CLAIMS`].
///
/// # Errors
/// [`StoreError`] if the records could not be read or written; nothing is written then.
pub async fn claim(
    store: &Store,
    bus: &Bus,
    principal: &Principal,
    request: &ClaimRequest,
    now: Timestamp,
) -> Result<ClaimResponse, StoreError> {
    if let Some(outcomes) = all_known(store, principal, &request.claims, now).await? {
        return Ok(ClaimResponse { outcomes });
    }
    let mut tx = store.begin().await?;
    let rev = tx.next_rev(principal.organisation).await?;
    let mut outcomes = Vec::with_capacity(request.claims.len());
    let mut added = false;
    for claim in &request.claims {
        let (outcome, new) = answer(&mut tx, principal, claim, rev, now).await?;
        outcomes.push(outcome);
        added |= new;
    }
    if added {
        tx.commit().await?;
        bus.publish(News::Records { organisation: principal.organisation, counter: rev });
    }
    Ok(ClaimResponse { outcomes })
}

/// The usual case, a repeated claim, takes no lock.
async fn all_known(
    store: &Store,
    principal: &Principal,
    claims: &[DocumentClaim],
    now: Timestamp,
) -> Result<Option<Vec<ClaimOutcome>>, StoreError> {
    let mut outcomes = Vec::with_capacity(claims.len());
    for claim in claims {
        let document = claim.key.document_id(0);
        match store.document(principal.organisation, document, principal.user).await? {
            Some(row) if access_to(&row, principal.user, now) != Access::None => {
                outcomes.push(ClaimOutcome::Known { document, generation: 0 });
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(outcomes))
}

/// The outcome of one claim, and whether it made a record.
async fn answer(
    tx: &mut Tx,
    principal: &Principal,
    claim: &DocumentClaim,
    rev: i64,
    now: Timestamp,
) -> Result<(ClaimOutcome, bool), StoreError> {
    const REFUSED: (ClaimOutcome, bool) = (ClaimOutcome::Refused, false);
    let Principal { organisation, user, .. } = *principal;
    let pair = match claim.key.pair() {
        Some(pair) => match tx.pair(organisation, pair).await? {
            Some(pair) => Some(pair),
            None => return Ok(REFUSED),
        },
        None => None,
    };
    if claim.key.access(user, pair.as_ref(), now) == Access::None {
        return Ok(REFUSED);
    }
    let private = matches!(claim.key, DocumentKey::Private { .. } | DocumentKey::FieldNotes { .. });
    if let Some(pair) = pair.as_ref().filter(|_| !private)
        && !tx.sees(organisation, user, pair.id).await?
    {
        return Ok(REFUSED);
    }
    if let Some((document, generation)) = tx.current_document(organisation, &claim.key).await? {
        return Ok((ClaimOutcome::Known { document, generation }, false));
    }
    if let Some(pair) = &pair {
        let may_grow = private || pair.state == PairState::Open;
        if !may_grow || tx.count_documents(organisation, pair.id).await? >= MAX_DOCUMENTS_PER_PAIR {
            return Ok(REFUSED);
        }
        if !meeting_is_there(tx, principal, pair, claim, rev, now).await? {
            return Ok(REFUSED);
        }
    }
    let document = tx.add_document(organisation, &claim.key, 0, rev).await?;
    Ok((ClaimOutcome::Known { document, generation: 0 }, true))
}

/// Whether the claim's meeting is one of the pair's; makes the record of a slot that nobody had touched.
async fn meeting_is_there(
    tx: &mut Tx,
    principal: &Principal,
    pair: &Pair,
    claim: &DocumentClaim,
    rev: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(meeting) = claim.key.meeting() else { return Ok(true) };
    if let Some(owner) = tx.pair_of_meeting(principal.organisation, meeting).await? {
        return Ok(owner == pair.id);
    }
    let Some(slot) = claim.slot else { return Ok(false) };
    let planned = pair.cadence.meeting_in_slot(pair.id, slot);
    let starts = planned.starts_at();
    let in_window = starts > now.minus(SLOT_WINDOW) && starts < now.plus(SLOT_WINDOW);
    if Meeting::id_of_slot(pair.id, slot) != meeting || !in_window {
        return Ok(false);
    }
    tx.add_meeting(principal.organisation, &planned, rev).await?;
    Ok(true)
}

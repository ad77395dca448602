//! Claims: a phone tells the server of documents whose ids it derived by itself.
//!
//! The server derives the id again, checks that the person may know of it, and makes the record (and the meeting's).
//! What is unknown, forbidden, not derivable or too much is refused in one way. Claiming again changes nothing, and
//! only a claim that makes a record takes the organisation's counter.

use taiwa_shared::{
    domain::{
        meeting::{Meeting, MeetingName},
        ownership::{Access, DocumentKey},
        people::PairState,
    },
    ids::DocumentId,
    protocol::records::{ClaimOutcome, ClaimRequest, ClaimResponse, DocumentClaim},
    time::Timestamp,
};

use super::{access::Principal, slots::meeting_in_slot};
use crate::{
    bus::{Bus, News},
    store::{Store, StoreError, Tx},
};

/// Claims in one request: what a phone of a manager collects in a week offline, with room.
pub const MAX_CLAIMS: usize = 200;
/// Documents of one pair: three per meeting, weekly for twelve years.
pub const MAX_DOCUMENTS_PER_PAIR: i64 = 2_000;
/// Documents that one person may open in a day (UTC): a manager who was away for a week stays far below, and nobody uses
/// up the quota of a pair at once.
pub const MAX_OPENED_PER_DAY: i64 = 300;
/// A day of that count.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// What the records say to a claim.
enum Verdict {
    Refused,
    /// The document is there: its current generation.
    Known(DocumentId, u32),
    /// It may be made, and before it the meeting, if that is no record yet.
    New(Option<Meeting>),
}

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
    let mut outcomes = Vec::with_capacity(request.claims.len());
    let mut new: Vec<(usize, &DocumentClaim)> = Vec::new();
    let mut reading = store.begin_reading().await?;
    let mut may_open = MAX_OPENED_PER_DAY - reading.opened_by(principal.organisation, principal.user, day(now)).await?;
    for (place, claim) in request.claims.iter().enumerate() {
        outcomes.push(match judge(&mut reading, principal, claim, now).await? {
            Verdict::Known(document, generation) => ClaimOutcome::Known { document, generation },
            Verdict::New(_) if may_open > 0 => {
                may_open -= 1;
                new.push((place, claim));
                ClaimOutcome::Refused
            }
            Verdict::New(_) | Verdict::Refused => ClaimOutcome::Refused,
        });
    }
    drop(reading);
    if !new.is_empty() {
        open_new(store, bus, principal, &new, &mut outcomes, now).await?;
    }
    Ok(ClaimResponse { outcomes })
}

/// Makes the records of claims that looked new a moment ago; judged again, as the counter is held only now.
async fn open_new(
    store: &Store,
    bus: &Bus,
    principal: &Principal,
    claims: &[(usize, &DocumentClaim)],
    outcomes: &mut [ClaimOutcome],
    now: Timestamp,
) -> Result<(), StoreError> {
    let Principal { organisation, user, .. } = *principal;
    let mut tx = store.begin().await?;
    let rev = tx.next_rev(organisation).await?;
    let before = tx.opened_by(organisation, user, day(now)).await?;
    let mut opened = 0;
    for (place, claim) in claims {
        outcomes[*place] = match judge(&mut tx, principal, claim, now).await? {
            Verdict::Known(document, generation) => ClaimOutcome::Known { document, generation },
            Verdict::New(meeting) if before + opened < MAX_OPENED_PER_DAY => {
                if let Some(meeting) = meeting {
                    tx.add_meeting(organisation, &meeting, rev).await?;
                }
                let document = tx.add_document(organisation, &claim.key, 0, rev).await?;
                opened += 1;
                ClaimOutcome::Known { document, generation: 0 }
            }
            Verdict::New(_) | Verdict::Refused => ClaimOutcome::Refused,
        };
    }
    if opened > 0 {
        tx.set_opened_by(organisation, user, day(now), before + opened).await?;
        tx.commit().await?;
        bus.publish(News::Records { organisation, counter: rev });
    }
    Ok(())
}

/// Decides on one claim; writes nothing.
async fn judge(
    tx: &mut Tx,
    principal: &Principal,
    claim: &DocumentClaim,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    let Principal { organisation, user, .. } = *principal;
    let pair = match claim.key.pair() {
        Some(pair) => match tx.pair(organisation, pair).await? {
            Some(pair) => Some(pair),
            None => return Ok(Verdict::Refused),
        },
        None => None,
    };
    if claim.key.access(user, pair.as_ref(), now) == Access::None {
        return Ok(Verdict::Refused);
    }
    let private = matches!(claim.key, DocumentKey::Private { .. } | DocumentKey::FieldNotes { .. });
    if let Some(pair) = pair.as_ref().filter(|_| !private)
        && !tx.sees(organisation, user, pair.id).await?
    {
        return Ok(Verdict::Refused);
    }
    if let Some((document, generation)) = tx.current_document(organisation, &claim.key).await? {
        return Ok(Verdict::Known(document, generation));
    }
    let Some(pair) = pair else { return Ok(Verdict::New(None)) };
    let may_grow = private || pair.state == PairState::Open;
    if !may_grow || tx.count_documents(organisation, pair.id).await? >= MAX_DOCUMENTS_PER_PAIR {
        return Ok(Verdict::Refused);
    }
    let Some(meeting) = claim.key.meeting() else { return Ok(Verdict::New(None)) };
    Ok(match tx.pair_of_meeting(organisation, meeting).await? {
        Some(owner) if owner == pair.id => Verdict::New(None),
        Some(_) => Verdict::Refused,
        None => {
            let name = MeetingName { id: meeting, pair: pair.id, slot: claim.slot };
            meeting_in_slot(&pair, &name, now).map_or(Verdict::Refused, |meeting| Verdict::New(Some(meeting)))
        }
    })
}

fn day(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(DAY_MILLIS)
}

//! What goes to other companies and what is taken down: decided by a person who runs the server.
//!
//! A copy outside holds the text, what it is for, and the day; neither company nor author, and nothing leads back from it. The
//! author's own tip holds the id of its copy, so that withdrawing takes both away.

use taiwa_shared::{
    domain::{search, tip::TipTopic},
    ids::{OrganisationId, TipId},
    time::Timestamp,
};

use super::grams;
use crate::{
    entropy::random,
    store::{
        Store, StoreError, Tx,
        tip_changes::NewRow,
        tips::{OUTSIDE, ReviewRow},
    },
};

/// What a copy's time is rounded to, so that it does not tell which tip it is a copy of.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// What a reviewer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Other companies may read it.
    Pass,
    /// They may not; within the company it stays.
    Decline,
    /// It goes, and its copy.
    TakeDown,
    /// It was reported and is in order.
    Keep,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviewed {
    /// Done.
    Done,
    /// There is no such tip.
    Absent,
    /// It does not wait for a decision of this kind.
    NotWaiting,
}

/// Decides on a tip.
///
/// # Errors
/// [`StoreError`] if a statement failed; nothing was changed.
pub async fn decide(store: &Store, tip: TipId, verdict: Verdict, now: Timestamp) -> Result<Reviewed, StoreError> {
    let mut tx = store.begin().await?;
    let places = tx.places_of_tip(tip).await?;
    let mut reviewed = Reviewed::Absent;
    for place in places {
        let Some(row) = tx.tip_to_review(place, tip).await? else { continue };
        let is_done = match verdict {
            Verdict::Pass => pass(&mut tx, place, &row, now).await?,
            Verdict::Decline => decline(&mut tx, place, &row).await?,
            Verdict::TakeDown => {
                take_down(&mut tx, place, tip).await?;
                true
            }
            Verdict::Keep => {
                tx.clear_reports(place, tip).await?;
                row.reports > 0
            }
        };
        reviewed = if is_done { Reviewed::Done } else { Reviewed::NotWaiting };
    }
    tx.commit().await?;
    Ok(reviewed)
}

async fn pass(tx: &mut Tx, place: OrganisationId, row: &ReviewRow, now: Timestamp) -> Result<bool, StoreError> {
    let Ok(topic) = TipTopic::try_from(row.topic.clone()) else { return Ok(false) };
    if row.offered != "waiting" || !tx.exchanges_tips(place).await? {
        return Ok(false);
    }
    let made = Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(DAY_MILLIS));
    let copy = TipId::from_bytes(random());
    let folded = search::fold(&row.text);
    let outside = NewRow {
        id: copy,
        author: None,
        signs: "none",
        byline: None,
        text: &row.text,
        folded: &folded,
        topic: &row.topic,
        category: topic.category(),
        response: &row.response,
        made,
        offered: "yes",
        grams: &grams::of_text(OUTSIDE, &folded),
    };
    tx.add_tip(OUTSIDE, &outside).await?;
    tx.set_offered(place, TipId::from_uuid(row.id), "yes", Some(copy)).await?;
    Ok(true)
}

async fn decline(tx: &mut Tx, place: OrganisationId, row: &ReviewRow) -> Result<bool, StoreError> {
    if row.offered != "waiting" {
        return Ok(false);
    }
    tx.set_offered(place, TipId::from_uuid(row.id), "declined", None).await?;
    Ok(true)
}

async fn take_down(tx: &mut Tx, place: OrganisationId, tip: TipId) -> Result<(), StoreError> {
    if let Some(copy) = tx.tip(place, tip).await?.and_then(|standing| standing.outside) {
        tx.remove_tip(OUTSIDE, TipId::from_uuid(copy)).await?;
    }
    if place == OUTSIDE
        && let Some((company, source)) = tx.source_of_tip(tip).await?
    {
        tx.set_offered(company, source, "declined", None).await?;
    }
    tx.remove_tip(place, tip).await
}

/// Lets a company exchange tips with others, or ends it: then its copies outside go at once.
///
/// # Errors
/// [`StoreError`] if a statement failed; nothing was changed.
pub async fn let_exchange(store: &Store, organisation: OrganisationId, yes: bool) -> Result<usize, StoreError> {
    let mut tx = store.begin().await?;
    tx.let_exchange_tips(organisation, yes).await?;
    let gone = if yes { Vec::new() } else { tx.tips_outside(organisation).await? };
    for tip in &gone {
        if let Some(copy) = tx.tip(organisation, *tip).await?.and_then(|standing| standing.outside) {
            tx.remove_tip(OUTSIDE, TipId::from_uuid(copy)).await?;
        }
        tx.set_offered(organisation, *tip, "no", None).await?;
    }
    tx.commit().await?;
    Ok(gone.len())
}

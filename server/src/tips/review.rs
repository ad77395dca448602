//! What goes to other companies and what is taken down: decided by a person who runs the server.
//!
//! A copy outside holds the text, what it is for, and the day; neither company nor author, and nothing leads back from it. The
//! author's own tip holds the id of its copy, so that withdrawing takes both away.

use taiwa_shared::{
    domain::{search, tip::TipTopic},
    ids::{OrganisationId, TipId},
    time::Timestamp,
};

use super::{day_of, grams, score::score};
use crate::{
    entropy::random,
    store::{
        Store, StoreError, Tx,
        tip_changes::NewRow,
        tips::{Labels, OUTSIDE, ReviewRow},
    },
};

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
    /// Tips of several companies have this id: say which is meant.
    Several,
}

/// Decides on the one tip of this id, of a company or outside.
///
/// # Errors
/// [`StoreError`] if a statement failed; nothing was changed.
pub async fn decide(store: &Store, tip: TipId, verdict: Verdict, now: Timestamp) -> Result<Reviewed, StoreError> {
    // Ids are made on phones: whoever knows one can write another tip of the same id in their own company.
    match store.begin_reading().await?.places_of_tip(tip).await?[..] {
        [] => Ok(Reviewed::Absent),
        [place] => decide_in(store, place, tip, verdict, now).await,
        _ => Ok(Reviewed::Several),
    }
}

/// Decides on the tip of one place, a company or [`OUTSIDE`].
///
/// # Errors
/// [`StoreError`] if a statement failed; nothing was changed.
pub async fn decide_in(
    store: &Store,
    place: OrganisationId,
    tip: TipId,
    verdict: Verdict,
    now: Timestamp,
) -> Result<Reviewed, StoreError> {
    let mut tx = store.begin().await?;
    // The counter of the company comes before everything else, as for its commands: its author may withdraw it now.
    let source = if place == OUTSIDE { tx.source_of_tip(tip).await? } else { None };
    let company = if place == OUTSIDE { source.map(|(company, _)| company) } else { Some(place) };
    if let Some(company) = company {
        tx.next_rev(company).await?;
    }
    let Some(row) = tx.tip_to_review(place, tip).await? else { return Ok(Reviewed::Absent) };
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
    tx.commit().await?;
    Ok(if is_done { Reviewed::Done } else { Reviewed::NotWaiting })
}

async fn pass(tx: &mut Tx, place: OrganisationId, row: &ReviewRow, now: Timestamp) -> Result<bool, StoreError> {
    let Ok(topic) = TipTopic::try_from(row.topic.clone()) else { return Ok(false) };
    if row.offered != "waiting" || !tx.exchanges_tips(place).await? {
        return Ok(false);
    }
    // Of chance alone: a version 7 would say when, and be an id that a phone may give to a tip of its own.
    let copy = TipId::from_uuid(uuid::Builder::from_random_bytes(random()).into_uuid());
    let folded = search::fold(&row.text);
    let labels = Labels { topic: &row.topic, category: topic.category(), response: &row.response };
    // The day alone, so that it does not tell which tip it is a copy of.
    let made = day_of(now);
    let outside = NewRow {
        id: copy,
        author: None,
        signs: "none",
        byline: None,
        text: &row.text,
        folded: &folded,
        labels,
        made,
        score: score(made, 0),
        offered: "yes",
        grams: &grams::of_text(OUTSIDE, &folded, labels),
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

/// Lets a company exchange tips with others, or ends it: then its copies outside go at once, and what waits for a reviewer
/// waits no longer. How many copies went.
///
/// # Errors
/// [`StoreError`] if a statement failed; nothing was changed.
pub async fn let_exchange(store: &Store, organisation: OrganisationId, yes: bool) -> Result<usize, StoreError> {
    let mut tx = store.begin().await?;
    tx.next_rev(organisation).await?;
    tx.let_exchange_tips(organisation, yes).await?;
    let offered = if yes { Vec::new() } else { tx.offered_tips(organisation).await? };
    let mut gone = 0;
    for tip in offered {
        if let Some(copy) = tx.tip(organisation, tip).await?.and_then(|standing| standing.outside) {
            tx.remove_tip(OUTSIDE, TipId::from_uuid(copy)).await?;
            gone += 1;
        }
        tx.set_offered(organisation, tip, "no", None).await?;
    }
    tx.commit().await?;
    Ok(gone)
}

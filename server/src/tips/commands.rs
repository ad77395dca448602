//! What a manager's phone asks for about tips: writing, withdrawing, saying that one helped, reporting one.
//!
//! Called by `records::commands` in the transaction of a batch. Decides who may; a tip of another company, one that was
//! withdrawn and one that never was look the same.

use taiwa_shared::{
    domain::{
        command::Action,
        search,
        tip::{Byline, NewTip},
    },
    ids::{OrganisationId, TipId},
    protocol::commands::RejectionReason,
    time::Timestamp,
};

use super::{grams, score::score};
use crate::{
    records::access::Principal,
    store::{
        StoreError, Tx,
        tip_changes::{HelpedRow, NewRow, StandingRow},
        tips::{Labels, OUTSIDE},
    },
};

/// What is to be written for a command about a tip.
#[derive(Debug)]
pub enum TipChange {
    /// A new tip, and whether it is offered to other companies.
    Write(Box<NewTip>, bool),
    /// Take it away, and its copy outside.
    Withdraw(TipId, Option<TipId>),
    /// It helped the sender, or did not after all.
    Helped(OrganisationId, TipId, bool),
    /// Somebody should look at it.
    Report(OrganisationId, TipId),
}

/// Decides on a command about a tip; writes nothing. None: it is so already.
///
/// # Errors
/// [`StoreError`] if the records could not be read.
pub async fn judge(
    tx: &mut Tx,
    principal: &Principal,
    action: &Action,
) -> Result<Result<Option<TipChange>, RejectionReason>, StoreError> {
    let Principal { organisation, user, .. } = *principal;
    if let Action::WithdrawTip { tip } = action {
        // Also by somebody who manages nobody any more.
        let standing = tx.tip(organisation, *tip).await?;
        let own = standing.filter(|standing| standing.author == Some(user.as_uuid()));
        let copy = |own: StandingRow| own.outside.map(TipId::from_uuid);
        return Ok(own.map(|own| Some(TipChange::Withdraw(*tip, copy(own)))).ok_or(RejectionReason::TipGone));
    }
    if !tx.manages(organisation, user).await? {
        return Ok(Err(RejectionReason::TipGone));
    }
    Ok(match action {
        Action::WriteTip { tip } => {
            if tip.check().is_err() || tip.id.as_uuid().get_version_num() != 7 {
                return Ok(Err(RejectionReason::TipNotTaken));
            }
            match tx.tip(organisation, tip.id).await? {
                Some(there) if there.author == Some(user.as_uuid()) => Ok(None),
                Some(_) => Err(RejectionReason::TipNotTaken),
                None => {
                    let is_offered = tip.outside && tx.exchanges_tips(organisation).await?;
                    Ok(Some(TipChange::Write(Box::new(tip.clone().tidied()), is_offered)))
                }
            }
        }
        Action::TipHelped { tip, helped } => match place_of(tx, principal, *tip).await? {
            Some((place, is_own)) if !is_own => Ok(Some(TipChange::Helped(place, *tip, *helped))),
            _ => Err(RejectionReason::TipGone),
        },
        Action::ReportTip { tip } => match place_of(tx, principal, *tip).await? {
            Some((place, _)) => Ok(Some(TipChange::Report(place, *tip))),
            None => Err(RejectionReason::TipGone),
        },
        _ => Err(RejectionReason::NotUnderstood),
    })
}

/// Where the sender reads a tip, and whether it is their own.
async fn place_of(
    tx: &mut Tx,
    principal: &Principal,
    tip: TipId,
) -> Result<Option<(OrganisationId, bool)>, StoreError> {
    let Principal { organisation, user, .. } = *principal;
    if let Some(standing) = tx.tip(organisation, tip).await? {
        return Ok(Some((organisation, standing.author == Some(user.as_uuid()))));
    }
    if !tx.exchanges_tips(organisation).await? || tx.tip(OUTSIDE, tip).await?.is_none() {
        return Ok(None);
    }
    let source = match tx.source_of_tip(tip).await? {
        Some((company, source)) if company == organisation => tx.tip(company, source).await?,
        _ => None,
    };
    Ok(Some((OUTSIDE, source.is_some_and(|source| source.author == Some(user.as_uuid())))))
}

/// Writes what was decided.
///
/// # Errors
/// [`StoreError`] if a statement failed.
pub async fn write(tx: &mut Tx, principal: &Principal, change: &TipChange, now: Timestamp) -> Result<(), StoreError> {
    let Principal { organisation, user, .. } = *principal;
    match change {
        TipChange::Write(tip, is_offered) => {
            let folded = search::fold(&tip.text);
            let (signs, byline) = match &tip.byline {
                Byline::None => ("none", None),
                Byline::Line(line) => ("line", Some(line.as_str())),
                Byline::Name => ("name", None),
            };
            let topic = tip.topic.to_string();
            let labels = Labels { topic: &topic, category: tip.topic.category(), response: tip.response.as_str() };
            let row = NewRow {
                id: tip.id,
                author: Some(user),
                signs,
                byline,
                text: &tip.text,
                folded: &folded,
                labels,
                made: now,
                score: score(now, 0),
                offered: if *is_offered { "waiting" } else { "no" },
                grams: &grams::of_text(organisation, &folded, labels),
            };
            tx.add_tip(organisation, &row).await
        }
        TipChange::Withdraw(tip, copy) => {
            if let Some(copy) = copy {
                tx.remove_tip(OUTSIDE, *copy).await?;
            }
            tx.remove_tip(organisation, *tip).await
        }
        TipChange::Helped(place, tip, helped) => {
            if !tx.note_helped(organisation, *tip, user, *helped).await? {
                return Ok(());
            }
            let more = if *helped { 1 } else { -1 };
            let Some(row) = tx.count_helped(*place, *tip, more).await? else { return Ok(()) };
            let HelpedRow { rank, helped, made, folded, topic, category, response } = row;
            let score = score(Timestamp::from_millis(made), u32::try_from(helped).unwrap_or(0));
            let labels = Labels { topic: &topic, category: &category, response: &response };
            tx.move_tip(*place, *tip, rank, score, &grams::of_text(*place, &folded, labels)).await
        }
        TipChange::Report(place, tip) => tx.note_reported(*place, organisation, *tip, user).await.map(drop),
    }
}

//! When the shelf is pulled: at most every twelve hours, after a Monday 06:00, after an own command about tips, and when the
//! screen is opened; by managers' phones alone, beside the synchronising and never in its way.
//!
//! A failure changes nothing on the shelf: it is tried again an hour later.

use std::{sync::Arc, time::Duration};

use jiff::{
    ToSpan,
    civil::{Time, time},
};
use taiwa_shared::{
    domain::command::Action,
    protocol::{commands::Command, login::Secret, strengths::Strengths, tips::TipShelf},
    time::{Timestamp, Zone},
};

use super::super::{Session, SessionError, core::Core, tokens::TokenKeeper};
use crate::{
    http::{HttpClient, HttpError},
    store::PulledShelf,
    sync::{Connection, SyncHandle},
};

/// How long a pulled shelf is good for.
const GOOD_FOR: Duration = Duration::from_secs(12 * 60 * 60);
/// How long after a failure it is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(60 * 60);
/// How long after a pull the opened screen does not ask for another.
const JUST_PULLED: Duration = Duration::from_secs(60);
/// When the words are counted, on Mondays.
const COUNTED_AT: Time = time(6, 0, 0, 0);

/// What is known of the shelf besides what is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::session) struct ShelfState {
    /// When it was pulled last.
    pulled: Option<Timestamp>,
    /// When pulling it failed last.
    failed: Option<Timestamp>,
    /// When the server last took an own command about tips.
    given: Option<Timestamp>,
    /// Since when somebody looks at it and would like a newer one.
    wanted: Option<Timestamp>,
}

impl ShelfState {
    /// Whether to pull it now.
    fn is_due(&self, now: Timestamp, zone: &Zone) -> bool {
        // A clock that was set back makes no shelf of the future a fresh one.
        let age = |at: Timestamp| if at > now { Duration::MAX } else { now.since(at) };
        if self.failed.is_some_and(|at| age(at) < AFTER_FAILURE) && self.wanted <= self.failed {
            return false;
        }
        let Some(pulled) = self.pulled else { return true };
        age(pulled) >= GOOD_FOR
            || pulled < last_count(now, zone)
            || self.given.is_some_and(|given| given >= pulled)
            || self.wanted.is_some_and(|wanted| wanted > pulled && age(pulled) >= JUST_PULLED)
    }
}

/// The last Monday 06:00.
fn last_count(now: Timestamp, zone: &Zone) -> Timestamp {
    let local = now.in_zone(zone);
    let since_monday = i64::from(local.date().weekday().to_monday_zero_offset());
    let days = if since_monday == 0 && local.time() < COUNTED_AT { 7 } else { since_monday };
    zone.at(local.date().saturating_sub(days.days()).to_datetime(COUNTED_AT))
}

impl Core {
    /// The server has taken commands; the shelf shows what became of those about tips once it is pulled again.
    pub(in crate::session) fn note_taken(&self, commands: &[Command]) {
        let is_about_tips = |command: &Command| {
            matches!(command.action, Action::WriteTip { .. } | Action::WithdrawTip { .. } | Action::TipHelped { .. })
        };
        if commands.iter().any(is_about_tips) {
            self.change_shelf(|state, now| state.given = Some(now));
        }
    }
}

impl Session {
    /// The tips or the own strengths are on the screen: a newer shelf is pulled soon, if there is a network.
    pub fn tips_opened(&self) {
        self.core.change_shelf(|state, now| state.wanted = Some(now));
        self.core.changes.happened();
    }
}

/// Pulls the shelf when it is due and the phone is online.
pub(in crate::session) async fn keep_fresh(core: Arc<Core>, http: HttpClient, tokens: TokenKeeper, sync: SyncHandle) {
    let puller = Puller { core: core.clone(), http, tokens };
    let mut changes = core.changes.subscribe();
    match core.store.shelf().await {
        Ok(shelf) => core.change_shelf(|state, _| state.pulled = shelf.map(|shelf| shelf.at)),
        Err(error) => tracing::warn!(%error, "the shelf could not be read"),
    }
    // Also one that does not read.
    let mut may_hold_one = true;
    loop {
        if puller.is_managers() {
            may_hold_one = true;
        } else if may_hold_one {
            match puller.clear().await {
                Ok(()) => may_hold_one = false,
                Err(error) => tracing::warn!(%error, "the shelf could not be cleared"),
            }
        }
        let is_online = sync.status().connection == Connection::Online;
        if is_online && puller.is_due() {
            let pulled = core.ended.run_until_cancelled(puller.pull()).await;
            match pulled {
                None => return,
                Some(Ok(())) => core.changes.happened(),
                Some(Err(error)) => {
                    tracing::info!(%error, "the shelf was not pulled");
                    core.change_shelf(|state, now| state.failed = Some(now));
                }
            }
        }
        tokio::select! {
            () = core.ended.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

struct Puller {
    core: Arc<Core>,
    http: HttpClient,
    tokens: TokenKeeper,
}

impl Puller {
    fn is_due(&self) -> bool {
        self.is_managers() && self.core.shelf_state().is_due(self.core.now(), &self.core.zone)
    }

    fn is_managers(&self) -> bool {
        self.core.roster().is_manager(self.core.me())
    }

    /// Who manages nobody any more keeps nothing that only managers read.
    async fn clear(&self) -> Result<(), SessionError> {
        self.core.store.clear_shelf().await?;
        self.core.change_shelf(|state, _| *state = ShelfState::default());
        Ok(())
    }

    async fn pull(&self) -> Result<(), SessionError> {
        let at = self.core.now();
        let (tips, strengths) = tokio::join!(
            self.tokens.with_token(|token| self.tip_shelf(token)),
            self.tokens.with_token(|token| self.strengths(token)),
        );
        let shelf = PulledShelf { at, tips: tips??, strengths: strengths?? };
        self.core.store.put_shelf(&shelf).await?;
        // What was given or wanted meanwhile still is.
        self.core.change_shelf(|state, _| *state = ShelfState { failed: None, pulled: Some(at), ..*state });
        Ok(())
    }

    async fn tip_shelf(&self, token: Secret) -> Result<TipShelf, HttpError> {
        self.http.tip_shelf(&token).await
    }

    async fn strengths(&self, token: Secret) -> Result<Strengths, HttpError> {
        self.http.strengths(&token).await
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn at(day: i8, hour: i8, minute: i8) -> Timestamp {
        Zone::tokyo().at(date(2026, 4, day).at(hour, minute, 0, 0))
    }

    fn check(state: ShelfState, now: Timestamp, expected: bool) {
        assert_eq!(state.is_due(now, &Zone::tokyo()), expected, "{state:?} at {now:?}");
    }

    #[test]
    fn the_shelf_is_pulled_twice_a_day_after_the_count_and_when_asked_for() {
        // The 20th is a Monday.
        let pulled = |pulled| ShelfState { pulled: Some(pulled), ..ShelfState::default() };
        check(ShelfState::default(), at(21, 9, 0), true);
        check(pulled(at(21, 9, 0)), at(21, 20, 59), false);
        check(pulled(at(21, 9, 0)), at(21, 21, 0), true);
        check(pulled(at(20, 5, 0)), at(20, 5, 59), false);
        check(pulled(at(20, 5, 0)), at(20, 6, 0), true);
        check(pulled(at(20, 6, 1)), at(20, 7, 0), false);
        check(pulled(at(22, 9, 0)), at(21, 9, 0), true);
        // An own command since then.
        let given = |given| ShelfState { given: Some(given), ..pulled(at(21, 9, 0)) };
        check(given(at(21, 8, 59)), at(21, 9, 5), false);
        check(given(at(21, 9, 4)), at(21, 9, 5), true);
        // Somebody looks.
        let wanted = ShelfState { wanted: Some(at(21, 9, 5)), ..pulled(at(21, 9, 0)) };
        check(wanted, at(21, 9, 5), true);
        // A failure waits for an hour, or for somebody who looks.
        let failed = ShelfState { failed: Some(at(21, 9, 0)), ..ShelfState::default() };
        check(failed, at(21, 9, 59), false);
        check(failed, at(21, 10, 0), true);
        check(ShelfState { wanted: Some(at(21, 9, 1)), ..failed }, at(21, 9, 2), true);
    }
}

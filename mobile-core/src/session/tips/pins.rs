//! 「試してみる」: a tip that waits for the next brief of a member, on this phone alone. It is sent to nobody.

use std::time::Duration;

use taiwa_shared::{
    domain::meeting::{Meeting, MeetingState},
    ids::{MeetingId, PairId, TipId},
    time::Timestamp,
};

use super::super::{Session, SessionError, roster::Roster};
use crate::store::{Pin, StoreError};

/// Longest text that is pinned, in bytes: a tip of 140 long letters.
const MAX_TEXT_BYTES: usize = 4_096;
/// Most tips that wait at once: more than anybody tries.
const MAX_PINS: usize = 100;
/// How long a pin is kept after it was made, so that 「試してよかった」 can be offered after the 1on1.
const KEPT: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// A pinned tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedTip {
    /// For whose brief.
    pub pair: PairId,
    /// Name of the member.
    pub member_name: String,
    /// At which 1on1; none as long as none is planned.
    pub meeting: Option<MeetingId>,
    /// Which tip; none for one that comes with the app.
    pub tip: Option<TipId>,
    /// What it says.
    pub text: String,
    /// Whether that 1on1 is over: 「試してよかった」 is offered then.
    pub tried: bool,
}

impl Session {
    /// Pins a tip to the next brief of a member. Pinned twice, it stands there once.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person is not the manager of that open pair, [`SessionError::TooLong`],
    /// [`SessionError::StorageFull`].
    pub async fn pin_tip(&self, pair: PairId, tip: Option<TipId>, text: String) -> Result<(), SessionError> {
        let (me, now) = (self.me(), self.core.now());
        let roster = self.core.roster();
        roster.open_pair_of(pair, me).filter(|open| open.manager == me).ok_or(SessionError::NoAccess)?;
        if text.len() > MAX_TEXT_BYTES {
            return Err(SessionError::TooLong { limit: MAX_TEXT_BYTES, length: text.len() });
        }
        let next = roster.first_after(pair, now, now);
        let added = Pin { pair, meeting: next.map(|meeting| meeting.id), tip, text, at: now };
        self.change_pins(move |pins| {
            pins.retain(|pin| now.since(pin.at) <= KEPT && !(pin.pair == pair && pin.text == added.text));
            pins.push(added);
            let surplus = pins.len().saturating_sub(MAX_PINS);
            pins.drain(..surplus);
        })
        .await
    }

    /// Takes a pinned tip off.
    ///
    /// # Errors
    /// [`SessionError::StorageFull`].
    pub async fn unpin_tip(&self, pair: PairId, text: &str) -> Result<(), SessionError> {
        self.change_pins(|pins| pins.retain(|pin| pin.pair != pair || pin.text != text)).await
    }

    /// The pinned tips of the open pairs, oldest first.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn pinned_tips(&self) -> Result<Vec<PinnedTip>, SessionError> {
        let (me, now) = (self.me(), self.core.now());
        let roster = self.core.roster();
        let shown = |pin: Pin| {
            let pair = roster.open_pair_of(pin.pair, me)?;
            let meeting = place_of(&pin, &roster, now);
            Some(PinnedTip {
                pair: pin.pair,
                member_name: roster.name(pair.member),
                meeting: meeting.as_ref().map(|meeting| meeting.id),
                tip: pin.tip,
                text: pin.text,
                tried: meeting.is_some_and(|meeting| is_over(&meeting, now)),
            })
        };
        Ok(self.core.store.pins().await?.into_iter().filter_map(shown).collect())
    }

    /// The texts that are pinned to the brief of a meeting; none if they do not read, as the brief does not depend on them.
    pub(in crate::session) async fn pinned_to(&self, meeting: &Meeting) -> Result<Vec<String>, SessionError> {
        let (roster, now) = (self.core.roster(), self.core.now());
        let pins = match self.core.store.pins().await {
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::warn!(%error, "the pinned tips do not read");
                return Ok(Vec::new());
            }
            pins => pins?.into_iter().filter(|pin| pin.pair == meeting.pair),
        };
        let here = pins.filter(|pin| place_of(pin, &roster, now).is_some_and(|place| place.id == meeting.id));
        Ok(here.map(|pin| pin.text).collect())
    }

    async fn change_pins(&self, change: impl FnOnce(&mut Vec<Pin>)) -> Result<(), SessionError> {
        self.core.store.change_pins(change).await?;
        self.core.changes.happened();
        Ok(())
    }
}

/// The 1on1 that a pin stands at: the one that was the next when it was pinned, or the first one after that if that was cancelled.
fn place_of(pin: &Pin, roster: &Roster, now: Timestamp) -> Option<Meeting> {
    let chosen = pin.meeting.and_then(|meeting| roster.meeting(meeting, now));
    let chosen = chosen.filter(|meeting| meeting.state != MeetingState::Cancelled);
    chosen.or_else(|| roster.first_after(pin.pair, pin.at, now))
}

fn is_over(meeting: &Meeting, now: Timestamp) -> bool {
    let ends = meeting.starts_at().plus(Duration::from_secs(u64::from(meeting.length_minutes) * 60));
    meeting.state == MeetingState::Finished || ends <= now
}

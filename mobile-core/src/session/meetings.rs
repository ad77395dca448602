//! Meetings and cadences: schedule, move, cancel, finish. Each is a command in the outbox and shown at once.
//!
//! What becomes of a meeting is decided by the function that the server uses, on what the person sees; doing what is so
//! already sends nothing.

use jiff::civil::Date;
use taiwa_shared::{
    domain::{
        cadence::{Cadence, Rhythm},
        command::Action,
        meeting::{Meeting, MeetingName, MeetingState, MeetingTime},
        scheduling::{Refusal, check_cadence, meeting_after},
    },
    ids::{HeadsDigest, MeetingId, PairId, UserId},
    time::Timestamp,
};

use super::{Session, SessionError, notebook::random, outbox::Decision, roster::Roster};
use crate::store::CommandAbout;

/// A rhythm that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RhythmChoice {
    /// Which.
    pub rhythm: Rhythm,
    /// As people say it for the weekday: 「隔週 月曜日」.
    pub words: String,
    /// What the form says beside it.
    pub advice: Option<&'static str>,
    /// Whether the form proposes it.
    pub recommended: bool,
}

impl Session {
    /// The rhythms that a form offers, for slots on the weekday of `first`.
    pub fn rhythm_choices(&self, first: Date) -> Vec<RhythmChoice> {
        let choice = |rhythm: Rhythm| RhythmChoice {
            rhythm,
            words: rhythm.words(first.weekday(), self.core.language),
            advice: rhythm.advice(self.core.language),
            recommended: rhythm == Rhythm::recommended(),
        };
        Rhythm::ALL.into_iter().map(choice).collect()
    }

    /// Agrees on the time of a slot of the cadence, or makes a meeting by hand if `slot` is none; the answer is its id.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if the pair is not open or not this person's, [`SessionError::Implausible`],
    /// [`SessionError::MeetingOver`], [`SessionError::StorageFull`].
    pub async fn schedule(
        &self,
        pair: PairId,
        slot: Option<Date>,
        time: MeetingTime,
    ) -> Result<MeetingId, SessionError> {
        let me = self.me();
        let id = match slot {
            Some(slot) => Meeting::id_of_slot(pair, slot),
            None => MeetingId::new(self.core.now(), random()),
        };
        let name = MeetingName { id, pair, slot };
        let decide = move |roster: &Roster, now| match roster.meeting_named(&name, me) {
            Some(known) if known.revision > 0 => {
                change(roster, &known, me, now, |meeting| Action::Move { meeting, base: known.revision, time })
            }
            Some(known) => change(roster, &known, me, now, |meeting| Action::Schedule { meeting, time }),
            None => {
                roster.open_pair_of(pair, me).ok_or(SessionError::NoAccess)?;
                let made = Meeting::planned(name, time.clone());
                // Moving it to where it is asks whether the time can be meant, as the server will.
                let elsewhere = MeetingTime { starts: time.starts, zone: time.zone.clone(), length_minutes: 0 };
                let before = Meeting::planned(name, elsewhere);
                let action = Action::Schedule { meeting: name, time };
                meeting_after(&before, &action, me, now).map_err(refused)?;
                Ok(Decision::give(action, CommandAbout { time: None, ..about(roster, &made, me) }))
            }
        };
        self.outbox.decide(decide).await?;
        Ok(id)
    }

    /// Gives a meeting another time; puts a cancelled one back.
    ///
    /// # Errors
    /// As [`Self::schedule`].
    pub async fn move_meeting(&self, meeting: MeetingId, time: MeetingTime) -> Result<(), SessionError> {
        self.act_on(meeting, move |meeting, base| Action::Move { meeting, base, time }).await
    }

    /// Does not meet. What was prepared stays and is offered for the next meeting of the pair.
    ///
    /// # Errors
    /// As [`Self::schedule`].
    pub async fn cancel_meeting(&self, meeting: MeetingId) -> Result<(), SessionError> {
        self.act_on(meeting, |meeting, base| Action::Cancel { meeting, base }).await
    }

    /// 終わる. Doing it twice, here or on the other phone, is doing it once.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`], [`SessionError::StorageFull`].
    pub async fn finish_meeting(&self, meeting: MeetingId) -> Result<(), SessionError> {
        let at = self.core.now();
        self.act_on(meeting, move |meeting, _| Action::Finish { meeting, at }).await
    }

    /// Gives a pair another rhythm or time.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`], [`SessionError::Implausible`], [`SessionError::StorageFull`].
    pub async fn set_cadence(&self, pair: PairId, cadence: Cadence) -> Result<(), SessionError> {
        let me = self.me();
        let decide = move |roster: &Roster, now| {
            let known = roster.open_pair_of(pair, me).ok_or(SessionError::NoAccess)?;
            let base = known.cadence_revision;
            check_cadence(base, base, &cadence, now).map_err(refused)?;
            if known.cadence == cadence {
                return Ok(Decision::default());
            }
            let partner_name = known.partner_of(me).map(|partner| roster.name(partner)).unwrap_or_default();
            Ok(Decision::give(Action::SetCadence { pair, base, cadence }, CommandAbout { partner_name, time: None }))
        };
        self.outbox.decide(decide).await
    }

    async fn act_on(
        &self,
        meeting: MeetingId,
        action: impl FnOnce(MeetingName, u32) -> Action + Send + 'static,
    ) -> Result<(), SessionError> {
        let me = self.me();
        let decide = move |roster: &Roster, now| {
            let known = roster.meeting(meeting, now).ok_or(SessionError::NoAccess)?;
            let known = roster.meeting_named(&known.name(), me).ok_or(SessionError::NoAccess)?;
            change(roster, &known, me, now, |name| action(name, known.revision))
        };
        self.outbox.decide(decide).await
    }

    /// Tells the member that the manager has looked at this state of the preparation, unless that is known.
    pub(super) async fn give_receipt(&self, meeting: &Meeting, heads: HeadsDigest) -> Result<(), SessionError> {
        let (me, name) = (self.me(), meeting.name());
        let decide = move |roster: &Roster, now: Timestamp| {
            let known = roster.meeting_named(&name, me).ok_or(SessionError::NoAccess)?;
            let is_known = known.brief_seen.is_some_and(|seen| seen.heads == heads);
            if known.state != MeetingState::Planned || is_known {
                return Ok(Decision::default());
            }
            change(roster, &known, me, now, |meeting| Action::BriefSeen { meeting, at: now, heads })
        };
        self.outbox.decide(decide).await
    }
}

/// Gives the command that changes a meeting, if it changes anything.
fn change(
    roster: &Roster,
    known: &Meeting,
    me: UserId,
    now: Timestamp,
    action: impl FnOnce(MeetingName) -> Action,
) -> Result<Decision, SessionError> {
    let action = action(known.name());
    let after = meeting_after(known, &action, me, now).map_err(refused)?;
    if after == *known {
        // A slot that nobody has touched is agreed on by saying so.
        let agrees = matches!(action, Action::Schedule { .. }) && !roster.is_record(known.id);
        if !agrees {
            return Ok(Decision::default());
        }
    }
    Ok(Decision::give(action, about(roster, known, me)))
}

fn about(roster: &Roster, meeting: &Meeting, me: UserId) -> CommandAbout {
    let partner = roster.pair(meeting.pair).and_then(|pair| pair.partner_of(me));
    CommandAbout {
        partner_name: partner.map(|partner| roster.name(partner)).unwrap_or_default(),
        time: Some(meeting.time()),
    }
}

fn refused(refusal: Refusal) -> SessionError {
    match refusal {
        Refusal::AlreadyFinished => SessionError::MeetingOver,
        Refusal::Implausible => SessionError::Implausible("the time"),
        // Every action here is about a meeting and based on what the roster says.
        Refusal::Conflict | Refusal::NotAboutMeetings => SessionError::NotFound,
    }
}

//! Meetings to arrange, what was asked for and not done, invitations, preparations to carry over.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use taiwa_shared::{
    domain::{
        cadence::{Cadence, Rhythm, WeekOfMonth},
        meeting::MeetingTime,
    },
    protocol::commands::RejectionReason,
};

use super::prepare::TopicView;
use crate::{
    api::{ApiError, error::parsed},
    session::{BriefReceipt, CardKind, CarryOffer, CommandCard, Invitation, InvitationState, Moved, RhythmChoice},
};

/// Start and length of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MeetingTimeView {
    /// Local date and time, such as `2026-04-20T10:00`.
    pub starts_local: String,
    /// IANA zone of it, such as `Asia/Tokyo`.
    pub zone: String,
    /// Length in minutes, 5 to 180.
    pub length_minutes: u16,
}

/// How often a pair meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RhythmView {
    /// Every week.
    Weekly,
    /// Every second week.
    Biweekly,
    /// On the first of the weekday in the month.
    MonthlyFirst,
    /// On the second.
    MonthlySecond,
    /// On the third.
    MonthlyThird,
    /// On the fourth.
    MonthlyFourth,
    /// On the last.
    MonthlyLast,
}

/// When a pair meets.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CadenceView {
    /// How often.
    pub rhythm: RhythmView,
    /// No slot lies before this date, such as `2026-04-06`; its weekday is that of all slots.
    pub first: String,
    /// Local time of day, such as `10:00`.
    pub time: String,
    /// IANA zone.
    pub zone: String,
    /// Length in minutes, 5 to 180.
    pub length_minutes: u16,
}

/// A rhythm that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RhythmChoiceView {
    /// For a cadence.
    pub rhythm: RhythmView,
    /// As people say it for the weekday.
    pub words: String,
    /// What to say beside it.
    pub advice: Option<String>,
    /// Whether to propose it.
    pub recommended: bool,
}

/// That a meeting was given another time.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MovedView {
    /// When it was before, in milliseconds since 1970.
    pub from_millis: i64,
    /// The same as people say it.
    pub from_words: String,
    /// Who moved it.
    pub by_id: String,
    /// Their name.
    pub by_name: String,
    /// 「今日 09:00 に変更されています」.
    pub notice: String,
}

/// That the manager has looked at the brief.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BriefReceiptView {
    /// When, in milliseconds since 1970.
    pub at_millis: i64,
    /// Whether something was told after that.
    pub newer_changes: bool,
    /// As people say it.
    pub text: String,
}

/// Why there is a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CardKindView {
    /// Somebody else changed the same thing first: show both, let the person pick.
    Conflict,
    /// It cannot be done.
    Rejected,
}

/// Something the person asked for that was not done.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CommandCardView {
    /// For `keep_mine` and `take_theirs`.
    pub card_id: String,
    /// Its pair.
    pub pair_id: Option<String>,
    /// Its meeting.
    pub meeting_id: Option<String>,
    /// Why there is a card.
    pub kind: CardKindView,
    /// What was asked for.
    pub what: String,
    /// Why it was not done and what to do next.
    pub why: String,
    /// What this person wanted, in a conflict.
    pub mine: Option<String>,
    /// How it stands, in a conflict.
    pub theirs: Option<String>,
    /// Whether to offer `keep_mine`.
    pub can_keep_mine: bool,
    /// When the answer arrived, in milliseconds since 1970.
    pub at_millis: i64,
}

/// How far an invitation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum InvitationStateView {
    /// Not at the server yet: the link does not work so far.
    Waiting,
    /// The server has it: say 「送信済み」. The link can be used once, in the seven days from then.
    Ready,
    /// The week in which it could be used is over: offer to invite again.
    Expired,
    /// Somebody has this e-mail already.
    AddressTaken,
    /// The organisation invites people itself.
    InvitesClosed,
    /// The server did not take it; the card says why.
    Rejected,
}

/// An invitation. Prints without its link.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct InvitationView {
    /// Which.
    pub invitation_id: String,
    /// Who is invited.
    pub name: String,
    /// Their e-mail.
    pub email: String,
    /// What to hand over; whoever has it signs in as that person.
    pub link: String,
    /// How far it has come.
    pub state: InvitationStateView,
    /// When it was made, in milliseconds since 1970.
    pub made_millis: i64,
}

impl fmt::Debug for InvitationView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("InvitationView");
        shown.field("invitation_id", &self.invitation_id).field("state", &self.state);
        shown.field("link", &format_args!("[redacted]")).finish_non_exhaustive()
    }
}

/// A preparation that has lost its meeting.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CarryOfferView {
    /// The pair.
    pub pair_id: String,
    /// Name of the other person.
    pub partner_name: String,
    /// The cancelled meeting.
    pub from_meeting_id: String,
    /// When it would have been.
    pub from_words: String,
    /// The pair's next meeting.
    pub to_meeting_id: String,
    /// When that is.
    pub to_words: String,
    /// What was chosen.
    pub topics: Vec<TopicView>,
}

impl TryFrom<MeetingTimeView> for MeetingTime {
    type Error = ApiError;
    fn try_from(time: MeetingTimeView) -> Result<Self, ApiError> {
        let starts = parsed::<DateTime>("the time", &time.starts_local)?;
        Ok(Self { starts, zone: parsed("the zone", &time.zone)?, length_minutes: time.length_minutes })
    }
}

impl TryFrom<CadenceView> for Cadence {
    type Error = ApiError;
    fn try_from(cadence: CadenceView) -> Result<Self, ApiError> {
        Ok(Self {
            rhythm: cadence.rhythm.into(),
            first: parsed::<Date>("the first date", &cadence.first)?,
            time: parsed::<Time>("the time", &cadence.time)?,
            zone: parsed("the zone", &cadence.zone)?,
            length_minutes: cadence.length_minutes,
        })
    }
}

impl From<RhythmView> for Rhythm {
    fn from(rhythm: RhythmView) -> Self {
        match rhythm {
            RhythmView::Weekly => Self::Weekly,
            RhythmView::Biweekly => Self::Biweekly,
            RhythmView::MonthlyFirst => Self::Monthly(WeekOfMonth::First),
            RhythmView::MonthlySecond => Self::Monthly(WeekOfMonth::Second),
            RhythmView::MonthlyThird => Self::Monthly(WeekOfMonth::Third),
            RhythmView::MonthlyFourth => Self::Monthly(WeekOfMonth::Fourth),
            RhythmView::MonthlyLast => Self::Monthly(WeekOfMonth::Last),
        }
    }
}

impl From<Rhythm> for RhythmView {
    fn from(rhythm: Rhythm) -> Self {
        match rhythm {
            Rhythm::Weekly => Self::Weekly,
            Rhythm::Biweekly => Self::Biweekly,
            Rhythm::Monthly(WeekOfMonth::First) => Self::MonthlyFirst,
            Rhythm::Monthly(WeekOfMonth::Second) => Self::MonthlySecond,
            Rhythm::Monthly(WeekOfMonth::Third) => Self::MonthlyThird,
            Rhythm::Monthly(WeekOfMonth::Fourth) => Self::MonthlyFourth,
            Rhythm::Monthly(WeekOfMonth::Last) => Self::MonthlyLast,
        }
    }
}

impl From<RhythmChoice> for RhythmChoiceView {
    fn from(choice: RhythmChoice) -> Self {
        Self {
            rhythm: choice.rhythm.into(),
            words: choice.words,
            advice: choice.advice.map(str::to_owned),
            recommended: choice.recommended,
        }
    }
}

impl From<Cadence> for CadenceView {
    fn from(cadence: Cadence) -> Self {
        Self {
            rhythm: cadence.rhythm.into(),
            first: cadence.first.to_string(),
            time: cadence.time.strftime("%H:%M").to_string(),
            zone: cadence.zone.name().to_owned(),
            length_minutes: cadence.length_minutes,
        }
    }
}

impl From<Moved> for MovedView {
    fn from(moved: Moved) -> Self {
        Self {
            from_millis: moved.from.as_millis(),
            from_words: moved.from_when,
            by_id: moved.by.to_string(),
            by_name: moved.by_name,
            notice: moved.notice,
        }
    }
}

impl From<BriefReceipt> for BriefReceiptView {
    fn from(receipt: BriefReceipt) -> Self {
        Self { at_millis: receipt.at.as_millis(), newer_changes: receipt.newer_changes, text: receipt.text }
    }
}

impl From<CommandCard> for CommandCardView {
    fn from(card: CommandCard) -> Self {
        Self {
            card_id: card.id.to_string(),
            pair_id: card.pair.map(|id| id.to_string()),
            meeting_id: card.meeting.map(|id| id.to_string()),
            kind: match card.kind {
                CardKind::Conflict => CardKindView::Conflict,
                CardKind::Rejected(_) => CardKindView::Rejected,
            },
            what: card.what,
            why: card.why,
            mine: card.mine,
            theirs: card.theirs,
            can_keep_mine: card.can_keep_mine,
            at_millis: card.at.as_millis(),
        }
    }
}

impl From<InvitationState> for InvitationStateView {
    fn from(state: InvitationState) -> Self {
        match state {
            InvitationState::Waiting => Self::Waiting,
            InvitationState::Ready => Self::Ready,
            InvitationState::Expired => Self::Expired,
            InvitationState::Rejected(RejectionReason::AddressTaken) => Self::AddressTaken,
            InvitationState::Rejected(RejectionReason::InvitesClosed) => Self::InvitesClosed,
            InvitationState::Rejected(_) => Self::Rejected,
        }
    }
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            invitation_id: invitation.id.to_string(),
            name: invitation.name,
            email: invitation.email,
            link: invitation.link.expose().to_owned(),
            state: invitation.state.into(),
            made_millis: invitation.made.as_millis(),
        }
    }
}

impl From<CarryOffer> for CarryOfferView {
    fn from(offer: CarryOffer) -> Self {
        Self {
            pair_id: offer.pair.to_string(),
            partner_name: offer.partner_name,
            from_meeting_id: offer.from.to_string(),
            from_words: offer.from_when,
            to_meeting_id: offer.to.to_string(),
            to_words: offer.to_when,
            topics: offer.topics.into_iter().map(Into::into).collect(),
        }
    }
}

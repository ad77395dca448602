//! Home, lists of meetings and people.

use taiwa_shared::domain::people::{PairState, Side};

use super::{
    commands::{BriefReceiptView, CadenceView, CarryOfferView, MovedView},
    lists::{IntentionView, PromiseView},
    prepare::TopicView,
    ratings::RatingDueView,
    status::SaveView,
};
use crate::session::{Home, PairItem, PastMeeting, PreparationState, TopicOffer, UpcomingMeeting};

/// Which side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SideView {
    /// Who prepares.
    Member,
    /// Who reads the brief.
    Manager,
}

/// How far a preparation is, as far as this phone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PreparationView {
    /// Nothing is chosen; only the member's own phone says so.
    NotBegun,
    /// Something is chosen and not told.
    Draft,
    /// What is shown was told to the manager.
    Published,
    /// The draft is newer than what the manager was told.
    ChangedSincePublished,
    /// Nothing has reached this phone; that does not mean that nothing was prepared.
    NotArrived,
}

/// A meeting to come.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct UpcomingMeetingView {
    /// Which.
    pub meeting_id: String,
    /// Of which pair.
    pub pair_id: String,
    /// The other person.
    pub partner_id: String,
    /// Their name.
    pub partner_name: String,
    /// The side of the reader.
    pub side: SideView,
    /// When it starts, in milliseconds since 1970.
    pub starts_millis: i64,
    /// The same as people say it.
    pub when_words: String,
    /// Whether this shows something that the server has not confirmed.
    pub waiting: bool,
    /// Set if somebody gave it another time.
    pub moved: Option<MovedView>,
    /// For the member: whether the manager has looked at what was told.
    pub brief_seen: Option<BriefReceiptView>,
    /// How far the preparation is.
    pub preparation: PreparationView,
    /// What is to be talked about.
    pub topics: Vec<TopicView>,
}

/// The home screen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HomeView {
    /// The next meeting.
    pub next: Option<UpcomingMeetingView>,
    /// All meetings of the next four weeks.
    pub upcoming: Vec<UpcomingMeetingView>,
    /// Open promises, the reader's own first.
    pub promises: Vec<PromiseView>,
    /// What the reader keeps in mind until next time.
    pub intentions: Vec<IntentionView>,
    /// Where the reader's edits are.
    pub save: SaveView,
    /// Cards 「送れなかった入力」 that wait for a decision.
    pub refused_edits: u32,
    /// Cards of what was asked for and not done.
    pub command_cards: u32,
    /// 次回の準備: preparations of cancelled meetings, to be carried over.
    pub carry_offers: Vec<CarryOfferView>,
    /// 1on1s that are over and about which the member is asked.
    pub ratings_due: Vec<RatingDueView>,
}

/// A person to hold 1on1s with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PairView {
    /// The pair.
    pub pair_id: String,
    /// The other person.
    pub partner_id: String,
    /// Their name.
    pub partner_name: String,
    /// Their workplace.
    pub partner_site: Option<String>,
    /// The side of the reader.
    pub side: SideView,
    /// Whether the pair still meets.
    pub is_open: bool,
    /// When it meets.
    pub cadence: CadenceView,
    /// The rhythm as people say it: 「隔週 月曜日」.
    pub cadence_words: String,
}

/// A meeting with a memo on this phone.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PastMeetingView {
    /// Which.
    pub meeting_id: String,
    /// When it was, if the phone knows, in milliseconds since 1970.
    pub starts_millis: Option<i64>,
    /// The same as people say it.
    pub when_words: Option<String>,
    /// How the memo begins.
    pub excerpt: String,
}

/// A topic that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TopicOfferView {
    /// For `choose_topic`.
    pub slug: String,
    /// What people read.
    pub label: String,
}

impl From<Side> for SideView {
    fn from(side: Side) -> Self {
        match side {
            Side::Member => Self::Member,
            Side::Manager => Self::Manager,
        }
    }
}

impl From<PreparationState> for PreparationView {
    fn from(state: PreparationState) -> Self {
        match state {
            PreparationState::NotBegun => Self::NotBegun,
            PreparationState::Draft => Self::Draft,
            PreparationState::Published => Self::Published,
            PreparationState::ChangedSincePublished => Self::ChangedSincePublished,
            PreparationState::NotArrived => Self::NotArrived,
        }
    }
}

impl From<UpcomingMeeting> for UpcomingMeetingView {
    fn from(meeting: UpcomingMeeting) -> Self {
        Self {
            meeting_id: meeting.meeting.to_string(),
            pair_id: meeting.pair.to_string(),
            partner_id: meeting.partner.to_string(),
            partner_name: meeting.partner_name,
            side: meeting.side.into(),
            starts_millis: meeting.starts.as_millis(),
            when_words: meeting.when,
            waiting: meeting.waiting,
            moved: meeting.moved.map(Into::into),
            brief_seen: meeting.brief_seen.map(Into::into),
            preparation: meeting.preparation.into(),
            topics: meeting.topics.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Home> for HomeView {
    fn from(home: Home) -> Self {
        Self {
            next: home.next.map(Into::into),
            upcoming: home.upcoming.into_iter().map(Into::into).collect(),
            promises: home.promises.into_iter().map(Into::into).collect(),
            intentions: home.intentions.into_iter().map(Into::into).collect(),
            save: home.state.into(),
            refused_edits: home.refused_edits,
            command_cards: home.command_cards,
            carry_offers: home.carry_offers.into_iter().map(Into::into).collect(),
            ratings_due: home.ratings_due.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<PairItem> for PairView {
    fn from(pair: PairItem) -> Self {
        Self {
            pair_id: pair.pair.to_string(),
            partner_id: pair.partner.to_string(),
            partner_name: pair.partner_name,
            partner_site: pair.partner_site,
            side: pair.side.into(),
            is_open: pair.state == PairState::Open,
            cadence: pair.cadence.into(),
            cadence_words: pair.cadence_words,
        }
    }
}

impl From<PastMeeting> for PastMeetingView {
    fn from(meeting: PastMeeting) -> Self {
        Self {
            meeting_id: meeting.meeting.to_string(),
            starts_millis: meeting.starts.map(|at| at.as_millis()),
            when_words: meeting.when,
            excerpt: meeting.excerpt,
        }
    }
}

impl From<TopicOffer> for TopicOfferView {
    fn from(offer: TopicOffer) -> Self {
        Self { slug: offer.slug.into(), label: offer.label }
    }
}

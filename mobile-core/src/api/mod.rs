//! What Kotlin and Swift see: convert, call the session, convert. No logic lives here.
//!
//! Map: `taiwa` the door; `session` one signed-in person, with `devices`, `meetings`, `notes`, `ratings`, `tips` and `calendar`; `memo` a memo on screen; `observe` observers, which
//! get the current value first; `vault` the host's key store; `views` the records of every screen; `error` what
//! the app can do about a failure; `runtime` the threads. Ids are strings, offsets are UTF-16 units, times are
//! milliseconds since 1970. The only place with uniffi.

mod calendar;
mod devices;
mod error;
mod meetings;
mod memo;
mod notes;
mod observe;
mod ratings;
mod runtime;
mod session;
mod taiwa;
mod tips;
mod vault;
mod views;

#[cfg(test)]
mod tests;

pub use error::ApiError;
pub use memo::Memo;
pub use observe::{
    BriefObserver, CaretObserver, HomeObserver, MemoObserver, ObserverError, PrepareObserver, StatusObserver,
    Subscription,
};
pub use session::Session;
pub use taiwa::{OpenOptions, SignInWith, SignOutAnswer, Taiwa, UnsentEdits};
pub use vault::{KeyVault, KeyVaultError};
pub use views::{
    calendar::{ProposalView, ReminderKindView, ReminderSettingsView, ReminderView, SearchHitView, SearchKindView},
    commands::{
        BriefReceiptView, CadenceView, CardKindView, CarryOfferView, CommandCardView, InvitationStateView,
        InvitationView, MeetingTimeView, MovedView, RhythmChoiceView, RhythmView,
    },
    devices::DeviceView,
    home::{HomeView, PairView, PastMeetingView, PreparationView, SideView, TopicOfferView, UpcomingMeetingView},
    lists::{AgendaView, IntentionView, NoteView, NotesView, PromiseView, RefusedEditView},
    memo::{CaretView, CommentView, FieldView, MemoView, ParagraphView, RangeView, VersionView},
    prepare::{BriefTopicView, BriefView, PrepareView, ResponseOfferView, ResponseView, TopicView},
    ratings::{
        AsAskedOfferView, AsAskedView, ExpectationView, ExpectedCategoryView, ExpectedResponseView, RatingDueView,
        RatingStandingView, RatingView, TalkedView,
    },
    status::{ConnectionView, RecoveredView, SaveView, StatusView},
    strengths::{DimensionView, GuessedStrengthView, StrengthView, StrengthsView},
    tips::{
        BylineView, MoreTipsView, NewTipView, PinnedTipView, TipFilterView, TipListView, TipScopeView, TipSourceView,
        TipView, TipWarningKindView, TipWarningView,
    },
};

//! One signed-in person: what the screens ask, answered from the phone's own store.
//!
//! Map: `taiwa` the door: directory, vault, signing in and out; `session` one person's session; `core` what its
//! parts share, `desk` the open documents, `unsent` cards for what cannot be sent, `summary` and `roster` what
//! lists show; `outbox` what is asked of the records; `contact` and `tokens` each contact with the server; `watch` observers; `soon` preps of the next day. One module per screen:
//! `devices`, `home`, `meetings`, `prepare`, `carry`, `brief`, `ratings`, `expectations`, `tips` and `strengths`, `memo` and `field`, `notebook`, `private`, `refused`, `status`, `proposal`,
//! `reminders`, `search` (over what `search_text` kept).
//! No function of a screen waits for the network.

mod brief;
mod carry;
mod clock;
mod contact;
mod core;
mod desk;
mod devices;
mod error;
mod expectations;
mod field;
mod home;
mod meetings;
mod memo;
mod notebook;
mod outbox;
mod prepare;
mod private;
mod proposal;
mod ratings;
mod refused;
mod reminders;
mod roster;
mod search;
mod search_text;
#[expect(clippy::module_inception, reason = "a session is what this module is about")]
mod session;
mod soon;
mod status;
mod stored;
mod strengths;
mod summary;
mod taiwa;
mod tips;
mod tokens;
mod topics;
mod unsent;
mod vault;
mod watch;

pub use carry::CarryOffer;
pub use clock::SystemClock;
pub use error::SessionError;
pub use expectations::{Expectation, ExpectedCategory, ExpectedResponse};
pub use field::Shown;
pub use home::{BriefReceipt, Home, Moved, PairItem, PastMeeting, PreparationState, UpcomingMeeting};
pub use meetings::RhythmChoice;
pub use memo::{Memo, MemoComment, MemoParagraph, MemoText, MemoVersion, RemoteCaret};
pub use notebook::{AgendaLine, IntentionItem, PromiseItem};
pub use outbox::{CardKind, CommandCard, Invitation, InvitationState};
pub use prepare::{Prepare, TopicOffer};
pub use private::{NoteItem, NotesOf};
pub use proposal::Proposal;
pub use ratings::{AsAskedChoice, RatingDue, RatingForm, RatingStanding, TalkedChoice};
pub use search::SearchHit;
pub use search_text::SearchKind;
pub use session::Session;
pub use status::SaveState;
pub use strengths::{GuessedStrength, StrengthItem, StrengthsCard};
pub use taiwa::{OnUnsent, Options, SignIn, SignedOut, Taiwa};
pub use tips::{MoreTips, NewTipText, PinnedTip, TipFilter, TipItem, TipList, TipSource};
pub use topics::{ResponseChoice, ResponseOffer, TopicChoice};
pub use vault::{MemoryVault, TokenVault, VaultError};
pub use watch::Watch;

#[cfg(test)]
mod tests;

//! The prep form while it is being filled in: only the member's own devices ever have it.
//!
//! Every tap is one change. What 「これで伝える」 makes of it stands in [`super::prep`].

use super::{
    choices::{self, Preparation},
    error::DocumentError,
    replica::Replica,
};
use crate::{
    domain::catalog::{ResponseSlug, TopicSlug},
    time::Timestamp,
};

/// The form as it stands.
pub fn read(draft: &Replica) -> Preparation {
    choices::read(draft)
}

/// Chooses a topic, after those chosen already; choosing it again does nothing.
///
/// # Errors
/// [`DocumentError::TooLong`] if three are chosen.
pub fn choose(draft: &mut Replica, topic: &TopicSlug, now: Timestamp) -> Result<(), DocumentError> {
    choices::choose(draft, topic, now)
}

/// Takes a topic back; its response and word come back with it if it is chosen again.
///
/// # Errors
/// [`DocumentError`] only as a mistake of the caller.
pub fn unchoose(draft: &mut Replica, topic: &TopicSlug, now: Timestamp) -> Result<(), DocumentError> {
    choices::unchoose(draft, topic, now)
}

/// Sets how the manager should respond, and chooses the topic; also resolves a conflict there.
///
/// # Errors
/// [`DocumentError::TooLong`] if the topic would be the fourth.
pub fn set_response(
    draft: &mut Replica,
    topic: &TopicSlug,
    response: &ResponseSlug,
    now: Timestamp,
) -> Result<(), DocumentError> {
    choices::set_response(draft, topic, response, now)
}

/// Sets the one line in the member's own words (140 letters), and chooses the topic; an empty one takes it away.
///
/// # Errors
/// [`DocumentError::TooLong`], [`DocumentError::NotOneLine`].
pub fn set_word(draft: &mut Replica, topic: &TopicSlug, word: &str, now: Timestamp) -> Result<(), DocumentError> {
    choices::set_word(draft, topic, word, now)
}

//! The order of tips: the more managers one has helped, and the newer it is, the earlier it comes.
//!
//! The score does not change with time: helping twice as many is worth as much as being written a half-life later. So the order
//! is written once with each change and read from an index. (The idea is that of "hot" rankings of news sites: a
//! logarithm of the votes plus the time.)

use taiwa_shared::time::Timestamp;

use crate::store::tips::Score;

/// Being tried by twice as many managers makes up for this age: 90 days, about a season of 1on1s.
const HALF_LIFE_MILLIS: f64 = 90.0 * 24.0 * 60.0 * 60.0 * 1_000.0;

/// The score of a tip that was made then and has helped so many managers.
pub fn score(made: Timestamp, helped: u32) -> Score {
    #[expect(clippy::cast_possible_truncation, reason = "2^32 managers are worth eight years")]
    let worth = (HALF_LIFE_MILLIS * f64::from(helped).ln_1p() / std::f64::consts::LN_2) as i64;
    Score(made.as_millis().saturating_add(worth))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_helped_three_counts_like_what_is_two_half_lives_newer() {
        let now = Timestamp::from_millis(1_760_000_000_000);
        let old = now.minus(Duration::from_secs(2 * 90 * 24 * 60 * 60));
        assert_eq!(score(old, 3), score(now, 0));
        assert!(score(now, 1) > score(now, 0));
        assert!(score(old, 4) > score(now, 0));
    }
}

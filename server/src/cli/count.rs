//! Counts as people read them: one pair, two pairs. Used by every message of the command line that counts something.

use std::fmt::Display;

/// A number and what is counted, in the form that goes with the number.
pub(super) fn count<N: Display + PartialEq + From<u8>>(number: N, one: &str, many: &str) -> String {
    let what = if number == N::from(1) { one } else { many };
    format!("{number} {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_all_others_are_many() {
        for (number, said) in [(0_u64, "0 people"), (1, "1 person"), (2, "2 people"), (1_001, "1001 people")] {
            assert_eq!(count(number, "person", "people"), said);
        }
    }
}

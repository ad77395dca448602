//! Seeds: what a failing run prints is enough to repeat it.

use rand::RngExt;
use taiwa_tests::seed::Seed;

#[test]
fn the_same_seed_gives_the_same_choices_for_the_same_purpose() {
    let draw = |seed: u64, purpose: &str| Seed::fixed(seed).generator(purpose).random::<u64>();
    assert_eq!(draw(7, "link"), draw(7, "link"));
    assert_ne!(draw(7, "link"), draw(8, "link"));
    assert_ne!(draw(7, "link"), draw(7, "edits"));
}

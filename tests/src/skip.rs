//! Saying loudly that a test could not run for want of a tool; in CI that is a failure.

/// Prints the line that `cargo xtask test` counts. The caller returns after it.
///
/// # Panics
/// With `CI=true`: there, every test must run.
pub fn skip(test: &str, reason: &str) {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!in_ci, "{test} may not be skipped in CI: {reason}");
    println!("SKIPPED: {test}: {reason}");
}

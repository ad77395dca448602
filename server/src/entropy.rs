//! Random bytes from the operating system: for ids, tokens and salts. The only place that asks for them.

/// `N` unpredictable bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system always has random bytes after boot");
    bytes
}

//! The demo company, served or played once.

fn main() {}

//! The taiwa server: records, document hub, sign-in.

pub mod bus;

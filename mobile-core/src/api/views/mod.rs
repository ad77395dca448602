//! The records of every screen, as the app gets them: no bytes, no behaviour, everything converted.

pub(super) mod calendar;
pub(super) mod commands;
pub(super) mod devices;
pub(super) mod home;
pub(super) mod lists;
pub(super) mod memo;
pub(super) mod prepare;
pub(super) mod ratings;
pub(super) mod status;
pub(super) mod strengths;
pub(super) mod tips;

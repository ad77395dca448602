//! The labels' words: short, fixed, and as many as there are kinds.

use taiwa_shared::{domain::command::Action, protocol::commands::Outcome, sync::rejection::Rejection};

use super::{SignInResult, SignInWith};

pub(super) fn rejection(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::NotConnected => "not_connected",
        Rejection::Malformed(_) => "malformed",
        Rejection::TooMuch(_) => "too_much",
        Rejection::DocumentChunk => "document_chunk",
        Rejection::Change { .. } => "change",
        Rejection::Diverged => "diverged",
        Rejection::DocumentFull => "document_full",
        Rejection::NeedUnanswered => "need_unanswered",
    }
}

/// A client may send any word as its method; each would be a figure of its own.
pub(super) fn method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

pub(super) fn sign_in_with(with: SignInWith) -> &'static str {
    match with {
        SignInWith::Invitation => "invitation",
        SignInWith::Password => "password",
        SignInWith::RefreshToken => "refresh_token",
    }
}

pub(super) fn sign_in_result(result: SignInResult) -> &'static str {
    match result {
        SignInResult::Accepted => "accepted",
        SignInResult::Refused => "refused",
        SignInResult::Incomplete => "incomplete",
        SignInResult::TooManyTries => "too_many_tries",
        SignInResult::Failed => "failed",
    }
}

pub(super) fn action(action: &Action) -> &'static str {
    match action {
        Action::Schedule { .. } => "schedule",
        Action::Move { .. } => "move",
        Action::Cancel { .. } => "cancel",
        Action::Finish { .. } => "finish",
        Action::BriefSeen { .. } => "brief_seen",
        Action::SetCadence { .. } => "set_cadence",
        Action::Invite { .. } => "invite",
        Action::WriteTip { .. } => "write_tip",
        Action::WithdrawTip { .. } => "withdraw_tip",
        Action::TipHelped { .. } => "tip_helped",
        Action::ReportTip { .. } => "report_tip",
        Action::Unknown => "unknown",
    }
}

pub(super) fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Conflict { .. } => "conflict",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unknown => "unknown",
    }
}

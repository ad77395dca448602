//! The document hub on a real socket over a real database file: stored before acknowledged, nothing to anyone without
//! access, nobody disturbed by others. Clients are Automerge's own sync, not ours.
//!
//! Map: [`storing`], [`acknowledging`], [`access`], [`traffic`], [`quotas`]; [`house`] the hub with its people.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod access;
mod acknowledging;
mod house;
mod quotas;
mod storing;
mod traffic;

use taiwa_shared::{domain::ownership::DocumentKey, ids::DocumentId};
use taiwa_tests::plain_client::PlainClient;

use house::{House, MANAGER, MEMBER};

/// Two clients that share a memo and have it in sync.
async fn two_on_a_memo(house: &House) -> (PlainClient, PlainClient, DocumentKey, DocumentId) {
    let (_, key, memo) = house.memo().await;
    let mut member = house.client(MEMBER, "member").await;
    let mut manager = house.client(MANAGER, "manager").await;
    member.begin(&key).type_text("はじめ");
    manager.begin(&key);
    member.until_acknowledged(memo).await;
    manager.until("the first text", |manager| manager.held(memo).body() == "はじめ").await;
    manager.until_acknowledged(memo).await;
    (member, manager, key, memo)
}

//! The rows of documents: appended once, folded as one, and a digest that is stale until it is renewed.

use std::collections::HashSet;

use taiwa_server::{
    records::{access::Principal, claims::claim},
    store::chunks::ChunkRow,
};
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{DocumentId, HeadsDigest},
    protocol::records::{ClaimRequest, DocumentClaim},
};

use super::fixture::Fixture;

const COMPANY: &str = "email,name,manager_email\n\
    hanako@a.jp,佐藤 花子,ken@a.jp\ntaro@a.jp,鈴木 太郎,ken@a.jp\nken@a.jp,高橋 健,\n";

super::on_both! {
    rows_come_back_in_the_order_of_their_numbers_and_a_number_is_taken_once;
    folding_puts_one_row_in_the_place_of_several_or_changes_nothing;
    a_digest_is_stale_until_it_is_renewed;
    a_change_touches_those_who_may_see_it_and_nobody_else;
}

/// A member and the pair's notebook.
async fn notebook(fixture: &Fixture) -> (Principal, DocumentId) {
    fixture.import("a", COMPANY).await;
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let key = DocumentKey::Notebook { pair: fixture.pair_of(&hanako).await.id };
    let request = ClaimRequest { claims: vec![DocumentClaim { key, slot: None }] };
    claim(&fixture.store, &fixture.bus, &hanako, &request, fixture.now()).await.unwrap();
    (hanako, key.document_id(0))
}

fn row(n: i64) -> ChunkRow {
    ChunkRow { n, body: vec![0, 0, u8::try_from(n).unwrap()] }
}

async fn append(fixture: &Fixture, who: &Principal, document: DocumentId, numbers: &[i64]) -> bool {
    let rows: Vec<ChunkRow> = numbers.iter().copied().map(row).collect();
    let named: Vec<_> = rows.iter().map(|row| (who.organisation, document, row)).collect();
    let mut tx = fixture.store.begin().await.unwrap();
    match tx.append_chunks(&named).await {
        Ok(()) => {
            tx.commit().await.unwrap();
            true
        }
        Err(error) => {
            assert!(error.is_unique_violation(), "{error}");
            false
        }
    }
}

async fn numbers(fixture: &Fixture, who: &Principal, document: DocumentId) -> Vec<i64> {
    fixture.store.chunks(who.organisation, document).await.unwrap().iter().map(|row| row.n).collect()
}

async fn rows_come_back_in_the_order_of_their_numbers_and_a_number_is_taken_once(fixture: Fixture) {
    let (hanako, document) = notebook(&fixture).await;
    let many: Vec<i64> = (0..19).rev().collect();
    assert!(append(&fixture, &hanako, document, &many).await);
    let stored = fixture.store.chunks(hanako.organisation, document).await.unwrap();
    assert_eq!(stored, (0..19).map(row).collect::<Vec<_>>());
    // Refused by a statement of one row, and in the middle of one of several.
    for taken in [vec![19, 20, 18], vec![19, 20, 18, 21]] {
        assert!(!append(&fixture, &hanako, document, &taken).await);
        assert_eq!(numbers(&fixture, &hanako, document).await.len(), 19, "nothing of a refused transaction stays");
    }
    let other = DocumentId::from_bytes([8; 16]);
    assert!(append(&fixture, &hanako, other, &[0]).await);
}

async fn folding_puts_one_row_in_the_place_of_several_or_changes_nothing(fixture: Fixture) {
    let (hanako, document) = notebook(&fixture).await;
    assert!(append(&fixture, &hanako, document, &[0, 1, 2, 3, 4]).await);
    let folded = ChunkRow { n: 3, body: vec![0, 1, 99] };
    let mut tx = fixture.store.begin().await.unwrap();
    assert_eq!(tx.fold_chunks(hanako.organisation, document, 1, &folded).await.unwrap(), 3);
    drop(tx);
    assert_eq!(numbers(&fixture, &hanako, document).await, [0, 1, 2, 3, 4]);
    let mut tx = fixture.store.begin().await.unwrap();
    tx.fold_chunks(hanako.organisation, document, 1, &folded).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fixture.store.chunks(hanako.organisation, document).await.unwrap(), [row(0), folded, row(4)]);
}

async fn a_digest_is_stale_until_it_is_renewed(fixture: Fixture) {
    let (hanako, document) = notebook(&fixture).await;
    let organisation = hanako.organisation;
    assert!(!fixture.store.has_stale_digest(organisation, document).await.unwrap());
    for _ in 0..2 {
        let mut tx = fixture.store.begin().await.unwrap();
        tx.mark_stale_digest(organisation, document).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert!(fixture.store.has_stale_digest(organisation, document).await.unwrap());
    let stale = fixture.store.stale_digests().await.unwrap();
    assert_eq!(stale.iter().map(|stale| (stale.document, stale.generation)).collect::<Vec<_>>(), [(document, 0)]);
    assert_eq!(stale[0].key.document_id(0), document);

    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(organisation).await.unwrap();
    tx.renew_digest(organisation, document, HeadsDigest::of([[1; 32]]), rev).await.unwrap();
    tx.commit().await.unwrap();
    assert!(fixture.store.stale_digests().await.unwrap().is_empty());
}

async fn a_change_touches_those_who_may_see_it_and_nobody_else(fixture: Fixture) {
    let (hanako, document) = notebook(&fixture).await;
    let organisation = hanako.organisation;
    let (taro, ken) = (fixture.principal("a", "taro@a.jp").await.user, fixture.principal("a", "ken@a.jp").await.user);
    let all = HashSet::from([hanako.user, taro, ken]);
    assert_eq!(fixture.store.touched_since(organisation, 0).await.unwrap(), all);
    let before = fixture.store.counter(organisation).await.unwrap();
    assert!(fixture.store.touched_since(organisation, before).await.unwrap().is_empty());

    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(organisation).await.unwrap();
    tx.renew_digest(organisation, document, HeadsDigest::of([[1; 32]]), rev).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fixture.store.touched_since(organisation, before).await.unwrap(), HashSet::from([hanako.user, ken]));

    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(organisation).await.unwrap();
    tx.bind_author(organisation, document, &[7; 16], ken, rev).await.unwrap();
    tx.commit().await.unwrap();
    let touched = fixture.store.touched_since(organisation, rev - 1).await.unwrap();
    assert_eq!(touched, HashSet::from([hanako.user, ken]));
}

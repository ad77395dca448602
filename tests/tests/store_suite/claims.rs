//! Claims: what a phone derived becomes known if it may, and is refused in one way if not.

use taiwa_server::records::{
    access::Principal,
    claims::{MAX_DOCUMENTS_PER_PAIR, MAX_OPENED_PER_DAY, claim},
};
use taiwa_shared::{
    domain::{meeting::Meeting, ownership::DocumentKey},
    ids::{MeetingId, PairId},
    protocol::records::{ClaimOutcome, ClaimRequest, DocumentClaim},
};

use super::fixture::{DAY, Fixture};

const COMPANY: &str = "email,name,manager_email\n\
    hanako@a.jp,佐藤 花子,ken@a.jp\ntaro@a.jp,鈴木 太郎,ken@a.jp\nken@a.jp,高橋 健,\n";

super::on_both! {
    claiming_again_changes_nothing;
    what_is_unknown_forbidden_or_not_derivable_is_refused_alike;
    a_pair_has_a_quota_of_documents;
    refused_and_known_claims_take_no_writer;
    a_known_claim_names_the_newest_generation;
    a_person_opens_so_many_documents_a_day;
}

async fn outcome(fixture: &Fixture, who: &Principal, claim_: DocumentClaim) -> ClaimOutcome {
    let request = ClaimRequest { claims: vec![claim_] };
    claim(&fixture.store, &fixture.bus, who, &request, fixture.now()).await.unwrap().outcomes[0]
}

async fn claiming_again_changes_nothing(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, ken) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "ken@a.jp").await);
    let pair = fixture.pair_of(&hanako).await;
    let slot = pair.cadence.first;
    let meeting = Meeting::id_of_slot(pair.id, slot);
    let memo = DocumentClaim { key: DocumentKey::Memo { pair: pair.id, meeting }, slot: Some(slot) };
    let expected = ClaimOutcome::Known { document: memo.key.document_id(0), generation: 0 };
    let mut news = fixture.bus.subscribe();
    assert_eq!(outcome(&fixture, &hanako, memo.clone()).await, expected);
    assert!(news.try_recv().is_ok());
    let counter = fixture.store.counter(hanako.organisation).await.unwrap();
    for who in [hanako, ken, hanako] {
        assert_eq!(outcome(&fixture, &who, memo.clone()).await, expected);
    }
    // A meeting that is a record needs no slot.
    let without_slot = DocumentClaim { slot: None, ..memo };
    assert_eq!(outcome(&fixture, &ken, without_slot).await, expected);
    assert_eq!(fixture.store.counter(hanako.organisation).await.unwrap(), counter);
    assert!(news.try_recv().is_err());
}

async fn what_is_unknown_forbidden_or_not_derivable_is_refused_alike(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, taro) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "taro@a.jp").await);
    let ken = fixture.principal("a", "ken@a.jp").await;
    let (ours, other) = (fixture.pair_of(&hanako).await, fixture.pair_of(&taro).await);
    let slot = ours.cadence.first;
    let meeting = Meeting::id_of_slot(ours.id, slot);
    let memo = |pair, meeting| DocumentKey::Memo { pair, meeting };
    let years_away = |years: i64| slot.saturating_add(jiff::ToSpan::days(366 * years + 30));
    let at = |slot| (memo(ours.id, Meeting::id_of_slot(ours.id, slot)), Some(slot));
    let counter = fixture.store.counter(hanako.organisation).await.unwrap();
    for (who, (key, slot)) in [
        (taro, (memo(ours.id, meeting), Some(slot))),
        (hanako, (memo(PairId::from_bytes([9; 16]), meeting), Some(slot))),
        (hanako, (memo(ours.id, MeetingId::from_bytes([9; 16])), Some(slot))),
        (hanako, (memo(ours.id, MeetingId::from_bytes([9; 16])), None)),
        (hanako, (memo(ours.id, meeting), None)),
        (hanako, (memo(ours.id, Meeting::id_of_slot(other.id, slot)), Some(slot))),
        (hanako, at(years_away(2))),
        (hanako, at(years_away(-3))),
        (hanako, at(jiff::civil::Date::MAX)),
        (hanako, at(jiff::civil::Date::MIN)),
        (ken, (DocumentKey::Draft { pair: ours.id, meeting }, Some(slot))),
        (ken, (DocumentKey::Private { pair: ours.id, user: hanako.user }, None)),
        (ken, (DocumentKey::FieldNotes { user: hanako.user }, None)),
        (taro, (DocumentKey::Notebook { pair: ours.id }, None)),
        (taro, (DocumentKey::Private { pair: ours.id, user: taro.user }, None)),
    ] {
        let refused = outcome(&fixture, &who, DocumentClaim { key, slot }).await;
        assert_eq!(refused, ClaimOutcome::Refused, "{key:?} {slot:?}");
    }
    assert_eq!(fixture.store.counter(hanako.organisation).await.unwrap(), counter);
    // Positive control: the same kinds of keys, from whom they belong to.
    for (who, (key, slot)) in [
        (hanako, at(slot)),
        (hanako, at(slot.saturating_add(jiff::ToSpan::days(3)))),
        (ken, (DocumentKey::Private { pair: ours.id, user: ken.user }, None)),
        (ken, (DocumentKey::FieldNotes { user: ken.user }, None)),
        (hanako, (DocumentKey::Draft { pair: ours.id, meeting }, Some(slot))),
    ] {
        let known = outcome(&fixture, &who, DocumentClaim { key, slot }).await;
        assert_ne!(known, ClaimOutcome::Refused, "{key:?} {slot:?}");
    }
    // What others already made is refused as if it were not there.
    let draft = DocumentClaim { key: DocumentKey::Draft { pair: ours.id, meeting }, slot: Some(slot) };
    assert_eq!(outcome(&fixture, &ken, draft).await, ClaimOutcome::Refused);
}

async fn a_pair_has_a_quota_of_documents(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let pair = fixture.pair_of(&hanako).await;
    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(hanako.organisation).await.unwrap();
    for n in 1..MAX_DOCUMENTS_PER_PAIR {
        let meeting = MeetingId::from_bytes(u128::try_from(n).unwrap().to_be_bytes());
        tx.add_document(hanako.organisation, &DocumentKey::Memo { pair: pair.id, meeting }, 0, rev).await.unwrap();
    }
    tx.commit().await.unwrap();
    let notebook = DocumentClaim { key: DocumentKey::Notebook { pair: pair.id }, slot: None };
    let private = DocumentClaim { key: DocumentKey::Private { pair: pair.id, user: hanako.user }, slot: None };
    assert_ne!(outcome(&fixture, &hanako, notebook.clone()).await, ClaimOutcome::Refused);
    assert_eq!(outcome(&fixture, &hanako, private).await, ClaimOutcome::Refused);
    assert_ne!(outcome(&fixture, &hanako, notebook).await, ClaimOutcome::Refused, "what is known stays known");
}

async fn refused_and_known_claims_take_no_writer(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, taro) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "taro@a.jp").await);
    let notebook = DocumentClaim { key: DocumentKey::Notebook { pair: fixture.pair_of(&hanako).await.id }, slot: None };
    let known = outcome(&fixture, &hanako, notebook.clone()).await;
    let mut writer = fixture.store.begin().await.unwrap();
    writer.next_rev(hanako.organisation).await.unwrap();
    let soon = std::time::Duration::from_secs(4);
    let answers = async {
        (outcome(&fixture, &taro, notebook.clone()).await, outcome(&fixture, &hanako, notebook.clone()).await)
    };
    let answers = tokio::time::timeout(soon, answers).await.expect("decided without the writer");
    assert_eq!(answers, (ClaimOutcome::Refused, known));
}

async fn a_known_claim_names_the_newest_generation(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let key = DocumentKey::Notebook { pair: fixture.pair_of(&hanako).await.id };
    let notebook = DocumentClaim { key, slot: None };
    outcome(&fixture, &hanako, notebook.clone()).await;
    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(hanako.organisation).await.unwrap();
    tx.add_document(hanako.organisation, &key, 1, rev).await.unwrap();
    tx.commit().await.unwrap();
    let expected = ClaimOutcome::Known { document: key.document_id(1), generation: 1 };
    assert_eq!(outcome(&fixture, &hanako, notebook).await, expected);
}

async fn a_person_opens_so_many_documents_a_day(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, ken) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "ken@a.jp").await);
    let pair = fixture.pair_of(&hanako).await;
    let memo = |day: i64| {
        let slot = pair.cadence.first.saturating_add(jiff::ToSpan::days(day));
        let key = DocumentKey::Memo { pair: pair.id, meeting: Meeting::id_of_slot(pair.id, slot) };
        DocumentClaim { key, slot: Some(slot) }
    };
    let claims: Vec<_> = (0..=MAX_OPENED_PER_DAY).map(memo).collect();
    let mut opened = 0;
    for some in claims.chunks(150) {
        let request = ClaimRequest { claims: some.to_vec() };
        let answer = claim(&fixture.store, &fixture.bus, &hanako, &request, fixture.now()).await.unwrap();
        opened += answer.outcomes.iter().filter(|outcome| **outcome != ClaimOutcome::Refused).count();
    }
    assert_eq!(i64::try_from(opened), Ok(MAX_OPENED_PER_DAY));
    assert_eq!(outcome(&fixture, &hanako, memo(MAX_OPENED_PER_DAY)).await, ClaimOutcome::Refused);
    assert_ne!(outcome(&fixture, &hanako, memo(0)).await, ClaimOutcome::Refused, "what is known stays known");
    assert_ne!(outcome(&fixture, &ken, memo(MAX_OPENED_PER_DAY)).await, ClaimOutcome::Refused, "somebody else's count");
    fixture.clock.advance(DAY);
    assert_ne!(outcome(&fixture, &hanako, memo(MAX_OPENED_PER_DAY + 1)).await, ClaimOutcome::Refused);
}

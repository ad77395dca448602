//! Search over what this phone holds: everything that belongs to it, and nothing that has gone.

use super::*;
use crate::{
    session::{SearchHit, SearchKind, TokenVault},
    store::{Store, VaultKey},
};

fn found(hits: &[SearchHit]) -> Vec<(SearchKind, &str)> {
    hits.iter().map(|hit| (hit.kind, hit.line.as_str())).collect()
}

/// What the lines found are in, by name.
async fn kinds(session: &Session, text: &str) -> Vec<SearchKind> {
    let mut kinds: Vec<_> = session.search(text).await.unwrap().into_iter().map(|hit| hit.kind).collect();
    kinds.sort_by_key(|kind| format!("{kind:?}"));
    kinds
}

/// Every text of the store's file, opened with its key.
async fn texts_in_file(directory: &Path, vault: &MemoryVault) -> String {
    let key = vault.load().unwrap().unwrap();
    let store = Store::open(&directory.join(format!("{MEMBER}.taiwa")), &VaultKey::new(key)).await.unwrap();
    let texts = store.search_texts().await.unwrap();
    let open = |text| store.open_search_text::<serde_json::Value>(text).unwrap().to_string();
    let all = texts.iter().map(open).collect();
    store.close().await;
    all
}

#[tokio::test]
async fn everything_that_was_written_is_found_at_once_and_after_a_restart() {
    use SearchKind::{Agenda, FieldNote, Intention, Memo, Preparation, PrivateNote, Promise};
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let memo = session.memo(meeting()).await.unwrap();
    memo.splice(0, 0, "資料の表紙\n資料ＡＢＣをガイドに足す\n".to_owned()).await.unwrap();
    memo.add_comment(0, 2, "ｶﾞｲﾄﾞの二章".to_owned()).await.unwrap();
    session.add_promise(PAIR, MANAGER, "ガイドを送る".to_owned(), None).await.unwrap();
    session.add_intention(PAIR, "ガイドを持ち歩く".to_owned(), None).await.unwrap();
    session.add_agenda(PAIR, "ガイドの改訂".to_owned()).await.unwrap();
    session.add_note(NotesOf::Pair(PAIR), "ガイドは\n難しそう".to_owned(), None).await.unwrap();
    session.add_note(NotesOf::Field, "客先でがいどを使う".to_owned(), None).await.unwrap();
    session.set_response(meeting(), topic("career.future"), response("think")).await.unwrap();
    session.set_word(meeting(), topic("career.future"), "ガイドのこと".to_owned()).await.unwrap();

    let untold = [Agenda, FieldNote, Intention, Memo, Memo, PrivateNote, Promise];
    assert_eq!(kinds(&session, "がいど").await, untold, "a draft is not looked through");
    session.publish(meeting()).await.unwrap();
    let all = [Agenda, FieldNote, Intention, Memo, Memo, Preparation, PrivateNote, Promise];
    assert_eq!(kinds(&session, "ガイド").await, all);
    assert_eq!(kinds(&session, "一緒に考えて").await, [Preparation]);

    let hits = session.search("abc　ガイド").await.unwrap();
    assert_eq!(found(&hits), [(Memo, "資料ＡＢＣをガイドに足す")]);
    let hit = &hits[0];
    assert_eq!((hit.ranges.clone(), hit.pair, hit.meeting), (vec![2..5, 6..9], Some(PAIR), Some(meeting())));
    assert_eq!((hit.partner_name.as_str(), hit.when.as_deref()), ("佐藤 健", Some("今日 10:00")));
    let together = session.search("表紙 二章").await.unwrap();
    assert_eq!(found(&together), [(Memo, "資料の表紙")], "both are in the memo, on different lines");
    assert_eq!(kinds(&session, "表紙 客先").await, [], "in different things");

    taiwa.close().await;
    let taiwa = Taiwa::open(options(directory.path(), &vault)).await.unwrap();
    let session = taiwa.session().await.unwrap();
    assert_eq!(kinds(&session, "ガイド").await, all);
    session.memo(meeting()).await.unwrap().splice(0, 5, String::new()).await.unwrap();
    assert_eq!(kinds(&session, "表紙").await, [], "what was deleted is not found");
}

#[tokio::test]
async fn newer_lines_come_first_and_nothing_typed_finds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    for (day, text) in [(6, "四月六日の話"), (20, "四月二十日の話")] {
        let meeting = taiwa_shared::domain::meeting::Meeting::id_of_slot(PAIR, jiff::civil::date(2026, 4, day));
        session.memo(meeting).await.unwrap().splice(0, 0, text.to_owned()).await.unwrap();
    }
    let hits = session.search("話").await.unwrap();
    assert_eq!(hits.iter().map(|hit| &*hit.line).collect::<Vec<_>>(), ["四月二十日の話", "四月六日の話"]);
    assert_eq!(session.search(" 　").await.unwrap(), []);
    let long = session.search(&"話".repeat(501)).await;
    assert!(matches!(long, Err(SessionError::TooLong { limit: 500, length: 501 })));
}

#[tokio::test]
async fn texts_of_a_pair_that_was_lost_are_gone_from_the_file() {
    const SHARED: &str = "二人だけの話";
    const OWN: &str = "自分だけの話";
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    let memo = session.memo(meeting()).await.unwrap();
    memo.splice(0, 0, SHARED.to_owned()).await.unwrap();
    session.add_promise(PAIR, MANAGER, SHARED.to_owned(), None).await.unwrap();
    session.add_note(NotesOf::Pair(PAIR), OWN.to_owned(), None).await.unwrap();
    assert_eq!(session.search("だけの話").await.unwrap().len(), 3);
    taiwa.close().await;
    let before = texts_in_file(directory.path(), &vault).await;
    assert!(before.contains(SHARED) && before.contains(OWN), "the control: they were there");

    let taiwa = Taiwa::open(options(directory.path(), &vault)).await.unwrap();
    let session = taiwa.session().await.unwrap();
    session.desk.apply_page(page(vec![RecordEntry::PairLost { pair: PAIR }])).await.unwrap();
    assert_eq!(found(&session.search("だけの話").await.unwrap()), [(SearchKind::PrivateNote, OWN)]);
    taiwa.close().await;
    let after = texts_in_file(directory.path(), &vault).await;
    assert!(!after.contains(SHARED) && after.contains(OWN), "{after}");
}

#[tokio::test]
async fn what_may_no_longer_be_read_is_not_found_before_the_server_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    session.memo(meeting()).await.unwrap().splice(0, 0, "読めた話".to_owned()).await.unwrap();
    assert_eq!(kinds(&session, "読めた").await, [SearchKind::Memo]);
    let at = now().minus(Duration::from_secs(31 * 24 * 60 * 60));
    session.desk.apply_page(page(vec![RecordEntry::Pair(pair(PairState::Closed { at }))])).await.unwrap();
    assert_eq!(kinds(&session, "読めた").await, []);
}

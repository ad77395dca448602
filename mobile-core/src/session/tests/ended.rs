//! A manager of a pair that has ended: after 30 days nothing of it is shown, whether or not the server has said so.

use std::{sync::Arc, time::Duration};

use taiwa_shared::{
    documents::{Editor, Replica, draft, prep},
    domain::{
        ownership::{Access, DocumentKey},
        people::PairState,
    },
    protocol::records::{DocumentRecord, RecordEntry},
};

use super::{MANAGER, MEMBER, PAIR, meeting, now, page, pair, receive, response, signed_in, topic};
use crate::session::{MemoryVault, Session, SessionError};

/// How many things of the pair each screen shows.
async fn seen(session: &Session) -> [(&'static str, usize); 6] {
    let home = session.home().await.unwrap();
    let brief = match session.brief(meeting()).await {
        Ok(brief) => brief.topics.len() + brief.promises.len(),
        Err(SessionError::NoAccess) => 0,
        Err(error) => panic!("{error}"),
    };
    [
        ("home", home.promises.len() + home.intentions.len()),
        ("promises", session.promises().await.unwrap().len()),
        ("intentions", session.intentions().await.unwrap().len()),
        ("agenda", session.agenda(PAIR).await.unwrap().len()),
        ("past meetings", session.past_meetings(PAIR).await.unwrap().len()),
        ("brief", brief),
    ]
}

#[tokio::test]
async fn a_former_manager_is_shown_nothing_after_thirty_days_before_the_server_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    session.memo(meeting()).await.unwrap().splice(0, 0, "読めた話".to_owned()).await.unwrap();
    session.add_promise(PAIR, MANAGER, "読めた約束".to_owned(), None).await.unwrap();
    session.add_intention(PAIR, "読めた心がけ".to_owned(), None).await.unwrap();
    session.add_agenda(PAIR, "読めた議題".to_owned()).await.unwrap();
    let key = DocumentKey::Prep { pair: PAIR, meeting: meeting() };
    let record = DocumentRecord { id: key.document_id(0), key, generation: 0, access: Access::Read, digest: None };
    session.desk.apply_page(page(vec![RecordEntry::Document(record)])).await.unwrap();
    let editor = Editor { user: MEMBER, actor: [8; 16] };
    let form = DocumentKey::Draft { pair: PAIR, meeting: meeting() };
    let mut form = Replica::open(form, 0, [], editor).unwrap();
    draft::set_response(&mut form, &topic("career.future"), &response("think"), now()).unwrap();
    let mut published = Replica::open(key, 0, [], editor).unwrap();
    prep::publish(&mut published, &form, now()).unwrap();
    receive(&session, key, &mut published).await;
    for (screen, things) in seen(&session).await {
        assert!(things > 0, "the control: {screen} shows it");
    }
    let closed = async |days: u64| {
        let at = now().minus(Duration::from_secs(days * 24 * 60 * 60));
        session.desk.apply_page(page(vec![RecordEntry::Pair(pair(PairState::Closed { at }))])).await.unwrap();
    };
    closed(29).await;
    assert!(seen(&session).await.iter().any(|(_, things)| *things > 0), "for 30 days it is read on");
    closed(31).await;
    assert_eq!(seen(&session).await.map(|(screen, _)| (screen, 0)), seen(&session).await);
}

#[tokio::test]
async fn a_member_reads_on_when_the_pair_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.memo(meeting()).await.unwrap().splice(0, 0, "読める話".to_owned()).await.unwrap();
    session.add_promise(PAIR, MANAGER, "読める約束".to_owned(), None).await.unwrap();
    let at = now().minus(Duration::from_secs(31 * 24 * 60 * 60));
    session.desk.apply_page(page(vec![RecordEntry::Pair(pair(PairState::Closed { at }))])).await.unwrap();
    assert_eq!(session.promises().await.unwrap().len(), 1);
    assert_eq!(session.past_meetings(PAIR).await.unwrap().len(), 1);
}

//! What members ask for: counted for their manager from what is on this phone, while they are a pair.

use std::{path::Path, sync::Arc};

use jiff::civil::date;
use taiwa_shared::{
    documents::{Editor, Replica, draft, prep},
    domain::{
        meeting::{Meeting, MeetingState},
        ownership::{Access, DocumentKey},
        people::PairState,
    },
    ids::MeetingId,
    protocol::records::{DocumentRecord, RecordEntry},
};

use super::{MANAGER, MEMBER, PAIR, now, options, page, pair, receive, response, signed_in, topic};
use crate::session::{MemoryVault, Session, Taiwa};

fn slot(day: i8) -> MeetingId {
    Meeting::id_of_slot(PAIR, date(2026, 4, day))
}

/// The member told this for the meeting, and it reached this phone.
async fn told(session: &Session, meeting: MeetingId, topics: &[(&str, &str)]) {
    let key = DocumentKey::Prep { pair: PAIR, meeting };
    let record = DocumentRecord { id: key.document_id(0), key, generation: 0, access: Access::Read, digest: None };
    session.desk.apply_page(page(vec![RecordEntry::Document(record)])).await.unwrap();
    let editor = Editor { user: MEMBER, actor: [8; 16] };
    let mut form = Replica::open(DocumentKey::Draft { pair: PAIR, meeting }, 0, [], editor).unwrap();
    for (slug, asked) in topics {
        draft::set_response(&mut form, &topic(slug), &response(asked), now()).unwrap();
    }
    let mut published = Replica::open(key, 0, [], editor).unwrap();
    prep::publish(&mut published, &form, now()).unwrap();
    receive(session, key, &mut published).await;
}

/// `キャリア・成長 3: 一緒に考えてほしい 2 (今日 10:00)`.
async fn shown(session: &Session) -> Vec<String> {
    let members = session.expectations().await.unwrap();
    let mut lines = Vec::new();
    for member in members {
        lines.push(format!("{}: {}", member.member_name, member.preparations));
        for category in member.categories {
            let mut line = format!("{} {}:", category.label, category.topics);
            for response in category.responses {
                let when = response.latest_when.unwrap_or_default();
                line.push_str(&format!(" {} {} ({when})", response.label, response.times));
            }
            lines.push(line);
        }
    }
    lines
}

async fn with_two_preparations(directory: &Path, vault: &Arc<MemoryVault>) -> (Taiwa, Session) {
    let (taiwa, session) = signed_in(directory, vault, MANAGER).await;
    assert_eq!(shown(&session).await, ["田中 葵: 0"], "nothing has arrived");
    told(&session, slot(6), &[("career.future", "advice"), ("work.load", "decide")]).await;
    told(&session, slot(20), &[("career.future", "think")]).await;
    (taiwa, session)
}

#[tokio::test]
async fn a_manager_sees_what_each_member_asks_for_by_topic_without_a_network_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = with_two_preparations(directory.path(), &vault).await;
    let so_far = [
        "田中 葵: 2",
        "キャリア・成長 2: 一緒に考えてほしい 1 (今日 10:00) アドバイスがほしい 1 (4月6日(月) 10:00)",
        "仕事の進め方 1: 決めてほしい・承認がほしい 1 (4月6日(月) 10:00)",
    ];
    assert_eq!(shown(&session).await, so_far);
    taiwa.close().await;
    let taiwa = Taiwa::open(options(directory.path(), &vault)).await.unwrap();
    let session = taiwa.session().await.unwrap();
    assert_eq!(shown(&session).await, so_far);
    assert_eq!(session.unsent().await.unwrap(), 0, "nothing of it is for anybody else");
}

#[tokio::test]
async fn what_was_prepared_for_a_cancelled_one_on_one_is_counted_where_it_was_carried_to() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = with_two_preparations(directory.path(), &vault).await;
    let before = shown(&session).await;
    let mut cancelled = pair(PairState::Open).cadence.meeting_in_slot(PAIR, date(2026, 4, 6));
    cancelled.state = MeetingState::Cancelled;
    session.desk.apply_page(page(vec![RecordEntry::Meeting(cancelled)])).await.unwrap();
    let after = shown(&session).await;
    assert_ne!(after, before);
    assert_eq!(after, ["田中 葵: 1", "キャリア・成長 1: 一緒に考えてほしい 1 (今日 10:00)"]);
}

#[tokio::test]
async fn a_member_and_a_former_manager_have_no_expectations() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    told(&session, slot(20), &[("career.future", "think")]).await;
    assert_eq!(session.expectations().await.unwrap(), [], "a member");

    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = with_two_preparations(directory.path(), &vault).await;
    assert_eq!(session.expectations().await.unwrap().len(), 1, "the control: they manage somebody");
    let closed = pair(PairState::Closed { at: now() });
    session.desk.apply_page(page(vec![RecordEntry::Pair(closed)])).await.unwrap();
    assert_eq!(session.expectations().await.unwrap(), [], "of an ended pair nothing is counted");
}

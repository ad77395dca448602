//! Private things are nowhere else: decoded contents of every store, with a control that finds them where they belong.

use taiwa_shared::domain::ownership::DocumentKey;
use taiwa_tests::{inspect::Contents, phone::Phone, world::World};

const NOTE: &str = "本人には まだ言わない覚え書き";
const FIRST_WORDS: &str = "じつは転職を考えています";
const LAST_WORDS: &str = "今後の進路について聞きたいです";

/// The places in a store at which a text stands, apart from those that are allowed.
fn elsewhere<'a>(contents: &'a Contents, text: &str, allowed: &[String]) -> Vec<&'a str> {
    let places = contents.places_of(text);
    places.into_iter().filter(|place| !allowed.iter().any(|allowed| place.contains(allowed.as_str()))).collect()
}

/// Neither phone keeps anything readable in its file; `text` stands in the phone's store, as the caller has checked.
fn assert_sealed(phone: &Phone, text: &str) {
    let (utf8, utf16): (Vec<u8>, Vec<u8>) =
        (text.bytes().collect(), text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    for file in phone.files() {
        let bytes = std::fs::read(&file).unwrap();
        for sought in [&utf8, &utf16] {
            let found = bytes.windows(sought.len()).any(|window| window == &sought[..]);
            assert!(!found, "{} holds {text} readable", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_note_is_in_no_other_store_and_no_other_document() {
    let world = World::open("private note").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let tablet = world.phone("sato").await;
    let meeting = manager.next_meeting_with(&member).await;
    manager.add_private_note(&member, NOTE).await;
    manager.type_into_memo(meeting, 0, "二人で決めたこと").await;
    manager.settled().await;
    member.eventually_reads(meeting, "二人で決めたこと").await;
    tablet.eventually_has_note(&member, NOTE).await;

    let pair = manager.pair_with(&member).await;
    let private = DocumentKey::Private { pair, user: manager.user() }.document_id(0).to_string();
    for (whose, store) in [("the owner's phone", &manager), ("the owner's tablet", &tablet)] {
        let contents = store.contents().await;
        assert!(!contents.places_of(NOTE).is_empty(), "the control: {whose} has it");
        assert_eq!(elsewhere(&contents, NOTE, std::slice::from_ref(&private)), Vec::<&str>::new(), "{whose}");
    }
    let server = Contents::of_server(&world.database()).await.unwrap();
    assert_eq!(server.places_of(NOTE), [format!("document {private}")], "the server, for the owner's devices");
    let others = member.contents().await;
    assert!(!others.places_of("二人で決めたこと").is_empty(), "the control: the other phone is up to date");
    assert_eq!(others.places_of(NOTE), Vec::<&str>::new());
    assert!(!others.documents().any(|document| document.to_string() == private), "not even that it exists");
    assert_sealed(&manager, NOTE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stood_in_a_draft_before_publishing_is_in_no_other_store_and_no_other_document() {
    let world = World::open("draft").await;
    let member = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.choose(meeting, "work.progress").await;
    member.set_word(meeting, "work.progress", FIRST_WORDS).await;
    member.settled().await;
    member.set_word(meeting, "work.progress", LAST_WORDS).await;
    member.publish(meeting).await;
    member.settled().await;
    manager.eventually_reads_brief(meeting, LAST_WORDS).await;

    let pair = member.pair_with(&manager).await;
    let draft = DocumentKey::Draft { pair, meeting }.document_id(0).to_string();
    let prep = DocumentKey::Prep { pair, meeting }.document_id(0).to_string();
    let own = member.contents().await;
    assert!(!own.places_of(FIRST_WORDS).is_empty(), "the control: the draft's history on the owner's phone has it");
    assert_eq!(elsewhere(&own, FIRST_WORDS, std::slice::from_ref(&draft)), Vec::<&str>::new());
    let server = Contents::of_server(&world.database()).await.unwrap();
    assert_eq!(server.places_of(FIRST_WORDS), [format!("document {draft}")], "the server, for the owner's devices");
    assert!(server.places_of(LAST_WORDS).contains(&format!("document {prep}").as_str()), "the control: published");
    let others = manager.contents().await;
    assert!(!others.places_of(LAST_WORDS).is_empty(), "the control: the other phone is up to date");
    assert_eq!(others.places_of(FIRST_WORDS), Vec::<&str>::new());
    assert!(!others.documents().any(|document| document.to_string() == draft), "not even that it exists");
    assert_sealed(&member, FIRST_WORDS);
    assert_sealed(&manager, LAST_WORDS);
}

//! A signed-in phone against the real server: first sign-in, tokens that end, a server that was restored, a pair that was
//! closed; what the person wrote is somewhere after each of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{sync::Arc, time::Duration};

use taiwa_mobile_core::{
    session::{MemoryVault, Options, PreparationState, SaveState, Session, SessionError, SignIn, Taiwa},
    store::RefusalReason,
    sync::{Backoff, Connection},
};
use taiwa_server::{
    Server,
    auth::login::invite,
    config::Config,
    records::import::{self, Table},
    store::people::Email,
};
use taiwa_shared::{ids::MeetingId, protocol::login::Secret, time::Clock};
use taiwa_tests::{
    clock::TestClock,
    eventually::{PATIENCE, eventually, eventually_equals},
};
use tempfile::TempDir;

const PEOPLE: &str =
    "email,name,manager_email,role\nm@example.jp,佐藤 健,,member\ne@example.jp,田中 葵,m@example.jp,member\n";
const NOBODY_MANAGES: &str =
    "email,name,manager_email,role\nm@example.jp,佐藤 健,,member\ne@example.jp,田中 葵,,member\n";
const MANAGER: &str = "m@example.jp";
const MEMBER: &str = "e@example.jp";
const PASSWORD: &str = "正しい馬と電池のホチキス";

struct World {
    server: Server,
    clock: TestClock,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        taiwa_tests::tls::install_crypto();
        let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database: format!("sqlite:{}", folder.path().join("taiwa.db").display()),
            login_tries_per_minute: 1_000,
            ..Config::default()
        };
        let server = Server::start(config, Arc::new(clock.clone())).await.unwrap();
        let world = Self { server, clock, _folder: folder };
        world.import(PEOPLE).await;
        world
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    async fn import(&self, csv: &str) {
        let table = Table::read(csv.as_bytes()).unwrap();
        import::apply(self.server.store(), "demo", "デモ", &table, self.clock.now()).await.unwrap();
    }

    async fn invitation(&self, email: &str) -> Secret {
        let store = self.server.store();
        let organisation = store.organisation_by_slug("demo").await.unwrap().unwrap();
        let person = store.person_by_email(organisation.id, &Email::normalise(email)).await.unwrap().unwrap();
        let mut tx = store.begin().await.unwrap();
        let secret = invite(&mut tx, organisation.id, person.id, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        secret
    }

    async fn phone(&self, email: &str) -> Phone {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::new(MemoryVault::default()));
        let mut phone = Phone { taiwa: None, folder, vault, clock: self.clock.clone() };
        phone.open().await;
        let invitation = self.invitation(email).await;
        let sign_in = SignIn::Invitation { invitation, password: Secret::new(PASSWORD) };
        phone.taiwa().sign_in(&self.url(), sign_in).await.unwrap();
        phone
    }
}

struct Phone {
    taiwa: Option<Taiwa>,
    folder: TempDir,
    vault: Arc<MemoryVault>,
    clock: TestClock,
}

impl Phone {
    async fn open(&mut self) {
        let options = Options {
            clock: Arc::new(self.clock.clone()),
            backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(50) },
            ..Options::new(self.folder.path(), self.vault.clone())
        };
        self.taiwa = Some(Taiwa::open(options).await.unwrap());
    }

    fn taiwa(&self) -> &Taiwa {
        self.taiwa.as_ref().unwrap()
    }

    async fn session(&self) -> Session {
        self.taiwa().session().await.expect("somebody is signed in")
    }

    async fn next_meeting(&self) -> MeetingId {
        let session = self.session().await;
        eventually("the first meeting is on home", PATIENCE, || async {
            session.home().await.unwrap().next.map(|next| next.meeting)
        })
        .await
    }

    async fn is_synced(&self) {
        let session = self.session().await;
        eventually_equals("everything is stored by the server", &SaveState::Synced, || async {
            session.save_state().await.unwrap()
        })
        .await;
    }

    async fn memo_shows(&self, meeting: MeetingId, expected: &str) {
        let memo = self.session().await.memo(meeting).await.unwrap();
        eventually_equals("the memo shows it", &expected.to_owned(), || async { memo.read().await.unwrap().text })
            .await;
    }
}

#[tokio::test]
async fn what_the_member_prepares_is_on_the_managers_home_and_brief() {
    let world = World::new().await;
    let (member, manager) = (world.phone(MEMBER).await, world.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    assert_eq!(manager.next_meeting().await, meeting);
    let session = member.session().await;
    session.set_response(meeting, "career.future".parse().unwrap(), "think".parse().unwrap()).await.unwrap();
    session.set_word(meeting, "career.future".parse().unwrap(), "異動のこと".to_owned()).await.unwrap();
    assert!(session.publish(meeting).await.unwrap());
    member.is_synced().await;
    let reader = manager.session().await;
    eventually_equals("home shows the topic", &PreparationState::Published, || async {
        reader.home().await.unwrap().next.unwrap().preparation
    })
    .await;
    let brief = reader.brief(meeting).await.unwrap();
    assert_eq!((brief.not_arrived, brief.topics[0].words.as_slice()), (None, ["異動のこと".to_owned()].as_slice()));
    // What the member chose before saying これで伝える is on no other person's phone.
    let refused = reader.prepare(meeting).await;
    assert!(matches!(refused, Err(SessionError::NoAccess)));
}

#[tokio::test]
async fn both_write_the_memo_at_the_same_time_and_see_the_same() {
    let world = World::new().await;
    let (member, manager) = (world.phone(MEMBER).await, world.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    manager.next_meeting().await;
    let theirs = manager.session().await.memo(meeting).await.unwrap();
    let mine = member.session().await.memo(meeting).await.unwrap();
    let (a, b) =
        tokio::join!(mine.splice(0, 0, "田中の文。\n".to_owned()), theirs.splice(0, 0, "佐藤の文。\n".to_owned()));
    a.and(b).unwrap();
    let both = eventually("both texts are in one memo", PATIENCE, || async {
        let text = mine.read().await.unwrap().text;
        (text.contains("田中の文。\n") && text.contains("佐藤の文。\n")).then_some(text)
    })
    .await;
    manager.memo_shows(meeting, &both).await;
    let read = theirs.read().await.unwrap();
    let (first, second) = (&read.paragraphs[0].authors, &read.paragraphs[1].authors);
    assert!(first.len() == 1 && second.len() == 1 && first != second);
    // A caret is shown to the other person.
    let wait = tokio::time::timeout(PATIENCE, theirs.next_caret());
    let show = async {
        for _ in 0..40 {
            mine.show_caret(3, true).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (caret, ()) = tokio::join!(wait, show);
    let caret = caret.unwrap().unwrap();
    assert!(caret.typing && caret.position_utf16 == Some(3));
}

#[tokio::test]
async fn a_phone_that_was_away_for_days_goes_on_with_a_new_token() {
    let world = World::new().await;
    let mut member = world.phone(MEMBER).await;
    let meeting = member.next_meeting().await;
    member.taiwa().close().await;
    world.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    member.open().await;
    let session = member.session().await;
    session.memo(meeting).await.unwrap().splice(0, 0, "島から".to_owned()).await.unwrap();
    member.is_synced().await;
    assert_eq!(session.sync_status().connection, Connection::Online);
}

#[tokio::test]
async fn a_changed_manager_leaves_a_card_of_what_was_not_sent() {
    let world = World::new().await;
    let mut member = world.phone(MEMBER).await;
    let meeting = member.next_meeting().await;
    let memo = member.session().await.memo(meeting).await.unwrap();
    memo.splice(0, 0, "届いた\n".to_owned()).await.unwrap();
    member.is_synced().await;
    drop(memo);
    member.taiwa().close().await;
    // No server is reached while this is written: its address is taken away by not letting time pass for the sync.
    world.import(NOBODY_MANAGES).await;
    member.open().await;
    let session = member.session().await;
    session.enter_background();
    let written = session.memo(meeting).await.unwrap().splice(0, 0, "送れない\n".to_owned()).await;
    session.network_available();
    session.enter_foreground();
    match written {
        Ok(()) => {
            let card = eventually("the card is there", PATIENCE, || async {
                session.refused_edits().await.unwrap().into_iter().next()
            })
            .await;
            assert_eq!((card.text.as_str(), card.reason), ("送れない", RefusalReason::NoAccess));
            assert_eq!(session.unsent().await.unwrap(), 0);
        }
        // The records were faster.
        Err(error) => assert!(matches!(error, SessionError::NoAccess)),
    }
    let read = session.memo(meeting).await.unwrap();
    eventually_equals("what was sent is still readable", &"届いた\n".to_owned(), || async {
        read.read().await.unwrap().text
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_with_a_wrong_password_says_so() {
    let world = World::new().await;
    let member = world.phone(MEMBER).await;
    let sign_in = |password: &str| SignIn::Password {
        organisation: None,
        email: MEMBER.to_owned(),
        password: Secret::new(password),
    };
    let refused = member.taiwa().sign_in(&world.url(), sign_in("ちがう")).await;
    assert!(matches!(refused.map(drop), Err(SessionError::CredentialsRefused)));
    let before = member.session().await.me();
    let again = member.taiwa().sign_in(&world.url(), sign_in(PASSWORD)).await.unwrap();
    assert_eq!(again.me(), before);
    let refused = member.taiwa().sign_in("http://taiwa.example.com", sign_in(PASSWORD)).await;
    assert!(matches!(refused.map(drop), Err(SessionError::Address(_))));
}

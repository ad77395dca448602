//! The exported surface from end to end without a network: a restored session, observers, edits, errors.

use std::sync::{Arc, Mutex, mpsc};

use taiwa_shared::{
    domain::{
        cadence::Cadence,
        people::{Pair, PairKind, PairState, Person, Role},
    },
    ids::{DeviceId, OrganisationId, PairId, StoreEpoch, UserId},
    protocol::{
        login::Secret,
        records::{RecordEntry, RecordsPage},
    },
    time::{Clock, Timestamp},
};
use tempfile::TempDir;

use super::*;
use crate::{
    session::SystemClock,
    store::{Identity, LocalTokens, PageEffects, Store, VaultKey},
};

const KEY: [u8; 32] = [5; 32];
const MEMBER: UserId = UserId::from_bytes([1; 16]);
const MANAGER: UserId = UserId::from_bytes([2; 16]);
const PAIR: PairId = PairId::from_bytes([3; 16]);

struct Vault(Mutex<Option<Vec<u8>>>);

impl KeyVault for Vault {
    fn load_key(&self) -> Result<Option<Vec<u8>>, KeyVaultError> {
        Ok(self.0.lock().unwrap().clone())
    }
    fn store_key(&self, key: Vec<u8>) -> Result<(), KeyVaultError> {
        *self.0.lock().unwrap() = Some(key);
        Ok(())
    }
}

fn options(folder: &TempDir) -> OpenOptions {
    OpenOptions {
        directory: folder.path().to_str().unwrap().to_owned(),
        language: "ja".to_owned(),
        zone: "Asia/Tokyo".to_owned(),
        device_name: "phone".to_owned(),
        extra_roots_pem: None,
    }
}

fn vault() -> Arc<dyn KeyVault> {
    Arc::new(Vault(Mutex::new(Some(KEY.to_vec()))))
}

/// A phone on which the member signed in before, with the records of the pair; its server is not there.
async fn signed_in_before(folder: &TempDir) {
    let now = SystemClock.now();
    let store = Store::open(&folder.path().join(format!("{MEMBER}.taiwa")), &VaultKey::new(KEY)).await.unwrap();
    let identity = Identity {
        user: MEMBER,
        organisation: OrganisationId::from_bytes([4; 16]),
        organisation_slug: "demo".to_owned(),
        organisation_name: "サンプル産業".to_owned(),
        device: DeviceId::from_bytes([6; 16]),
        server_url: "http://127.0.0.1:9".to_owned(),
    };
    let tokens = LocalTokens {
        access_token: Secret::new("a"),
        access_expires: Timestamp::default(),
        refresh_token: Secret::new("r"),
    };
    store.put_login(&identity, &tokens).await.unwrap();
    let person = |id, name: &str| {
        let name = name.to_owned();
        RecordEntry::Person(Person { id, name, site: None, site_name: None, role: Role::Member, active: true })
    };
    let today = now.in_zone(&taiwa_shared::time::Zone::tokyo()).date();
    let cadence = Cadence { first: today, ..Cadence::default() };
    let pair = Pair {
        id: PAIR,
        member: MEMBER,
        manager: MANAGER,
        kind: PairKind::Line,
        cadence,
        cadence_revision: 0,
        state: PairState::Open,
    };
    let page = RecordsPage {
        epoch: StoreEpoch::from_bytes([7; 16]),
        cursor: "1".to_owned(),
        more: false,
        entries: vec![person(MEMBER, "田中 葵"), person(MANAGER, "佐藤 健"), RecordEntry::Pair(pair)],
    };
    store.apply_page(&page, &PageEffects::default()).await.unwrap();
    store.close().await;
    std::fs::write(folder.path().join("current"), MEMBER.to_string()).unwrap();
}

/// An observer that hands what it sees to the test.
struct Seen<T>(Mutex<mpsc::Sender<T>>);

fn seen<T>() -> (Arc<Seen<T>>, mpsc::Receiver<T>) {
    let (sender, receiver) = mpsc::channel();
    (Arc::new(Seen(Mutex::new(sender))), receiver)
}

impl<T> Seen<T> {
    fn tell(&self, value: T) -> Result<(), ObserverError> {
        // The test may have seen enough.
        let _ = self.0.lock().unwrap().send(value);
        Ok(())
    }
}

impl HomeObserver for Seen<HomeView> {
    fn on_home(&self, home: HomeView) -> Result<(), ObserverError> {
        self.tell(home)
    }
}

impl MemoObserver for Seen<MemoView> {
    fn on_memo(&self, memo: MemoView) -> Result<(), ObserverError> {
        self.tell(memo)
    }
}

impl StatusObserver for Seen<StatusView> {
    fn on_status(&self, status: StatusView) -> Result<(), ObserverError> {
        self.tell(status)
    }
}

/// Runs as an app does: on an executor that is not the core's.
fn as_an_app<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn prepared() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    runtime::handle().block_on(signed_in_before(&folder));
    folder
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// The next value that fits.
fn until<T>(values: &mpsc::Receiver<T>, fits: impl Fn(&T) -> bool) -> T {
    loop {
        let value = values.recv_timeout(PATIENCE).expect("a value arrives in time");
        if fits(&value) {
            return value;
        }
    }
}

#[test]
fn a_restored_session_shows_home_and_takes_edits_without_a_network() {
    let folder = prepared();
    as_an_app(async {
        let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
        let session = taiwa.session().await.expect("somebody is signed in");
        assert_eq!(session.user_id(), MEMBER.to_string());
        assert_eq!(session.organisation_name(), "サンプル産業");

        let (observer, homes) = seen();
        let subscription = session.observe_home(observer);
        let first = until(&homes, |_| true);
        assert_eq!(first.upcoming[0].partner_name, "佐藤 健");
        assert_eq!(first.promises, []);

        let text = "資料を見せる".to_owned();
        session.add_promise(PAIR.to_string(), MANAGER.to_string(), text.clone(), None).await.unwrap();
        let changed = until(&homes, |home| !home.promises.is_empty());
        assert_eq!(changed.promises[0].texts, [text]);

        subscription.cancel();
        session.add_intention(PAIR.to_string(), "聞く".to_owned(), None).await.unwrap();
        assert!(session.unsent().await.unwrap() >= 2);
        taiwa.close().await;
        assert!(homes.iter().all(|home| home.intentions.is_empty()), "a cancelled observer is not called");
    });
}

#[test]
fn a_memo_is_typed_into_and_observed_in_utf16() {
    let folder = prepared();
    as_an_app(async {
        let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
        let session = taiwa.session().await.unwrap();
        let meeting = session.home().await.unwrap().next.unwrap().meeting_id;
        let memo = session.memo(meeting).await.unwrap();
        let (observer, memos) = seen();
        let _subscription = memo.observe(observer);
        assert_eq!(until(&memos, |_| true).text, "");
        memo.splice(0, 0, "日本語😀です".to_owned()).await.unwrap();
        memo.splice(5, 2, "ね".to_owned()).await.unwrap();
        let shown = until(&memos, |memo| memo.text.ends_with('ね'));
        assert_eq!(shown.text, "日本語😀ね");
        assert_eq!(shown.paragraphs[0].length_utf16, 6);
        assert_eq!(shown.paragraphs[0].author_ids, [MEMBER.to_string()]);
        assert_eq!(memo.shown(), "日本語😀ね");
        taiwa.close().await;
    });
}

#[test]
fn the_status_says_waiting_and_never_synced_without_a_server() {
    let folder = prepared();
    as_an_app(async {
        let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
        let session = taiwa.session().await.unwrap();
        let (observer, statuses) = seen();
        let _subscription = session.observe_status(observer);
        session.add_note(NotesView::Field, "島のお客さま".to_owned(), None).await.unwrap();
        let waiting = until(&statuses, |status| matches!(status.save, SaveView::Waiting { .. }));
        assert_eq!(waiting.save, SaveView::Waiting { changes: 1 });
        assert!(!session.refresh(0).await.unwrap());
        let answer = taiwa.sign_out(UnsentEdits::Ask).await.unwrap();
        assert_eq!(answer, SignOutAnswer::Unsent { changes: 1 });
        taiwa.close().await;
    });
}

#[test]
fn dates_notices_and_search_cross_the_boundary() {
    let folder = prepared();
    as_an_app(async {
        let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
        let session = taiwa.session().await.unwrap();
        let proposal = session.next_proposal(PAIR.to_string()).unwrap().expect("a slot is free");
        assert!(proposal.question.contains(&proposal.when_words));
        let (slot, time) = (Some(proposal.slot), proposal.time);
        assert_eq!(session.schedule(PAIR.to_string(), slot, time).await.unwrap(), proposal.meeting_id);
        assert_eq!(session.next_proposal(PAIR.to_string()).unwrap(), None);
        let all = session.reminders().await.unwrap();
        assert!(all.iter().any(|it| it.kind == ReminderKindView::Before && it.title.contains("佐藤 健")));
        let settings = ReminderSettingsView { before: false, ..session.reminder_settings().await.unwrap() };
        session.set_reminder_settings(settings).await.unwrap();
        assert_eq!(session.reminder_settings().await.unwrap(), settings);
        assert!(session.reminders().await.unwrap().iter().all(|it| it.kind == ReminderKindView::Prepare));

        session.add_note(NotesView::Field, "客先でガイドを使う".to_owned(), None).await.unwrap();
        let hits = session.search("ｶﾞｲﾄﾞ".to_owned()).await.unwrap();
        assert_eq!((hits[0].kind, hits[0].ranges[0].start_utf16), (SearchKindView::FieldNote, 3));
        assert!(matches!(session.search("長".repeat(501)).await, Err(ApiError::TooLong { limit: 500, .. })));
        taiwa.close().await;
    });
}

#[test]
fn a_rating_crosses_the_boundary_and_a_member_has_no_tips() {
    let folder = prepared();
    let taiwa = as_an_app(Taiwa::open(options(&folder), vault())).unwrap();
    let session = as_an_app(taiwa.session()).unwrap();
    let meeting = as_an_app(session.home()).unwrap().next.unwrap().meeting_id;
    assert!(matches!(as_an_app(session.rate(meeting.clone(), 4, None)), Err(ApiError::NoAccess)), "it is not over");
    as_an_app(session.finish_meeting(meeting.clone())).unwrap();
    assert_eq!(as_an_app(session.home()).unwrap().ratings_due[0].meeting_id, meeting);
    let wrong = as_an_app(session.rate(meeting.clone(), 6, None));
    assert!(matches!(wrong, Err(ApiError::InvalidArgument { what }) if what == "the step"));
    as_an_app(session.rate(meeting.clone(), 4, Some(AsAskedView::Roughly))).unwrap();
    let shown = as_an_app(session.rating(meeting)).unwrap();
    assert_eq!((shown.step, shown.answer), (Some(4), Some(AsAskedView::Roughly)));
    assert_eq!((shown.standing, shown.steps.len(), shown.answers.len()), (RatingStandingView::Waiting, 5, 3));
    let tips = as_an_app(session.tips(TipFilterView::default(), String::new()));
    assert!(matches!(tips, Err(ApiError::NoAccess)));
    let odd = TipFilterView { topic: Some("Career!".to_owned()), ..TipFilterView::default() };
    let odd = as_an_app(session.tips(odd, String::new()));
    assert!(matches!(odd, Err(ApiError::InvalidArgument { what }) if what == "the topic"));
    assert_eq!(as_an_app(session.expectations()).unwrap(), []);
    let warnings = session.tip_warnings("佐藤さんに聞く".to_owned());
    assert_eq!((warnings[0].kind, warnings[0].range.end_utf16), (TipWarningKindView::Person, 4));
}

#[test]
fn what_the_app_gets_wrong_is_named() {
    let folder = prepared();
    as_an_app(async {
        let language = OpenOptions { language: "fr".to_owned(), ..options(&folder) };
        assert!(matches!(Taiwa::open(language, vault()).await, Err(ApiError::InvalidArgument { .. })));
        let other_key: Arc<dyn KeyVault> = Arc::new(Vault(Mutex::new(Some(vec![9; 32]))));
        assert!(matches!(Taiwa::open(options(&folder), other_key).await, Err(ApiError::OtherKey)));
        let short_key: Arc<dyn KeyVault> = Arc::new(Vault(Mutex::new(Some(vec![9; 31]))));
        assert!(matches!(Taiwa::open(options(&folder), short_key).await, Err(ApiError::KeyUnavailable { .. })));

        let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
        let session = taiwa.session().await.unwrap();
        assert!(matches!(session.brief("not an id".to_owned()).await, Err(ApiError::InvalidArgument { .. })));
        assert!(matches!(session.brief(PAIR.to_string()).await, Err(ApiError::NoAccess)));
        let with =
            SignInWith::Password { organisation: None, email: "a@example.jp".to_owned(), password: "x".to_owned() };
        let in_the_clear = taiwa.sign_in("http://taiwa.example.com".to_owned(), with.clone()).await;
        assert!(matches!(in_the_clear, Err(ApiError::InvalidArgument { .. })));
        assert!(matches!(taiwa.sign_in("http://127.0.0.1:9".to_owned(), with).await, Err(ApiError::Offline)));
        taiwa.close().await;
    });
}

#[test]
fn every_connection_state_has_its_view() {
    use crate::sync::Connection as C;
    for (state, view) in [
        (C::Offline, ConnectionView::Offline),
        (C::Connecting, ConnectionView::Connecting),
        (C::Online, ConnectionView::Online),
        (C::SignInAgain, ConnectionView::SignInAgain),
        (C::UpdateApp, ConnectionView::UpdateApp),
        (C::StorageFailed, ConnectionView::StorageFailed),
    ] {
        assert_eq!(ConnectionView::from(state.as_str()), view);
    }
}

#[test]
fn secrets_print_as_redacted() {
    let password =
        SignInWith::Password { organisation: None, email: "a@example.jp".to_owned(), password: "合言葉".to_owned() };
    let invitation = SignInWith::Invitation { invitation: "招待の鍵".to_owned(), password: "合言葉".to_owned() };
    let link = InvitationView {
        invitation_id: "1".to_owned(),
        name: "山田 光".to_owned(),
        email: "hikari@example.jp".to_owned(),
        link: "https://taiwa.example.jp/invite/招待の鍵".to_owned(),
        state: InvitationStateView::Ready,
        made_millis: 0,
    };
    for printed in [format!("{password:?}"), format!("{invitation:?}"), format!("{link:#?}")] {
        assert!(printed.contains("[redacted]"), "{printed}");
        assert!(!["合言葉", "招待の鍵", "example.jp"].iter().any(|secret| printed.contains(secret)), "{printed}");
    }
}

#[test]
fn an_app_builds_the_form_and_the_sign_in_from_what_is_exported() {
    let folder = prepared();
    as_an_app(async {
        let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
        let session = taiwa.session().await.unwrap();
        let meeting = session.home().await.unwrap().next.unwrap().meeting_id;
        let offered = session.prepare(meeting.clone()).await.unwrap().offered;
        let hidden = session.all_topics().into_iter().find(|topic| !offered.contains(topic)).expect("more than six");
        let responses = session.responses();
        assert_eq!(responses.last().map(|it| (it.label.as_str(), &it.help)), Some(("まだ決めていない", &None)));
        for response in responses {
            session.set_response(meeting.clone(), hidden.slug.clone(), response.slug.clone()).await.unwrap();
            let chosen = session.prepare(meeting.clone()).await.unwrap().chosen;
            assert_eq!(chosen[0].responses, [ResponseView { slug: response.slug, label: response.label }]);
        }
        session.publish(meeting).await.unwrap();

        let rhythms = session.rhythm_choices("2026-04-20".to_owned()).unwrap();
        let proposed: Vec<_> = rhythms.iter().filter(|it| it.recommended).collect();
        assert_eq!(proposed.iter().map(|it| it.words.as_str()).collect::<Vec<_>>(), ["隔週 月曜日"]);
        assert!(proposed[0].advice.is_some() && rhythms.len() == 7);
        assert!(session.pairs()[0].cadence_words.starts_with("隔週 "));
        assert_eq!(
            (session.server_url(), session.organisation_slug()),
            ("http://127.0.0.1:9".to_owned(), "demo".to_owned())
        );
        taiwa.close().await;

        let other_key: Arc<dyn KeyVault> = Arc::new(Vault(Mutex::new(Some(vec![9; 32]))));
        let taiwa = Taiwa::open_signed_out(options(&folder), other_key).unwrap();
        assert!(taiwa.session().await.is_none());
        let with =
            SignInWith::Password { organisation: None, email: "a@example.jp".to_owned(), password: "x".to_owned() };
        assert!(matches!(taiwa.sign_in("http://127.0.0.1:9".to_owned(), with).await, Err(ApiError::Offline)));
    });
}

#[test]
fn damage_that_a_screen_meets_is_named_and_recovered_from() {
    let folder = prepared();
    as_an_app(async {
        let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
        let session = taiwa.session().await.unwrap();
        let meeting = session.home().await.unwrap().next.unwrap().meeting_id;
        // Every letter another one, so that it fills pages of its own.
        let text: String = ('一'..='龯').take(8_000).collect();
        session.memo(meeting.clone()).await.unwrap().splice(0, 0, text).await.unwrap();
        session.add_note(NotesView::Field, "残る行".to_owned(), None).await.unwrap();
        taiwa.close().await;
        let path = folder.path().join(format!("{MEMBER}.taiwa"));
        let sound = std::fs::read(&path).unwrap();
        // The first byte from the end whose damage no start meets and the memo does.
        for at in (2_000..sound.len()).step_by(4_096).rev() {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, bytes).unwrap();
            let taiwa = Taiwa::open(options(&folder), vault()).await.unwrap();
            let met = match (taiwa.session().await, taiwa.take_recovered().await.unwrap()) {
                (Some(session), None) => match session.memo(meeting.clone()).await {
                    Ok(memo) => memo.read().await.err(),
                    Err(error) => Some(error),
                },
                _ => None,
            };
            if matches!(met, Some(ApiError::StoreDamaged)) {
                let session = taiwa.recover().await.unwrap().expect("who is signed in is known");
                assert_eq!(session.notes(NotesView::Field).await.unwrap()[0].texts, ["残る行"]);
                assert_eq!(taiwa.take_recovered().await.unwrap().expect("the person is told").unsent_lost, 1);
                assert_eq!(taiwa.take_recovered().await.unwrap(), None, "once");
                taiwa.close().await;
                return;
            }
            taiwa.close().await;
        }
        panic!("no byte of the file belongs to the memo alone");
    });
}

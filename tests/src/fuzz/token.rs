//! Tokens and tickets: only the one that was given out opens anything, whatever is done to its text.

use std::sync::{Arc, OnceLock};

use taiwa_server::{
    auth::{Auth, AuthError, Identity, login::invite, token::TokenKey},
    bus::Bus,
    store::{
        Store,
        organisations::Organisation,
        people::{Email, PersonRow},
    },
};
use taiwa_shared::{
    domain::people::Role,
    ids::{OrganisationId, UserId},
    protocol::login::{InvitationRequest, RefreshRequest, Secret},
    time::Clock,
};
use tokio::runtime::Runtime;

use crate::clock::TestClock;

/// One person who is signed in, for the whole run.
struct Desk {
    runtime: Runtime,
    auth: Auth,
    identity: Identity,
    access_token: String,
    _folder: tempfile::TempDir,
}

static DESK: OnceLock<Desk> = OnceLock::new();

impl Desk {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let folder = tempfile::tempdir().expect("a temporary folder is made");
        let (auth, access_token) = runtime.block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
            let file = folder.path().join("taiwa.db").display().to_string();
            let store = Store::open(&file, clock.now()).await.expect("the store opens");
            let tokens = TokenKey::open(&folder.path().join("key.pem")).expect("a key is made");
            let auth = Auth::new(store.clone(), Bus::in_process(), Arc::clone(&clock), tokens);
            let organisation = OrganisationId::from_bytes([1; 16]);
            let person = PersonRow {
                id: UserId::from_bytes([2; 16]),
                email: Email::normalise("tanaka@example.jp"),
                name: "田中 花子".to_owned(),
                site: None,
                role: Role::Member,
                active: true,
                manager: None,
            };
            let named = Organisation { id: organisation, slug: "example".to_owned(), name: "例の会社".to_owned() };
            let mut tx = store.begin().await.expect("the store answers");
            tx.ensure_organisation(&named, clock.now()).await.expect("the store answers");
            tx.add_person(organisation, &person, 0).await.expect("the store answers");
            let invitation = invite(&mut tx, organisation, person.id, clock.now()).await.expect("the store answers");
            tx.commit().await.expect("the store answers");
            let password = Secret::new("長い合言葉 42 です");
            let request = InvitationRequest { invitation, password, device_name: "電話".to_owned() };
            let login = auth.sign_in_with_invitation(&request).await.expect("the invitation is good");
            (auth, login.tokens.access_token.expose().to_owned())
        });
        let identity = auth.identity_in_token(&access_token).expect("the token is good");
        Self { runtime, auth, identity, access_token, _folder: folder }
    }
}

pub(super) fn token(data: &[u8]) {
    let desk = DESK.get_or_init(Desk::open);
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => {
            let text = String::from_utf8_lossy(rest);
            assert_eq!(desk.auth.identity_in_token(&text).is_some(), text == desk.access_token, "{text:?}");
        }
        1 => {
            let text = spoiled(&desk.access_token, rest);
            assert_eq!(desk.auth.identity_in_token(&text).is_some(), text == desk.access_token, "{text:?}");
        }
        2 => desk.runtime.block_on(async {
            let ticket = desk.auth.issue_ticket(&desk.identity).await.expect("the store answers").ticket;
            let text = spoiled(ticket.expose(), rest);
            let burned = desk.auth.burn_ticket(&text).await;
            assert_eq!(burned.is_ok(), text == ticket.expose(), "{text:?}");
            assert!(!matches!(burned, Err(AuthError::Store(_))), "{burned:?}");
            // Once and never again.
            let first = desk.auth.burn_ticket(ticket.expose()).await.is_ok();
            assert_eq!(first, burned.is_err(), "a ticket works once");
            assert!(desk.auth.burn_ticket(ticket.expose()).await.is_err(), "a ticket works once");
        }),
        _ => desk.runtime.block_on(async {
            let refresh_token = Secret::new(String::from_utf8_lossy(rest));
            let refused = desk.auth.refresh(&RefreshRequest { refresh_token }).await;
            assert!(matches!(refused, Err(AuthError::SignInAgain)), "{refused:?}");
        }),
    }
}

/// The text with characters changed, taken out or put in, as `how` says: three bytes each.
fn spoiled(text: &str, how: &[u8]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for step in how.chunks_exact(3) {
        let at = (usize::from(step[0]) << 2 | usize::from(step[1] >> 6)) % (characters.len() + 1);
        let character = char::from(step[2]);
        match step[1] % 3 {
            0 if at < characters.len() => characters[at] = character,
            1 if at < characters.len() => drop(characters.remove(at)),
            _ => characters.insert(at, character),
        }
    }
    characters.into_iter().collect()
}

/// Each kind with nothing done to it, with little, and with something else in its place.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = (0..4).map(|kind| vec![kind]).collect();
    seeds.extend((1..3).flat_map(|kind| (0..3).map(move |step| vec![kind, 200, step, b'A'])));
    seeds.push([&[0][..], b"eyJhbGciOiJub25lIn0.eyJpc3MiOiJ0YWl3YSJ9."].concat());
    seeds.push([&[3][..], b"fnqJ2rPb0T0yY1S8fYH3gE6cZ8m1wq9cVYk0mI0nqLw"].concat());
    seeds
}

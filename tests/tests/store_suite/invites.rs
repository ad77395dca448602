//! People invited from phones: allowed where the organisation says so, and never a way into somebody's account.

use taiwa_server::{
    auth::AuthError,
    records::{
        access::Principal,
        commands::{CommandsError, MAX_INVITES_PER_DAY, take},
        leaving,
    },
    store::people::Email,
};
use taiwa_shared::{
    domain::{
        command::{Action, InvitationHash},
        people::{PairState, Role},
    },
    ids::{PairId, UserId},
    protocol::{
        commands::{CommandsRequest, Outcome, RejectionReason},
        login::{InvitationRequest, LoginResponse, Secret},
        records::RecordEntry,
    },
};

use super::{
    fixture::{DAY, Fixture, PASSWORD, pairs},
    orders::{COMPANY, counter, nth, on_device, reason_of, rejected, send, send_one},
};

super::on_both! {
    an_invited_person_signs_in_and_sees_the_pair;
    an_organisation_keeps_its_list_to_itself_unless_it_says_otherwise;
    who_never_came_is_invited_again_and_who_came_is_not;
    a_link_that_is_sent_again_works_again_and_once;
    a_link_that_was_kept_back_is_no_way_into_the_account_of_who_came;
    nobody_takes_the_place_of_an_admin_who_never_came;
    an_address_that_somebody_has_is_taken;
    names_addresses_ids_and_secrets_that_cannot_be_are_refused;
    a_day_has_so_many_invites;
}

async fn open(fixture: &Fixture, slug: &str) {
    let organisation = fixture.organisation(slug).await;
    let mut tx = fixture.store.begin().await.unwrap();
    tx.allow_invites(organisation, true).await.unwrap();
    tx.commit().await.unwrap();
}

/// An invitation of a new person, with ids made of `n`.
fn invite(fixture: &Fixture, n: u8, email: &str, secret: &str) -> Action {
    Action::Invite {
        person: UserId::new(fixture.now(), [n; 10]),
        pair: PairId::new(fixture.now(), [n; 10]),
        name: " 新人 一郎 ".to_owned(),
        email: email.to_owned(),
        invitation: InvitationHash::of(secret),
    }
}

async fn come(fixture: &Fixture, secret: &str) -> Result<LoginResponse, AuthError> {
    let request = InvitationRequest {
        invitation: Secret::new(secret),
        password: Secret::new(PASSWORD),
        device_name: "new".to_owned(),
    };
    fixture.auth.sign_in_with_invitation(&request).await
}

async fn an_invited_person_signs_in_and_sees_the_pair(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let jiro = on_device(&fixture, "a", "jiro@a.jp", 2).await;
    let (_, cursor) = fixture.pull(&ken, None).await;
    let action = invite(&fixture, 1, " New@A.jp", "the secret");
    let Action::Invite { person, pair, .. } = action.clone() else { panic!() };
    let others = fixture.store.open_pairs(ken.organisation).await.unwrap();
    assert_eq!(send_one(&fixture, &ken, 1, action).await, Outcome::Applied);

    let login = come(&fixture, "the secret").await.unwrap();
    assert_eq!((login.user, login.organisation), (person, ken.organisation));
    let newcomer = Principal { user: person, device: login.device, ..ken };
    for (who, since) in [(&newcomer, None), (&ken, Some(cursor.as_str()))] {
        let (entries, _) = fixture.pull(who, since).await;
        assert_eq!(pairs(&entries), [pair]);
        let name = entries.iter().find_map(|entry| match entry {
            RecordEntry::Person(found) if found.id == person => Some((found.name.clone(), found.role, found.active)),
            _ => None,
        });
        assert_eq!(name, Some(("新人 一郎".to_owned(), Role::Member, true)));
    }
    assert!(!pairs(&fixture.pull(&jiro, None).await.0).contains(&pair));
    let made = fixture.pair_of(&newcomer).await;
    assert_eq!((made.member, made.manager, made.state), (person, ken.user, PairState::Open));
    for other in others.iter().filter(|other| other.manager == ken.user) {
        assert_ne!((other.cadence.first, other.cadence.time), (made.cadence.first, made.cadence.time));
    }
    assert!(matches!(come(&fixture, "the secret").await, Err(AuthError::CredentialsRefused)), "used up");
}

async fn an_organisation_keeps_its_list_to_itself_unless_it_says_otherwise(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    fixture.import("b", &COMPANY.replace("@a.jp", "@b.jp")).await;
    open(&fixture, "b").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let theirs = on_device(&fixture, "b", "ken@b.jp", 2).await;
    let action = invite(&fixture, 1, "new@a.jp", "the secret");
    assert_eq!(send_one(&fixture, &ken, 1, action.clone()).await, rejected(RejectionReason::InvitesClosed));
    assert!(matches!(come(&fixture, "the secret").await, Err(AuthError::CredentialsRefused)));
    // The same person and address in an organisation that allows it is somebody else.
    let before = counter(&fixture, &ken).await;
    assert_eq!(send_one(&fixture, &theirs, 1, action.clone()).await, Outcome::Applied);
    assert_eq!(come(&fixture, "the secret").await.unwrap().organisation, theirs.organisation);
    assert_eq!(counter(&fixture, &ken).await, before);
    // An outcome stays what it is; a new command is decided anew.
    open(&fixture, "a").await;
    assert_eq!(send_one(&fixture, &ken, 1, action).await, rejected(RejectionReason::InvitesClosed));
    let again = invite(&fixture, 1, "new@a.jp", "another secret");
    assert_eq!(send_one(&fixture, &ken, 2, again).await, Outcome::Applied);
    assert_eq!(come(&fixture, "another secret").await.unwrap().organisation, ken.organisation);
}

async fn who_never_came_is_invited_again_and_who_came_is_not(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let first = invite(&fixture, 1, "new@a.jp", "first");
    let Action::Invite { person: added, .. } = first else { panic!() };
    assert_eq!(send_one(&fixture, &ken, 1, first).await, Outcome::Applied);
    fixture.clock.advance(8 * DAY);
    assert!(matches!(come(&fixture, "first").await, Err(AuthError::CredentialsRefused)), "expired");
    let second = invite(&fixture, 2, "new@a.jp", "second");
    assert_eq!(send_one(&fixture, &ken, 2, second.clone()).await, Outcome::Applied);
    // Under a new command id the same secret is the same invitation.
    assert_eq!(send_one(&fixture, &ken, 3, second).await, Outcome::Applied);
    // Taro was imported, with this manager, and has never come.
    let imported = invite(&fixture, 3, "taro@a.jp", "imported");
    assert_eq!(send_one(&fixture, &ken, 4, imported).await, Outcome::Applied);
    let login = come(&fixture, "second").await.unwrap();
    assert_eq!(login.user, added, "the first person");
    let members: Vec<_> = fixture.store.open_pairs(ken.organisation).await.unwrap();
    assert_eq!(members.iter().filter(|pair| pair.manager == ken.user).count(), 3, "nobody was added twice");

    let third = invite(&fixture, 4, "new@a.jp", "third");
    assert_eq!(send_one(&fixture, &ken, 5, third).await, rejected(RejectionReason::AddressTaken));
    // Not even while they have no password, or after every sign-in was ended.
    let mut tx = fixture.store.begin().await.unwrap();
    tx.forget_password(ken.organisation, login.user).await.unwrap();
    tx.revoke_devices(ken.organisation, login.user, fixture.now()).await.unwrap();
    tx.commit().await.unwrap();
    let fourth = invite(&fixture, 5, "new@a.jp", "fourth");
    assert_eq!(send_one(&fixture, &ken, 6, fourth).await, rejected(RejectionReason::AddressTaken));
    for secret in ["third", "fourth"] {
        assert!(matches!(come(&fixture, secret).await, Err(AuthError::CredentialsRefused)), "{secret}");
    }
}

async fn a_link_that_is_sent_again_works_again_and_once(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let action = invite(&fixture, 1, "new@a.jp", "the secret");
    assert_eq!(send_one(&fixture, &ken, 1, action.clone()).await, Outcome::Applied);
    fixture.clock.advance(8 * DAY);
    assert!(matches!(come(&fixture, "the secret").await, Err(AuthError::CredentialsRefused)), "expired");
    // The phone shows the link as one that works; so it does, whether the server has forgotten it meanwhile or not.
    assert_eq!(send_one(&fixture, &ken, 2, action.clone()).await, Outcome::Applied);
    fixture.clock.advance(6 * DAY);
    come(&fixture, "the secret").await.unwrap();
    assert!(matches!(come(&fixture, "the secret").await, Err(AuthError::CredentialsRefused)), "used up");
    assert_eq!(send_one(&fixture, &ken, 3, action).await, rejected(RejectionReason::AddressTaken));
    assert!(matches!(come(&fixture, "the secret").await, Err(AuthError::CredentialsRefused)), "used up for good");
    let pairs = fixture.store.open_pairs(ken.organisation).await.unwrap();
    assert_eq!(pairs.iter().filter(|pair| pair.manager == ken.user).count(), 3, "nobody was added twice");
}

async fn a_link_that_was_kept_back_is_no_way_into_the_account_of_who_came(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    for (n, secret) in [(1, "handed over"), (2, "kept back")] {
        let outcome = send_one(&fixture, &ken, n.into(), invite(&fixture, n, "new@a.jp", secret)).await;
        assert_eq!(outcome, Outcome::Applied, "{secret}");
    }
    let login = come(&fixture, "handed over").await.unwrap();
    let kept = come(&fixture, "kept back").await;
    assert!(matches!(kept, Err(AuthError::CredentialsRefused)), "{kept:?}");
    assert!(fixture.auth.identity(login.tokens.access_token.expose()).await.is_ok());
}

async fn nobody_takes_the_place_of_an_admin_who_never_came(fixture: Fixture) {
    let company = "email,name,manager_email,role\nken@a.jp,高橋 健,,\nmari@a.jp,田中 真理,ken@a.jp,admin\n\
        hr@a.jp,人事 花,ken@a.jp,hr\n";
    fixture.import("a", company).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    for (n, email) in [(1, "mari@a.jp"), (2, "hr@a.jp")] {
        let outcome = send_one(&fixture, &ken, n.into(), invite(&fixture, n, email, email)).await;
        assert_eq!(outcome, rejected(RejectionReason::AddressTaken), "{email}");
        assert!(matches!(come(&fixture, email).await, Err(AuthError::CredentialsRefused)), "{email}");
    }
}

async fn an_address_that_somebody_has_is_taken(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let taro = Email::normalise("taro@a.jp");
    leaving::deactivate(&fixture.store, ken.organisation, &taro, fixture.now()).await.unwrap().unwrap();
    // Another manager's member, another manager, oneself, and one's own member who left.
    for (n, email) in ["jiro@a.jp", "ＭＯＲＩ@a.jp", "ken@a.jp", "taro@a.jp"].into_iter().enumerate() {
        let n = u8::try_from(n).unwrap() + 1;
        let outcome = send_one(&fixture, &ken, n.into(), invite(&fixture, n, email, email)).await;
        assert_eq!(outcome, rejected(RejectionReason::AddressTaken), "{email}");
        assert!(matches!(come(&fixture, email).await, Err(AuthError::CredentialsRefused)), "{email}");
    }
}

async fn names_addresses_ids_and_secrets_that_cannot_be_are_refused(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let existing = fixture.pair_of(&hanako).await.id;
    let fine = invite(&fixture, 1, "new@a.jp", "fine");
    let change = |change: &dyn Fn(&mut UserId, &mut PairId, &mut String, &mut String)| {
        let mut action = fine.clone();
        if let Action::Invite { person, pair, name, email, .. } = &mut action {
            change(person, pair, name, email);
        }
        action
    };
    let actions = [
        change(&|_, _, name, _| *name = "　 ".to_owned()),
        change(&|_, _, name, _| *name = "あ".repeat(101)),
        change(&|_, _, name, _| *name = "一\0郎".to_owned()),
        change(&|_, _, _, email| *email = "new".to_owned()),
        change(&|_, _, _, email| *email = format!("{}@a.jp", "x".repeat(300))),
        change(&|_, _, _, email| *email = "a\0b@a.jp".to_owned()),
        change(&|person, _, _, _| *person = hanako.user),
        change(&|person, _, _, _| *person = UserId::from_bytes([0; 16])),
        change(&|_, pair, _, _| *pair = existing),
        change(&|_, pair, _, _| *pair = PairId::from_bytes([0; 16])),
    ];
    let people = fixture.store.open_pairs(ken.organisation).await.unwrap();
    for (n, action) in actions.into_iter().enumerate() {
        let outcome = send_one(&fixture, &ken, 1 + n as u64, action.clone()).await;
        assert_eq!(reason_of(&outcome), Some(RejectionReason::Implausible), "{action:?}");
    }
    assert_eq!(fixture.store.open_pairs(ken.organisation).await.unwrap(), people);
    assert_eq!(send_one(&fixture, &ken, 50, fine).await, Outcome::Applied);
    // A secret belongs to one person.
    for (n, email) in [(51, "other@a.jp"), (52, "hanako@a.jp")] {
        let outcome = send_one(&fixture, &ken, n, invite(&fixture, 9, email, "fine")).await;
        assert_eq!(outcome, rejected(RejectionReason::Implausible), "{email}");
    }
}

async fn a_day_has_so_many_invites(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    open(&fixture, "a").await;
    let ken = on_device(&fixture, "a", "ken@a.jp", 1).await;
    let most = u8::try_from(MAX_INVITES_PER_DAY).unwrap();
    let all: Vec<_> = (1..=most)
        .map(|n| nth(n.into(), invite(&fixture, n, &format!("new{n}@a.jp"), &format!("secret {n}"))))
        .collect();
    assert_eq!(send(&fixture, &ken, &all).await, vec![Outcome::Applied; all.len()]);
    let one_more = CommandsRequest { commands: vec![nth(100, invite(&fixture, 99, "more@a.jp", "more"))] };
    let refused = take(&fixture.store, &fixture.bus, &ken, &one_more, fixture.now()).await;
    assert!(matches!(refused, Err(CommandsError::TooMany { .. })), "{refused:?}");
    // Other commands still go through, and the next day it does as well.
    assert_eq!(send_one(&fixture, &ken, 99, Action::Unknown).await, rejected(RejectionReason::NotUnderstood));
    fixture.clock.advance(DAY);
    assert_eq!(send(&fixture, &ken, &one_more.commands).await, [Outcome::Applied]);
}

//! Importing an organisation: all or nothing, the same file twice is one, and whoever is missing from it loses everything.

use taiwa_server::{
    auth::AuthError,
    records::{
        import::{self, Import, ImportError, Missing, Run, Sender, Table},
        people::{Founding, found_organisation},
    },
    store::people::Email,
};
use taiwa_shared::{
    domain::people::{PairState, Role},
    protocol::{
        login::RefreshRequest,
        people::{Difference, ImportFault},
        records::RecordEntry,
    },
};

use super::fixture::Fixture;

const COMPANY: &str = "email,name,site,manager_email,role\n\
    hanako@a.jp,佐藤 花子,名古屋,ken@a.jp,\nken@a.jp,高橋 健,名古屋,mari@a.jp,\nmari@a.jp,田中 真理,東京,,admin\nhr@a.jp,人事,東京,,hr\n";
const REMOVE: Missing = Missing::Remove { allowed: None };

super::on_both! {
    importing_twice_changes_nothing;
    pairs_follow_the_manager_column;
    a_file_with_a_fault_changes_nothing;
    a_dry_run_says_what_an_import_does_and_changes_nothing;
    whoever_is_missing_from_the_list_has_nothing_at_once;
    more_than_a_tenth_is_removed_only_if_exactly_that_number_is_said;
    only_an_admin_of_the_records_imports_and_never_shuts_themselves_out;
    an_organisation_begins_with_one_admin_and_a_taken_name_changes_nothing;
}

async fn importing_twice_changes_nothing(fixture: Fixture) {
    let first = fixture.try_import("a", COMPANY, REMOVE, Run::Write).await.unwrap();
    assert!(first.organisation_added && first.counter == Some(1));
    let Difference { added, sites_added, pairs_opened, .. } = first.difference;
    assert_eq!((added.len(), sites_added.len(), pairs_opened.len()), (4, 2, 2));
    let pairs = fixture.store.open_pairs(first.organisation).await.unwrap();
    let again = fixture.try_import("a", COMPANY, REMOVE, Run::Write).await.unwrap();
    assert!(again.difference.is_empty() && again.counter.is_none() && !again.organisation_added, "{again:?}");
    assert_eq!(again.difference.unchanged, 4);
    assert_eq!(fixture.store.counter(first.organisation).await.unwrap(), 1);
    assert_eq!(fixture.store.open_pairs(first.organisation).await.unwrap(), pairs);
}

async fn pairs_follow_the_manager_column(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let part = "email,name,site,manager_email\nHANAKO@a.jp,佐藤 花子,大阪,mari@a.jp\nken@a.jp,高橋 健,名古屋,\n";
    let difference = fixture.import("a", part).await.difference;
    let counts = (difference.changed.len(), difference.sites_added.len());
    assert_eq!((counts, difference.pairs_opened.len(), difference.pairs_closed.len()), ((2, 1), 1, 2));
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let mari = fixture.principal("a", "mari@a.jp").await;
    assert_eq!(fixture.pair_of(&hanako).await.manager, mari.user);
    assert_eq!(fixture.store.open_pairs(hanako.organisation).await.unwrap().len(), 1);
}

async fn a_file_with_a_fault_changes_nothing(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let organisation = fixture.organisation("a").await;
    // New people above a circle that closes only through somebody who is not in the file.
    let circle = "email,name,manager_email\nnew@a.jp,New,ken@a.jp\nmari@a.jp,田中 真理,hanako@a.jp\n";
    let unknown = "email,name,manager_email\nnew@a.jp,New,nobody@a.jp\n";
    for (file, expected) in
        [(circle, "line 3, column 3 (manager_email): the managers go in a circle"), (unknown, "line 2")]
    {
        let refused = fixture.try_import("a", file, Missing::Keep, Run::Write).await;
        assert!(matches!(refused, Err(ImportError::Faults(_))), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains(expected));
    }
    let table = Table::read(unknown.as_bytes()).unwrap();
    assert!(import::apply(&fixture.store, "new-one", "x", &table, fixture.now()).await.is_err());
    assert_eq!(fixture.store.organisation_by_slug("new-one").await.unwrap(), None);
    assert_eq!(fixture.store.counter(organisation).await.unwrap(), 1);
}

async fn a_dry_run_says_what_an_import_does_and_changes_nothing(fixture: Fixture) {
    let dry = fixture.try_import("a", COMPANY, REMOVE, Run::Dry).await.unwrap();
    assert_eq!(fixture.store.organisation_by_slug("a").await.unwrap(), None);
    assert_eq!(fixture.try_import("a", COMPANY, REMOVE, Run::Write).await.unwrap().difference, dry.difference);
    let organisation = fixture.organisation("a").await;
    let other = "email,name,site,manager_email,role\n\
        hanako@a.jp,佐藤 花,大阪,mari@a.jp,\nmari@a.jp,田中 真理,東京,,admin\nnew@a.jp,新田 新,大阪,mari@a.jp,\n";
    let dry = fixture.try_import("a", other, REMOVE, Run::Dry).await.unwrap();
    assert_eq!((dry.counter, dry.devices_ended.len()), (None, 0));
    assert_eq!(fixture.store.counter(organisation).await.unwrap(), 1);
    let mut tx = fixture.store.begin().await.unwrap();
    assert_eq!(tx.people(organisation).await.unwrap().len(), 4);
    drop(tx);
    let written = fixture.try_import("a", other, REMOVE, Run::Write).await.unwrap();
    assert_eq!((written.difference, written.counter), (dry.difference, Some(2)));
}

async fn whoever_is_missing_from_the_list_has_nothing_at_once(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, ken) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "ken@a.jp").await);
    let (pair, login) = (fixture.pair_of(&hanako).await, fixture.sign_in(&hanako).await);
    let (_, cursor) = fixture.pull(&ken, None).await;
    let open = fixture.invitation(&hanako).await;
    let without = "email,name,site,manager_email,role\n\
        ken@a.jp,高橋 健,名古屋,mari@a.jp,\nmari@a.jp,田中 真理,東京,,admin\nhr@a.jp,人事,東京,,hr\n";
    let imported = fixture.try_import("a", without, REMOVE, Run::Write).await.unwrap();
    assert_eq!((imported.difference.removed.len(), imported.devices_ended.as_slice()), (1, &[login.device][..]));

    let token = fixture.auth.identity(login.tokens.access_token.expose()).await;
    assert!(matches!(token, Err(AuthError::TokenInvalid)), "{token:?}");
    let refreshed = fixture.auth.refresh(&RefreshRequest { refresh_token: login.tokens.refresh_token }).await;
    assert!(matches!(refreshed, Err(AuthError::SignInAgain)), "{refreshed:?}");
    let with_the_old_link =
        async || fixture.auth.sign_in_with_invitation(&Fixture::invitation_request(open.clone())).await;
    let refused = with_the_old_link().await;
    assert!(matches!(refused, Err(AuthError::CredentialsRefused)), "{refused:?}");
    let password = fixture.store.password(hanako.organisation, hanako.user).await.unwrap();
    assert!(password.is_none(), "the old one is forgotten, and an old link sets no other");

    let (entries, _) = fixture.pull(&ken, Some(&cursor)).await;
    let closed = |entry: &RecordEntry| matches!(entry, RecordEntry::Pair(it) if it.id == pair.id && matches!(it.state, PairState::Closed { .. }));
    let left = |entry: &RecordEntry| matches!(entry, RecordEntry::Person(it) if it.id == hanako.user && !it.active);
    assert!(entries.iter().any(closed) && entries.iter().any(left), "{entries:?}");

    // Coming back is the same person with a new pair, and a new way in.
    let back = fixture.try_import("a", COMPANY, REMOVE, Run::Write).await.unwrap().difference;
    assert!(back.added.is_empty() && back.changed[0].returns, "{back:?}");
    assert_ne!(fixture.pair_of(&hanako).await.id, pair.id);
    let refused = with_the_old_link().await;
    assert!(matches!(refused, Err(AuthError::CredentialsRefused)), "a link from before they left: {refused:?}");
    assert!(
        fixture
            .auth
            .refresh(&RefreshRequest { refresh_token: fixture.sign_in(&hanako).await.tokens.refresh_token })
            .await
            .is_ok()
    );
}

async fn more_than_a_tenth_is_removed_only_if_exactly_that_number_is_said(fixture: Fixture) {
    let list = |people: std::ops::Range<usize>| {
        let rows: String = people.map(|number| format!("p{number}@a.jp,人{number}\n")).collect();
        format!("email,name\n{rows}")
    };
    fixture.import("a", &list(0..20)).await;
    let organisation = fixture.organisation("a").await;
    let shorter = list(0..15);
    for allowed in [None, Some(4), Some(6), Some(100)] {
        let refused = fixture.try_import("a", &shorter, Missing::Remove { allowed }, Run::Write).await;
        assert!(matches!(refused, Err(ImportError::TooManyRemoved { removed: 5, active: 20 })), "{refused:?}");
    }
    assert_eq!(fixture.store.counter(organisation).await.unwrap(), 1);
    let dry = fixture.try_import("a", &shorter, REMOVE, Run::Dry).await.unwrap().difference;
    assert_eq!((dry.removed.len(), dry.removal_to_allow), (5, Some(5)));
    let kept = fixture.try_import("a", &shorter, Missing::Keep, Run::Write).await.unwrap().difference;
    assert!(kept.is_empty(), "{kept:?}");
    let written = fixture.try_import("a", &shorter, Missing::Remove { allowed: Some(5) }, Run::Write).await.unwrap();
    assert_eq!(written.difference.removed.len(), 5);
}

async fn only_an_admin_of_the_records_imports_and_never_shuts_themselves_out(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    fixture.import("b", &COMPANY.replace("mari@a.jp,田中 真理,東京,,admin", "mari@a.jp,田中 真理,東京,,")).await;
    let (a, b) = (fixture.organisation("a").await, fixture.organisation("b").await);
    let mari = fixture.principal("a", "mari@a.jp").await.user;
    let import = async |organisation, person, csv: &str| {
        let table = Table::read(csv.as_bytes()).unwrap();
        let sender = Sender::Admin { organisation, person };
        let import = Import { sender, table: &table, missing: REMOVE, run: Run::Write };
        import::run(&fixture.store, &import, fixture.now()).await
    };
    let (hr, member) = (fixture.principal("a", "hr@a.jp").await.user, fixture.principal("a", "hanako@a.jp").await.user);
    let namesake = fixture.principal("b", "mari@a.jp").await.user;
    for (organisation, person) in [(a, hr), (a, member), (a, namesake), (b, mari), (b, namesake)] {
        let refused = import(organisation, person, COMPANY).await;
        assert!(matches!(refused, Err(ImportError::NotAdmin)), "{refused:?}");
    }
    for (csv, expected) in [
        (COMPANY.replace(",東京,,admin", ",東京,,hr"), "line 4, column 5 (role): you would no longer be admin"),
        (
            "email,name\nhanako@a.jp,佐藤 花子\nken@a.jp,高橋 健\nhr@a.jp,人事\n".to_owned(),
            "line 1, column 1 (email): you would no longer be admin",
        ),
    ] {
        let Err(ImportError::Faults(faults)) = import(a, mari, &csv).await else { panic!("{csv}") };
        let faults: Vec<String> = faults.iter().map(ImportFault::to_string).collect();
        assert!(faults[0].starts_with(expected), "{faults:?}");
    }
    assert_eq!((fixture.store.counter(a).await.unwrap(), fixture.store.counter(b).await.unwrap()), (1, 1));
    let written = import(a, mari, &format!("{COMPANY}new@a.jp,新田 新,東京,ken@a.jp,\n")).await.unwrap();
    assert_eq!((written.difference.added.len(), written.counter), (1, Some(2)));
    // The operator may do it, and then she may not any more.
    fixture.try_import("a", &COMPANY.replace(",東京,,admin", ",東京,,"), Missing::Keep, Run::Write).await.unwrap();
    assert!(matches!(import(a, mari, COMPANY).await, Err(ImportError::NotAdmin)));
}

async fn an_organisation_begins_with_one_admin_and_a_taken_name_changes_nothing(fixture: Fixture) {
    let email = Email::normalise("Hanako@Start.jp");
    let founding = Founding { slug: "start", name: "はじまり", admin_name: "始 花子", admin_email: &email };
    let mut tx = fixture.store.begin().await.unwrap();
    let (organisation, person) = found_organisation(&mut tx, &founding, fixture.now()).await.unwrap().unwrap();
    assert!(tx.allows_invites(organisation).await.unwrap(), "a team starts without a list");
    tx.commit().await.unwrap();
    let stored = fixture.store.person_by_email(organisation, &email).await.unwrap().unwrap();
    assert_eq!((stored.id, stored.role, stored.active, stored.manager), (person, Role::Admin, true, None));
    let mut tx = fixture.store.begin().await.unwrap();
    assert_eq!(found_organisation(&mut tx, &founding, fixture.now()).await.unwrap(), None);
    drop(tx);
    assert_eq!(fixture.store.counter(organisation).await.unwrap(), 1);
    fixture.import("a", COMPANY).await;
    let mut tx = fixture.store.begin().await.unwrap();
    assert!(!tx.allows_invites(fixture.organisation("a").await).await.unwrap(), "who has a list uses it");
}

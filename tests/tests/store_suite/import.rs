//! Importing an organisation: all or nothing, and the same file twice is one.

use taiwa_server::records::import::{self, ImportError, Summary, Table};

use super::fixture::Fixture;

const COMPANY: &str = "email,name,site,manager_email,role\n\
    hanako@a.jp,佐藤 花子,名古屋,ken@a.jp,\nken@a.jp,高橋 健,名古屋,mari@a.jp,\nmari@a.jp,田中 真理,東京,,\nhr@a.jp,人事,東京,,hr\n";

super::on_both! {
    importing_twice_changes_nothing;
    pairs_follow_the_manager_column;
    a_file_with_a_fault_changes_nothing;
}

async fn importing_twice_changes_nothing(fixture: Fixture) {
    let first = fixture.import("a", COMPANY).await;
    let expected =
        Summary { organisation_added: true, people_added: 4, sites_added: 2, pairs_opened: 2, ..Summary::default() };
    assert_eq!(first, expected);
    let organisation = fixture.organisation("a").await;
    let pairs = fixture.store.open_pairs(organisation).await.unwrap();
    let again = fixture.import("a", COMPANY).await;
    assert_eq!(again, Summary { people_unchanged: 4, ..Summary::default() });
    assert_eq!(fixture.store.counter(organisation).await.unwrap(), 1);
    assert_eq!(fixture.store.open_pairs(organisation).await.unwrap(), pairs);
}

async fn pairs_follow_the_manager_column(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let summary = fixture
        .import("a", "email,name,site,manager_email\nHANAKO@a.jp,佐藤 花子,大阪,mari@a.jp\nken@a.jp,高橋 健,名古屋,\n")
        .await;
    let expected =
        Summary { people_changed: 2, sites_added: 1, pairs_opened: 1, pairs_closed: 2, ..Summary::default() };
    assert_eq!(summary, expected);
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
    for (file, expected) in [(circle, "line 3, column manager_email: the managers go in a circle"), (unknown, "line 2")]
    {
        let table = Table::read(file.as_bytes()).unwrap();
        let refused = import::apply(&fixture.store, "a", "a", &table, fixture.now()).await;
        assert!(matches!(refused, Err(ImportError::Faults(_))), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains(expected));
    }
    let table = Table::read(unknown.as_bytes()).unwrap();
    assert!(import::apply(&fixture.store, "new-one", "x", &table, fixture.now()).await.is_err());
    assert_eq!(fixture.store.organisation_by_slug("new-one").await.unwrap(), None);
    assert_eq!(fixture.store.counter(organisation).await.unwrap(), 1);
}

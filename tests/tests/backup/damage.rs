//! What a check finds, on either database and in a backup, and what is refused because of it.

use std::{process::Stdio, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use taiwa_server::operate::{
    backup::{BackupError, Damaged, backup},
    check::DamageKind,
    restore::{Replace, RestoreError},
};
use taiwa_shared::time::Clock;
use taiwa_tests::process::binary;

use super::{
    house::{House, MANAGER, MEMBER},
    on_both,
};

on_both! {
    each_damage_is_found_and_named;
    a_document_that_lacks_its_end_is_found_by_what_its_record_names;
}

/// Runs SQL as nobody but an accident does.
async fn harm(house: &House, sqlite: &str, postgres: &str) {
    match house.url.strip_prefix("sqlite:") {
        Some(path) => {
            let mut connection = SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap();
            sqlx::query("pragma foreign_keys = off").execute(&mut connection).await.unwrap();
            let done = sqlx::query(AssertSqlSafe(sqlite.to_owned())).execute(&mut connection).await.unwrap();
            assert!(done.rows_affected() > 0, "{sqlite}");
            connection.close().await.unwrap();
        }
        None => {
            let mut connection = PgConnection::connect(&house.url).await.unwrap();
            let done = sqlx::query(AssertSqlSafe(postgres.to_owned())).execute(&mut connection).await.unwrap();
            assert!(done.rows_affected() > 0, "{postgres}");
            connection.close().await.unwrap();
        }
    }
}

async fn each_damage_is_found_and_named(mut house: House) {
    let (member, manager) = (house.phone(MEMBER).await, house.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    for text in ["一。", "二。", "三。"] {
        member.write(meeting, text).await;
        member.settled().await;
    }
    manager.reads(meeting, &["三。"]).await;
    // Beside a running server there is nothing to find.
    let whole = house.report().await;
    assert_eq!(whole.damage, []);
    assert!(whole.changes >= 3 && whole.documents >= 1 && whole.bytes > 0, "{whole:?}");
    house.backup("whole").await.unwrap();

    // A row of the middle: what follows it in the graph has nothing to stand on.
    let middle =
        "from chunk where document = (select document from chunk group by document order by count(*) desc limit 1)";
    harm(
        &house,
        &format!("delete from chunk where rowid = (select rowid {middle} order by n limit 1)"),
        &format!("delete from chunk where (document, n) in (select document, n {middle} order by n limit 1)"),
    )
    .await;
    let report = house.report().await;
    assert_eq!(
        report.damage.iter().map(|damage| damage.kind).collect::<Vec<_>>(),
        [DamageKind::Document],
        "{report:?}"
    );
    assert!(report.damage[0].id.is_some());

    // A turned bit in what is stored.
    house.stop().await;
    house.restore("whole", Replace::KeepAside).await.unwrap();
    assert_eq!(house.report().await.damage, []);
    harm(
        &house,
        "update chunk set body = cast(substr(body, 1, length(body) - 1) || x'ff' as blob) where n = (select min(n) from chunk)",
        "update chunk set body = set_byte(body, length(body) - 1, 255) where n = (select min(n) from chunk)",
    )
    .await;
    let report = house.report().await;
    assert!(
        !report.damage.is_empty() && report.damage.iter().all(|damage| damage.kind == DamageKind::Document),
        "{report:?}"
    );
    for text in ["一", "二", "三"] {
        assert!(!format!("{report:?}").contains(text), "contents are not told");
    }
    let refused = house.backup("damaged").await;
    assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");
    assert!(!house.path("damaged").exists() && !house.path("damaged.partial").exists());
    let kept = backup(&house.url, &house.path("damaged"), Damaged::Accept, house.clock.now(), &|_| {}).await.unwrap();
    assert_eq!(kept.report.damage.len(), report.damage.len());
    let refused = house.restore("damaged", Replace::KeepAside).await;
    assert!(matches!(refused, Err(RestoreError::Damaged { .. })), "{refused:?}");

    // A person who is gone, and a counter that is behind.
    house.clock.advance(Duration::from_secs(2));
    house.restore("whole", Replace::KeepAside).await.unwrap();
    let everyone = "delete from person where email = 'tanaka@a.jp'";
    harm(&house, everyone, everyone).await;
    let behind = "update organisation set counter = 0";
    harm(&house, behind, behind).await;
    let report = house.report().await;
    let kinds: Vec<_> = report.damage.iter().map(|damage| damage.kind).collect();
    assert!(kinds.contains(&DamageKind::Reference) && kinds.contains(&DamageKind::Counter), "{report:?}");
    assert!(!format!("{report:?}").contains("tanaka"), "no addresses");

    let mut check = tokio::process::Command::new(binary("taiwa-server"));
    check.args(["check", "--json"]).env("TAIWA_DATABASE", &house.url).stdin(Stdio::null()).kill_on_drop(true);
    let output = check.output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["damage"].as_array().unwrap().len(), report.damage.len());
    assert!(String::from_utf8(output.stderr).unwrap().contains("things are damaged"));
}

async fn a_document_that_lacks_its_end_is_found_by_what_its_record_names(mut house: House) {
    let (member, _manager) = (house.phone(MEMBER).await, house.phone(MANAGER).await);
    let meeting = member.next_meeting().await;
    for text in ["一。", "二。", "三。"] {
        member.write(meeting, text).await;
        member.settled().await;
    }
    // A server that stops names the heads of every document in its record.
    house.stop().await;
    assert_eq!(house.report().await.damage, []);
    house.backup("whole").await.unwrap();
    // Without its last row, or all rows, the rest is a document that can be read; a record may also have lost the name.
    let all = "from chunk where document = (select document from chunk limit 1)";
    let no_name = "update document set digest = null where digest is not null";
    for (sqlite, postgres) in [
        (
            format!("delete from chunk where rowid = (select rowid {all} order by n desc limit 1)"),
            format!("delete from chunk where (document, n) in (select document, n {all} order by n desc limit 1)"),
        ),
        (format!("delete {all}"), format!("delete {all}")),
        (no_name.to_owned(), no_name.to_owned()),
    ] {
        harm(&house, &sqlite, &postgres).await;
        let report = house.report().await;
        assert!(!report.damage.is_empty(), "{sqlite}: {report:?}");
        for damage in &report.damage {
            assert!(damage.kind == DamageKind::Document && damage.id.is_some(), "{damage:?}");
            assert!(damage.detail.starts_with("its heads are not those that its record names"), "{damage:?}");
        }
        house.clock.advance(Duration::from_secs(2));
        house.restore("whole", Replace::KeepAside).await.unwrap();
        assert_eq!(house.report().await.damage, []);
    }
}

//! News come after the commit that makes them true: whoever hears them earlier reads the old records and is not told again.
//!
//! The database refuses at the commit itself, after every statement went well; nothing may have been told by then.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use taiwa_server::records::{access::Principal, claims::claim, commands::take, upkeep::lose_sight_of_closed_pairs};
use taiwa_shared::{
    domain::{ownership::DocumentKey, people::Pair},
    protocol::{
        commands::CommandsRequest,
        login::Secret,
        records::{ClaimRequest, DocumentClaim},
    },
};

use super::{
    fixture::{DAY, Fixture},
    orders::{COMPANY, finish, nth, on_device, slot},
};

super::on_both! {
    what_could_not_be_committed_is_no_news;
}

/// What every one of the writers below writes: with one of these rows no commit succeeds.
const WRITES: [(&str, &str); 4] =
    [("insert", "command"), ("insert", "document"), ("update", "sight"), ("insert", "device")];

async fn run(fixture: &Fixture, sqlite: String, postgres: String) {
    if fixture.url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(&fixture.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sqlite)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(&fixture.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(postgres)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Lets every statement through and refuses the commit.
async fn refuse_commits(fixture: &Fixture) {
    let mut sqlite = "create table never (id integer primary key);
        create table late (id integer references never (id) deferrable initially deferred);"
        .to_owned();
    let mut postgres = "create function refuse() returns trigger language plpgsql
        as $$ begin raise exception 'refused at the commit'; end $$;"
        .to_owned();
    for (event, table) in WRITES {
        sqlite +=
            &format!("create trigger late_{table} after {event} on {table} begin insert into late values (1); end;");
        postgres += &format!(
            "create constraint trigger late_{table} after {event} on {table}
             deferrable initially deferred for each row execute function refuse();"
        );
    }
    run(fixture, sqlite, postgres).await;
}

async fn allow_commits(fixture: &Fixture) {
    let sqlite = WRITES.map(|(_, table)| format!("drop trigger late_{table};")).concat();
    run(fixture, sqlite, "drop function refuse() cascade".to_owned()).await;
}

/// Everybody who writes and tells: what, whether it was done, and whether it was told.
async fn attempts(
    fixture: &Fixture,
    who: &Principal,
    pair: &Pair,
    invitation: &Secret,
) -> Vec<(&'static str, bool, bool)> {
    let mut news = fixture.bus.subscribe();
    let mut said = Vec::new();
    let mut note = |what, is_done| {
        let is_told = news.try_recv().is_ok();
        while news.try_recv().is_ok() {}
        said.push((what, is_done, is_told));
    };
    let (store, bus, now) = (&fixture.store, &fixture.bus, fixture.now());
    let request = CommandsRequest { commands: vec![nth(1, finish(fixture, &slot(pair, 14)))] };
    note("a command", take(store, bus, who, &request, now).await.is_ok());
    let key = DocumentKey::Notebook { pair: pair.id };
    let request = ClaimRequest { claims: vec![DocumentClaim { key, slot: None }] };
    note("a claim", claim(store, bus, who, &request, now).await.is_ok());
    note("lost sight", lose_sight_of_closed_pairs(store, bus, now).await.is_ok());
    let request = Fixture::invitation_request(invitation.clone());
    note("ended sign-ins", fixture.auth.sign_in_with_invitation(&request).await.is_ok());
    said
}

async fn what_could_not_be_committed_is_no_news(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    fixture.import("a", &COMPANY.replace("hanako@a.jp,佐藤 花子,ken@a.jp", "hanako@a.jp,佐藤 花子,mori@a.jp")).await;
    fixture.clock.advance(31 * DAY);
    let jiro = on_device(&fixture, "a", "jiro@a.jp", 1).await;
    let (pair, invitation) = (fixture.pair_of(&jiro).await, fixture.invitation(&jiro).await);
    let counter = fixture.store.counter(jiro.organisation).await.unwrap();
    let all = |is_done, is_told| {
        ["a command", "a claim", "lost sight", "ended sign-ins"].map(|what| (what, is_done, is_told))
    };

    refuse_commits(&fixture).await;
    let refused = attempts(&fixture, &jiro, &pair, &invitation).await;
    assert_eq!(refused, all(false, false), "what, whether it was done, whether it was told");
    assert_eq!(fixture.store.counter(jiro.organisation).await.unwrap(), counter);
    allow_commits(&fixture).await;
    assert_eq!(attempts(&fixture, &jiro, &pair, &invitation).await, all(true, true));
}

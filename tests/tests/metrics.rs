//! `/metrics`: what an operator's monitoring sees, and that it tells of nobody.

use serde_json::json;
use taiwa_server::{Server, config::Config};
use taiwa_shared::{domain::meeting::MeetingTime, time::Zone};
use taiwa_tests::{
    clock::TestClock,
    eventually::{PATIENCE, eventually, eventually_equals},
    raw_socket::RawSocket,
    rest::{Answer, Rest},
    world::World,
};

/// Stands in everything that people write in this story.
const WRITTEN: &str = "sentinel";

/// The value of one figure; none if there is no such line.
fn figure(metrics: &Answer, name: &str) -> Option<f64> {
    let line = metrics.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

async fn a_story_is_counted(world: World) {
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = member.next_meeting_with(&manager).await;
    member.choose(meeting, "work.progress").await;
    member.set_word(meeting, "work.progress", WRITTEN).await;
    member.publish(meeting).await;
    member.type_into_memo(meeting, 0, WRITTEN).await;
    let shown = member.session().upcoming().await.unwrap().remove(0);
    let zone = Zone::tokyo();
    let starts = shown.starts.in_zone(&zone).date().at(20, 0, 0, 0);
    let time = MeetingTime { starts, zone, length_minutes: 30 };
    member.session().move_meeting(meeting, time).await.unwrap();
    member.settled().await;
    manager.eventually_reads(meeting, WRITTEN).await;

    let rest = Rest::new(world.address());
    let wrong = json!({ "email": world.company().email("ito"), "password": WRITTEN, "device_name": WRITTEN });
    assert_eq!(rest.post("/v1/login/password", &wrong).await.unwrap().status, 401);
    rest.get(&format!("/invite/{WRITTEN}")).await.unwrap();
    rest.get(&format!("/{WRITTEN}")).await.unwrap();
    let token = world.access_token("ito").await;
    let mut raw = RawSocket::open(world.address(), &token, WRITTEN).await.unwrap();
    raw.say_bytes(WRITTEN.as_bytes()).await.unwrap();
    eventually("the hostile client is out", PATIENCE, || async {
        figure(&world.metrics().await, r#"taiwa_connections_closed_total{code="4400"}"#)
    })
    .await;

    let metrics = world.metrics().await;
    assert_eq!(metrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(metrics.text.ends_with("# EOF\n"), "{}", metrics.text);
    for (name, expected) in [
        ("taiwa_connections", 2.0),
        (r#"taiwa_sign_ins_total{with="invitation",result="accepted"}"#, 3.0),
        (r#"taiwa_sign_ins_total{with="password",result="refused"}"#, 1.0),
        (r#"taiwa_commands_total{action="move",outcome="applied"}"#, 1.0),
        (r#"taiwa_connections_closed_total{code="4400"}"#, 1.0),
        (r#"taiwa_http_requests_total{route="/invite/{token}",method="GET",status="200"}"#, 1.0),
        (r#"taiwa_http_requests_total{route="unknown",method="GET",status="404"}"#, 1.0),
        ("taiwa_documents_quarantined", 0.0),
        ("taiwa_commits_failed_total", 0.0),
    ] {
        assert_eq!(figure(&metrics, name), Some(expected), "{name}\n{}", metrics.text);
    }
    for name in [
        "taiwa_documents_open",
        "taiwa_documents_resident_bytes",
        "taiwa_changes_stored_total",
        "taiwa_commit_seconds_count",
        r#"taiwa_http_request_seconds_count{route="/v1/commands"}"#,
    ] {
        assert!(figure(&metrics, name).is_some_and(|value| value > 0.0), "{name}\n{}", metrics.text);
    }
    // Nothing waits once all is quiet.
    eventually_equals("everything is committed", &Some(0.0), || async {
        figure(&world.metrics().await, "taiwa_changes_uncommitted")
    })
    .await;

    let (user, meeting) = (member.user().to_string(), meeting.to_string());
    let mail = world.company().email("tanaka");
    let organisation = world.login("ito").await.organisation.to_string();
    for told in [WRITTEN, &user, &meeting, &mail, &organisation, "田中", "tanaka", "sample"] {
        assert!(!metrics.text.contains(told), "{told}\n{}", metrics.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted_and_nobody_is_named() {
    a_story_is_counted(World::open("figures").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted_and_nobody_is_named_on_postgres() {
    if let Some(world) = World::open_on_postgres("figures").await {
        a_story_is_counted(world).await;
    }
}

#[tokio::test]
async fn figures_are_on_a_port_of_their_own() {
    let world = World::open("another port").await;
    assert_eq!(Rest::new(world.address()).get("/metrics").await.unwrap().problem_code(), "not_found");
    assert_eq!(world.metrics().await.status, 200);
}

#[tokio::test]
async fn a_port_of_somebody_else_is_named_with_what_to_write() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        database: folder.path().join("taiwa.db").display().to_string(),
        metrics_listen: Some(address),
        ..Config::default()
    };
    let Err(refused) = Server::start(config.clone(), std::sync::Arc::new(TestClock::new())).await else {
        panic!("two listen on {address}");
    };
    let said = refused.to_string();
    assert!(said.contains(&address.to_string()) && said.contains("set `metrics_listen`"), "{said}");
    drop(taken);
    let config = Config { metrics_listen: None, ..config };
    let server = Server::start(config, std::sync::Arc::new(TestClock::new())).await.unwrap();
    assert_eq!(server.metrics_address(), None);
    server.stop().await;
}

//! Ratings on a running server: what the manager can learn of one (nothing), and what survives a kill.

use std::{io::Write as _, net::TcpStream, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taiwa_shared::{
    domain::{meeting::Meeting, people::Pair},
    ids::MeetingId,
    protocol::{
        commands::{CommandsResponse, Outcome},
        records::{RecordEntry, RecordsPage},
    },
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually, eventually_equals},
    inspect::Contents,
    phone::Phone,
    plain_client::PlainClient,
    process::run_server_command,
    rest::{Answer, Rest},
    world::World,
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Stands in what the member's phone sends as the category of a pick, so that it can be looked for everywhere.
const SENTINEL: &str = "x.sentinel.of.a.rating";
/// Stands in what the manager may see.
const VISIBLE: &str = "二人で決めたこと";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn rating(step: u8) -> Value {
    json!({ "talked": step, "as_asked": "no", "picks": [{ "category": SENTINEL, "response": "think" }] })
}

async fn rate(member: &Rest, meeting: MeetingId, step: u8) -> Answer {
    let body = serde_json::to_vec(&rating(step)).unwrap();
    let path = format!("/v1/ratings/{meeting}");
    member.request(Method::PUT, &path, Some(("application/json", body))).await.unwrap()
}

async fn pair_of(rest: &Rest) -> Pair {
    let page: RecordsPage = rest.get("/v1/records").await.unwrap().into().unwrap();
    let pair = page.entries.into_iter().find_map(|entry| match entry {
        RecordEntry::Pair(pair) => Some(pair),
        _ => None,
    });
    pair.expect("a member is in a pair")
}

/// Ends the `n`th 1on1 of the pair, and says which that was.
async fn finish(rest: &Rest, pair: &Pair, n: u8) -> MeetingId {
    let slot = pair.cadence.slots(pair.cadence.first, jiff::civil::Date::MAX).nth(usize::from(n)).unwrap();
    let id = Meeting::id_of_slot(pair.id, slot);
    let login: Value = rest.get("/v1/devices").await.unwrap().json();
    let now = login["devices"].as_array().unwrap().iter().map(|device| device["last_used"].as_i64().unwrap()).max();
    let action = json!({ "type": "finish", "meeting": { "id": id, "pair": pair.id, "slot": slot }, "at": now });
    let command = json!({
        "id": format!("00000000-0000-7000-8000-{n:012}"), "sequence": u32::from(n) + 1, "made": now, "action": action,
    });
    let answer = rest.post("/v1/commands", &json!({ "commands": [command] })).await.unwrap();
    let response: CommandsResponse = answer.into().unwrap();
    assert!(response.outcomes.iter().all(|it| it.outcome == Outcome::Applied), "{:?}", response.outcomes);
    id
}

/// Every path of a GET that the server describes, with the ids that the manager knows in it.
fn paths(meeting: MeetingId) -> Vec<String> {
    let document: Value = serde_json::from_str(taiwa_server::openapi_text()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    // How many are connected differs from moment to moment: see below.
    let others = ["/v1/sync", "/healthz"];
    let gets = paths.iter().filter(|(path, item)| item.get("get").is_some() && !others.contains(&path.as_str()));
    let mut found: Vec<String> =
        gets.map(|(path, _)| path.replace("{file}", "page.js").replace("{token}", "x")).collect();
    assert!(found.iter().all(|path| !path.contains('{')), "{found:?}");
    // Not described, and tried all the same.
    for more in
        [format!("/v1/ratings/{meeting}"), format!("/v1/meetings/{meeting}"), "/v1/strengths?all=true".to_owned()]
    {
        found.push(more);
    }
    found
}

/// Everything that the manager can get, decoded.
async fn seen(world: &World, manager: &Rest, phone: &Phone, cursor: &str, meeting: MeetingId) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    let mut paths = paths(meeting);
    paths.push(format!("/v1/records?since={cursor}"));
    for path in paths {
        let answer = manager.get(&path).await.unwrap();
        seen.push((format!("GET {path}"), format!("{} {:?} {}", answer.status, answer.headers, answer.text)));
    }
    let answer = rate(manager, meeting, 3).await;
    seen.push(("PUT as the manager".to_owned(), format!("{} {:?} {}", answer.status, answer.headers, answer.text)));
    // The manager's phone comes back from nowhere, which makes it pull.
    let before = pulls(world).await;
    phone.line().cut();
    phone.come_back();
    eventually("the phone pulls", PATIENCE, || async { (pulls(world).await > before).then_some(()) }).await;
    phone.settled().await;
    seen.push(("the phone".to_owned(), format!("{:?}", phone.contents().await)));
    seen.push(("the phone's people".to_owned(), format!("{:?}", phone.session().pairs())));
    seen
}

/// What Prometheus gets.
async fn figures(world: &World) -> String {
    world.metrics().await.text
}

/// How often somebody has pulled records.
async fn pulls(world: &World) -> u64 {
    let figures = figures(world).await;
    let lines =
        figures.lines().filter(|line| line.starts_with("taiwa_http_requests_total") && line.contains("/v1/records"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

async fn health(rest: &Rest) -> String {
    rest.get("/healthz").await.unwrap().text
}

/// The server's health when two phones and a socket are connected.
async fn quiet_health(rest: &Rest) -> String {
    let is_quiet = |health: &String| health.contains("\"connections\":3,");
    eventually("three are connected", PATIENCE, || async { Some(health(rest).await).filter(is_quiet) }).await
}

async fn connected(world: &World, token: &str) -> PlainClient {
    let mut request = format!("ws://{}/v1/sync", world.address()).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    PlainClient::connect(request, "manager", true).await
}

async fn a_manager_looks_for_a_rating(world: World) {
    let login = world.login("tanaka").await;
    let member = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    let managers = world.login("sato").await;
    let manager = Rest::new(world.address()).with_token(managers.tokens.access_token.expose());
    let pair = pair_of(&member).await;
    let (meeting, first) = (finish(&member, &pair, 0).await, finish(&member, &pair, 20).await);

    // Nobody else asks anything meanwhile.
    let before = figures(&world).await;
    for step in [1, 5] {
        assert_eq!(rate(&member, first, step).await.status, StatusCode::NO_CONTENT);
    }
    let own = member.get("/v1/ratings").await.unwrap();
    assert_eq!(own.json()["ratings"][0]["talked"], 5, "the control: the rating is there: {}", own.text);
    assert_eq!(rate(&manager, first, 5).await.status, StatusCode::NOT_FOUND);
    assert_eq!(figures(&world).await, before, "no figure tells that one was given");
    manager.get("/v1/devices").await.unwrap();
    assert_ne!(figures(&world).await, before, "the control: a request is counted");

    let (phone, members_phone) = (world.phone("sato").await, world.phone("tanaka").await);
    let upcoming = phone.next_meeting_with(&members_phone).await;
    let mut socket = connected(&world, managers.tokens.access_token.expose()).await;
    socket.settle().await;
    let page: RecordsPage = manager.get("/v1/records").await.unwrap().into().unwrap();
    assert!(!page.more);
    let look = || seen(&world, &manager, &phone, &page.cursor, meeting);
    // Whatever a look itself sets going has happened.
    look().await;

    let without = look().await;
    let (heard, healthy) = ((socket.news.len(), socket.own_frames), quiet_health(&manager).await);
    for step in [1, 5, 5] {
        assert_eq!(rate(&member, meeting, step).await.status, StatusCode::NO_CONTENT);
    }
    let own = member.get("/v1/ratings").await.unwrap();
    assert_eq!(own.json()["ratings"].as_array().map(Vec::len), Some(2), "the control: it is there: {}", own.text);
    let with = look().await;
    socket.settle().await;
    assert_eq!((socket.news.len(), socket.own_frames), heard, "no frame tells that one was given");
    eventually_equals("the server's health is the same", &healthy, || health(&manager)).await;
    assert_eq!(without.len(), with.len());
    for (without, with) in without.iter().zip(&with) {
        assert_eq!(without, with, "{} tells that one was given", with.0);
        assert!(!with.1.contains(SENTINEL), "{}", with.0);
    }

    // The control: the same search finds what the manager may see, in all of these places.
    members_phone.type_into_memo(upcoming, 0, VISIBLE).await;
    members_phone.settled().await;
    phone.eventually_reads(upcoming, VISIBLE).await;
    let with = look().await;
    let different: Vec<&str> =
        without.iter().zip(&with).filter(|(one, other)| one != other).map(|(one, _)| one.0.as_str()).collect();
    for place in ["the phone", "GET /v1/records"] {
        assert!(different.contains(&place), "{place}: {different:?}");
    }
    assert!(with.iter().any(|(place, text)| place == "the phone" && text.contains(VISIBLE)));
    socket.until("news", |socket| socket.news.len() > heard.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manager_cannot_learn_even_whether_a_rating_was_given() {
    Box::pin(a_manager_looks_for_a_rating(World::open("a rating").await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manager_cannot_learn_even_whether_a_rating_was_given_on_postgres() {
    if let Some(world) = World::open_on_postgres("a rating").await {
        Box::pin(a_manager_looks_for_a_rating(world)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_alone_tells_neither_who_rated_nor_whom_nor_when() {
    let world = World::open("a rating at rest").await;
    let login = world.login("tanaka").await;
    let member = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    let pair = pair_of(&member).await;
    let meeting = finish(&member, &pair, 0).await;
    let before = Contents::of_server(&world.database()).await.unwrap();
    assert_eq!(rate(&member, meeting, 2).await.status, StatusCode::NO_CONTENT);
    let after = Contents::of_server(&world.database()).await.unwrap();
    assert_eq!(before.places_of(SENTINEL), Vec::<&str>::new());
    assert_eq!(after.places_of(SENTINEL), ["table rating.picks"], "the control: there it is, and nowhere else");
    // Ids are stored as bytes: as the file holds them.
    for id in [meeting.as_bytes(), pair.id.as_bytes(), pair.member.as_bytes(), pair.manager.as_bytes()] {
        let text = String::from_utf8_lossy(id).into_owned();
        let places = after.places_of(&text);
        assert!(!places.is_empty(), "the control: the id is in the database");
        assert!(places.iter().all(|place| !place.contains("rating")), "{places:?}");
    }
    let schema = world.store().schema().await.unwrap();
    let mut columns: Vec<&str> = schema["rating"].iter().map(|(name, _)| name.as_str()).collect();
    columns.sort_unstable();
    assert_eq!(columns, ["as_asked", "organisation", "picks", "rater", "subject", "ticket", "value", "week"]);
    // The key lies beside the one that signs, and in nothing that is backed up.
    let key = std::fs::read_to_string(world.folder().join("rating-key")).unwrap();
    let bytes = std::fs::read(world.database()).unwrap();
    let raw = hex::decode(key.trim()).unwrap();
    assert!(!bytes.windows(raw.len()).any(|window| window == raw) && after.places_of(key.trim()).is_empty());
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(world.folder().join("rating-key")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_ratings_and_not_the_key_that_reads_them() {
    let mut world = World::open_as_process("a rating in a backup").await;
    let member = Rest::new(world.address()).with_token(world.access_token("tanaka").await);
    let meeting = finish(&member, &pair_of(&member).await, 0).await;
    assert_eq!(rate(&member, meeting, 2).await.status, StatusCode::NO_CONTENT);
    let backup = world.folder().join("a.backup").to_str().unwrap().to_owned();
    run_server_command(world.folder(), &["backup", &backup]).await.unwrap();
    let copy = Contents::of_server(backup.as_ref()).await.unwrap();
    assert_eq!(copy.values_in("rating", "ticket"), 1, "the control: the rating is in it");
    let key_file = world.database().with_extension("rating-key");
    let key = std::fs::read_to_string(&key_file).unwrap();
    let raw = hex::decode(key.trim()).unwrap();
    let bytes = std::fs::read(&backup).unwrap();
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    assert!(holds(SENTINEL.as_bytes()), "the control: bytes are found");
    assert!(!holds(&raw) && !holds(key.trim().as_bytes()));

    // Restored where the key is, its owner has it again.
    let own = async |member: &Rest| member.get("/v1/ratings").await.unwrap().json()["ratings"].clone();
    assert_eq!(rate(&member, meeting, 5).await.status, StatusCode::NO_CONTENT);
    world.stop_server().await;
    run_server_command(world.folder(), &["restore", "--replace", &backup]).await.unwrap();
    world.restart_server().await;
    let member = Rest::new(world.address()).with_token(world.access_token("tanaka").await);
    assert_eq!(own(&member).await[0]["talked"], 2);
    // Without it, nobody can tell any more whose it is.
    world.stop_server().await;
    std::fs::remove_file(&key_file).unwrap();
    world.restart_server().await;
    assert_eq!(own(&member).await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rating_leaves_no_line_in_the_log_at_any_level() {
    let mut world = World::open_as_process_that_logs("a rating in the log", "trace").await;
    let login = world.login("tanaka").await;
    let member = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    let manager = Rest::new(world.address()).with_token(world.access_token("sato").await);
    let meeting = finish(&member, &pair_of(&member).await, 0).await;
    // The line of a request is written before its answer is.
    let first = manager.get("/v1/devices").await.unwrap();
    for _ in 0..2 {
        assert_eq!(rate(&member, meeting, 2).await.status, StatusCode::NO_CONTENT);
        assert_eq!(member.get("/v1/ratings").await.unwrap().status, StatusCode::OK);
        assert_eq!(rate(&manager, meeting, 2).await.status, StatusCode::NOT_FOUND);
    }
    let last = manager.get("/v1/devices").await.unwrap();
    let log = world.server_log();
    let lines: Vec<&str> = log.lines().collect();
    let line_of = |answer: &Answer| lines.iter().rposition(|line| line.contains(answer.request_id()));
    let (first, last) = (line_of(&first).expect("the control"), line_of(&last).expect("the control"));
    assert!(first < last);
    let meanwhile: Vec<&&str> = lines[first + 1..last].iter().filter(|line| line.contains("request")).collect();
    let of_last = |line: &&&str| !line.contains("/v1/devices");
    assert_eq!(meanwhile.into_iter().filter(of_last).collect::<Vec<_>>(), Vec::<&&str>::new());
    let (user, meeting) = (login.user.to_string(), meeting.to_string());
    for told in ["rating", SENTINEL, &user, &meeting] {
        let found: Vec<&&str> = lines[first + 1..=last].iter().filter(|line| line.contains(told)).collect();
        assert_eq!(found, Vec::<&&str>::new(), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rating_whose_answer_died_with_the_server_is_one_however_often_it_is_sent() {
    let mut world = World::open_as_process("a killed rating").await;
    let token = world.access_token("tanaka").await;
    let member = Rest::new(world.address()).with_token(&token);
    let pair = pair_of(&member).await;
    for round in 0..4_u8 {
        let meeting = finish(&member, &pair, round).await;
        let body = rating(1).to_string();
        let mut line = TcpStream::connect(world.address()).unwrap();
        let length = body.len();
        write!(
            line,
            "PUT /v1/ratings/{meeting} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        // In every second round it is on disk before the kill; in the others that is chance.
        if round % 2 == 1 {
            let database = world.database();
            eventually("the rating is on disk", PATIENCE, || async {
                let contents = Contents::of_server(&database).await.ok()?;
                (contents.values_in("rating", "ticket") == usize::from(round) + 1).then_some(())
            })
            .await;
        }
        world.kill_server();
        drop(line);
        world.restart_server().await;
        for _ in 0..2 {
            assert_eq!(rate(&member, meeting, 4).await.status, StatusCode::NO_CONTENT);
        }
        let own: Value = member.get("/v1/ratings").await.unwrap().into().unwrap();
        let of_this = own["ratings"].as_array().unwrap().iter().filter(|own| own["meeting"] == meeting.to_string());
        assert_eq!(of_this.map(|own| own["talked"].clone()).collect::<Vec<_>>(), [json!(4)], "round {round}");
        let contents = Contents::of_server(&world.database()).await.unwrap();
        assert_eq!(contents.values_in("rating", "ticket"), usize::from(round) + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_counts_by_itself_and_closes_what_was_counted() {
    let world = World::open("a count").await;
    let member = Rest::new(world.address()).with_token(world.access_token("tanaka").await);
    let meeting = finish(&member, &pair_of(&member).await, 0).await;
    assert_eq!(rate(&member, meeting, 4).await.status, StatusCode::NO_CONTENT);
    let strengths: Value = member.get("/v1/strengths").await.unwrap().into().unwrap();
    assert_eq!(strengths, json!({ "strong": [], "enough_voices": false }));
    // With a password: an invitation would be over.
    world.login("sato").await;
    world.clock().advance(8 * DAY);
    let manager = Rest::new(world.address()).with_token(world.login("sato").await.tokens.access_token.expose());
    let counted = eventually("the week is counted", PATIENCE, || async {
        let strengths: Value = manager.get("/v1/strengths").await.unwrap().into().unwrap();
        strengths["counted"].as_i64()
    })
    .await;
    // A Monday, 06:00 in Japan: 21:00 of Sunday, UTC.
    assert_eq!(counted.rem_euclid(7 * 86_400_000), (3 * 24 + 21) * 3_600_000);
    let member = Rest::new(world.address()).with_token(world.login("tanaka").await.tokens.access_token.expose());
    let late = rate(&member, meeting, 5).await;
    assert_eq!((late.status, late.problem_code().as_str()), (StatusCode::CONFLICT, "rating_closed"));
    assert_eq!(member.get("/v1/ratings").await.unwrap().json()["ratings"], json!([]));
}

//! News on the sync socket: phones hear at once of what concerns them, and plain automerge-repo clients never hear a frame
//! that is not theirs.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use taiwa_shared::{
    domain::{meeting::MeetingTime, people::Pair},
    protocol::{
        commands::{CommandsResponse, Outcome},
        login::{LoginResponse, RefreshRequest, Tokens},
        records::{RecordEntry, RecordsPage},
    },
    sync::wire::{Frame, RenewalToken},
    time::Zone,
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    plain_client::PlainClient,
    rest::Rest,
    turn::my_turn,
    world::World,
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A connection with this sign-in; it announces taiwa or does not.
async fn connected(world: &World, login: &LoginResponse, name: &str, taiwa: bool) -> PlainClient {
    let mut request = format!("ws://{}/v1/sync", world.address()).into_client_request().unwrap();
    let bearer = format!("Bearer {}", login.tokens.access_token.expose());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    PlainClient::connect(request, name, taiwa).await
}

async fn records(rest: &Rest) -> Vec<RecordEntry> {
    let page: RecordsPage = rest.get("/v1/records").await.unwrap().into().unwrap();
    page.entries
}

async fn pair_of(rest: &Rest) -> Pair {
    let pair = records(rest).await.into_iter().find_map(|entry| match entry {
        RecordEntry::Pair(pair) => Some(pair),
        _ => None,
    });
    pair.unwrap()
}

/// Moves the first meeting of the pair to this hour; `n` is the command's sequence, and one more than the meeting's base.
async fn move_first(rest: &Rest, pair: &Pair, n: u32, hour: i8) {
    let meeting = pair.cadence.meeting_in_slot(pair.id, pair.cadence.first);
    let starts = pair.cadence.first.at(hour, 0, 0, 0);
    let time = json!({ "starts": starts, "zone": "Asia/Tokyo", "length_minutes": 30 });
    let action = json!({ "type": "move", "meeting": meeting.name(), "base": n - 1, "time": time });
    let command: Value = json!({
        "id": format!("00000000-0000-7000-8000-{n:012}"), "sequence": n, "made": 1_776_470_400_000_u64, "action": action,
    });
    let answer = rest.post("/v1/commands", &json!({ "commands": [command] })).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let response: CommandsResponse = answer.into().unwrap();
    assert!(response.outcomes.iter().all(|it| it.outcome == Outcome::Applied), "{:?}", response.outcomes);
}

/// Waits for news that are newer than `seen`.
async fn hears(client: &mut PlainClient, seen: &mut usize, what: &str) {
    let before = *seen;
    client.until(what, |client| client.news.len() > before).await;
    client.settle().await;
    *seen = client.news.len();
}

/// Sends a newer token of this sign-in over the socket.
async fn renew(world: &World, client: &mut PlainClient, login: &mut LoginResponse) {
    login.tokens = refreshed(world, login).await;
    let (sender, target) = (client.peer.clone(), client.server.clone());
    let access_token = RenewalToken::new(login.tokens.access_token.expose().to_owned());
    client.say(&Frame::Renew { sender, target, access_token }).await;
    client.settle().await;
}

/// Records change, tokens are renewed, a pair closes, and thirty days later sight of it is lost by the clock alone.
async fn a_story(mut world: World) {
    let member = world.login("tanaka").await;
    let mut plain_login = world.login("sato").await;
    let mut phone_login = world.password_login("sato").await;
    let forgetful_login = world.password_login("sato").await;
    let rest = Rest::new(world.address()).with_token(member.tokens.access_token.expose());
    let pair = pair_of(&rest).await;
    let mut plain = connected(&world, &plain_login, "plain", false).await;
    let mut phone = connected(&world, &phone_login, "phone", true).await;
    let mut forgetful = connected(&world, &forgetful_login, "forgetful", true).await;
    let mut seen = 0;

    for (n, hour) in [(1, 15), (2, 16)] {
        move_first(&rest, &pair, n, hour).await;
        hears(&mut phone, &mut seen, "a meeting moved by the other side is news").await;
    }

    world.clock().advance(9 * MINUTE);
    renew(&world, &mut phone, &mut phone_login).await;
    renew(&world, &mut plain, &mut plain_login).await;
    world.clock().advance(2 * MINUTE);
    assert_eq!(forgetful.socket.until_closed().await, Some(4401), "the control: without renewal the socket is closed");
    phone.settle().await;
    plain.settle().await;

    seen = phone.news.len();
    world.move_person("tanaka", "mori").await;
    hears(&mut phone, &mut seen, "a closed pair is news").await;
    plain.settle().await;
    assert_eq!((plain.own_frames, plain.closed), (0, None), "a plain client hears only what is automerge-repo's");
    assert!(plain.complaints.is_empty(), "{:?}", plain.complaints);

    // Two steps, so that sign-ins do not run out; new sockets, as tokens do not last a month.
    // The pair was closed by a process with the machine's time, which is eleven minutes behind by then.
    for wait in [20 * DAY, 10 * DAY - (11 + 5) * MINUTE] {
        world.clock().advance(wait);
        for login in [&mut plain_login, &mut phone_login] {
            login.tokens = refreshed(&world, login).await;
        }
    }
    let mut plain = connected(&world, &plain_login, "plain again", false).await;
    let mut phone = connected(&world, &phone_login, "phone again", true).await;
    phone.settle().await;
    let manager = Rest::new(world.address()).with_token(phone_login.tokens.access_token.expose());
    assert!(records(&manager).await.iter().any(|it| is(it, &pair)), "the control: thirty days are not over");
    seen = phone.news.len();
    world.clock().advance(8 * MINUTE);
    hears(&mut phone, &mut seen, "sight lost by the clock is news, though nothing else changed").await;
    assert!(!records(&manager).await.iter().any(|it| is(it, &pair)));
    plain.settle().await;
    assert_eq!((plain.own_frames, plain.closed), (0, None));
}

fn is(entry: &RecordEntry, pair: &Pair) -> bool {
    matches!(entry, RecordEntry::Pair(it) if it.id == pair.id)
}

async fn refreshed(world: &World, login: &LoginResponse) -> Tokens {
    let request = RefreshRequest { refresh_token: login.tokens.refresh_token.clone() };
    Rest::new(world.address()).post("/v1/login/refresh", &request).await.unwrap().into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_client_hears_no_news_in_a_story_that_a_phone_hears() {
    Box::pin(a_story(World::open("news").await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_client_hears_no_news_in_a_story_that_a_phone_hears_on_postgres() {
    if let Some(world) = World::open_on_postgres("news").await {
        Box::pin(a_story(world)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_on_one_phone_shows_on_the_other_within_a_second() {
    let _turn = my_turn().await;
    let world = World::open("news moves").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = eventually("the meetings are known", PATIENCE, || async {
        let upcoming = manager.session().upcoming().await.unwrap();
        upcoming.into_iter().filter(|it| it.partner == member.user()).nth(1)
    })
    .await;
    member.next_meeting_with(&manager).await;
    let zone = Zone::tokyo();
    let mut took = Vec::new();
    for hour in 11..16 {
        member.settled().await;
        let starts = meeting.starts.in_zone(&zone).date().at(hour, 0, 0, 0);
        let time = MeetingTime { starts, zone: zone.clone(), length_minutes: 30 };
        let expected = zone.at(starts);
        let started = Instant::now();
        manager.session().move_meeting(meeting.meeting, time).await.unwrap();
        eventually("the other phone shows the move", PATIENCE, || async {
            let home = member.session().upcoming().await.unwrap();
            home.into_iter().find(|it| it.meeting == meeting.meeting && it.starts == expected)
        })
        .await;
        took.push(started.elapsed());
        manager.settled().await;
    }
    took.sort_unstable();
    // The median: other tests share the machine's cores.
    assert!(took[took.len() / 2] < Duration::from_secs(1), "{took:?}");
}

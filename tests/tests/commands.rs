//! `POST /v1/commands` on a real server: what it takes, what it refuses whole, and what a killed server still knows.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use taiwa_shared::{
    domain::{meeting::Meeting, people::Pair},
    protocol::{
        commands::{CommandsResponse, MAX_COMMANDS, Outcome, RejectionReason},
        records::{RecordEntry, RecordsPage},
    },
};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    rest::Rest,
    world::World,
};

async fn pulled(rest: &Rest) -> RecordsPage {
    rest.get("/v1/records").await.unwrap().into().unwrap()
}

async fn pair_of(rest: &Rest) -> Pair {
    let entries = pulled(rest).await.entries.into_iter();
    let mut pairs = entries.filter_map(|entry| match entry {
        RecordEntry::Pair(pair) => Some(pair),
        _ => None,
    });
    pairs.next().unwrap()
}

async fn meetings(rest: &Rest) -> Vec<Meeting> {
    let entries = pulled(rest).await.entries.into_iter();
    let meetings = entries.filter_map(|entry| match entry {
        RecordEntry::Meeting(meeting) => Some(meeting),
        _ => None,
    });
    meetings.collect()
}

/// A command as a phone writes it; `n` makes its id and is its sequence.
fn command(n: u32, action: &Value) -> Value {
    json!({ "id": format!("00000000-0000-7000-8000-{n:012}"), "sequence": n, "made": 1_776_470_400_000_u64, "action": action })
}

fn cancel(meeting: &Meeting, base: u32) -> Value {
    json!({ "type": "cancel", "meeting": meeting.name(), "base": base })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_one_commands_trouble() {
    let world = World::open("unreadable commands").await;
    let rest = Rest::new(world.address()).with_token(world.access_token("tanaka").await);
    let pair = pair_of(&rest).await;
    let meeting = pair.cadence.meeting_in_slot(pair.id, pair.cadence.first);
    let unreadable = [
        json!({ "type": "dance" }),
        json!({ "type": "cancel", "meeting": "tomorrow" }),
        json!({ "type": "finish", "meeting": meeting.name(), "at": "noon" }),
        json!(null),
        json!(7),
    ];
    let mut commands: Vec<Value> = (1..).zip(&unreadable).map(|(n, action)| command(n, action)).collect();
    commands.push(command(9, &cancel(&meeting, 0)));
    let answer = rest.post("/v1/commands", &json!({ "commands": commands })).await.unwrap();
    let response: CommandsResponse = answer.into().unwrap();
    assert_eq!(response.epoch, pulled(&rest).await.epoch);
    let (last, others) = response.outcomes.split_last().unwrap();
    let not_understood = Outcome::Rejected { reason: RejectionReason::NotUnderstood, current: None };
    assert!(others.iter().all(|outcome| outcome.outcome == not_understood), "{others:?}");
    assert_eq!((others.len(), &last.outcome), (5, &Outcome::Applied));
    assert_eq!(meetings(&rest).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_refused_whole_or_taken_whole() {
    let world = World::open("commands refused whole").await;
    let login = world.login("tanaka").await;
    let rest = Rest::new(world.address()).with_token(login.tokens.access_token.expose());
    let pair = pair_of(&rest).await;
    let meeting = pair.cadence.meeting_in_slot(pair.id, pair.cadence.first);
    let fine = command(1, &cancel(&meeting, 0));
    let too_many: Vec<Value> =
        (1..=MAX_COMMANDS + 1).map(|n| command(u32::try_from(n).unwrap(), &json!(null))).collect();
    let without_sequence = json!({ "id": fine["id"], "made": 0, "action": fine["action"] });
    for body in [
        json!({ "commands": too_many }),
        json!({ "commands": [fine, without_sequence] }),
        json!({ "commands": "all" }),
        json!({}),
        json!([fine]),
    ] {
        let answer = rest.post("/v1/commands", &body).await.unwrap();
        assert_eq!((answer.status, answer.problem_code().as_str()), (StatusCode::BAD_REQUEST, "invalid_request"));
    }
    let unsigned = Rest::new(world.address()).post("/v1/commands", &json!({ "commands": [fine] })).await.unwrap();
    assert_eq!(unsigned.status, StatusCode::UNAUTHORIZED);
    assert_eq!(meetings(&rest).await, []);
    let none: CommandsResponse = rest.post("/v1/commands", &json!({ "commands": [] })).await.unwrap().into().unwrap();
    assert_eq!(none.outcomes, []);
    let taken = rest.post("/v1/commands", &json!({ "commands": [fine] })).await.unwrap();
    assert_eq!(taken.status, StatusCode::OK);
    assert_eq!(meetings(&rest).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_the_quota_of_a_day_the_answer_says_when_to_come_back() {
    let world = World::open("quota of commands").await;
    let rest = Rest::new(world.address()).with_token(world.access_token("tanaka").await);
    for batch in 0..20 {
        let commands: Vec<Value> = (1..=50).map(|n| command(batch * 50 + n, &json!(null))).collect();
        let answer = rest.post("/v1/commands", &json!({ "commands": commands })).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    let answer = rest.post("/v1/commands", &json!({ "commands": [command(5_000, &json!(null))] })).await.unwrap();
    assert_eq!((answer.status, answer.problem_code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "too_many_tries"));
    let wait = answer.json()["retry_after_seconds"].as_u64().unwrap();
    assert!((1..=24 * 60 * 60).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_reply_died_with_the_server_is_applied_once() {
    let mut world = World::open_as_process("command and kill").await;
    let token = world.access_token("tanaka").await;
    let rest = Rest::new(world.address()).with_token(&token);
    let pair = pair_of(&rest).await;
    for round in 0..5_u32 {
        let slot = pair.cadence.first.saturating_add(jiff::ToSpan::days(14 * i64::from(round)));
        let meeting = pair.cadence.meeting_in_slot(pair.id, slot);
        let time = json!({ "starts": slot.at(16, 0, 0, 0), "zone": "Asia/Tokyo", "length_minutes": 30 });
        let body = json!({ "commands": [
            command(2 * round + 1, &cancel(&meeting, 0)),
            command(2 * round + 2, &json!({ "type": "move", "meeting": meeting.name(), "base": 1, "time": time })),
        ] });
        let sending = {
            let (rest, body) = (rest.clone(), body.clone());
            tokio::spawn(async move { rest.post("/v1/commands", &body).await })
        };
        if round % 2 == 0 {
            // The reply arrives, and nobody reads it.
            sending.await.unwrap().unwrap();
        } else {
            sending.abort();
        }
        world.kill_server();
        world.restart_server().await;
        let rest = Rest::new(world.address()).with_token(&token);
        let answer: CommandsResponse = rest.post("/v1/commands", &body).await.unwrap().into().unwrap();
        let outcomes: Vec<_> = answer.outcomes.iter().map(|outcome| &outcome.outcome).collect();
        assert_eq!(outcomes, [&Outcome::Applied, &Outcome::Applied], "round {round}");
        let stands = meetings(&rest).await.into_iter().find(|found| found.id == meeting.id).unwrap();
        assert_eq!((stands.revision, stands.starts), (2, slot.at(16, 0, 0, 0)), "round {round}");
    }
}

/// Tanaka on another device.
async fn signed_in_again(world: &World) -> Rest {
    let login = world.password_login("tanaka").await;
    Rest::new(world.address()).with_token(login.tokens.access_token.expose())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_forgets_outcomes_after_sixty_days_by_itself() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let world = World::open("outcomes forgotten").await;
    let rest = Rest::new(world.address()).with_token(world.access_token("tanaka").await);
    let pair = pair_of(&rest).await;
    let slot = pair.cadence.first;
    let meeting = pair.cadence.meeting_in_slot(pair.id, slot);
    let time = json!({ "starts": slot.at(16, 0, 0, 0), "zone": "Asia/Tokyo", "length_minutes": 30 });
    let schedule = json!({ "type": "schedule", "meeting": meeting.name(), "time": time });
    let again = json!({ "commands": [command(1, &schedule), command(2, &cancel(&meeting, 1))] });
    let first: CommandsResponse = rest.post("/v1/commands", &again).await.unwrap().into().unwrap();
    assert_eq!(first.outcomes[0].outcome, Outcome::Applied);
    world.clock().advance(59 * DAY);
    // Another sign-in of the same person, as after a lost phone: what is known is theirs.
    let rest = signed_in_again(&world).await;
    assert_eq!(rest.post("/v1/commands", &again).await.unwrap().into::<CommandsResponse>().unwrap(), first);
    world.clock().advance(2 * DAY);
    let rest = signed_in_again(&world).await;
    eventually("the outcomes are forgotten", PATIENCE, || async {
        let answer: CommandsResponse = rest.post("/v1/commands", &again).await.unwrap().into().unwrap();
        matches!(answer.outcomes[0].outcome, Outcome::Conflict { .. }).then_some(())
    })
    .await;
}

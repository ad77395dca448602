//! Logs: enough to find a request again, and nothing that a person wrote, is called or signs in with.

use serde_json::json;
use taiwa_shared::{domain::meeting::MeetingTime, time::Zone};
use taiwa_tests::{rest::Rest, world::World};

/// Stands in everything that people write in this story, whatever way it is written down.
const WRITTEN: &str = "SentinelWord";

/// The word as a log could hold it: as text, as a list of numbers, in hexadecimal.
fn traces(word: &str) -> Vec<String> {
    let numbers: Vec<String> = word.bytes().map(|byte| byte.to_string()).collect();
    let hexadecimal: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![word.to_owned(), numbers.join(", "), numbers.join(","), hexadecimal.to_uppercase(), hexadecimal]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_story_leaves_no_word_of_it_in_the_log_at_any_level() {
    let mut world = World::open_as_process_that_logs("a story in the log", "trace").await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = member.next_meeting_with(&manager).await;
    let pair = member.pair_with(&manager).await;
    member.choose(meeting, "work.progress").await;
    member.set_word(meeting, "work.progress", WRITTEN).await;
    member.publish(meeting).await;
    member.type_into_memo(meeting, 0, WRITTEN).await;
    manager.eventually_reads_brief(meeting, WRITTEN).await;
    manager.add_private_note(&member, WRITTEN).await;
    manager.session().invite(WRITTEN, &format!("{WRITTEN}@sample.example.jp")).await.unwrap();
    let shown = member.session().upcoming().await.unwrap().remove(0);
    let zone = Zone::tokyo();
    let starts = shown.starts.in_zone(&zone).date().at(20, 0, 0, 0);
    manager.session().move_meeting(meeting, MeetingTime { starts, zone, length_minutes: 30 }).await.unwrap();
    manager.settled().await;
    member.settled().await;
    manager.eventually_reads(meeting, WRITTEN).await;
    assert_eq!(member.pair_with(&manager).await, pair);

    let rest = Rest::new(world.address());
    let wrong = json!({ "email": format!("{WRITTEN}@x.jp"), "password": WRITTEN, "device_name": WRITTEN });
    let refused = rest.post("/v1/login/password", &wrong).await.unwrap();
    rest.post("/v1/commands", &json!({ "commands": WRITTEN })).await.unwrap();
    rest.get(&format!("/invite/{WRITTEN}")).await.unwrap();
    world.stop_server().await;

    let log = world.server_log();
    assert!(log.contains("/v1/commands") && log.contains("DEBUG"), "the control: the log has every request");
    let id = refused.request_id();
    assert!(log.lines().any(|line| line.contains(id) && line.contains("/v1/login/password")), "{id:?} is in the log");
    let names = ["田中", "佐藤", "tanaka", "sato", "の電話"];
    for told in traces(WRITTEN).iter().map(String::as_str).chain(names) {
        assert_eq!(log.lines().find(|line| line.contains(told)), None, "{told}");
    }
}

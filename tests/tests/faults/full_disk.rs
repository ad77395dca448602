//! A full disk: nothing is acknowledged or called saved that is not stored, and all goes on when there is room.

use taiwa_mobile_core::session::SaveState;
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    inspect::Contents,
    small_disk::SmallDisk,
    turn::my_turn,
    world::World,
};

/// Room for an empty server and a little more.
const SERVER_MIB: u32 = 24;
/// More than the pages take that the files have already.
const MOST_TRIES: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_room_acknowledges_nothing_and_goes_on_when_there_is() {
    let test = "a server without room acknowledges nothing and goes on when there is";
    let _turn = my_turn().await;
    let Some(disk) = SmallDisk::mount(test, SERVER_MIB) else { return };
    let folder = tempfile::tempdir_in(disk.path()).unwrap();
    let mut world = World::open_as_process_in("full disk", folder).await;
    let (member, manager) = (world.phone("tanaka").await, world.phone("sato").await);
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "余裕のあるうち。").await;
    member.settled().await;
    manager.eventually_reads(meeting, "余裕のあるうち。").await;

    disk.fill();
    let mut typed = String::from("余裕のあるうち。");
    let mut tries = 0;
    while !world.server_log().contains("storing changes") {
        tries += 1;
        assert!(tries < MOST_TRIES, "the server finds room on a full disk:\n{}", world.server_log());
        let word = format!("満杯{tries}。").repeat(40);
        member.type_into_memo(meeting, 0, &word).await;
        typed.insert_str(0, &word);
        // Stored, or refused: either way the server has given its answer before the next is typed.
        let log = world.server_log_file();
        eventually("the server stores it or says that it cannot", PATIENCE, || async {
            let refused = std::fs::read_to_string(&log).is_ok_and(|log| log.contains("storing changes"));
            (refused || member.unsent().await == 0).then_some(())
        })
        .await;
    }
    assert!(!world.server_log().contains("panicked"), "{}", world.server_log());
    // 送信待ち comes with the end of the connection, or after three seconds; 同期済み is never said.
    eventually("送信待ち", PATIENCE, || async {
        let state = member.session().save_state().await.unwrap();
        assert_ne!(state, SaveState::Synced, "the server has refused it");
        matches!(state, SaveState::Waiting { .. }).then_some(())
    })
    .await;

    disk.make_room();
    member.come_back();
    manager.come_back();
    member.settled().await;
    manager.eventually_reads(meeting, &typed).await;
    let document = member.memo_document(meeting).await;
    let stored = Contents::of_server(&world.database()).await.unwrap();
    let heads = member.memo_heads(meeting).await;
    assert!(heads.iter().all(|head| stored.changes_of(document).contains(head)), "what is synced is stored");
    world.stop_server().await;
}

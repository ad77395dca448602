//! The outbox on a real file: numbers, states, what is kept and what goes.

use std::path::Path;

use taiwa_shared::{
    domain::command::{Action, InvitationHash},
    ids::{PairId, UserId},
    protocol::commands::RejectionReason,
};

use super::*;
use crate::store::VaultKey;

const FIRST: StoreEpoch = StoreEpoch::from_bytes([1; 16]);
const SECOND: StoreEpoch = StoreEpoch::from_bytes([2; 16]);
/// Stands in every sealed field; must not be found in the file.
const SENTINEL: &str = "秘密の標識SENTINEL";

async fn open(path: &Path) -> Store {
    Store::open(path, &VaultKey::new([7; 32])).await.unwrap()
}

fn new(number: u8) -> NewCommand {
    NewCommand {
        id: CommandId::from_bytes([number; 16]),
        made: Timestamp::from_millis(number.into()),
        action: Action::Invite {
            person: UserId::from_bytes([1; 16]),
            pair: PairId::from_bytes([2; 16]),
            name: SENTINEL.to_owned(),
            email: SENTINEL.to_owned(),
            invitation: InvitationHash::of("a"),
        },
        about: CommandAbout { partner_name: SENTINEL.to_owned(), time: None },
        builds_on: None,
        secret: Some(Secret::new(SENTINEL)),
    }
}

fn id(number: u8) -> CommandId {
    CommandId::from_bytes([number; 16])
}

fn rejected() -> Outcome {
    Outcome::Rejected { reason: RejectionReason::AddressTaken, current: None }
}

fn numbers(commands: &[StoredCommand]) -> Vec<u64> {
    commands.iter().map(|command| command.sequence).collect()
}

#[tokio::test]
async fn a_number_is_never_given_twice_and_nothing_stands_readable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.taiwa");
    let store = open(&path).await;
    for number in 1..=3 {
        assert_eq!(store.add_command(new(number)).await.unwrap().sequence, u64::from(number));
    }
    // All of them are answered and forgotten, and the phone starts again.
    let answers: Vec<_> = (1..=3).map(|number| (id(number), Outcome::Applied)).collect();
    store.answer_commands(FIRST, Timestamp::from_millis(0), &answers).await.unwrap();
    store.settle_commands(&store.answered_commands().await.unwrap()).await.unwrap();
    store.forget_old_commands(Timestamp::default().plus(KEPT + Duration::from_millis(1))).await.unwrap();
    assert_eq!(store.commands().await.unwrap(), []);
    store.close().await;
    let store = open(&path).await;
    assert_eq!(store.add_command(new(4)).await.unwrap().sequence, 4);
    assert_eq!(store.commands().await.unwrap()[0].secret, Some(Secret::new(SENTINEL)));
    store.close().await;
    let bytes = std::fs::read(&path).unwrap();
    for text in [SENTINEL, "SENTINEL", "invite", "partner_name"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} stands in the file");
    }
}

#[tokio::test]
async fn what_another_epoch_answered_is_unanswered_in_this_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    for number in 1..=3 {
        store.add_command(new(number)).await.unwrap();
    }
    let at = Timestamp::from_millis(9);
    store.answer_commands(FIRST, at, &[(id(1), Outcome::Applied), (id(9), Outcome::Applied)]).await.unwrap();
    store.answer_commands(SECOND, at, &[(id(2), Outcome::Applied)]).await.unwrap();
    assert_eq!(numbers(&store.commands_unanswered_in(FIRST).await.unwrap()), [2, 3]);
    assert_eq!(numbers(&store.commands_unanswered_in(SECOND).await.unwrap()), [1, 3]);
    assert_eq!(store.waiting_commands().await.unwrap(), 1);
    assert_eq!(numbers(&store.unsettled_commands().await.unwrap()), [1, 2, 3]);
    store.settle_commands(&[1, 3]).await.unwrap();
    // What was never answered is not settled by anything.
    assert_eq!(numbers(&store.unsettled_commands().await.unwrap()), [2, 3]);
}

#[tokio::test]
async fn a_refused_command_stays_until_the_person_has_seen_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    store.add_command(new(1)).await.unwrap();
    store.answer_commands(FIRST, Timestamp::from_millis(0), &[(id(1), rejected())]).await.unwrap();
    store.settle_commands(&[1]).await.unwrap();
    let late = Timestamp::default().plus(KEPT * 2);
    store.forget_old_commands(late).await.unwrap();
    assert!(store.commands().await.unwrap()[0].needs_decision());
    assert!(store.see_to_commands(&[id(1)], Some(new(2))).await.unwrap());
    // A second tap on the same card gives no second command.
    assert!(!store.see_to_commands(&[id(1)], Some(new(3))).await.unwrap());
    assert_eq!(numbers(&store.commands().await.unwrap()), [1, 2]);
    store.forget_old_commands(late).await.unwrap();
    assert_eq!(numbers(&store.commands().await.unwrap()), [2], "what waits is never forgotten");
}

#[tokio::test]
async fn a_damaged_file_gives_its_commands_back_and_the_numbers_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.taiwa");
    let store = open(&path).await;
    for number in 1..=2 {
        store.add_command(new(number)).await.unwrap();
    }
    store.answer_commands(FIRST, Timestamp::from_millis(0), &[(id(1), Outcome::Applied)]).await.unwrap();
    let before = store.commands().await.unwrap();
    store.close().await;
    let (store, recovered) = Store::recover(&path, &VaultKey::new([7; 32])).await.unwrap();
    assert_eq!(store.commands().await.unwrap(), before);
    assert_eq!((recovered.unsent_kept, recovered.unsent_lost), (1, 0));
    let next = store.add_command(new(3)).await.unwrap().sequence;
    assert!(next > 1_000, "a command that could not be read had a smaller number than {next}");
}

#[tokio::test]
async fn a_damaged_page_costs_the_commands_on_it_and_no_others_and_they_are_counted() {
    const PAGE: usize = 4096;
    const TABLE_LEAF: u8 = 13;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.taiwa");
    let store = open(&path).await;
    for number in 1..=40 {
        store.add_command(new(number)).await.unwrap();
    }
    store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let holds_one = |page: &[u8]| page[0] == TABLE_LEAF && page.windows(16).any(|bytes| bytes == [20; 16]);
    let page = bytes.chunks_mut(PAGE).find(|page| holds_one(page)).expect("command 20 stands on a page of the table");
    page[0] = 0xff;
    std::fs::write(&path, bytes).unwrap();
    let (store, recovered) = Store::recover(&path, &VaultKey::new([7; 32])).await.unwrap();
    let kept = numbers(&store.commands().await.unwrap());
    assert!(kept.contains(&1) && kept.contains(&40) && !kept.contains(&20), "{kept:?}");
    assert_eq!(usize::try_from(recovered.unsent_kept).unwrap(), kept.len());
    assert_eq!(recovered.unsent_kept + recovered.unsent_lost, 40);
}

#[tokio::test]
async fn a_damaged_state_of_a_command_does_not_keep_the_store_from_being_recovered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.taiwa");
    let store = open(&path).await;
    store.add_command(new(1)).await.unwrap();
    for damage in ["pragma ignore_check_constraints = on", "update command set state = 5"] {
        sqlx::query(damage).execute(&store.0.write).await.unwrap();
    }
    store.close().await;
    let (store, recovered) = Store::recover(&path, &VaultKey::new([7; 32])).await.unwrap();
    assert_eq!((recovered.unsent_kept, recovered.unsent_lost), (1, 0));
    assert_eq!(store.commands().await.unwrap()[0].state, CommandState::Waiting);
}

#[tokio::test]
async fn a_disk_that_was_full_takes_commands_again_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a.taiwa")).await;
    let pages: i64 = sqlx::query_scalar("pragma page_count").fetch_one(&store.0.write).await.unwrap();
    let limit = format!("pragma max_page_count = {pages}");
    sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&store.0.write).await.unwrap();
    let mut taken = 0;
    while store.add_command(new(taken)).await.is_ok() {
        taken += 1;
    }
    assert_eq!(store.waiting_commands().await.unwrap(), u32::from(taken), "the control: the disk was full");
    sqlx::query("pragma max_page_count = 1000000").execute(&store.0.write).await.unwrap();
    store.add_command(new(taken)).await.unwrap();
    assert_eq!(store.waiting_commands().await.unwrap(), u32::from(taken) + 1);
}

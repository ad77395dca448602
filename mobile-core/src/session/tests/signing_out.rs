//! Signing out: what it asks about first, what it removes, and in which order.

use std::{io::ErrorKind, path::Path, sync::Arc, time::Duration};

use taiwa_shared::protocol::{commands::Outcome, commands::RejectionReason, login::Tokens, records::RecordEntry};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{MANAGER, MEMBER, PAIR, WAIT, company, copy_of, login, meeting, now, options, page, signed_in};
use crate::session::{MemoryVault, NotesOf, OnUnsent, SaveState, Session, SignedOut, Taiwa};

fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn signing_out_asks_about_text_that_stands_on_a_card_alone() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MEMBER).await;
    session.memo(meeting()).await.unwrap().splice(0, 0, "送れなかった行".to_owned()).await.unwrap();
    session.desk.apply_page(page(vec![RecordEntry::PairLost { pair: PAIR }])).await.unwrap();
    assert_eq!(session.unsent().await.unwrap(), 0, "a card is not sent any more");
    assert_eq!(session.save_state().await.unwrap(), SaveState::Synced);
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Unsent { changes: 1 });
    let cards = session.refused_edits().await.unwrap();
    assert_eq!(cards.iter().map(|card| card.text.as_str()).collect::<Vec<_>>(), ["送れなかった行"]);
    session.dismiss(cards[0].id).await.unwrap();
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Done);
}

#[tokio::test]
async fn signing_out_asks_about_a_refused_command_that_nobody_has_seen_to() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = signed_in(directory.path(), &vault, MANAGER).await;
    session.cancel_meeting(meeting()).await.unwrap();
    let command = session.core.store.commands().await.unwrap().remove(0).id;
    let refused = Outcome::Rejected { reason: RejectionReason::NotFound, current: None };
    session.core.store.answer_commands(page(vec![]).epoch, now(), &[(command, refused)]).await.unwrap();
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Unsent { changes: 1 });
    session.take_theirs(command).await.unwrap();
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Done);
}

#[tokio::test]
async fn signing_out_removes_every_damaged_file_of_this_person_and_of_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, _session) = signed_in(directory.path(), &vault, MEMBER).await;
    for left in [".damaged-1", ".damaged-1-wal", ".damaged-7", ".damaged-7-shm"] {
        std::fs::write(directory.path().join(format!("{MEMBER}.taiwa{left}")), "sealed").unwrap();
    }
    let of_another = format!("{MANAGER}.taiwa.damaged-1");
    std::fs::write(directory.path().join(&of_another), "sealed").unwrap();
    assert_eq!(taiwa.sign_out(OnUnsent::Discard).await.unwrap(), SignedOut::Done);
    assert_eq!(files(directory.path()), [of_another]);
}

/// A server on a line that takes requests and brings no answer; says when one for `path` arrives.
async fn silent_server(path: &'static str) -> (String, oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (says, asked) = oneshot::channel();
    let mut says = Some(says);
    tokio::spawn(async move {
        let mut held: Vec<TcpStream> = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            if String::from_utf8_lossy(&head[..read]).contains(path)
                && let Some(says) = says.take()
            {
                let _ = says.send(());
            }
            held.push(stream);
        }
    });
    (address, asked)
}

async fn signed_in_at(
    directory: &Path,
    vault: &Arc<MemoryVault>,
    server: &str,
    tokens_last: Duration,
) -> (Taiwa, Session) {
    let taiwa = Taiwa::open(options(directory, vault)).await.unwrap();
    let received = login(MEMBER);
    let tokens = Tokens { access_expires: now().plus(tokens_last), ..received.tokens.clone() };
    let received = taiwa_shared::protocol::login::LoginResponse { tokens, ..received };
    let session = taiwa.enter(received, &taiwa.http(server).unwrap()).await.unwrap();
    session.desk.apply_page(company()).await.unwrap();
    (taiwa, session)
}

#[tokio::test]
async fn what_was_given_up_is_gone_before_the_server_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (server, told) = silent_server("/v1/login/sign-out").await;
    let (taiwa, session) = signed_in_at(directory.path(), &vault, &server, Duration::from_secs(600)).await;
    session.add_note(NotesOf::Field, "捨てる".to_owned(), None).await.unwrap();
    let leaving = tokio::spawn(async move { taiwa.sign_out(OnUnsent::Discard).await });
    tokio::time::timeout(WAIT, told).await.unwrap().unwrap();
    // Swiped away while the server has not answered.
    let killed = copy_of(directory.path());
    assert_eq!(files(killed.path()), Vec::<String>::new());
    let again = Taiwa::open(options(killed.path(), &vault)).await.unwrap();
    assert!(again.session().await.is_none());
    leaving.abort();
    assert!(leaving.await.is_err_and(|ended| ended.is_cancelled()));
    assert_eq!(directory.path().join("current").metadata().unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn signing_out_does_not_wait_for_a_token_that_is_being_renewed() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (server, renewing) = silent_server("/v1/login/refresh").await;
    let (taiwa, session) = signed_in_at(directory.path(), &vault, &server, Duration::ZERO).await;
    tokio::time::timeout(WAIT, renewing).await.unwrap().unwrap();
    // What ends without the network: the goodbye has its own short limit.
    tokio::time::timeout(WAIT / 4, session.stop()).await.expect("the tasks end");
    taiwa.close().await;
}

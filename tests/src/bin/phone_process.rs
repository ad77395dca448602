//! A phone as a process of its own, so that it can be killed with -9; driven by lines on stdin.
//!
//! `phone-process <folder> <server> [<invitation>]` opens the folder and says `open`, signs in, or restores who was signed
//! in, and says `ready`. Then
//! `memo <meeting>` puts a memo on screen, `edit <n> <text>` types, `move <n> <meeting> <local start>` moves a
//! meeting, and `rate <n> <meeting> <step>` ends and rates one; the phone says `saved <n>` when that is on its disk (保存済み) and `acked <n>` when the server has stored
//! everything up to that one.

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use taiwa_mobile_core::{
    session::{Memo, Options, Session, SignIn, Taiwa, TokenVault, VaultError},
    sync::Backoff,
};
use taiwa_shared::{domain::meeting::MeetingTime, protocol::login::Secret, time::Zone};
use taiwa_tests::{tls::install_crypto, world::PASSWORD};
use tokio::{
    sync::mpsc::{Receiver, channel},
    time::{MissedTickBehavior, interval},
};

/// A memo is cleared when it is longer, so that an edit costs the same in every round.
const LONGEST_UTF16: usize = 400;
/// How often the phone is asked what the server has stored.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A vault that outlives the process, as the Keychain does; not secret, as the data of a test are not.
struct FileVault(PathBuf);

impl TokenVault for FileVault {
    fn load(&self) -> Result<Option<[u8; 32]>, VaultError> {
        match fs::read(&self.0) {
            Ok(key) => Ok(key.try_into().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VaultError { reason: error.to_string() }),
        }
    }

    fn store(&self, key: [u8; 32]) -> Result<(), VaultError> {
        fs::write(&self.0, key).map_err(|error| VaultError { reason: error.to_string() })
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    install_crypto();
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("a folder comes first")?);
    let server = arguments.next().context("the server's address comes second")?;
    let mut options = Options::new(&folder, Arc::new(FileVault(folder.join("vault"))));
    options.backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(300) };
    let taiwa = Taiwa::open(options).await?;
    println!("open");
    let session = match arguments.next() {
        Some(invitation) => {
            let (invitation, password) = (Secret::new(invitation), Secret::new(PASSWORD));
            taiwa.sign_in(&server, SignIn::Invitation { invitation, password }).await?
        }
        None => taiwa.session().await.context("nobody was signed in")?,
    };
    while session.pairs().is_empty() {
        session.refresh(Duration::from_secs(5)).await;
    }
    println!("ready");
    let saved = Arc::new(AtomicU64::new(0));
    tokio::spawn(say_acknowledged(session.clone(), saved.clone()));
    obey(&session, &saved).await?;
    taiwa.close().await;
    Ok(())
}

async fn obey(session: &Session, saved: &AtomicU64) -> Result<()> {
    let mut memo: Option<Memo> = None;
    let mut lines = lines_of_stdin();
    while let Some(line) = lines.recv().await {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["memo", meeting] => memo = Some(session.memo(meeting.parse()?).await?),
            ["edit", number, text] => {
                let memo = memo.as_ref().context("a memo comes before edits")?;
                let length = memo.shown().encode_utf16().count();
                if length > LONGEST_UTF16 {
                    memo.splice(0, length, String::new()).await?;
                }
                memo.splice(0, 0, text.to_owned()).await?;
                println!("saved {number}");
                saved.store(number.parse()?, Ordering::SeqCst);
            }
            ["move", number, meeting, starts] => {
                let time = MeetingTime { starts: starts.parse()?, zone: Zone::tokyo(), length_minutes: 30 };
                session.move_meeting(meeting.parse()?, time).await?;
                println!("saved {number}");
                saved.store(number.parse()?, Ordering::SeqCst);
            }
            ["rate", number, meeting, step] => {
                let (meeting, step) = (meeting.parse()?, step.parse::<u8>()?);
                session.finish_meeting(meeting).await?;
                session.rate(meeting, step.try_into().ok().context("a step of the scale")?, None).await?;
                println!("saved {number}");
                saved.store(number.parse()?, Ordering::SeqCst);
            }
            _ => bail!("unknown command {line:?}"),
        }
    }
    Ok(())
}

/// The lines, read by a thread that ends with the input or with whoever listens.
fn lines_of_stdin() -> Receiver<String> {
    let (says, said) = channel(64);
    std::thread::spawn(move || io::stdin().lines().map_while(Result::ok).try_for_each(|line| says.blocking_send(line)));
    said
}

/// Each edit is at least one change and the server stores them in order, so what is not waiting has been acknowledged.
async fn say_acknowledged(session: Session, saved: Arc<AtomicU64>) -> Result<()> {
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = 0;
    loop {
        ticks.tick().await;
        // Read first: edits saved meanwhile only make the answer smaller.
        let saved = saved.load(Ordering::SeqCst);
        let acknowledged = saved.saturating_sub(u64::from(session.unsent().await?));
        if acknowledged > said {
            said = acknowledged;
            println!("acked {acknowledged}");
        }
    }
}

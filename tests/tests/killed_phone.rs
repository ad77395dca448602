//! Nothing is lost when a phone is killed with -9 under editing: what it called saved is on it and arrives.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use rand::RngExt;
use taiwa_mobile_core::store::{Store, VaultKey};
use taiwa_shared::{ids::MeetingId, protocol::ratings::OwnRatings};
use taiwa_tests::{
    eventually::{PATIENCE, eventually},
    inspect::Contents,
    link::Link,
    phone::Phone,
    process::{Reaped, binary},
    rest::Rest,
    turn::my_turn,
    world::{World, invitation_in},
};

use crate::killed_server;

/// What a round must have acknowledged before the kill.
const ACKNOWLEDGED: u64 = 200;
/// Edits given to the phone ahead of its word that they are saved.
const AHEAD: u64 = 4;

/// What a phone process has said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Word {
    saved: u64,
    acknowledged: u64,
}

/// A phone that can be killed.
pub(crate) struct PhoneProcess {
    process: Reaped,
    said: Receiver<String>,
    word: Word,
}

impl PhoneProcess {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(folder: &Path, server: &str, invitation: Option<&str>) -> Self {
        let phone = Self::spawn(folder, server, invitation);
        for expected in ["open", "ready"] {
            assert_eq!(phone.said.recv_timeout(PATIENCE).expect("the phone starts"), expected);
        }
        phone
    }

    /// Starts it.
    pub(crate) fn spawn(folder: &Path, server: &str, invitation: Option<&str>) -> Self {
        let mut command = Command::new(binary("phone-process"));
        command.arg(folder).arg(server).args(invitation).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Reaped::new(command.spawn().unwrap());
        let output = BufReader::new(process.child().stdout.take().unwrap());
        let (says, said) = channel();
        // Ends with the pipe.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| says.send(line)));
        Self { process, said, word: Word::default() }
    }

    /// Whether it has opened its folder.
    pub(crate) fn is_open(&self) -> bool {
        self.said.try_recv().is_ok_and(|line| line == "open")
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.process.child().stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// The last edit that it has called saved.
    pub(crate) fn saved(&self) -> u64 {
        self.word.saved
    }

    fn note(&mut self, line: &str) {
        let (what, number) = line.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        match what {
            "saved" => self.word.saved = number,
            "acked" => self.word.acknowledged = number,
            _ => panic!("the phone says {line}"),
        }
    }

    pub(crate) fn listen(&mut self) {
        let line = self.said.recv_timeout(PATIENCE).expect("the phone goes on");
        self.note(&line);
    }

    /// Kills it, and hears what it had said until then.
    pub(crate) fn kill(mut self) -> Word {
        let Self { process, said, .. } = &mut self;
        process.child().kill().unwrap();
        process.child().wait().unwrap();
        let rest: Vec<String> = said.iter().collect();
        for line in rest.iter().filter(|line| !["open", "ready"].contains(&line.as_str())) {
            self.note(line);
        }
        self.word
    }
}

/// A text that begins unlike its neighbours: a phone writes what differs from what was there, and a mark must stand in
/// the history in one piece.
pub(crate) fn mark(round: u64, number: u64) -> String {
    let first = u32::try_from(0x4e00 + number % 0x2000).ok().and_then(char::from_u32).unwrap();
    format!("{first}{round}.{number}。")
}

/// The store of a phone whose process is gone.
pub(crate) async fn contents(folder: &Path, owner: &Phone) -> Contents {
    let key = std::fs::read(folder.join("vault")).unwrap().try_into().unwrap();
    let store = Store::open(&folder.join(format!("{}.taiwa", owner.user())), &VaultKey::new(key)).await.unwrap();
    let contents = Contents::of_phone(&store).await.unwrap();
    store.close().await;
    contents
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_saved_is_lost_when_a_phone_is_killed_again_and_again() {
    let _turn = my_turn().await;
    let world = World::open("killed phone").await;
    let mut random = world.seed().generator("kills");
    let tablet = world.phone("tanaka").await;
    let manager = world.phone("sato").await;
    // Several memos in turn, so that a round does not pay for the history of all before it.
    let upcoming = tablet.session().upcoming().await.unwrap();
    let meetings: Vec<MeetingId> = upcoming.iter().map(|upcoming| upcoming.meeting).collect();
    let line = Link::open(world.address(), world.seed()).await.unwrap();
    let server = format!("http://{}", line.address());
    let folder = tempfile::tempdir().unwrap();
    let link = world.company().invite(world.folder(), "tanaka").await.unwrap();
    let mut invitation = Some(invitation_in(&link).unwrap());
    let mut unacknowledged_in_any_round = 0;

    let rounds = killed_server::rounds() as u64;
    for round in 1..=rounds {
        let started = Instant::now();
        let meeting = meetings[usize::try_from(round).unwrap() % meetings.len()];
        let document = tablet.memo_document(meeting).await;
        let mut phone = PhoneProcess::start(folder.path(), &server, invitation.take());
        phone.tell(&format!("memo {meeting}"));
        let enough = ACKNOWLEDGED + random.random_range(0..30);
        // Every other round the line dies first, so that edits wait on the phone when it is killed.
        let after_the_line_died = if round % 2 == 0 { random.random_range(5..30) } else { 0 };
        let mut told = 0;
        while phone.word.acknowledged < enough {
            while told < phone.word.saved + AHEAD {
                told += 1;
                phone.tell(&format!("edit {told} {}", mark(round, told)));
            }
            phone.listen();
        }
        if after_the_line_died > 0 {
            line.partition();
            let last = phone.word.saved + after_the_line_died;
            while phone.word.saved < last {
                while told < phone.word.saved + AHEAD {
                    told += 1;
                    phone.tell(&format!("edit {told} {}", mark(round, told)));
                }
                phone.listen();
            }
        }
        let word = phone.kill();
        line.cut();

        let history = contents(folder.path(), &tablet).await.history_of(document);
        let lost: Vec<_> = (1..=word.saved).filter(|number| !history.contains(&mark(round, *number))).collect();
        assert_eq!(lost, Vec::<u64>::new(), "round {round}: saved and not on the phone");
        assert!(word.acknowledged >= ACKNOWLEDGED, "round {round}: only {} acknowledged", word.acknowledged);
        let stored = Contents::of_server(&world.database()).await.unwrap().history_of(document);
        let lost: Vec<_> = (1..=word.acknowledged).filter(|number| !stored.contains(&mark(round, *number))).collect();
        assert_eq!(lost, Vec::<u64>::new(), "round {round}: acknowledged and not in the database");
        unacknowledged_in_any_round += word.saved - word.acknowledged;
        println!(
            "kill -9 of a phone, round {round}: {} saved, {} acknowledged, {} waiting on the phone, 0 lost, {} ms",
            word.saved,
            word.acknowledged,
            word.saved - word.acknowledged,
            started.elapsed().as_millis()
        );
        line.heal();

        // The phone opens again and brings the rest by itself.
        let phone = PhoneProcess::start(folder.path(), &server, None);
        eventually("every saved edit arrives", PATIENCE, || async {
            let history = Contents::of_server(&world.database()).await.unwrap().history_of(document);
            (1..=word.saved).all(|number| history.contains(&mark(round, number))).then_some(())
        })
        .await;
        phone.kill();
    }
    assert!(unacknowledged_in_any_round > 0, "no kill met an edit that waited");
    for meeting in &meetings {
        manager.memo_text(*meeting).await;
    }
    eventually("the other phone has every round", PATIENCE, || async {
        let contents = manager.contents().await;
        let histories: Vec<_> = contents.documents().map(|document| contents.history_of(document)).collect();
        let has = |round| histories.iter().any(|history| history.contains(&mark(round, ACKNOWLEDGED)));
        (1..=rounds).all(has).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rating_outlives_a_kill_and_arrives_once() {
    let world = World::open("killed while a rating waits").await;
    let tablet = world.phone("tanaka").await;
    let upcoming = tablet.session().upcoming().await.unwrap();
    let line = Link::open(world.address(), world.seed()).await.unwrap();
    let server = format!("http://{}", line.address());
    let folder = tempfile::tempdir().unwrap();
    let link = world.company().invite(world.folder(), "tanaka").await.unwrap();
    let mut phone = PhoneProcess::start(folder.path(), &server, Some(invitation_in(&link).unwrap()));
    let ratings = async || {
        let token = world.access_token("tanaka").await;
        let own = Rest::new(world.address()).with_token(token).get("/v1/ratings").await.unwrap();
        own.into::<OwnRatings>().unwrap().ratings
    };
    // One at a time: killed while it waits, and once more after it was given again.
    for (number, step) in [(1, 2_u8), (2, 5)] {
        line.go_down();
        phone.tell(&format!("rate {number} {} {step}", upcoming[0].meeting));
        while phone.saved() < number {
            phone.listen();
        }
        phone.kill();
        line.heal();
        phone = PhoneProcess::start(folder.path(), &server, None);
        eventually("the rating arrives", PATIENCE, || async {
            (ratings().await.iter().map(|rating| u8::from(rating.talked)).eq([step])).then_some(())
        })
        .await;
    }
    phone.kill();
    let contents = Contents::of_server(&world.database()).await.unwrap();
    assert_eq!(contents.values_in("rating", "ticket"), 1, "however often it was given and sent");
}

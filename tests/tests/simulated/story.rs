//! What happens in a simulation: people edit, lines fail, the server crashes, somebody loses access; then calm.

use std::{collections::BTreeSet, time::Duration};

use automerge::ChangeHash;
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use taiwa_server::{store::pairs::Sight, sync::HubLimits};
use taiwa_shared::{
    domain::ownership::DocumentKey,
    ids::{DocumentId, PairId, UserId},
};
use taiwa_tests::{
    seed::Seed,
    simulated::{
        device::Device,
        house::{FIRST, House, ITO, SATO, SECOND, TANAKA, documents_of},
        network::{Counts, Direction, Network},
        time::Gate,
    },
};
use tokio::time::{Instant, sleep, timeout};

use super::checks;

/// After this much simulated calm everybody has everything: longer than every timeout of server and client together.
const CALM: Duration = Duration::from_secs(300);
/// Nobody says anything about a document for this long once all have everything.
const SILENCE: Duration = Duration::from_secs(30);

/// What happens to a line. Each happens once in a simulation that is long enough, and then by chance.
const LINE_ACCIDENTS: [&str; 9] = [
    "connections cut",
    "connection lost in silence",
    "client's bytes held",
    "server's bytes held",
    "partition",
    "line refuses",
    "line slow",
    "connection breaks at a byte",
    "line healed",
];
/// What happens to the server, by number: asked to stop, left alone, crashed (twice as often), crashed at work (likewise).
const SERVER_ACCIDENTS: usize = 6;

/// Somebody's device.
pub(super) struct Owned {
    pub(super) user: UserId,
    pub(super) device: Device,
}

impl Owned {
    /// What the person may change.
    fn writable(&self) -> Vec<DocumentId> {
        let memos = |pair| documents_of(pair).into_iter().filter(|key| matches!(key, DocumentKey::Memo { .. }));
        let keys: Vec<DocumentKey> = match self.user {
            TANAKA => documents_of(FIRST).to_vec(),
            ITO => documents_of(SECOND).to_vec(),
            _ => memos(FIRST).chain(memos(SECOND)).collect(),
        };
        keys.iter().map(|key| key.document_id(0)).collect()
    }
}

/// What becomes of somebody's access; of ten seeds in a row each has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Kept,
    Withdrawn,
    /// Withdrawn, and granted again at the end.
    GivenBack,
}

/// Access that somebody lost, and what was so when the server had heard of it.
pub(super) struct Withdrawn {
    pub(super) user: UserId,
    pub(super) pair: PairId,
    /// Frames said until then, by line.
    pub(super) said: Vec<usize>,
    /// What their devices had made until then.
    pub(super) made: BTreeSet<ChangeHash>,
}

/// A simulation under way.
pub(super) struct Story {
    random: StdRng,
    gate: Gate,
    pub(super) network: Network,
    pub(super) house: House,
    pub(super) devices: Vec<Owned>,
    pub(super) withdrawn: Option<Withdrawn>,
    /// What has to happen yet, last first.
    lines_due: Vec<usize>,
    servers_due: Vec<usize>,
    access: Access,
    begun: Instant,
    trace: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what happened:\n{}", self.trace.join("\n"));
        }
    }
}

impl Story {
    pub(super) async fn begin(seed: Seed, gate: Gate, database: Option<String>) -> Self {
        let mut random = seed.generator("story");
        let hasty = HubLimits {
            quiet_after: Duration::from_millis(50),
            evict_after: Duration::from_millis(200),
            tick: Duration::from_millis(100),
            access_recheck: Duration::from_secs(1),
            pack_rows: 3,
            ..HubLimits::default()
        };
        let limits = if random.random_bool(0.5) { hasty } else { HubLimits::default() };
        let mut house = House::build(&gate, limits, database).await.unwrap();
        let people = [TANAKA, SATO, ITO, TANAKA, SATO];
        let count = random.random_range(3..=people.len());
        let network = Network::new(seed, count);
        house.start(&network).await.unwrap();
        let mut devices = Vec::new();
        for (line, user) in people.into_iter().take(count).enumerate() {
            let token = house.sign_in(user, line as u8 + 1).await.unwrap();
            let documents: Vec<DocumentKey> = match user {
                TANAKA => documents_of(FIRST).to_vec(),
                ITO => documents_of(SECOND).to_vec(),
                _ => [documents_of(FIRST), documents_of(SECOND)].concat(),
            };
            let of_device = seed.generator(&format!("device/{line}"));
            devices.push(Owned { user, device: Device::start(&network, line, &token, &documents, of_device).unwrap() });
        }
        let access = match seed.turn(10) {
            0..4 => Access::Kept,
            4..7 => Access::Withdrawn,
            _ => Access::GivenBack,
        };
        let mut due = |count: usize| {
            let mut due: Vec<usize> = (0..count).collect();
            due.shuffle(&mut random);
            due
        };
        let (lines_due, servers_due) = (due(LINE_ACCIDENTS.len()), due(SERVER_ACCIDENTS));
        let mut story = Self {
            random,
            gate,
            network,
            house,
            devices,
            withdrawn: None,
            lines_due,
            servers_due,
            access,
            begun: Instant::now(),
            trace: Vec::new(),
        };
        story.note(format!("{count} devices, {limits:?}"));
        story
    }

    /// Edits and accidents.
    pub(super) async fn storm(&mut self) {
        let steps = self.random.random_range(40..100);
        let withdrawal = self.random.random_range(0..steps);
        for step in 0..steps {
            match self.random.random_range(0..100) {
                0..53 => self.edit(),
                53..62 => self.move_caret(),
                62..90 => self.line_accident(),
                90..97 => self.server_accident().await,
                _ => (0..self.devices.len()).for_each(|line| self.network.heal(line)),
            }
            if step == withdrawal && self.access != Access::Kept {
                self.withdraw().await;
            }
            self.pause().await;
        }
        if !self.house.is_up() {
            self.bring_up().await;
        }
    }

    /// The network heals, and everybody gets everything that they may see.
    pub(super) async fn calm_down(&mut self) {
        self.note("calm");
        (0..self.devices.len()).for_each(|line| self.network.heal(line));
        if self.withdrawn.is_some() && self.access == Access::GivenBack {
            // What was under way arrives, so that the check is about everything that was ever said.
            sleep(SILENCE).await;
            checks::nothing_after_withdrawal(self).await;
            let withdrawn = self.withdrawn.take().unwrap();
            self.house.set_sight(withdrawn.user, withdrawn.pair, Sight::Granted).await.unwrap();
            self.network.count("access given back");
        }
        let calm = async {
            while !checks::is_converged(self) {
                for owned in &self.devices {
                    let withdrawn = self.withdrawn.as_ref().filter(|withdrawn| withdrawn.user == owned.user);
                    let lost: Vec<DocumentId> = withdrawn.map_or(Vec::new(), Withdrawn::documents);
                    let documents = owned.device.documents().into_iter().filter(|document| !lost.contains(document));
                    documents.for_each(|document| owned.device.allow(document));
                }
                sleep(Duration::from_millis(500)).await;
            }
        };
        assert!(timeout(CALM, calm).await.is_ok(), "not within {CALM:?} of calm: {}", checks::what_differs(self));
    }

    /// Silence, the last checks, and what happened.
    pub(super) async fn end(mut self) -> Counts {
        sleep(Duration::from_secs(5)).await;
        let said: Vec<usize> = (0..self.devices.len()).map(|line| self.network.said(line).len()).collect();
        sleep(SILENCE).await;
        checks::nobody_spoke_since(&self, &said);
        checks::everything_is_as_it_should(&mut self).await;
        for owned in &self.devices {
            let (carets, news) = owned.device.heard();
            for (heard, what) in [(carets, "caret heard"), (news, "news heard")] {
                (0..heard).for_each(|_| self.network.count(what));
            }
        }
        self.devices.clear();
        self.house.crash().await.unwrap();
        self.network.counts()
    }

    /// Lets simulated time pass: mostly moments, sometimes longer than somebody's patience.
    async fn pause(&mut self) {
        let millis = match self.random.random_range(0..100) {
            0..60 => self.random.random_range(0..20),
            60..95 => self.random.random_range(20..800),
            _ => self.random.random_range(800..30_000),
        };
        sleep(Duration::from_millis(millis)).await;
        for owned in &self.devices {
            assert_eq!(owned.device.complaint(), None, "the server did what it must not");
        }
    }

    fn edit(&mut self) {
        let chosen = self.random.random_range(0..self.devices.len());
        let documents = self.devices[chosen].writable();
        let document = documents[self.random.random_range(0..documents.len())];
        for _ in 0..self.random.random_range(1..4) {
            self.devices[chosen].device.edit(document, &mut self.random).unwrap();
            self.network.count("edit");
        }
    }

    fn move_caret(&mut self) {
        let chosen = self.random.random_range(0..self.devices.len());
        let documents = self.devices[chosen].device.documents();
        self.devices[chosen].device.move_caret(documents[self.random.random_range(0..documents.len())]);
    }

    fn line_accident(&mut self) {
        let line = self.random.random_range(0..self.devices.len());
        let accident = self.lines_due.pop().unwrap_or_else(|| self.random.random_range(0..LINE_ACCIDENTS.len()));
        let what = LINE_ACCIDENTS[accident];
        match what {
            "connections cut" => self.network.cut(line),
            "connection lost in silence" => self.network.lose(line),
            "client's bytes held" => self.network.hold(line, Direction::Up),
            "server's bytes held" => self.network.hold(line, Direction::Down),
            "partition" => {
                self.network.hold(line, Direction::Up);
                self.network.hold(line, Direction::Down);
            }
            "line refuses" => self.network.refuse(line),
            "line slow" => self.network.slow(line),
            "connection breaks at a byte" => {
                let longest = if self.random.random_bool(0.5) { 400 } else { 4_000 };
                self.network.break_after(line, self.random.random_range(1..longest));
            }
            _ => self.network.heal(line),
        }
        self.network.count(what);
        self.note(format!("line {line}: {what}"));
    }

    async fn server_accident(&mut self) {
        if !self.house.is_up() {
            return;
        }
        match self.servers_due.pop().unwrap_or_else(|| self.random.random_range(0..SERVER_ACCIDENTS)) {
            0 => {
                self.note("server asked to stop");
                self.house.stop().await.unwrap();
                self.network.count("server asked to stop");
            }
            1 => self.quiet_spell().await,
            2 | 3 => {
                self.house.crash().await.unwrap();
                self.network.count("server crashed");
                self.note("server crashed");
            }
            _ => {
                (0..4).for_each(|_| self.edit());
                if timeout(Duration::from_secs(2), self.gate.store_at_work()).await.is_ok() {
                    self.network.count("server crashed while its database worked");
                }
                self.house.crash().await.unwrap();
                self.network.count("server crashed");
                self.note("server crashed at work");
            }
        }
        if self.house.is_up() {
            return;
        }
        // What it had written before that still arrives, on lines that carry it.
        for _ in 0..self.random.random_range(0..4) {
            self.edit();
            self.pause().await;
        }
        sleep(Duration::from_millis(100)).await;
        self.bring_up().await;
    }

    async fn bring_up(&mut self) {
        checks::what_was_told_is_stored(self).await;
        self.house.start(&self.network).await.unwrap();
        self.note("server up");
    }

    /// Everybody is away until the server has closed every document.
    async fn quiet_spell(&mut self) {
        self.note("everybody away");
        let (before, lines) = (self.house.open_documents(), 0..self.devices.len());
        lines.clone().for_each(|line| self.network.refuse(line));
        sleep(Duration::from_secs(80)).await;
        if before > 0 && self.house.open_documents() == 0 {
            self.network.count("documents evicted");
        }
        lines.for_each(|line| self.network.heal(line));
    }

    async fn withdraw(&mut self) {
        if self.withdrawn.is_some() || !self.house.is_up() {
            return;
        }
        let (user, pair) =
            [(TANAKA, FIRST), (ITO, SECOND), (SATO, FIRST), (SATO, SECOND)][self.random.random_range(0..4)];
        self.house.set_sight(user, pair, Sight::Lost).await.unwrap();
        // Time passes only when nobody has anything to do: after this the server has heard.
        sleep(Duration::from_millis(1)).await;
        let said = (0..self.devices.len()).map(|line| self.network.said(line).len()).collect();
        let mut withdrawn = Withdrawn { user, pair, said, made: BTreeSet::new() };
        for owned in self.devices.iter().filter(|owned| owned.user == user) {
            for document in withdrawn.documents() {
                withdrawn.made.extend(owned.device.made(document).into_iter().map(|(hash, _)| hash));
            }
        }
        self.withdrawn = Some(withdrawn);
        self.network.count("access withdrawn");
        self.note(format!("{user} no longer sees {pair}"));
    }

    fn note(&mut self, what: impl Into<String>) {
        self.trace.push(format!("{:>9.3} s  {}", self.begun.elapsed().as_secs_f64(), what.into()));
    }
}

impl Withdrawn {
    /// What they may not see any more.
    pub(super) fn documents(&self) -> Vec<DocumentId> {
        documents_of(self.pair).iter().map(|key| key.document_id(0)).collect()
    }
}

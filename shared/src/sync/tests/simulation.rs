//! Random conversations with every kind of accident; at rest all heads are equal and nobody talks.

use std::collections::VecDeque;

use automerge::sync::State;

use super::{Hub, Phone, Seeded, Stock, document, edit, relay, user, writer};

enum Client {
    Stock(Box<Stock>),
    Phone(Box<Phone>),
}

struct Link {
    client: Client,
    connected: bool,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
    role: super::PeerRole,
}

struct World {
    rng: Seeded,
    hub: Hub,
    links: Vec<Link>,
    messages: usize,
    refused: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Seeded(seed);
        let clients = 2 + rng.below(3);
        let links = (0..clients)
            .map(|n| {
                let names_author = rng.one_in(2);
                let doc = document(&mut rng, names_author.then(|| user(n as u8)));
                let client = match rng.one_in(2) {
                    true => Client::Phone(Box::new(Phone::new(doc))),
                    false => Client::Stock(Box::new(Stock { doc, state: State::new() })),
                };
                let role = writer(n as u8);
                Link { client, connected: false, up: VecDeque::new(), down: VecDeque::new(), role }
            })
            .collect();
        Self { rng, hub: Hub::new(), links, messages: 0, refused: 0 }
    }

    fn connect(&mut self, n: usize) {
        let keeps_state = self.rng.one_in(2);
        let link = &mut self.links[n];
        if link.connected {
            return;
        }
        link.connected = true;
        self.hub.sync.connect(n, link.role);
        match &mut link.client {
            Client::Stock(stock) if keeps_state => stock.state = State::decode(&stock.state.encode()).unwrap(),
            Client::Stock(stock) => stock.state = State::new(),
            Client::Phone(phone) => {
                let acknowledged: Vec<_> = phone.store.keys().copied().collect();
                let mut acknowledged = phone.sync.acknowledged((), &acknowledged);
                acknowledged.sort_unstable();
                phone.sync.connect((), relay());
                if keeps_state {
                    phone.sync.seed_shared_heads((), &acknowledged[..acknowledged.len().min(2)]);
                }
            }
        }
    }

    fn disconnect(&mut self, n: usize) {
        let link = &mut self.links[n];
        link.connected = false;
        link.up.clear();
        link.down.clear();
        self.hub.sync.disconnect(n);
    }

    fn edit(&mut self, n: usize) {
        match &mut self.links[n].client {
            Client::Stock(stock) => edit(&mut stock.doc, &mut self.rng),
            Client::Phone(phone) => phone.edit(&mut self.rng),
        }
    }

    fn client_sends(&mut self, n: usize) -> bool {
        let link = &mut self.links[n];
        if !link.connected {
            return false;
        }
        let message = match &mut link.client {
            Client::Stock(stock) => stock.send(),
            Client::Phone(phone) => phone.send(),
        };
        let said = message.is_some();
        link.up.extend(message);
        self.messages += usize::from(said);
        said
    }

    fn hub_sends(&mut self, n: usize) -> bool {
        if !self.links[n].connected {
            return false;
        }
        let message = self.hub.send(n);
        let said = message.is_some();
        self.links[n].down.extend(message);
        self.messages += usize::from(said);
        said
    }

    fn client_receives(&mut self, n: usize) -> bool {
        let Some(data) = self.links[n].down.pop_front() else { return false };
        let result = match &mut self.links[n].client {
            Client::Stock(stock) => {
                stock.receive(&data);
                Ok(())
            }
            Client::Phone(phone) => phone.receive(&data),
        };
        self.judge(n, result);
        true
    }

    fn hub_receives(&mut self, n: usize) -> bool {
        let Some(data) = self.links[n].up.pop_front() else { return false };
        let result = self.hub.receive(n, &data).map(|_| ());
        self.judge(n, result);
        true
    }

    fn judge(&mut self, n: usize, result: Result<(), super::Rejection>) {
        if let Err(rejection) = result {
            assert!(!rejection.is_hostile(), "an honest peer was refused: {rejection}");
            self.refused += 1;
            self.disconnect(n);
        }
    }

    fn disconnect_all(&mut self) {
        for n in 0..self.links.len() {
            self.disconnect(n);
        }
    }

    fn accident(&mut self) {
        match self.rng.below(12) {
            0..=5 => {
                let n = self.rng.below(self.links.len());
                self.disconnect(n);
            }
            6 | 7 => {
                self.hub.staged.clear();
                self.hub.sync.rollback();
                self.disconnect_all();
            }
            8 | 9 => {
                self.hub.reopen();
                self.disconnect_all();
            }
            10 => {
                // A restore without any data: for a while anybody may bring anybody's changes.
                let authors = std::mem::take(&mut self.hub.authors);
                self.hub = Hub { authors, ..Hub::new() };
                self.hub.reopen();
                self.disconnect_all();
                self.links.iter_mut().for_each(|link| link.role = relay());
            }
            _ => {}
        }
    }

    fn step(&mut self) {
        let n = self.rng.below(self.links.len());
        match self.rng.below(100) {
            0..=24 => self.edit(n),
            25..=39 => drop(self.client_sends(n)),
            40..=54 => drop(self.hub_receives(n)),
            55..=64 => self.hub.commit(),
            65..=79 => drop(self.hub_sends(n)),
            80..=92 => drop(self.client_receives(n)),
            93..=97 => self.connect(n),
            _ => self.accident(),
        }
    }

    /// Everybody connected, no more edits: talk until nobody has anything to say.
    fn settle(&mut self) {
        let before = self.messages;
        let mut rounds = 0;
        loop {
            let mut busy = false;
            for n in 0..self.links.len() {
                if !self.links[n].connected {
                    self.connect(n);
                }
                busy |= self.client_sends(n);
                while self.hub_receives(n) {
                    busy = true;
                }
            }
            self.hub.commit();
            for n in 0..self.links.len() {
                while self.hub_sends(n) {
                    busy = true;
                }
                while self.client_receives(n) {
                    busy = true;
                }
            }
            if !busy && self.links.iter().all(|link| link.connected) {
                break;
            }
            rounds += 1;
            assert!(rounds < 40, "they do not stop talking");
        }
        let talk = self.messages - before;
        assert!(talk <= 24 * self.links.len(), "{talk} messages for {} clients to settle", self.links.len());
    }

    fn check_equal(&mut self) {
        let heads = self.hub.sync.heads();
        for (n, link) in self.links.iter_mut().enumerate() {
            let theirs = match &mut link.client {
                // Automerge's own state sees no need to acknowledge heads that we happened to name first.
                Client::Stock(stock) => stock.doc.get_heads(),
                Client::Phone(phone) => {
                    assert!(self.hub.sync.peer_has_all(n), "the hub does not know that phone {n} has everything");
                    assert_eq!(phone.sync.heads(), heads, "phone {n} differs from the hub");
                    assert!(phone.sync.peer_has_all(()), "phone {n} does not know that the hub has everything");
                    phone.doc.get_heads()
                }
            };
            assert_eq!(theirs, heads, "client {n} differs from the hub");
        }
    }
}

/// Worlds per test run; a change to the engine is worth `SYNC_RUNS=5000` once.
const RUNS: u64 = 40;

/// Names the seed if the test panics.
pub(super) struct NameSeed(pub(super) u64);

impl Drop for NameSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SYNC_SEED={}", self.0);
        }
    }
}

fn run(seed: u64) -> usize {
    let _seed = NameSeed(seed);
    let mut world = World::new(seed);
    let rounds = 1 + world.rng.below(3);
    for _ in 0..rounds {
        for _ in 0..100 + world.rng.below(300) {
            world.step();
        }
        world.settle();
        world.check_equal();
    }
    world.refused
}

#[test]
fn replicas_converge_through_any_accident_and_fall_silent() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SYNC_SEED") {
        run(seed);
        return;
    }
    let runs = number("SYNC_RUNS").unwrap_or(RUNS);
    let refused: usize = (1..=runs).map(run).sum();
    assert_eq!(refused, 0, "honest sessions had to start afresh");
}

//! The people, their phones, the lines and the accidents.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::{
    super::{Seeded, user, writer},
    phone::{self, Phone},
    server::{self, Server},
};
use crate::sync::{
    chunks::{ActorId, ChangeHash, StoredChange},
    document::{Authors, PeerAccess, PeerRole},
};

/// What has to happen often enough for a run to mean something.
pub(super) const ACCIDENTS: [&str; 15] = [
    "edit",
    "edit lost before it was shown as saved",
    "phone died after storing",
    "phone died over a message",
    "server died before storing",
    "server died after storing",
    "store failed",
    "evicted",
    "folded",
    "line broke",
    "old line delivered late",
    "partition",
    "access changed",
    "backup restored",
    "hostile message",
];

/// A connection, as the server numbers them; the phone may have another one by now.
struct Line {
    device: usize,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
}

pub(super) struct World {
    rng: Seeded,
    server: Server,
    phones: Vec<Phone>,
    /// What the phone talks on.
    current: Vec<Option<usize>>,
    lines: BTreeMap<usize, Line>,
    next_line: usize,
    /// Steps until the phone can connect again.
    away: Vec<u32>,
    access: Vec<Option<PeerAccess>>,
    /// After a restore anybody may bring anybody's changes.
    is_restored: bool,
    /// Every change that was shown as saved.
    saved: BTreeSet<ChangeHash>,
    authors: HashMap<ActorId, u8>,
    overheard: VecDeque<Vec<u8>>,
    messages: usize,
    /// How many there may have been when all is settled; none while things happen.
    quiet_after: Option<usize>,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Seeded(seed);
        let people = 2 + rng.below(2);
        let devices = people + rng.below(3);
        let phones: Vec<_> = (0..devices).map(|n| Phone::new((n % people) as u8, &mut rng)).collect();
        Self {
            server: Server::new(),
            current: vec![None; devices],
            away: vec![0; devices],
            access: vec![Some(PeerAccess::Write); people],
            phones,
            rng,
            lines: BTreeMap::new(),
            next_line: 0,
            is_restored: false,
            saved: BTreeSet::new(),
            authors: HashMap::new(),
            overheard: VecDeque::new(),
            messages: 0,
            quiet_after: None,
            counts: BTreeMap::new(),
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn role(&self, device: usize) -> Option<PeerRole> {
        let person = self.phones[device].user;
        let access = self.access[usize::from(person)]?;
        let authors = if self.is_restored { Authors::Relayed } else { Authors::Only(user(person)) };
        Some(PeerRole { access, authors })
    }

    fn connect(&mut self, device: usize) {
        let Some(role) = self.role(device) else { return };
        if self.current[device].is_some() || self.away[device] > 0 {
            return;
        }
        let line = self.next_line;
        self.next_line += 1;
        self.server.sync.connect(line, role);
        let remembers = self.rng.one_in(2);
        self.phones[device].connect(remembers);
        self.lines.insert(line, Line { device, up: VecDeque::new(), down: VecDeque::new() });
        self.current[device] = Some(line);
    }

    /// The phone notices that its line is gone; the server may notice later, and deliver what was on it.
    fn break_line(&mut self, device: usize, server_notices: bool) {
        let Some(line) = self.current[device].take() else { return };
        self.note("line broke");
        if server_notices {
            self.close(line);
        }
    }

    fn close(&mut self, line: usize) {
        self.lines.remove(&line);
        self.server.sync.disconnect(line);
        self.current.iter_mut().filter(|current| **current == Some(line)).for_each(|current| *current = None);
    }

    fn close_all(&mut self) {
        let all: Vec<_> = self.lines.keys().copied().collect();
        all.into_iter().for_each(|line| self.close(line));
    }

    fn edit(&mut self, device: usize) {
        let dies = match self.rng.below(30) {
            0 => phone::Dies::BeforeStoring,
            1 => phone::Dies::AfterStoring,
            _ => phone::Dies::Not,
        };
        let phone = &mut self.phones[device];
        let before: BTreeSet<_> = phone.disk.keys().copied().collect();
        let is_saved = phone.edit(&mut self.rng, dies);
        for (hash, bytes) in phone.disk.iter().filter(|(hash, _)| !before.contains(hash)) {
            self.saved.insert(*hash);
            let actor = StoredChange::read(bytes.clone()).unwrap().header.actor;
            self.authors.insert(actor, phone.user);
        }
        self.note(if is_saved { "edit" } else { "edit lost before it was shown as saved" });
        if dies != phone::Dies::Not {
            if is_saved {
                self.note("phone died after storing");
            }
            self.break_line(device, false);
        }
    }

    fn count_message(&mut self) {
        self.messages += 1;
        let most = self.quiet_after.unwrap_or(usize::MAX);
        assert!(self.messages <= most, "P11: they do not stop talking");
    }

    fn phone_sends(&mut self, device: usize) -> bool {
        let Some(line) = self.current[device] else { return false };
        let Some(data) = self.phones[device].next_message() else { return false };
        self.count_message();
        self.overheard.push_back(data.clone());
        self.overheard.truncate(20);
        self.lines.get_mut(&line).unwrap().up.push_back(data);
        true
    }

    fn server_receives(&mut self, line: usize) -> bool {
        let Some(data) = self.lines.get_mut(&line).and_then(|line| line.up.pop_front()) else { return false };
        let device = self.lines[&line].device;
        if self.current[device] != Some(line) {
            self.note("old line delivered late");
        }
        match self.server.receive(line, &data) {
            Ok(count) => {
                let may_write = self.role(device).is_some_and(|role| role.access == PeerAccess::Write);
                assert!(may_write || count == 0, "P4: a change entered from somebody who may not write");
            }
            Err(rejection) => {
                assert!(!rejection.is_hostile(), "P7: an honest phone was refused: {rejection}");
                self.close(line);
            }
        }
        true
    }

    fn server_sends(&mut self, line: usize) -> bool {
        if !self.server.sync.is_connected(line) {
            return false;
        }
        let Some(data) = self.server.next_message(line) else { return false };
        let device = self.lines[&line].device;
        assert!(self.role(device).is_some(), "P4: a byte left for somebody who may not read");
        self.count_message();
        self.lines.get_mut(&line).unwrap().down.push_back(data);
        true
    }

    fn phone_receives(&mut self, device: usize, accidents: bool) -> bool {
        let Some(line) = self.current[device] else { return false };
        let Some(data) = self.lines.get_mut(&line).and_then(|line| line.down.pop_front()) else { return false };
        let dies = match self.rng.below(40) {
            0 if accidents => phone::Dies::BeforeStoring,
            1 if accidents => phone::Dies::AfterStoring,
            _ => phone::Dies::Not,
        };
        let died = self.phones[device].receive(&data, &mut self.rng, dies).expect("P7: an honest server was refused");
        if died {
            self.note("phone died over a message");
            self.break_line(device, false);
        }
        let synced = &self.phones[device].synced;
        let unstored = synced.iter().find(|hash| !self.server.stored.contains_key(hash));
        assert!(self.is_restored || unstored.is_none(), "P3: acknowledged and not stored: {unstored:?}");
        true
    }

    fn commit(&mut self) {
        let dies = match self.rng.below(40) {
            0 => server::Dies::BeforeStoring,
            1 => server::Dies::AfterStoring,
            2 => server::Dies::StoreFails,
            _ => server::Dies::Not,
        };
        if !self.server.commit(dies) {
            self.note(match dies {
                server::Dies::BeforeStoring => "server died before storing",
                server::Dies::AfterStoring => "server died after storing",
                server::Dies::StoreFails | server::Dies::Not => "store failed",
            });
            self.close_all();
        }
    }

    fn change_access(&mut self) {
        let person = self.rng.below(self.access.len());
        let access = [None, Some(PeerAccess::Read), Some(PeerAccess::Write)][self.rng.below(3)];
        self.access[person] = access;
        self.note("access changed");
        let theirs = self.lines.iter().filter(|(_, line)| usize::from(self.phones[line.device].user) == person);
        let theirs: Vec<_> = theirs.map(|(number, line)| (*number, line.device)).collect();
        for (line, device) in theirs {
            match self.role(device) {
                Some(role) => self.server.sync.set_role(line, role),
                None => self.close(line),
            }
        }
    }

    /// A peer with write access of its own sends what it overheard, with a few bytes changed.
    fn hostile_message(&mut self) {
        if self.overheard.is_empty() {
            return;
        }
        let n = self.rng.below(self.overheard.len());
        let mut data = self.overheard[n].clone();
        for _ in 0..self.rng.below(4) {
            let at = self.rng.below(data.len());
            match self.rng.below(4) {
                0 => data.truncate(at + 1),
                1 => data.insert(at, self.rng.below(256) as u8),
                _ => data[at] ^= 1 << self.rng.below(8),
            }
        }
        self.note("hostile message");
        let line = usize::MAX;
        self.server.sync.connect(line, writer(200));
        // Taken or refused: nobody else may notice, which the rest of the run checks.
        let _ = self.server.receive(line, &data);
        self.server.sync.disconnect(line);
    }

    fn accident(&mut self) {
        let device = self.rng.below(self.phones.len());
        match self.rng.below(16) {
            0..=5 => {
                let server_notices = self.rng.one_in(2);
                self.break_line(device, server_notices);
            }
            6 => {
                self.break_line(device, false);
                self.away[device] = 30 + self.rng.below(150) as u32;
                self.note("partition");
            }
            7..=9 => self.change_access(),
            10 | 11 => self.hostile_message(),
            12 => {
                let before = self.server.sync.digest();
                self.server.fold();
                self.note("folded");
                assert_eq!(self.server.sync.digest(), before, "P6: folding is invisible");
            }
            13 | 14 => {
                // Nobody is on the document, so nothing waits for the store either.
                self.close_all();
                self.server.commit(server::Dies::Not);
                let (before, heads) = (self.server.sync.digest(), self.server.sync.heads());
                self.server.start_again();
                self.note("evicted");
                assert_eq!(
                    (self.server.sync.digest(), self.server.sync.heads()),
                    (before, heads),
                    "P6: so is eviction"
                );
            }
            _ if self.rng.one_in(4) => {
                let keep = self.rng.below(self.server.rows() + 1);
                self.close_all();
                self.server.lose_rows(keep);
                self.is_restored = true;
                self.note("backup restored");
                // Another epoch: what the phones were told of the old one counts for nothing.
                self.phones.iter_mut().for_each(|phone| phone.synced.clear());
            }
            _ => {}
        }
    }

    pub(super) fn step(&mut self) {
        self.away.iter_mut().for_each(|steps| *steps = steps.saturating_sub(1));
        let device = self.rng.below(self.phones.len());
        let lines: Vec<_> = self.lines.keys().copied().collect();
        let line = if lines.is_empty() { None } else { Some(lines[self.rng.below(lines.len())]) };
        match (self.rng.below(100), line) {
            (0..=21, _) => self.edit(device),
            (22..=36, _) => drop(self.phone_sends(device)),
            (37..=52, Some(line)) => drop(self.server_receives(line)),
            (53..=63, _) => self.commit(),
            (64..=77, Some(line)) => drop(self.server_sends(line)),
            (78..=89, _) => drop(self.phone_receives(device, true)),
            (90..=95, _) => self.connect(device),
            _ => self.accident(),
        }
    }

    /// Everybody may write and is connected, nobody edits and nothing breaks: talk until nobody has anything to say.
    pub(super) fn settle(&mut self) {
        self.access.iter_mut().for_each(|access| *access = Some(PeerAccess::Write));
        self.away.iter_mut().for_each(|steps| *steps = 0);
        self.close_all();
        self.quiet_after = Some(self.messages + 40 * self.phones.len());
        loop {
            let mut busy = false;
            for device in 0..self.phones.len() {
                self.connect(device);
                while self.phone_sends(device) {
                    busy = true;
                }
            }
            let lines: Vec<_> = self.lines.keys().copied().collect();
            for line in &lines {
                while self.server_receives(*line) {
                    busy = true;
                }
            }
            self.server.commit(server::Dies::Not);
            for line in lines {
                while self.server_sends(line) {
                    busy = true;
                }
            }
            for device in 0..self.phones.len() {
                while self.phone_receives(device, false) {
                    busy = true;
                }
            }
            if !busy && self.current.iter().all(Option::is_some) {
                break;
            }
        }
        self.quiet_after = None;
    }

    pub(super) fn assert_at_rest(&mut self) {
        let heads = self.server.sync.heads();
        for (n, phone) in self.phones.iter_mut().enumerate() {
            assert_eq!(phone.sync.heads(), heads, "P1: phone {n} differs from the server");
            assert_eq!(phone.heads_on_screen(), heads, "P1: the screen of phone {n} differs from its store");
            assert!(phone.sync.peer_has_all(()), "P3: phone {n} does not know that the server has everything");
            let line = self.current[n].unwrap();
            assert!(self.server.sync.peer_has_all(line), "P3: the server does not know that phone {n} has everything");
        }
        let lost = self.saved.iter().find(|hash| !self.server.stored.contains_key(hash));
        assert_eq!(lost, None, "P2: an edit that was shown as saved is gone");
        for bytes in self.server.stored.values() {
            let actor = StoredChange::read(bytes.clone()).unwrap().header.actor;
            let Some(person) = self.authors.get(&actor) else { continue };
            assert_eq!(self.server.sync.author_of(&actor), Some(user(*person)), "P5: whose change is this?");
        }
        self.server.assert_sound();
    }
}

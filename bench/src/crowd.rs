//! Many clients at many memos, typing by a timetable: the load of most rows, and what came of it.
//!
//! Every memo has two seats or more. Latency runs from the edit call to the moment at which the change is in hand at
//! another seat. At the end all copies are compared; what did not arrive, or differs, is counted.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use anyhow::Result;
use bytes::Bytes;
use hdrhistogram::Histogram;
use rand::RngExt;
use taiwa_shared::sync::{chunks::ChangeHash, document::SyncKind};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{house::Table, machine, participant::Participant};

/// What somebody types in one edit: one key.
const KEY: &str = "あ";
/// Clients that connect at the same time.
const CONNECTING: usize = 32;
/// A client that has not connected by then never will.
const CONNECT_DEADLINE: Duration = Duration::from_secs(120);

/// What a memo holds before anybody is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Base {
    /// Changes of four letters each.
    pub(crate) changes: usize,
    /// Whether the clients keep what they say.
    pub(crate) is_recorded: bool,
}

impl Base {
    /// A memo of 80 characters.
    pub(crate) const SHORT: Self = Self { changes: 20, is_recorded: false };
    /// A memo of 25,000 characters.
    pub(crate) const LONG: Self = Self { changes: 6_250, is_recorded: false };
}

/// What the clients do now.
#[derive(Debug, Clone, Copy)]
struct Timetable {
    /// Groups that type, from the first.
    active: usize,
    /// Time between two edits of one client.
    between: Duration,
    /// Typing ends here.
    until: Instant,
}

/// What a measurement came to.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// The load as the search counts it: here the groups that typed.
    pub(crate) load: usize,
    /// Edits made per second.
    pub(crate) edits_per_second: f64,
    /// From the edit call to the change at another seat, in milliseconds: 50th and 99th percentile and largest.
    pub(crate) latency_ms: [f64; 3],
    /// Deliveries that had not arrived when everybody was given time to.
    pub(crate) undelivered: u64,
    /// Memos whose copies differ at the end.
    pub(crate) diverged: usize,
    /// CPU time of the server per edit, in microseconds.
    pub(crate) server_us: f64,
    /// Share of its core that the server used.
    pub(crate) server_core: f64,
    /// Share of the time in which the server was ready to run and another program had its core.
    pub(crate) server_waited: f64,
    /// Share of its core that this process used.
    pub(crate) generator_core: f64,
    /// How late the 99th percentile of edits was made, in milliseconds.
    pub(crate) late_ms: f64,
}

impl Measured {
    /// Whether every edit arrived and all copies are equal.
    pub(crate) fn converged(&self) -> bool {
        self.undelivered == 0 && self.diverged == 0
    }
}

/// What all clients write into.
#[derive(Debug)]
struct Tally {
    latency: RefCell<Histogram<u64>>,
    late: RefCell<Histogram<u64>>,
    edits: Cell<u64>,
    failures: RefCell<Vec<String>>,
}

/// A sync message that somebody sent.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// At which seat.
    pub(crate) seat: usize,
    /// In which frame.
    pub(crate) kind: SyncKind,
    /// The message.
    pub(crate) data: Bytes,
    /// Whether it belongs to what was there before the run.
    pub(crate) is_base: bool,
}

/// The clients of one memo.
#[derive(Debug)]
struct Group {
    number: usize,
    /// When each edit was made, and at how many seats it has not arrived.
    under_way: RefCell<HashMap<ChangeHash, (Instant, usize)>>,
    /// What each seat has.
    states: RefCell<Vec<u64>>,
    /// What everybody said, in order, if that is recorded.
    said: RefCell<Vec<Said>>,
}

/// Connected clients.
#[derive(Debug)]
pub(crate) struct Crowd {
    groups: Vec<Rc<Group>>,
    tables: Vec<Table>,
    tally: Rc<Tally>,
    timetable: watch::Sender<Timetable>,
    tasks: Vec<JoinHandle<Option<Participant>>>,
    /// Groups whose messages are kept, from the first.
    recorded: usize,
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// Never on a machine with memory.
    pub(crate) fn new() -> Result<Self> {
        let timetable = Timetable { active: 0, between: Duration::from_secs(1), until: Instant::now() };
        let tally = Tally {
            latency: RefCell::new(histogram()?),
            late: RefCell::new(histogram()?),
            edits: Cell::new(0),
            failures: RefCell::default(),
        };
        let (timetable, _) = watch::channel(timetable);
        let (groups, tables, tasks) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { groups, tables, tally: Rc::new(tally), timetable, tasks, recorded: 0 })
    }

    /// Keeps the messages of the first groups; call it before there are any.
    pub(crate) fn record(&mut self, groups: usize) {
        self.recorded = groups;
    }

    /// What was said in the recorded groups.
    pub(crate) fn said(&self) -> Vec<Vec<Said>> {
        self.groups.iter().take(self.recorded).map(|group| group.said.borrow().clone()).collect()
    }

    /// How many memos there are.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Connects clients to more memos; the first at each brings what it holds before.
    ///
    /// # Errors
    /// If the server refuses one.
    pub(crate) async fn grow(&mut self, tables: Vec<Table>, base: Base) -> Result<()> {
        for few in tables.chunks(CONNECTING) {
            let mut connecting = Vec::new();
            for table in few {
                let states = RefCell::new(vec![0; table.seats.len()]);
                let (number, under_way, said) = (self.groups.len(), RefCell::default(), RefCell::default());
                let group = Rc::new(Group { number, under_way, states, said });
                let base = Base { is_recorded: number < self.recorded, ..base };
                self.groups.push(Rc::clone(&group));
                self.tables.push(table.clone());
                let table = table.clone();
                connecting.push(tokio::task::spawn_local(async move {
                    let clients = timeout(CONNECT_DEADLINE, Participant::sit_down(&table, base)).await;
                    (group, clients.unwrap_or_else(|_| Err(anyhow::anyhow!("clients did not get connected in time"))))
                }));
            }
            for connected in connecting {
                let (group, clients) = connected.await?;
                for (seat, mut client) in clients?.into_iter().enumerate() {
                    group.publish(seat, &mut client)?;
                    group.said.borrow_mut().iter_mut().for_each(|said| said.is_base = true);
                    let (group, tally) = (Rc::clone(&group), Rc::clone(&self.tally));
                    let timetable = self.timetable.subscribe();
                    self.tasks.push(tokio::task::spawn_local(async move {
                        let ended = take_part(&group, seat, &mut client, &tally, timetable).await;
                        let failure = ended.err().map(|error| format!("{error:#}"));
                        tally.failures.borrow_mut().extend(failure);
                        // Given back for the comparison at the end: one of each memo is enough, all are equal.
                        (seat == 0).then_some(client)
                    }));
                }
            }
        }
        Ok(())
    }

    /// Lets the first `active` groups type for a while, then gives everything time to arrive, and compares all copies.
    ///
    /// # Errors
    /// If a client failed, or the server is gone.
    pub(crate) async fn measure(
        &mut self,
        active: usize,
        edits_per_second: f64,
        length: Duration,
        server: u32,
    ) -> Result<Measured> {
        self.tally.latency.borrow_mut().reset();
        self.tally.late.borrow_mut().reset();
        self.tally.edits.set(0);
        let own = std::process::id();
        let (server_before, own_before) = (machine::times(server)?, machine::times(own)?);
        let started = Instant::now();
        let between = Duration::from_secs_f64(1.0 / edits_per_second);
        self.timetable.send_replace(Timetable { active, between, until: started + length });
        sleep_until(started + length).await;
        let took = started.elapsed().as_secs_f64();
        let (server_used, own_used) =
            (machine::times(server)?.since(server_before), machine::times(own)?.since(own_before));
        let edits = self.tally.edits.get();
        // Much more than a sustained load needs; an overload is seen in the latency, not in losses.
        let (undelivered, diverged) = self.quiet(length.max(Duration::from_secs(5)) * 2).await?;
        let latency = self.tally.latency.borrow();
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        Ok(Measured {
            load: active,
            edits_per_second: edits as f64 / took,
            latency_ms: [ms(latency.value_at_quantile(0.5)), ms(latency.value_at_quantile(0.99)), ms(latency.max())],
            undelivered,
            diverged,
            server_us: server_used.ran.as_secs_f64() * 1e6 / (edits.max(1) as f64),
            server_core: server_used.ran.as_secs_f64() / took,
            server_waited: server_used.waited.as_secs_f64() / took,
            generator_core: own_used.ran.as_secs_f64() / took,
            late_ms: ms(self.tally.late.borrow().value_at_quantile(0.99)),
        })
    }

    /// Waits until everything has arrived and all copies of each memo are equal; says what is missing then.
    async fn quiet(&self, patience: Duration) -> Result<(u64, usize)> {
        let started = Instant::now();
        loop {
            if let Some(failure) = self.tally.failures.borrow().first() {
                anyhow::bail!("a client failed: {failure}");
            }
            let undelivered: usize = self.groups.iter().map(|group| group.under_way.borrow().len()).sum();
            let diverged = self.groups.iter().filter(|group| !group.is_converged()).count();
            if (undelivered, diverged) == (0, 0) || started.elapsed() > patience {
                return Ok((undelivered as u64, diverged));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends all clients and asks the server, as somebody who has nothing yet, for some of the memos. Says whether it has
    /// them as the clients do.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub(crate) async fn leave(self, sample: usize) -> Result<bool> {
        drop(self.timetable);
        let mut clients = Vec::new();
        for task in self.tasks {
            clients.extend(task.await?);
        }
        let mut agrees = true;
        let every = (clients.len() / sample.max(1)).max(1);
        for (client, table) in clients.iter_mut().zip(&self.tables).step_by(every).take(sample) {
            agrees &= client.agrees_with_server(table).await?;
        }
        Ok(agrees)
    }
}

impl Group {
    fn publish(&self, seat: usize, client: &mut Participant) -> Result<()> {
        self.states.borrow_mut()[seat] = client.state()?;
        let said = client.said().into_iter().map(|(kind, data)| Said { seat, kind, data, is_base: false });
        self.said.borrow_mut().extend(said);
        Ok(())
    }

    fn is_converged(&self) -> bool {
        let states = self.states.borrow();
        states.iter().all(|state| *state == states[0])
    }
}

/// One client: listens and answers, and types while the timetable says so.
async fn take_part(
    group: &Group,
    seat: usize,
    client: &mut Participant,
    tally: &Tally,
    mut timetable: watch::Receiver<Timetable>,
) -> Result<()> {
    let mut now = *timetable.borrow_and_update();
    let mut next = Instant::now();
    loop {
        let types = group.number < now.active && next < now.until;
        let owed = client.acknowledge_at();
        tokio::select! {
            filled = client.socket().fill() => {
                anyhow::ensure!(filled?, "the server closed");
                for hash in client.take()? {
                    group.arrived(hash, tally);
                }
                group.publish(seat, client)?;
                client.socket().flush().await?;
            }
            () = sleep_until(next), if types => {
                tally.late.borrow_mut().saturating_record(nanoseconds(next.elapsed()));
                let seats = group.states.borrow().len();
                let made = Instant::now();
                let hash = client.type_text(KEY)?;
                group.under_way.borrow_mut().insert(hash, (made, seats - 1));
                tally.edits.set(tally.edits.get() + 1);
                group.publish(seat, client)?;
                client.socket().flush().await?;
                next += now.between;
            }
            () = sleep_until(owed.unwrap_or(next)), if owed.is_some() => {
                client.acknowledge()?;
                client.socket().flush().await?;
            }
            changed = timetable.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                now = *timetable.borrow_and_update();
                // Everybody begins at a time of their own.
                next = Instant::now() + now.between.mul_f64(rand::rng().random::<f64>());
            }
        }
    }
}

impl Group {
    fn arrived(&self, hash: ChangeHash, tally: &Tally) {
        let mut under_way = self.under_way.borrow_mut();
        if let Some((made, missing)) = under_way.get_mut(&hash) {
            tally.latency.borrow_mut().saturating_record(nanoseconds(made.elapsed()));
            *missing -= 1;
            if *missing == 0 {
                under_way.remove(&hash);
            }
        }
    }
}

/// From a microsecond to ten minutes.
fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 600_000_000_000, 3)?)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

//! A taiwa server with a company: people and pairs from an import, meetings, memos and sign-ins, in a fresh folder.
//!
//! Import goes through the server's own command. Sign-ins are written by the server's own store, because thousands of
//! passwords would take longer than the measurements; their access tokens are signed with the server's key.

mod signing;

use std::{
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use jiff::{ToSpan, civil};
use rand::RngExt;
use taiwa_server::store::Store;
use taiwa_shared::{
    domain::{meeting::Meeting, ownership::DocumentKey, people::Pair},
    ids::{DeviceId, OrganisationId, PairId, UserId},
    time::Timestamp,
};
use taiwa_tests::{
    postgres::Postgres,
    process::{binary, free_address, keep_records_at, records_of, run_server_command},
    world::invitation_in,
};
use tempfile::TempDir;

use self::signing::Signing;
use crate::{machine, participant::Language, served::Served, socket::Door};

/// Members of one manager: the mean of the field experiment.
const TEAM: usize = 13;
/// Pairs of one organisation: the field experiment again.
const PAIRS_PER_ORGANISATION: usize = 455;

/// What a company has to have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Pairs of a member and a manager.
    pub(crate) pairs: usize,
    /// Memos of each pair.
    pub(crate) memos: usize,
    /// Sign-ins of each person in each pair.
    pub(crate) devices: usize,
    /// Days between two memos; the last is of tomorrow's meeting.
    pub(crate) every_days: i64,
    /// Whether each meeting also has a prep, and each pair a notebook.
    pub(crate) whole: bool,
}

impl Size {
    /// Pairs with a memo each, and both of them signed in once.
    pub(crate) fn of_pairs(pairs: usize) -> Self {
        Self { pairs, memos: 1, devices: 1, every_days: 1, whole: false }
    }

    fn slot(&self, memo: usize) -> civil::Date {
        let days = self.every_days * i64::try_from(self.memos - 1 - memo).unwrap_or(0);
        let today = jiff::Zoned::now().date();
        today.saturating_add(1.day()).saturating_sub(days.days())
    }
}

/// The documents of a pair, besides memos.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Team {
    /// The pair.
    pub(crate) pair: PairId,
    /// The member, who writes.
    pub(crate) member: UserId,
}

/// A manager who asks the server.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Of which company.
    pub(crate) organisation: OrganisationId,
    /// Who.
    pub(crate) user: UserId,
    /// An access token.
    pub(crate) token: String,
}

/// Somebody at a memo, signed in on a device.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    /// Who.
    pub(crate) user: UserId,
    /// The way to the server.
    pub(crate) door: Door,
    /// A name for the connection.
    pub(crate) name: String,
}

/// A memo and those who sit at it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The memo.
    pub(crate) key: DocumentKey,
    /// Who.
    pub(crate) seats: Vec<Seat>,
    /// What their server speaks.
    pub(crate) language: Language,
}

/// A pair, and the sign-ins of both.
#[derive(Debug)]
struct SignedIn {
    organisation: OrganisationId,
    pair: Pair,
    devices: Vec<[DeviceId; 2]>,
}

/// A server with a company.
#[derive(Debug)]
pub(crate) struct House {
    folder: TempDir,
    pairs: Vec<SignedIn>,
    size: Size,
    pinned: bool,
    address: SocketAddr,
    signing: Signing,
    server: Option<Served>,
}

impl House {
    /// Makes the company and starts the server.
    ///
    /// # Errors
    /// If the import is refused or the server does not start.
    pub(crate) async fn open(size: Size, pinned: bool) -> Result<Self> {
        Self::open_in(folder()?, size, pinned).await
    }

    /// [`House::open`] with its records in PostgreSQL.
    ///
    /// # Errors
    /// Likewise, or if no database can be made there.
    pub(crate) async fn open_on(postgres: &Postgres, size: Size, pinned: bool) -> Result<Self> {
        let folder = folder()?;
        keep_records_at(folder.path(), &postgres.database()?)?;
        Self::open_in(folder, size, pinned).await
    }

    async fn open_in(folder: TempDir, size: Size, pinned: bool) -> Result<Self> {
        let mut pairs = Vec::with_capacity(size.pairs);
        for organisation in 0..size.pairs.div_ceil(PAIRS_PER_ORGANISATION) {
            let count = (size.pairs - pairs.len()).min(PAIRS_PER_ORGANISATION);
            pairs.extend(found(folder.path(), organisation, count, size).await?);
        }
        let address = free_address()?;
        let server = start(folder.path(), address, pinned).await?;
        let signing = Signing::open(&token_key_in(folder.path()))?;
        Ok(Self { folder, pairs, size, pinned, address, signing, server: Some(server) })
    }

    /// The server.
    ///
    /// # Errors
    /// If it is down.
    pub(crate) fn server(&self) -> Result<&Served> {
        self.server.as_ref().context("the server is down")
    }

    /// Kills the server with -9.
    ///
    /// # Errors
    /// If it is down.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.server.take().context("the server is down")?.kill()
    }

    /// Asks the server to end.
    ///
    /// # Errors
    /// If it is down, or ends with a failure.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.server.take().context("the server is down")?.terminate()
    }

    /// Starts the server again on the same data and port.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.server = Some(start(self.folder.path(), self.address, self.pinned).await?);
        Ok(())
    }

    /// A memo of a pair with both at it, or more of their devices: member and manager in turn.
    ///
    /// # Errors
    /// If the company is smaller.
    pub(crate) fn table(&self, pair: usize, memo: usize, seats: usize) -> Result<Table> {
        let at = self.pairs.get(pair).context("a pair of the company")?;
        anyhow::ensure!(memo < self.size.memos, "a memo of the pair");
        let seat = |number: usize| {
            let (side, device) = (number % 2, number / 2);
            let device = at.devices.get(device).context("a sign-in of the pair")?[side];
            let user = [at.pair.member, at.pair.manager][side];
            let bearer = Some(self.signing.token(at.organisation, user, device)?);
            let door = Door { address: self.address, path: "/v1/sync".to_owned(), bearer };
            anyhow::Ok(Seat { user, door, name: format!("bench-{pair}-{number}") })
        };
        let seats = (0..seats).map(seat).collect::<Result<_>>()?;
        let key = DocumentKey::Memo { pair: at.pair.id, meeting: meeting(&at.pair, memo, self.size).id };
        Ok(Table { key, seats, language: Language::Repo })
    }

    /// A pair with its member.
    ///
    /// # Errors
    /// If the company is smaller.
    pub(crate) fn team(&self, pair: usize) -> Result<Team> {
        let at = self.pairs.get(pair).context("a pair of the company")?;
        Ok(Team { pair: at.pair.id, member: at.pair.member })
    }

    /// A pair's manager, signed in.
    ///
    /// # Errors
    /// If the company is smaller, or nobody of the pair signed in.
    pub(crate) fn manager(&self, pair: usize) -> Result<Manager> {
        let at = self.pairs.get(pair).context("a pair of the company")?;
        let [_, device] = *at.devices.first().context("a sign-in of the pair")?;
        let token = self.signing.token(at.organisation, at.pair.manager, device)?;
        Ok(Manager { organisation: at.organisation, user: at.pair.manager, token })
    }

    /// The database, beside the server.
    ///
    /// # Errors
    /// If it does not open.
    pub(crate) async fn store(&self) -> Result<Store> {
        Ok(Store::open(&records_of(self.folder.path()), now()).await?)
    }

    /// An invitation of the first manager, which signs a phone in.
    ///
    /// # Errors
    /// If the server knows no such person.
    pub(crate) async fn invite_manager(&self) -> Result<String> {
        let email = "manager0@bench0.example.jp";
        let printed = run_server_command(self.folder.path(), &["invite", "--organisation", "bench0", email]).await?;
        let link = printed.split_whitespace().find(|word| word.starts_with("http")).context("no link was printed")?;
        Ok(invitation_in(link)?.to_owned())
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("taiwa-bench-").tempdir()?)
}

/// The server's key, wherever its records are.
fn token_key_in(folder: &Path) -> PathBuf {
    folder.join("token-key.pem")
}

async fn start(folder: &Path, address: SocketAddr, pinned: bool) -> Result<Served> {
    let mut command = machine::on_server_core(binary("taiwa-server"), pinned);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TAIWA_") {
            command.env_remove(name);
        }
    }
    command
        .arg("serve")
        .current_dir(folder)
        .env("TAIWA_LISTEN", address.to_string())
        .env("TAIWA_DATABASE", records_of(folder))
        .env("TAIWA_TOKEN_KEY", token_key_in(folder));
    Served::start(command, address, &folder.join("server.log")).await
}

fn meeting(pair: &Pair, memo: usize, size: Size) -> Meeting {
    pair.cadence.meeting_in_slot(pair.id, size.slot(memo))
}

/// One organisation with `count` pairs, their memos and sign-ins.
async fn found(folder: &Path, number: usize, count: usize, size: Size) -> Result<Vec<SignedIn>> {
    let slug = format!("bench{number}");
    let mut csv = String::from("email,name,site,manager_email,role\n");
    for team in 0..count.div_ceil(TEAM) {
        writeln!(csv, "manager{team}@{slug}.example.jp,課長 {team},東京,,member")?;
    }
    for member in 0..count {
        let manager = member / TEAM;
        writeln!(csv, "member{member}@{slug}.example.jp,社員 {member},東京,manager{manager}@{slug}.example.jp,member")?;
    }
    let file = folder.join("people.csv");
    std::fs::write(&file, csv)?;
    let file = file.to_str().context("temporary folders have plain names")?;
    run_server_command(folder, &["import", "--organisation", &slug, "--name", &slug, file]).await?;

    let store = Store::open(&records_of(folder), now()).await?;
    let organisation = store.organisation_by_slug(&slug).await?.context("the organisation was imported")?.id;
    let now = now();
    let mut tx = store.begin().await?;
    let rev = tx.next_rev(organisation).await?;
    let mut signed_in = Vec::with_capacity(count);
    for pair in tx.open_pairs(organisation).await? {
        for memo in 0..size.memos {
            let Meeting { id, .. } = meeting(&pair, memo, size);
            tx.add_meeting(organisation, &meeting(&pair, memo, size), rev).await?;
            tx.add_document(organisation, &DocumentKey::Memo { pair: pair.id, meeting: id }, 0, rev).await?;
            if size.whole {
                tx.add_document(organisation, &DocumentKey::Prep { pair: pair.id, meeting: id }, 0, rev).await?;
            }
        }
        if size.whole {
            tx.add_document(organisation, &DocumentKey::Notebook { pair: pair.id }, 0, rev).await?;
        }
        let mut devices = Vec::with_capacity(size.devices);
        for _ in 0..size.devices {
            let both = [pair.member, pair.manager].map(|person| (person, DeviceId::new(now, rand::rng().random())));
            for (person, device) in both {
                tx.add_device(organisation, device, person, "bench", now).await?;
            }
            devices.push(both.map(|(_, device)| device));
        }
        signed_in.push(SignedIn { organisation, pair, devices });
    }
    tx.commit().await?;
    store.close().await;
    Ok(signed_in)
}

/// The time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

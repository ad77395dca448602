//! The real server of a simulation, with its people and documents; it crashes and starts again on the same database.
//!
//! Everything but the network and the time is as in production: router, tokens, hub, records, and SQLite or PostgreSQL.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use automerge::ChangeHash;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, ThumbprintHash},
};
use serde_json::json;
use taiwa_server::{
    Server,
    auth::token::TokenKey,
    bus::News,
    config::Config,
    store::{
        Store,
        organisations::Organisation,
        pairs::Sight,
        people::{Email, PersonRow},
    },
    sync::HubLimits,
};
use taiwa_shared::{
    domain::{
        cadence::Cadence,
        ownership::DocumentKey,
        people::{Pair, PairKind, PairState, Role},
    },
    ids::{DeviceId, DocumentId, MeetingId, OrganisationId, PairId, UserId},
    sync::chunks::decode_row,
    time::Clock,
};
use tempfile::TempDir;

use super::{
    network::Network,
    time::{Gate, SimulatedClock},
};

/// A member of the first pair.
pub const TANAKA: UserId = UserId::from_bytes([1; 16]);
/// The manager of both pairs.
pub const SATO: UserId = UserId::from_bytes([2; 16]);
/// The member of the second pair.
pub const ITO: UserId = UserId::from_bytes([3; 16]);
/// The pair of [`TANAKA`].
pub const FIRST: PairId = PairId::from_bytes([4; 16]);
/// The pair of [`ITO`].
pub const SECOND: PairId = PairId::from_bytes([5; 16]);

const ORGANISATION: OrganisationId = OrganisationId::from_bytes([9; 16]);
/// Simulations are shorter than this; tokens of a product last ten minutes.
const TOKEN_SECONDS: i64 = 7 * 24 * 60 * 60;

/// What the database holds of a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Each change once.
    pub changes: BTreeSet<ChangeHash>,
    /// Changes that stand there more than once.
    pub twice: Vec<ChangeHash>,
    /// Rows it takes.
    pub rows: usize,
}

/// A server that is up or down.
pub struct House {
    gate: Gate,
    clock: SimulatedClock,
    database: String,
    limits: HubLimits,
    folder: TempDir,
    server: Option<Server>,
}

impl House {
    /// A house with its people, pairs and documents; the server is down. Without a database of PostgreSQL it has a file.
    ///
    /// # Errors
    /// If the database cannot be filled.
    pub async fn build(gate: &Gate, limits: HubLimits, postgres: Option<String>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("taiwa-simulated-").tempdir()?;
        let file = || folder.path().join("taiwa.db").to_string_lossy().into_owned();
        let (gate, clock, database) = (gate.clone(), SimulatedClock::start(), postgres.unwrap_or_else(file));
        let house = Self { gate, clock, database, limits, folder, server: None };
        TokenKey::open(&house.key_file())?;
        let _held = house.gate.hold();
        let store = house.open_store().await?;
        let (mut tx, now) = (store.begin().await?, house.clock.now());
        let organisation = Organisation { id: ORGANISATION, slug: "o".to_owned(), name: "O".to_owned() };
        tx.ensure_organisation(&organisation, now).await?;
        let rev = tx.next_rev(ORGANISATION).await?;
        for user in [TANAKA, SATO, ITO] {
            tx.add_person(ORGANISATION, &person(user), rev).await?;
        }
        for (id, member) in [(FIRST, TANAKA), (SECOND, ITO)] {
            let (cadence, state, kind) = (Cadence::default(), PairState::Open, PairKind::Line);
            let pair = Pair { id, member, manager: SATO, kind, cadence, cadence_revision: 0, state };
            tx.add_pair(ORGANISATION, &pair, rev).await?;
            for user in [member, SATO] {
                tx.set_sight(ORGANISATION, user, id, Sight::Granted, rev).await?;
            }
            for key in documents_of(id) {
                tx.add_document(ORGANISATION, &key, 0, rev).await?;
            }
        }
        tx.commit().await?;
        store.close().await;
        Ok(house)
    }

    /// Signs somebody in on a device, and returns its access token.
    ///
    /// # Errors
    /// If the database or the server's key cannot be read.
    pub async fn sign_in(&self, user: UserId, device: u8) -> Result<String> {
        let (device, now) = (DeviceId::from_bytes([device; 16]), self.clock.now());
        {
            let _held = self.gate.hold();
            let store = self.open_store().await?;
            let mut tx = store.begin().await?;
            tx.add_device(ORGANISATION, device, user, "test", now).await?;
            tx.commit().await?;
            store.close().await;
        }
        let key = EncodingKey::from_ed_pem(&std::fs::read(self.key_file())?)?;
        let kid = Jwk::from_encoding_key(&key, Algorithm::EdDSA)?.thumbprint(ThumbprintHash::SHA256)?;
        let seconds = now.as_millis() / 1_000;
        let claims = json!({
            "iss": "taiwa-server", "aud": "taiwa", "sub": user, "org": ORGANISATION, "dev": device,
            "role": Role::Member, "iat": seconds, "nbf": seconds, "exp": seconds + TOKEN_SECONDS,
        });
        Ok(jsonwebtoken::encode(&Header { kid: Some(kid), ..Header::new(Algorithm::EdDSA) }, &claims, &key)?)
    }

    /// Starts the server on this network.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(&mut self, network: &Network) -> Result<()> {
        ensure!(self.server.is_none(), "the server is up already");
        let config = Config { database: self.database.clone(), token_key: Some(self.key_file()), ..Config::default() };
        let _held = self.gate.hold();
        let server = Server::start_behind(network.open_door(), config, Arc::new(self.clock), self.limits).await?;
        self.gate.watch(server.store().clone());
        self.server = Some(server);
        Ok(())
    }

    /// Whether the server is up.
    pub fn is_up(&self) -> bool {
        self.server.is_some()
    }

    /// The server goes without saying anything to anybody; what its database was given, that ends on its own.
    ///
    /// # Errors
    /// If it is down.
    pub async fn crash(&mut self) -> Result<()> {
        let server = self.server.take().context("the server is up")?;
        let store = server.store().clone();
        drop(server);
        let _held = self.gate.hold();
        store.close().await;
        self.gate.forget_stores();
        Ok(())
    }

    /// Asks the server to end, and waits until it has.
    ///
    /// # Errors
    /// If it is down.
    pub async fn stop(&mut self) -> Result<()> {
        self.server.take().context("the server is up")?.stop().await;
        self.gate.forget_stores();
        Ok(())
    }

    /// Documents that the server has open.
    pub fn open_documents(&self) -> usize {
        self.server.as_ref().map_or(0, |server| server.hub().statistics().documents)
    }

    /// Gives or withdraws sight of a pair, and says so, as a request to the server does.
    ///
    /// # Errors
    /// If the server is down, or the database does not take it.
    pub async fn set_sight(&self, user: UserId, pair: PairId, sight: Sight) -> Result<()> {
        let server = self.server.as_ref().context("the server is up")?;
        let mut tx = server.store().begin().await?;
        let counter = tx.next_rev(ORGANISATION).await?;
        tx.set_sight(ORGANISATION, user, pair, sight, counter).await?;
        tx.commit().await?;
        server.bus().publish(News::Records { organisation: ORGANISATION, counter });
        Ok(())
    }

    /// What the database holds of each document, whether the server is up or not.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub async fn stored(&self) -> Result<BTreeMap<DocumentKey, Stored>> {
        let _held = self.gate.hold();
        let opened = if self.server.is_some() { None } else { Some(self.open_store().await?) };
        let store = self.server.as_ref().map(Server::store).or(opened.as_ref()).context("one of them is there")?;
        let mut documents = BTreeMap::new();
        for key in [FIRST, SECOND].into_iter().flat_map(documents_of) {
            documents.insert(key, stored_in(store, key.document_id(0)).await?);
        }
        if let Some(store) = opened {
            store.close().await;
        }
        Ok(documents)
    }

    async fn open_store(&self) -> Result<Store> {
        Ok(Store::open(&self.database, self.clock.now()).await?)
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("token-key.pem")
    }
}

async fn stored_in(store: &Store, document: DocumentId) -> Result<Stored> {
    let mut stored = Stored::default();
    for row in store.chunks(ORGANISATION, document).await? {
        stored.rows += 1;
        let (header, body) = row.body.split_first().context("a row is not empty")?;
        ensure!(*header == 0, "a row is plain");
        for change in decode_row(body)? {
            if !stored.changes.insert(change.header.hash) {
                stored.twice.push(change.header.hash);
            }
        }
    }
    Ok(stored)
}

/// The documents of a pair that both see: two memos that both write, and a prep that the manager only reads.
pub fn documents_of(pair: PairId) -> [DocumentKey; 3] {
    let meeting = |number| MeetingId::from_bytes([number; 16]);
    [
        DocumentKey::Memo { pair, meeting: meeting(6) },
        DocumentKey::Memo { pair, meeting: meeting(7) },
        DocumentKey::Prep { pair, meeting: meeting(7) },
    ]
}

fn person(user: UserId) -> PersonRow {
    let email = Email::normalise(&format!("{user}@example.jp"));
    PersonRow {
        id: user, email, name: "名前".to_owned(), site: None, role: Role::Member, active: true, manager: None
    }
}

//! A store on either database, a clock that moves, and the people that the bodies need.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::crypto::aws_lc;
use taiwa_server::{
    auth::{Auth, login::invite, token::TokenKey},
    bus::Bus,
    records::{
        access::Principal,
        feed::{self, Cursor},
        import::{self, Import, ImportError, Imported, Missing, Run, Sender, Table},
    },
    store::{Store, people::Email},
};
use taiwa_shared::{
    domain::people::{Pair, Role},
    ids::{DeviceId, DocumentId, OrganisationId, PairId},
    protocol::{
        login::{InvitationRequest, LoginResponse, PasswordRequest, Secret},
        records::{DocumentRecord, RecordEntry, RecordsPage},
    },
    time::{Clock, Timestamp},
};
use taiwa_tests::{clock::TestClock, postgres::Postgres, skip::skip};

pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A store with its surroundings.
pub(super) struct Fixture {
    pub(super) store: Store,
    pub(super) url: String,
    pub(super) bus: Bus,
    pub(super) clock: TestClock,
    pub(super) auth: Auth,
    _folder: tempfile::TempDir,
    _postgres: Option<Arc<Postgres>>,
}

impl Fixture {
    pub(super) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("taiwa.db").display());
        Self::open(url, folder, None).await
    }

    /// None, after saying so, if the machine has no PostgreSQL.
    pub(super) async fn postgres(test: &str) -> Option<Self> {
        let Some(postgres) = Postgres::shared().await.unwrap() else {
            skip(test, "no PostgreSQL server is installed");
            return None;
        };
        let url = postgres.database().unwrap();
        Some(Self::open(url, tempfile::tempdir().unwrap(), Some(postgres)).await)
    }

    async fn open(url: String, folder: tempfile::TempDir, postgres: Option<Arc<Postgres>>) -> Self {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let clock = TestClock::new();
        let store = Store::open(&url, clock.now()).await.unwrap();
        let bus = Bus::in_process();
        let tokens = TokenKey::open(&folder.path().join("key.pem")).unwrap();
        let auth = Auth::new(store.clone(), bus.clone(), Arc::new(clock.clone()), tokens);
        Self { store, url, bus, clock, auth, _folder: folder, _postgres: postgres }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Imports a part of a list: who is not in it stays.
    pub(super) async fn import(&self, slug: &str, csv: &str) -> Imported {
        self.try_import(slug, csv, Missing::Keep, Run::Write).await.unwrap()
    }

    pub(super) async fn try_import(
        &self,
        slug: &str,
        csv: &str,
        missing: Missing,
        run: Run,
    ) -> Result<Imported, ImportError> {
        let table = Table::read(csv.as_bytes()).unwrap();
        let sender = Sender::Operator { slug, name: Some(slug) };
        import::run(&self.store, &Import { sender, table: &table, missing, run }, self.now()).await
    }

    pub(super) async fn organisation(&self, slug: &str) -> OrganisationId {
        self.store.organisation_by_slug(slug).await.unwrap().unwrap().id
    }

    /// Somebody as if they were signed in.
    pub(super) async fn principal(&self, slug: &str, email: &str) -> Principal {
        let organisation = self.organisation(slug).await;
        let person = self.store.person_by_email(organisation, &Email::normalise(email)).await.unwrap().unwrap();
        Principal {
            organisation,
            user: person.id,
            device: DeviceId::from_bytes([7; 16]),
            role: Role::Member,
            expires: Timestamp::from_millis(i64::MAX),
        }
    }

    pub(super) async fn invitation(&self, who: &Principal) -> Secret {
        let mut tx = self.store.begin().await.unwrap();
        let invitation = invite(&mut tx, who.organisation, who.user, self.now()).await.unwrap();
        tx.commit().await.unwrap();
        invitation
    }

    /// Signs somebody in: the first time with an invitation, later with [`PASSWORD`].
    pub(super) async fn sign_in(&self, who: &Principal) -> LoginResponse {
        if self.store.password(who.organisation, who.user).await.unwrap().is_some() {
            return self.sign_in_with_password(who).await;
        }
        self.sign_in_with_invitation(who).await
    }

    async fn sign_in_with_password(&self, who: &Principal) -> LoginResponse {
        let organisation = self.store.organisation(who.organisation).await.unwrap().unwrap();
        let mut tx = self.store.begin().await.unwrap();
        let people = tx.people(who.organisation).await.unwrap();
        drop(tx);
        let request = PasswordRequest {
            organisation: Some(organisation.slug),
            email: people.iter().find(|person| person.id == who.user).unwrap().email.as_str().to_owned(),
            password: Secret::new(PASSWORD),
            device_name: "test".to_owned(),
        };
        self.auth.sign_in_with_password(&request).await.unwrap()
    }

    /// What a phone sends with an invitation.
    pub(super) fn invitation_request(invitation: Secret) -> InvitationRequest {
        InvitationRequest { invitation, password: Secret::new(PASSWORD), device_name: "test".to_owned() }
    }

    /// Signs somebody in with an invitation, which ends what they are signed in on.
    pub(super) async fn sign_in_with_invitation(&self, who: &Principal) -> LoginResponse {
        let request = Self::invitation_request(self.invitation(who).await);
        self.auth.sign_in_with_invitation(&request).await.unwrap()
    }

    pub(super) async fn page(&self, who: &Principal, since: Option<&str>) -> RecordsPage {
        let cursor = since.map(|text| text.parse::<Cursor>().unwrap());
        feed::pull(&self.store, who, cursor, self.now()).await.unwrap()
    }

    /// Everything after `since`, page by page, and the cursor at the end.
    pub(super) async fn pull(&self, who: &Principal, since: Option<&str>) -> (Vec<RecordEntry>, String) {
        let mut entries = Vec::new();
        let mut page = self.page(who, since).await;
        loop {
            entries.append(&mut page.entries);
            if !page.more {
                return (entries, page.cursor);
            }
            page = self.page(who, Some(&page.cursor)).await;
        }
    }

    /// The one open pair of a member.
    pub(super) async fn pair_of(&self, member: &Principal) -> Pair {
        let open = self.store.open_pairs(member.organisation).await.unwrap();
        open.into_iter().find(|pair| pair.member == member.user).unwrap()
    }
}

pub(super) fn documents(entries: &[RecordEntry]) -> Vec<&DocumentRecord> {
    let found = entries.iter().filter_map(|entry| match entry {
        RecordEntry::Document(document) => Some(document),
        _ => None,
    });
    found.collect()
}

pub(super) fn document_ids(entries: &[RecordEntry]) -> Vec<DocumentId> {
    let mut ids: Vec<_> = documents(entries).into_iter().map(|document| document.id).collect();
    ids.sort_unstable();
    ids
}

pub(super) fn pairs(entries: &[RecordEntry]) -> Vec<PairId> {
    let found = entries.iter().filter_map(|entry| match entry {
        RecordEntry::Pair(pair) => Some(pair.id),
        _ => None,
    });
    found.collect()
}

//! One connection as the rest of the hub sees it: who it is, what it still has to send, which documents it joined.
//!
//! The socket itself is in `socket`, its two halves in `inbound` and `outbound`. Anybody may ask a connection to close;
//! the first reason wins.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
};

use taiwa_shared::{
    domain::ownership::Access,
    ids::DocumentId,
    sync::{
        document::{Authors, PeerAccess, PeerRole},
        rejection::{CLOSE_OVER_QUOTA, Rejection},
        wire::{Frame, PeerId},
    },
    time::Timestamp,
};
use tokio_util::sync::CancellationToken;

use super::{
    Shared, access::OrganisationAccess, document::OpenDocument, outbox::Outbox, quota::Quota, state::SessionKey,
};
use crate::records::access::{DocumentGrant, Principal, document_grant};

/// Why a connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closing {
    /// WebSocket close code.
    pub(super) code: u16,
    /// What to say in an `error` frame and the close frame; no contents.
    pub(super) message: String,
    /// Whether no correct client would get here, so that it is audited.
    pub(super) hostile: bool,
}

impl Closing {
    fn new(code: u16, message: &str) -> Self {
        Self { code, message: message.to_owned(), hostile: false }
    }
    /// The other side closed, or the socket broke: there is nobody left to tell.
    pub(super) fn gone() -> Self {
        Self::new(1000, "")
    }
    /// The server stops.
    pub(super) fn stopping() -> Self {
        Self::new(1012, "the server restarts")
    }
    /// A fault of ours.
    pub(super) fn fault() -> Self {
        Self::new(1011, "something went wrong on the server: reconnect")
    }
    /// The store did not take what was sent.
    pub(super) fn not_stored() -> Self {
        Self::new(1013, "the server could not store what was sent: reconnect and send it again")
    }
    /// The access token expired without renewal.
    pub(super) fn expired() -> Self {
        Self::new(4401, "the access token expired")
    }
    /// The sign-in was ended.
    pub(super) fn revoked() -> Self {
        Self::new(4403, "this sign-in was ended")
    }
    /// The same peer connected again.
    pub(super) fn replaced() -> Self {
        Self::new(4409, "the same peer connected again")
    }
    /// The same sign-in has opened too many newer ones.
    pub(super) fn crowded_out() -> Self {
        Self::new(4409, "this sign-in has too many connections: the oldest is closed")
    }
    /// A phone with years of documents may get here: on a new connection it joins only what changed meanwhile.
    pub(super) fn too_many_documents() -> Self {
        Self::new(4409, "too many documents on one connection: reconnect")
    }
    /// The person has sent more than one may in a day.
    pub(super) fn over_quota() -> Self {
        Self::new(CLOSE_OVER_QUOTA, "too much for one day from one person: try again later")
    }
    /// No answer to pings, or a message that was not taken for too long.
    pub(super) fn dead() -> Self {
        Self::new(1001, "no answer")
    }
    /// What no correct client sends.
    pub(super) fn hostile(message: impl Into<String>) -> Self {
        Self { code: 4400, message: message.into(), hostile: true }
    }
    /// A refused sync message.
    pub(super) fn rejected(rejection: &Rejection) -> Self {
        Self { code: rejection.close_code(), message: rejection.to_string(), hostile: rejection.is_hostile() }
    }
}

/// A document that a connection joined.
#[derive(Debug)]
struct Session {
    key: SessionKey,
    document: Arc<OpenDocument>,
    access: Access,
    /// Access version of the organisation at the last check.
    checked: u64,
}

/// How a connection stands with a document.
#[derive(Debug)]
pub(super) enum Standing {
    /// Joined, and its access is as fresh as the news.
    Joined(SessionKey, Arc<OpenDocument>),
    /// Access was lost or lessened just now; the session has ended and the peer is told.
    Ended,
    /// Not joined.
    Apart,
}

/// What became of a session that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    /// It goes on, perhaps with more access.
    Kept,
    /// It has ended.
    Ended,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) principal: Principal,
    pub(super) outbox: Outbox,
    pub(super) organisation_access: Arc<OrganisationAccess>,
    pub(super) quota: Arc<Quota>,
    /// Pings since the client was last heard of.
    pub(super) unanswered_pings: AtomicU8,
    expires: AtomicI64,
    peer: OnceLock<(PeerId, bool)>,
    sessions: Mutex<HashMap<DocumentId, Session>>,
    closing: OnceLock<Closing>,
    closed: CancellationToken,
}

impl Connection {
    pub(super) fn new(
        id: u64,
        principal: Principal,
        organisation_access: Arc<OrganisationAccess>,
        quota: Arc<Quota>,
    ) -> Self {
        Self {
            id,
            principal,
            outbox: Outbox::default(),
            organisation_access,
            quota,
            unanswered_pings: AtomicU8::new(0),
            expires: AtomicI64::new(principal.expires.as_millis()),
            peer: OnceLock::new(),
            sessions: Mutex::default(),
            closing: OnceLock::new(),
            closed: CancellationToken::new(),
        }
    }

    /// The peer it introduced itself as, once it has.
    pub(super) fn peer(&self) -> Option<&PeerId> {
        self.peer.get().map(|(peer, _)| peer)
    }

    /// Whether it understands taiwa's own frames.
    pub(super) fn is_taiwa(&self) -> bool {
        self.peer.get().is_some_and(|(_, taiwa)| *taiwa)
    }

    /// Binds the peer id; false if it is bound to another already.
    pub(super) fn bind_peer(&self, peer: &PeerId, taiwa: bool) -> bool {
        self.peer.get_or_init(|| (peer.clone(), taiwa)).0 == *peer
    }

    /// Asks the connection to close; the first reason wins.
    pub(super) fn close(&self, closing: Closing) {
        // An earlier reason stays.
        let _ = self.closing.set(closing);
        self.closed.cancel();
    }

    /// Waits until somebody asks for the end.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn closed(&self) -> Closing {
        self.closed.cancelled().await;
        self.closing.get().cloned().unwrap_or_else(Closing::gone)
    }

    /// When its token expires.
    pub(super) fn expires(&self) -> Timestamp {
        Timestamp::from_millis(self.expires.load(Ordering::Acquire))
    }

    /// Takes a newer token's expiry.
    pub(super) fn renew(&self, expires: Timestamp) {
        self.expires.fetch_max(expires.as_millis(), Ordering::AcqRel);
    }

    /// How it stands with a document, asking the records again if news came since that concern its person.
    ///
    /// # Errors
    /// The reason to close, if the records cannot be read: then nothing is granted.
    pub(super) async fn standing(&self, hub: &Shared, document: DocumentId) -> Result<Standing, Closing> {
        loop {
            let version = self.organisation_access.version();
            let (key, checked) = match self.sessions().get(&document) {
                None => return Ok(Standing::Apart),
                Some(session) if session.checked == version => {
                    return Ok(Standing::Joined(session.key, Arc::clone(&session.document)));
                }
                Some(session) => (session.key, session.checked),
            };
            if self.organisation_access.concerns(self.principal.user, checked, version) {
                // In a box, as all that is rare: a connection keeps room for the largest thing that it may wait for.
                if Box::pin(self.check(hub, document)).await? == Checked::Ended {
                    return Ok(Standing::Ended);
                }
            } else if let Some(session) = self.sessions().get_mut(&document).filter(|session| session.key == key) {
                session.checked = session.checked.max(version);
            }
        }
    }

    /// Asks the records about a joined document; ends the session if access was lost or lessened.
    async fn check(&self, hub: &Shared, document: DocumentId) -> Result<Checked, Closing> {
        // The version before the records: a change in between leaves the session stale, not fresh.
        let version = self.organisation_access.version();
        let Some((key, held)) = self.sessions().get(&document).map(|session| (session.key, session.access)) else {
            return Ok(Checked::Kept);
        };
        let granted = self.grant(hub, document).await?.map_or(Access::None, |grant| grant.access);
        if granted < held {
            self.end_session(hub, document, key);
            return Ok(Checked::Ended);
        }
        let mut risen = None;
        if let Some(session) = self.sessions().get_mut(&document).filter(|session| session.key == key) {
            session.checked = session.checked.max(version);
            if granted > session.access {
                session.access = granted;
                risen = Some(Arc::clone(&session.document));
            }
        }
        if let Some(open) = risen {
            let role = self.role(hub, granted);
            // A document that was retired meanwhile has closed this connection.
            if hub.enter(&open, |state| state.sync.set_role(key, role)).is_ok() {
                self.outbox.mark(document);
            }
        }
        Ok(Checked::Kept)
    }

    /// Whether a message made for this session may still leave.
    pub(super) fn is_fresh(&self, document: DocumentId, key: SessionKey) -> bool {
        let version = self.organisation_access.version();
        self.sessions().get(&document).is_some_and(|session| session.key == key && session.checked == version)
    }

    /// Whether what came on this session earlier may still be written: nothing is known that may have ended it. The
    /// session ends, or its role changes, before its access is lessened.
    pub(super) fn may_write(&self, key: SessionKey) -> bool {
        let (user, version) = (self.principal.user, self.organisation_access.version());
        let checked = self.sessions().values().find(|session| session.key == key).map(|session| session.checked);
        checked.is_some_and(|at| at == version || !self.organisation_access.concerns(user, at, version))
    }

    /// Joins a document that the records grant; otherwise the peer is told that it is unavailable, in the same words
    /// whether it is unknown, forbidden or out of order.
    pub(super) async fn join(
        self: &Arc<Self>,
        hub: &Shared,
        document: DocumentId,
    ) -> Result<Option<(SessionKey, Arc<OpenDocument>)>, Closing> {
        if self.sessions().len() >= hub.limits.documents_per_connection {
            return Err(Closing::too_many_documents());
        }
        // The version before the records: a change in between makes the session stale, not fresh.
        let version = self.organisation_access.version();
        let Some(grant) = self.grant(hub, document).await? else {
            self.tell_unavailable(hub, document);
            return Ok(None);
        };
        let name = (self.principal.organisation, document);
        // Retired between opening and entering: ask again. Three times in a row means that it does so whenever opened.
        for _ in 0..3 {
            let opened = hub.registry.open(&hub.store, name, &grant.key, grant.generation).await;
            let open = match opened {
                Ok(Some(open)) => open,
                Ok(None) => {
                    self.tell_unavailable(hub, document);
                    return Ok(None);
                }
                Err(error) => {
                    tracing::error!(document.id = %document, error = &error as &dyn std::error::Error, "opening a document");
                    return Err(Closing::fault());
                }
            };
            let key = SessionKey(hub.next_number());
            let role = self.role(hub, grant.access);
            if hub.enter(&open, |state| state.connect(key, role, Arc::clone(self))).is_ok() {
                let session = Session { key, document: Arc::clone(&open), access: grant.access, checked: version };
                self.sessions().insert(document, session);
                return Ok(Some((key, open)));
            }
        }
        Err(Closing::fault())
    }

    /// Asks the records whether the sign-in still stands, and about every joined document.
    pub(super) async fn check_all(&self, hub: &Shared) -> Result<(), Closing> {
        let Principal { organisation, user, device, .. } = self.principal;
        let signed_in = hub.store.device(organisation, device).await.map_err(|error| {
            tracing::error!(device.id = %device, error = &error as &dyn std::error::Error, "reading a sign-in");
            Closing::fault()
        })?;
        if signed_in.is_none_or(|(person, _)| person != user) {
            return Err(Closing::revoked());
        }
        let joined: Vec<DocumentId> = self.sessions().keys().copied().collect();
        for document in joined {
            self.check(hub, document).await?;
        }
        Ok(())
    }

    /// Leaves every document; the last thing a connection does.
    pub(super) fn leave_all(&self, hub: &Shared) {
        let sessions = std::mem::take(&mut *self.sessions());
        for session in sessions.into_values() {
            // A retired document has forgotten us already.
            let _ = hub.enter(&session.document, |state| state.disconnect(session.key));
        }
    }

    fn end_session(&self, hub: &Shared, document: DocumentId, key: SessionKey) {
        let ended = {
            let mut sessions = self.sessions();
            match sessions.get(&document) {
                Some(session) if session.key == key => sessions.remove(&document),
                _ => None,
            }
        };
        if let Some(session) = ended {
            // A retired document has forgotten us already.
            let _ = hub.enter(&session.document, |state| state.disconnect(key));
            self.tell_unavailable(hub, document);
        }
    }

    fn tell_unavailable(&self, hub: &Shared, document: DocumentId) {
        if let Some(peer) = self.peer() {
            let (sender, target) = (hub.name.clone(), peer.clone());
            self.outbox.control(Frame::DocUnavailable { sender, target, document });
        }
    }

    async fn grant(&self, hub: &Shared, document: DocumentId) -> Result<Option<DocumentGrant>, Closing> {
        document_grant(&hub.store, &self.principal, document, hub.clock.now()).await.map_err(|error| {
            tracing::error!(document.id = %document, error = &error as &dyn std::error::Error, "reading access");
            Closing::fault()
        })
    }

    fn role(&self, hub: &Shared, access: Access) -> PeerRole {
        let access = if access == Access::Write { PeerAccess::Write } else { PeerAccess::Read };
        let authors = if hub.takes_relayed() { Authors::Relayed } else { Authors::Only(self.principal.user) };
        PeerRole { access, authors }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<DocumentId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

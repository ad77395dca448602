//! The reading half of a connection: frames in, staged changes and marks out.
//!
//! Never writes to the socket. Anything that no correct client sends ends the connection and goes to the audit log;
//! what stock clients do loosely (foreign ephemeral messages, unknown frames) is ignored.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use axum::extract::ws::Message;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use taiwa_shared::{
    ids::DocumentId,
    sync::{
        document::{Due, InspectedMessage, SyncKind, UncheckedMessage, weigh},
        rejection::Rejection,
        wire::{Frame, PROTOCOL_VERSION, PeerId, PeerMetadata, RenewalToken},
    },
};
use tokio::time::Instant;

use super::{
    Shared,
    connection::{Closing, Connection, Standing},
    document::OpenDocument,
    outbox::Ephemeral,
    quota::{Bucket, REFUSED_MESSAGE},
    state::{SessionKey, State},
};

/// Messages that weigh more are inspected on the blocking pool: 16 KiB are about 80 one-key changes at 4 µs each.
const INLINE_WEIGHT: usize = 16 * 1024;

/// Waits for the client to introduce itself, and answers. What has changed since the handshake (`heard` is the counter
/// then) is news to a phone: it may have pulled the records before.
pub(super) async fn join(
    hub: &Shared,
    connection: &Arc<Connection>,
    messages: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
    heard: i64,
) -> Result<(), Closing> {
    let first = tokio::time::timeout(hub.limits.join_timeout, async {
        loop {
            match messages.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return other,
            }
        }
    });
    let message = tokio::select! {
        first = first => first.map_err(|_| Closing::hostile("no join frame within the time for it"))?,
        () = hub.draining.cancelled() => return Err(Closing::stopping()),
    };
    match decode(message)? {
        Some(Frame::Join { sender, metadata, versions }) => {
            introduce(hub, connection, &sender, &metadata, &versions)?;
            // Asked only now that it is known as a phone: what changes from here on is told by whoever takes the news.
            let (_, counter) = connection.organisation_access.point();
            if connection.is_taiwa() && counter != heard {
                connection.outbox.news(counter);
            }
            Ok(())
        }
        Some(_) => Err(Closing::hostile("the first frame is not a join")),
        None => Err(Closing::gone()),
    }
}

/// Reads until the connection has to end.
pub(super) async fn run(
    hub: Arc<Shared>,
    connection: Arc<Connection>,
    messages: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
) -> Closing {
    let per_second = f64::from(hub.limits.ephemerals_per_second);
    let mut ephemerals = Bucket::new(per_second, per_second);
    // Once: all connections are in one list of who waits for it.
    let mut stopping = pin!(hub.stopping.cancelled());
    loop {
        // Not so long that pings go unanswered; whoever made more work than that waits again after the next message.
        let pause = connection.quota.pause().min(hub.limits.ping_interval);
        if !pause.is_zero() {
            tokio::select! {
                () = &mut stopping => return std::future::pending().await,
                () = tokio::time::sleep(pause) => {}
            }
        }
        let message = tokio::select! {
            biased;
            // What comes after this is sent again to the next server.
            () = &mut stopping => return std::future::pending().await,
            message = messages.next() => message,
        };
        connection.unanswered_pings.store(0, Ordering::Release);
        let taken = match message {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            message => match decode(message) {
                Ok(Some(frame)) => take(&hub, &connection, frame, &mut ephemerals).await,
                Ok(None) => Err(Closing::gone()),
                Err(closing) => Err(closing),
            },
        };
        if let Err(closing) = taken {
            return closing;
        }
        connection.outbox.room().await;
        hub.committer.room().await;
    }
}

fn decode(message: Option<Result<Message, axum::Error>>) -> Result<Option<Frame>, Closing> {
    match message {
        Some(Ok(Message::Binary(bytes))) => {
            Frame::decode(&bytes).map(Some).map_err(|e| Closing::hostile(e.to_string()))
        }
        Some(Ok(Message::Text(_))) => Err(Closing::hostile("text frames are not part of the protocol")),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Ok(None),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Some(Frame::Unknown)),
    }
}

fn introduce(
    hub: &Shared,
    connection: &Arc<Connection>,
    peer: &PeerId,
    metadata: &PeerMetadata,
    versions: &[String],
) -> Result<(), Closing> {
    if !versions.iter().any(|version| version == PROTOCOL_VERSION) {
        return Err(Closing::hostile("no common protocol version: this server speaks \"1\""));
    }
    if !connection.bind_peer(peer, metadata.taiwa) {
        return Err(Closing::hostile("this connection has another peer id"));
    }
    hub.roster.bind(peer, connection)?;
    connection.outbox.control(Frame::Peer {
        sender: hub.name.clone(),
        target: peer.clone(),
        metadata: PeerMetadata { storage_id: Some(hub.storage_id.clone()), is_ephemeral: false, taiwa: true },
        selected_version: PROTOCOL_VERSION.to_owned(),
    });
    Ok(())
}

async fn take(
    hub: &Arc<Shared>,
    connection: &Arc<Connection>,
    frame: Frame,
    ephemerals: &mut Bucket,
) -> Result<(), Closing> {
    match frame {
        Frame::Sync { sender, document, data, .. } => {
            must_be_bound(connection, &sender)?;
            receive(hub, connection, document, SyncKind::Sync, data).await
        }
        Frame::Request { sender, document, data, .. } => {
            must_be_bound(connection, &sender)?;
            receive(hub, connection, document, SyncKind::Request, data).await
        }
        Frame::Ephemeral { sender, document, session, count, data, .. } => {
            // Stock clients send other people's messages back to us: not an attack, and not to be forwarded.
            if connection.peer() != Some(&sender) || data.len() > hub.limits.ephemeral_bytes || !ephemerals.take(1.0) {
                return Ok(());
            }
            forward(hub, connection, document, Ephemeral { sender, session, count, data }).await
        }
        Frame::Join { sender, metadata, versions } => introduce(hub, connection, &sender, &metadata, &versions),
        Frame::Renew { sender, access_token, .. } => {
            must_be_bound(connection, &sender)?;
            renew(hub, connection, &access_token);
            Ok(())
        }
        Frame::Leave { .. } => Err(Closing::gone()),
        Frame::Error { .. } => {
            tracing::info!(user.id = %connection.principal.user, "a client reported an error and was disconnected");
            Err(Closing::gone())
        }
        Frame::Peer { .. }
        | Frame::DocUnavailable { .. }
        | Frame::News { .. }
        | Frame::RemoteSubscriptionChange
        | Frame::RemoteHeadsChanged
        | Frame::Unknown => Ok(()),
    }
}

fn must_be_bound(connection: &Connection, sender: &PeerId) -> Result<(), Closing> {
    if connection.peer() == Some(sender) { Ok(()) } else { Err(Closing::hostile("senderId is not that of the join")) }
}

async fn receive(
    hub: &Arc<Shared>,
    connection: &Arc<Connection>,
    document: DocumentId,
    kind: SyncKind,
    data: Bytes,
) -> Result<(), Closing> {
    let received = loop {
        let (key, open) = match connection.standing(hub, document).await? {
            Standing::Joined(key, open) => (key, open),
            // The message was made under access that is gone; what the peer sends next starts anew.
            Standing::Ended => return Ok(()),
            Standing::Apart => match Box::pin(connection.join(hub, document)).await? {
                Some(joined) => joined,
                None => return Ok(()),
            },
        };
        // Retired under us: everybody on it reconnects. What a reader sends as changes is not even weighed.
        let takes_changes = hub.enter(&open, |state| state.sync.takes_changes(key)).map_err(|_| Closing::fault())?;
        let staged = if takes_changes && weigh(&data) > INLINE_WEIGHT {
            let (hub, connection, open, data) =
                (Arc::clone(hub), Arc::clone(connection), Arc::clone(&open), data.clone());
            let work = tokio::task::spawn_blocking(move || stage(&hub, &connection, &open, key, kind, &data, true));
            work.await.map_err(|_| Closing::fault())?
        } else {
            stage(hub, connection, &open, key, kind, &data, takes_changes)
        };
        match staged {
            // News about this person came while it was inspected: the records decide again.
            Ok(Staged::OutOfDate) => {}
            Ok(Staged::Taken(answer)) => break Ok(answer),
            Err(closing) => break Err(closing),
        }
    };
    match received {
        Ok(answer) => {
            match answer {
                Due::Now => connection.outbox.mark(document),
                Due::Later => hub.acknowledgements.owe(connection, document, Instant::now()),
                Due::Nothing => {}
            }
            Ok(())
        }
        Err(closing) => {
            if closing.hostile {
                audit(connection, Some(document), &closing.message);
            }
            // Audited here, with the document.
            Err(Closing { hostile: false, ..closing })
        }
    }
}

/// What came of staging a message.
enum Staged {
    /// It is taken; how pressing it is to answer.
    Taken(Due),
    /// Nothing of it: it is not known any more whether the sender may write.
    OutOfDate,
}

/// Inspects a message and stages what it brings; returns how pressing it is to answer. Only the last step, which costs
/// little, holds the document up.
fn stage(
    hub: &Shared,
    connection: &Connection,
    open: &Arc<OpenDocument>,
    key: SessionKey,
    kind: SyncKind,
    data: &[u8],
    takes_changes: bool,
) -> Result<Staged, Closing> {
    let inspected = catch_unwind(AssertUnwindSafe(|| inspect(hub, connection, open, key, kind, data, takes_changes)));
    let message = inspected
        .unwrap_or_else(|_| {
            tracing::error!(document.id = %open.id, "inspecting a message panicked");
            Err(Closing::fault())
        })
        .inspect_err(|_| connection.quota.spend(REFUSED_MESSAGE))?;
    let (changes, bytes) = message.size();
    // After a restore everybody brings back what they have.
    if changes > 0 && !hub.takes_relayed() && !connection.quota.take_bytes(bytes, &hub.limits, hub.clock.now()) {
        return Err(Closing::over_quota());
    }
    let entered = hub.enter(open, |state| {
        // Inspecting it may have taken long enough for the access to be gone.
        if changes > 0 && !connection.may_write(key) {
            return Ok(None);
        }
        let received = state.receive(key, message, &hub.limits)?;
        let is_new = received.staged.is_some() && state.enqueue();
        if let Some(staged) = received.staged {
            hub.committer.queue(open, staged, is_new);
        }
        Ok(Some((received.answer, state.sync.take_walked(key))))
    });
    match entered {
        Ok(Ok(Some((answer, walked)))) => {
            connection.quota.spend_walk(walked);
            Ok(Staged::Taken(answer))
        }
        Ok(Ok(None)) => Ok(Staged::OutOfDate),
        Ok(Err(rejection)) => {
            connection.quota.spend(REFUSED_MESSAGE);
            Err(hub.refuse(&rejection))
        }
        // Retired under us: everybody on it reconnects.
        Err(_) => Err(Closing::fault()),
    }
}

fn inspect<'a>(
    hub: &Shared,
    connection: &Connection,
    open: &Arc<OpenDocument>,
    key: SessionKey,
    kind: SyncKind,
    data: &'a [u8],
    takes_changes: bool,
) -> Result<InspectedMessage<'a>, Closing> {
    let rejected = |rejection: Rejection| hub.refuse(&rejection);
    let message = UncheckedMessage::read(kind, data, takes_changes).map_err(rejected)?;
    connection.quota.spend(message.weight());
    let mut known = HashSet::new();
    if message.hashes().next().is_some() {
        let find = |state: &mut State| message.hashes().filter(|hash| state.sync.knows(key, hash)).collect();
        // Retired under us: everybody on it reconnects.
        known = hub.enter(open, find).map_err(|_| Closing::fault())?;
    }
    message.inspect(|hash| known.contains(hash)).map_err(rejected)
}

async fn forward(
    hub: &Shared,
    connection: &Connection,
    document: DocumentId,
    message: Ephemeral,
) -> Result<(), Closing> {
    if let Standing::Joined(key, open) = connection.standing(hub, document).await? {
        // A retired document has nobody to forward to.
        let _ = hub.enter(&open, |state| {
            state.others(key).for_each(|other| other.outbox.ephemeral(document, message.clone()));
        });
    }
    Ok(())
}

fn renew(hub: &Shared, connection: &Connection, token: &RenewalToken) {
    let ours = &connection.principal;
    match (hub.verify)(token.expose()) {
        Some(theirs)
            if (theirs.organisation, theirs.user, theirs.device) == (ours.organisation, ours.user, ours.device) =>
        {
            connection.renew(theirs.expires);
        }
        // The socket closes when the present token expires.
        _ => audit(connection, None, "renewal with a token that is not valid here"),
    }
}

/// Writes what no correct client does to the audit log; never contents.
pub(super) fn audit(connection: &Connection, document: Option<DocumentId>, what: &str) {
    let document = document.map(tracing::field::display);
    let principal = &connection.principal;
    tracing::warn!(
        target: "taiwa::audit",
        { user.id = %principal.user, device.id = %principal.device, document.id = document },
        "refused: {what}"
    );
}

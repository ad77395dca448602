//! The writing half of a connection: takes marks, makes each message at the moment it can be sent.
//!
//! The only place where bytes of documents leave. Right before they do, the session must be as fresh as the news;
//! otherwise the records are asked again and the message is dropped if access was lost.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use axum::extract::ws::Message;
use bytes::Bytes;
use futures_util::{Sink, SinkExt};
use taiwa_shared::{
    ids::DocumentId,
    sync::{document::SyncKind, wire::Frame},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{
    Shared,
    connection::{Closing, Connection, Standing},
    document::OpenDocument,
    open::read_archive,
    outbox::{Ephemeral, Task},
    state::{Next, Ready, SessionKey},
};

/// Pings without an answer after which a connection is dead.
const MAX_UNANSWERED_PINGS: u8 = 2;

/// Writes until the connection has to end.
pub(super) async fn run(
    hub: &Shared,
    connection: &Connection,
    socket: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
) -> Closing {
    let mut ping = interval_at(Instant::now() + hub.limits.ping_interval, hub.limits.ping_interval);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Once: all connections are in one list of who waits for it.
    let mut draining = pin!(hub.draining.cancelled());
    loop {
        let is_last = hub.draining.is_cancelled();
        if is_last {
            connection.outbox.release_all();
        }
        while let Some(task) = connection.outbox.next() {
            if let Err(closing) = perform(hub, connection, socket, task).await {
                return closing;
            }
        }
        if is_last {
            return Closing::stopping();
        }
        tokio::select! {
            () = connection.outbox.filled() => {}
            () = &mut draining => {}
            _ = ping.tick() => {
                if connection.unanswered_pings.fetch_add(1, Ordering::AcqRel) >= MAX_UNANSWERED_PINGS {
                    return Closing::dead();
                }
                if let Err(closing) = send(hub, socket, Message::Ping(Bytes::new())).await {
                    return closing;
                }
            }
        }
    }
}

async fn perform(
    hub: &Shared,
    connection: &Connection,
    socket: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    task: Task,
) -> Result<(), Closing> {
    let frame = match task {
        Task::Control(frame) => frame,
        Task::CheckAccess => return Box::pin(connection.check_all(hub)).await,
        Task::Sync(document) => match next_message(hub, connection, document).await? {
            Some(frame) => frame,
            None => return Ok(()),
        },
        Task::Ephemeral(document, message) => {
            let Standing::Joined(..) = connection.standing(hub, document).await? else {
                return Ok(());
            };
            let Some(target) = connection.peer().cloned() else {
                return Ok(());
            };
            let Ephemeral { sender, session, count, data } = message;
            Frame::Ephemeral { sender, target, document, session, count, data }
        }
        Task::News(counter) => {
            let Some(target) = connection.peer().cloned() else {
                return Ok(());
            };
            Frame::News { sender: hub.name.clone(), target, cursor_hint: u64::try_from(counter).unwrap_or(0) }
        }
    };
    send(hub, socket, Message::Binary(frame.encode().into())).await
}

async fn next_message(hub: &Shared, connection: &Connection, document: DocumentId) -> Result<Option<Frame>, Closing> {
    let Standing::Joined(key, open) = connection.standing(hub, document).await? else {
        return Ok(None);
    };
    let Ok((next, walked)) = hub.enter(&open, |state| (state.next(key), state.sync.take_walked(key))) else {
        return Err(Closing::fault());
    };
    connection.quota.spend_walk(walked);
    let ready = match next {
        Next::Nothing => return Ok(None),
        Next::Message(ready) => ready,
        Next::Missing(outgoing) => {
            Box::pin(read_missing(hub, &open)).await?;
            match hub.enter(&open, |state| state.fill(key, outgoing)) {
                Ok(Next::Message(ready)) => ready,
                _ => {
                    tracing::error!(document.id = %document, "the store lacks changes that it had");
                    return Err(Closing::fault());
                }
            }
        }
    };
    let Ready { kind, data, has_changes, more } = ready;
    if more {
        connection.outbox.mark(document);
    }
    if !may_leave(hub, connection, document, key).await? {
        return Ok(None);
    }
    let Some(target) = connection.peer().cloned() else {
        return Ok(None);
    };
    if has_changes {
        connection.outbox.note_changes_sent(Instant::now());
    }
    let (sender, data) = (hub.name.clone(), Bytes::from(data));
    Ok(Some(match kind {
        SyncKind::Request => Frame::Request { sender, target, document, data },
        SyncKind::Sync => Frame::Sync { sender, target, document, data },
    }))
}

/// News may have come while the message was made: then the records decide again.
async fn may_leave(
    hub: &Shared,
    connection: &Connection,
    document: DocumentId,
    key: SessionKey,
) -> Result<bool, Closing> {
    if connection.is_fresh(document, key) {
        return Ok(true);
    }
    Ok(matches!(connection.standing(hub, document).await?, Standing::Joined(now, _) if now == key))
}

async fn read_missing(hub: &Shared, open: &Arc<OpenDocument>) -> Result<(), Closing> {
    match read_archive(&hub.store, (open.organisation, open.id)).await {
        Ok(Ok(archive)) => {
            // Retired meanwhile: the caller notices.
            let _ = hub.enter(open, |state| state.set_archive(Some(archive)));
            Ok(())
        }
        Ok(Err(damage)) => {
            tracing::error!(document.id = %open.id, damage = %damage, "document quarantined: its rows are left as they are");
            hub.quarantine(open);
            Err(Closing::fault())
        }
        Err(error) => {
            tracing::error!(document.id = %open.id, error = &error as &dyn std::error::Error, "reading changes");
            Err(Closing::fault())
        }
    }
}

async fn send(
    hub: &Shared,
    socket: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    message: Message,
) -> Result<(), Closing> {
    match timeout(hub.limits.write_timeout, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Closing::gone()),
        Err(_) => Err(Closing::dead()),
    }
}

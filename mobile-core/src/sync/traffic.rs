//! What the socket carries: frames in, taken in batches; frames out, made only when there is room for them.
//!
//! A frame that has to wait for the network is not made yet, so that it carries the newest state and nothing piles up.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::FutureExt;
use taiwa_shared::{
    ids::DocumentId,
    sync::{
        document::{Due, SyncKind},
        limits::CLIENT_ACKNOWLEDGES_WITHIN,
        wire::{Frame, PROTOCOL_VERSION, PeerId},
    },
};
use tokio::{
    sync::mpsc::OwnedPermit,
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    credentials::Credentials,
    event::SyncEvent,
    exchanges::Exchanges,
    outcome::{Incoming, Outcome},
    signals::{Closing, Event},
    socket::{Arrival, Socket, message_of},
    task::{GOODBYE, Task},
};
use crate::store::{RefusalReason, Store};

/// Frames taken together into one transaction: a catch-up comes as messages of 64 KiB.
const MAX_BATCH: usize = 32;
/// Ephemeral frames that wait for room; newer ones replace older ones.
const MAX_EPHEMERAL_WAITING: usize = 32;

/// What exists only while there is a socket.
pub(super) struct Contact {
    pub(super) socket: Socket,
    pub(super) exchanges: Exchanges,
    /// Frames about the connection itself; they go before all others and are few.
    pub(super) control: VecDeque<Message>,
    ephemeral: VecDeque<Message>,
    /// Known once the server has answered `join`.
    server: Option<PeerId>,
    ephemeral_session: String,
    ephemeral_count: u64,
    /// Until when an acknowledgement may wait, if one is owed and there is nothing else to say.
    acknowledge_at: Option<Instant>,
}

impl Contact {
    pub(super) fn new(socket: Socket, store: Store, ephemeral_session: u64) -> Self {
        Self {
            socket,
            exchanges: Exchanges::new(store),
            control: VecDeque::new(),
            ephemeral: VecDeque::new(),
            server: None,
            ephemeral_session: format!("{ephemeral_session:016x}"),
            ephemeral_count: 0,
            acknowledge_at: None,
        }
    }

    /// Whether documents are still being exchanged, or something waits for room.
    pub(super) fn is_busy(&self) -> bool {
        self.exchanges.is_busy() || self.exchanges.due() == Due::Now
    }

    /// Whether something has to be sent now; if not, [`Self::speaks_at`] may say when.
    pub(super) fn has_to_speak(&mut self) -> bool {
        let due = self.exchanges.due();
        if due == Due::Nothing {
            self.acknowledge_at = None;
        }
        let is_due = due == Due::Later && {
            let now = Instant::now();
            now >= *self.acknowledge_at.get_or_insert(now + CLIENT_ACKNOWLEDGES_WITHIN)
        };
        is_due || due == Due::Now || !self.control.is_empty() || !self.ephemeral.is_empty()
    }

    /// When an acknowledgement that is owed has to be sent.
    pub(super) fn speaks_at(&self) -> Option<Instant> {
        self.acknowledge_at
    }

    /// A frame about the connection.
    pub(super) fn say(&mut self, frame: impl FnOnce(PeerId) -> Frame) {
        if let Some(server) = &self.server {
            self.control.push_back(message_of(frame(server.clone()).encode()));
        }
    }

    /// Frames that are not kept.
    pub(super) fn broadcast(&mut self, me: &PeerId, messages: VecDeque<(DocumentId, Bytes)>) {
        let Some(server) = &self.server else { return };
        for (document, data) in messages {
            if !self.exchanges.is_live(document) {
                continue;
            }
            self.ephemeral_count += 1;
            let frame = Frame::Ephemeral {
                sender: me.clone(),
                target: server.clone(),
                document,
                session: self.ephemeral_session.clone(),
                count: self.ephemeral_count,
                data,
            };
            if self.ephemeral.len() == MAX_EPHEMERAL_WAITING {
                self.ephemeral.pop_front();
            }
            self.ephemeral.push_back(message_of(frame.encode()));
        }
    }

    /// Leaves and closes the socket, if the network takes it soon.
    pub(super) async fn say_goodbye(self, me: &PeerId) {
        let Self { socket, server, .. } = self;
        let leave = server.map(|_| message_of(Frame::Leave { sender: me.clone() }.encode()));
        // A dead network takes nothing; the server finds out by itself.
        let _ = timeout(GOODBYE, socket.close(leave)).await;
    }
}

impl<C: Credentials> Task<C> {
    /// Takes what arrived, with everything that has arrived behind it.
    pub(super) async fn arrived(&mut self, first: Arrival) {
        self.feed(Event::Arrived);
        let Some(contact) = &mut self.contact else { return };
        let mut frames = Vec::new();
        let mut closed = None;
        let mut next = Some(first);
        while let Some(arrival) = next {
            match arrival {
                Arrival::Frame(bytes) => frames.push(bytes),
                Arrival::Sign => {}
                Arrival::Closed(closing) => {
                    closed = Some(closing);
                    break;
                }
            }
            next = if frames.len() < MAX_BATCH { contact.socket.next().now_or_never() } else { None };
        }
        self.take_frames(frames).await;
        if let Some(closing) = closed {
            self.closed(closing).await;
        }
    }

    /// Makes the next frame and hands it to the writer.
    pub(super) async fn send(&mut self, place: OwnedPermit<Message>) {
        let Some(contact) = &mut self.contact else { return };
        if let Some(message) = contact.control.pop_front() {
            place.send(message);
            return;
        }
        let mut outcome = Outcome::default();
        match contact.exchanges.next_message(&mut outcome).await {
            Ok(Some((document, kind, data))) => {
                if let Some(target) = contact.server.clone() {
                    place.send(message_of(sync_frame(self.me.clone(), target, document, kind, data.into()).encode()));
                }
            }
            Ok(None) => {
                if let Some(message) = contact.ephemeral.pop_front() {
                    place.send(message);
                }
            }
            Err(error) => self.storage_failed(&error),
        }
        self.follow(outcome).await;
    }

    async fn take_frames(&mut self, frames: Vec<Bytes>) {
        let mut batch = Vec::new();
        for bytes in frames {
            match Frame::decode(&bytes) {
                Ok(Frame::Sync { document, data, .. }) => {
                    batch.push(Incoming::Message { document, kind: SyncKind::Sync, data });
                }
                Ok(Frame::Request { document, data, .. }) => {
                    batch.push(Incoming::Message { document, kind: SyncKind::Request, data });
                }
                Ok(Frame::DocUnavailable { document, .. }) => batch.push(Incoming::Unavailable { document }),
                Ok(frame) => self.take_frame(frame),
                Err(error) => {
                    tracing::warn!(%error, "the server sent something that is no frame");
                    self.feed(Event::Closed(Closing::Lost));
                    break;
                }
            }
        }
        let Some(contact) = self.contact.as_mut().filter(|_| !batch.is_empty()) else { return };
        let mut outcome = Outcome::default();
        let received = contact.exchanges.receive(batch, &mut outcome).await;
        // What is in the store is told even if the connection ends here.
        self.follow(outcome).await;
        if let Err(error) = received {
            self.storage_failed(&error);
        }
    }

    fn take_frame(&mut self, frame: Frame) {
        match frame {
            Frame::Peer { sender, selected_version, .. } => {
                if selected_version != PROTOCOL_VERSION {
                    return self.feed(Event::Closed(Closing::UpdateApp));
                }
                if let Some(contact) = &mut self.contact {
                    contact.server = Some(sender);
                    self.feed(Event::Joined);
                }
            }
            Frame::Error { message, .. } => tracing::warn!(message, "the server reports an error"),
            Frame::News { .. } => self.feed(Event::News),
            Frame::Ephemeral { sender, document, data, .. } => {
                let event = SyncEvent::Ephemeral { document, sender: sender.as_str().to_owned(), data };
                // A session that is behind needs no old carets.
                let _ = self.ends.events.try_send(event);
            }
            Frame::Leave { .. } => self.feed(Event::Closed(Closing::Lost)),
            Frame::Join { .. }
            | Frame::Sync { .. }
            | Frame::Request { .. }
            | Frame::DocUnavailable { .. }
            | Frame::Renew { .. }
            | Frame::RemoteSubscriptionChange
            | Frame::RemoteHeadsChanged
            | Frame::Unknown => {}
        }
    }

    async fn closed(&mut self, closing: Closing) {
        let reason = match closing {
            Closing::Rejected => Some(RefusalReason::Rejected),
            Closing::Full => Some(RefusalReason::Full),
            _ => None,
        };
        if let Some(reason) = reason
            && let Some(contact) = &mut self.contact
        {
            let suspects = contact.exchanges.awaiting_verdict();
            let found = self.quarantine.refused(&suspects);
            if let Some(document) = found.filter(|document| !contact.exchanges.has_unsent(*document)) {
                tracing::error!(document.id = %document, "the server takes no more of a document, and nothing in it is unsent");
                self.quarantine.set_aside(document);
            } else if let Some(document) = found {
                let mut outcome = Outcome::default();
                let refused = contact.exchanges.refuse(document, reason, &mut outcome).await;
                match refused {
                    Ok(()) => self.follow(outcome).await,
                    Err(error) => return self.storage_failed(&error),
                }
            }
        }
        self.feed(Event::Closed(closing));
    }
}

fn sync_frame(sender: PeerId, target: PeerId, document: DocumentId, kind: SyncKind, data: Bytes) -> Frame {
    match kind {
        SyncKind::Request => Frame::Request { sender, target, document, data },
        SyncKind::Sync => Frame::Sync { sender, target, document, data },
    }
}

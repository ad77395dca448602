//! The life of one socket: introduction, both halves side by side in one task, and a proper goodbye.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use futures_util::{SinkExt, StreamExt};
use taiwa_shared::sync::{limits::MAX_FRAME_BYTES, wire::Frame};

use super::{
    Shared,
    connection::{Closing, Connection},
    inbound, outbound,
};
use crate::records::access::Principal;

/// 1 KiB: an edit is about 300 bytes, and every connection keeps its buffer.
const READ_BUFFER_BYTES: usize = 1024;
/// Room for one large frame that waits for a slow reader, and for what the socket itself adds.
const MAX_WRITE_BUFFER_BYTES: usize = 2 * MAX_FRAME_BYTES;
/// How long a goodbye may take: the close frame is lost if the socket is dropped with unread data in it.
const GOODBYE: Duration = Duration::from_secs(2);
/// A close frame's reason has at most 123 bytes (RFC 6455, section 5.5).
const MAX_REASON_BYTES: usize = 123;

/// Limits of the socket itself.
pub(super) fn configure(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
}

/// While this lives the connection is in the roster and in its documents, even if the task is dropped.
struct Present<'a> {
    hub: &'a Shared,
    connection: &'a Connection,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.hub.roster.remove(self.connection);
        self.connection.leave_all(self.hub);
    }
}

/// Serves a socket until it is closed; `heard` is the organisation's counter when the handshake was answered. What was
/// received is stored also if this is dropped.
pub(super) async fn serve(hub: Arc<Shared>, socket: WebSocket, principal: Principal, heard: i64) {
    let access = hub.access.of(principal.organisation);
    let quota = hub.quotas.of(principal.organisation, principal.user, &hub.limits, hub.clock.now());
    let connection = Arc::new(Connection::new(hub.next_number(), principal, access, quota));
    hub.roster.add(&connection);
    // A sign-in that ended between the upgrade and this line sent its news before we could hear them.
    connection.outbox.check_access();
    let present = Present { hub: &hub, connection: &connection };
    let (mut sink, mut stream) = socket.split();
    let work = async {
        if hub.stopping.is_cancelled() {
            return Closing::stopping();
        }
        if let Err(closing) = inbound::join(&hub, &connection, &mut stream, heard).await {
            return closing;
        }
        tokio::select! {
            closing = inbound::run(Arc::clone(&hub), Arc::clone(&connection), &mut stream) => closing,
            closing = outbound::run(&hub, &connection, &mut sink) => closing,
        }
    };
    let closing = tokio::select! {
        biased;
        closing = connection.closed() => closing,
        closing = work => closing,
    };
    drop(present);
    hub.metrics.connection_closed(closing.code);
    if closing.hostile {
        inbound::audit(&connection, None, &closing.message);
    }
    let goodbye = async {
        if closing.code != Closing::gone().code
            && let Some(target) = connection.peer().cloned()
        {
            let error = Frame::Error { sender: hub.name.clone(), target, message: closing.message.clone() };
            // A socket that is broken already needs no goodbye.
            let _ = sink.send(Message::Binary(error.encode().into())).await;
        }
        let mut reason = closing.message;
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        let _ = sink.send(Message::Close(Some(CloseFrame { code: closing.code, reason: reason.into() }))).await;
        while let Some(Ok(_)) = stream.next().await {}
    };
    // A client that does not answer the close frame in time is cut off.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

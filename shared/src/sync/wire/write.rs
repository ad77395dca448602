//! Writes frames with definite lengths, plain byte strings and `type` first, as cbor-x does for stock clients.

use std::convert::Infallible;

use minicbor::encode::{Encoder, Error};

use super::{Frame, PeerId, PeerMetadata};
use crate::ids::DocumentId;

pub(super) fn frame(frame: &Frame) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::with_capacity(capacity(frame)));
    write(&mut encoder, frame).expect("writing into memory cannot fail");
    encoder.into_writer()
}

/// Enough for the data and the names, so that a frame is one allocation.
fn capacity(frame: &Frame) -> usize {
    256 + match frame {
        Frame::Request { data, .. } | Frame::Sync { data, .. } | Frame::Ephemeral { data, .. } => data.len(),
        _ => 0,
    }
}

type Written = Result<(), Error<Infallible>>;

fn write(out: &mut Encoder<Vec<u8>>, frame: &Frame) -> Written {
    match frame {
        Frame::Join { sender, metadata, versions } => {
            start(out, 4, "join", sender)?;
            write_metadata(out, metadata)?;
            out.str("supportedProtocolVersions")?.array(versions.len() as u64)?;
            for version in versions {
                out.str(version)?;
            }
        }
        Frame::Peer { sender, target, metadata, selected_version } => {
            start(out, 5, "peer", sender)?;
            write_metadata(out, metadata)?;
            out.str("selectedProtocolVersion")?.str(selected_version)?;
            out.str("targetId")?.str(target.as_str())?;
        }
        Frame::Error { sender, target, message } => {
            start(out, 4, "error", sender)?;
            out.str("targetId")?.str(target.as_str())?.str("message")?.str(message)?;
        }
        Frame::Leave { sender } => start(out, 2, "leave", sender)?,
        Frame::Request { sender, target, document, data } => {
            start(out, 5, "request", sender)?;
            about(out, target, document)?;
            out.str("data")?.bytes(data)?;
        }
        Frame::Sync { sender, target, document, data } => {
            start(out, 5, "sync", sender)?;
            about(out, target, document)?;
            out.str("data")?.bytes(data)?;
        }
        Frame::DocUnavailable { sender, target, document } => {
            start(out, 4, "doc-unavailable", sender)?;
            about(out, target, document)?;
        }
        Frame::Ephemeral { sender, target, document, session, count, data } => {
            start(out, 7, "ephemeral", sender)?;
            about(out, target, document)?;
            out.str("sessionId")?.str(session)?.str("count")?.u64(*count)?.str("data")?.bytes(data)?;
        }
        Frame::RemoteSubscriptionChange => only_type(out, "remote-subscription-change")?,
        Frame::RemoteHeadsChanged => only_type(out, "remote-heads-changed")?,
        Frame::News { sender, target, cursor_hint } => {
            start(out, 4, "taiwa-news", sender)?;
            out.str("targetId")?.str(target.as_str())?.str("cursorHint")?.u64(*cursor_hint)?;
        }
        Frame::Renew { sender, target, access_token } => {
            start(out, 4, "taiwa-renew", sender)?;
            out.str("targetId")?.str(target.as_str())?.str("accessToken")?.str(access_token.expose())?;
        }
        Frame::Unknown => only_type(out, "unknown")?,
    }
    Ok(())
}

fn only_type(out: &mut Encoder<Vec<u8>>, kind: &str) -> Written {
    out.map(1)?.str("type")?.str(kind)?.ok()
}

fn start(out: &mut Encoder<Vec<u8>>, fields: u64, kind: &str, sender: &PeerId) -> Written {
    out.map(fields)?.str("type")?.str(kind)?.str("senderId")?.str(sender.as_str())?.ok()
}

fn about(out: &mut Encoder<Vec<u8>>, target: &PeerId, document: &DocumentId) -> Written {
    out.str("targetId")?.str(target.as_str())?;
    out.str("documentId")?.str(&document.to_base58check())?.ok()
}

fn write_metadata(out: &mut Encoder<Vec<u8>>, metadata: &PeerMetadata) -> Written {
    let fields = 1 + u64::from(metadata.storage_id.is_some()) + u64::from(metadata.taiwa);
    out.str("peerMetadata")?.map(fields)?;
    if let Some(storage_id) = &metadata.storage_id {
        out.str("storageId")?.str(storage_id)?;
    }
    out.str("isEphemeral")?.bool(metadata.is_ephemeral)?;
    if metadata.taiwa {
        out.str("taiwa")?.bool(true)?;
    }
    Ok(())
}

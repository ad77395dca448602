//! Frames of the sync socket: what can be read is written back the same.

use bytes::Bytes;
use taiwa_shared::{
    ids::DocumentId,
    sync::wire::{Frame, PeerId, PeerMetadata, RenewalToken},
};

pub(super) fn frame(data: &[u8]) {
    let Ok(frame) = Frame::decode(data) else { return };
    if matches!(frame, Frame::Unknown | Frame::RemoteSubscriptionChange | Frame::RemoteHeadsChanged) {
        // Read only to be ignored; nobody sends them on.
        return;
    }
    let written = frame.encode();
    assert_eq!(Frame::decode(&written).as_ref(), Ok(&frame), "what we write is what we read");
}

/// One frame of each kind.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (sender, target) = (peer("phone"), peer("taiwa-1"));
    let document = DocumentId::from_bytes([5; 16]);
    let metadata = PeerMetadata { storage_id: Some("store".to_owned()), is_ephemeral: true, taiwa: true };
    let data = Bytes::from_static(&[0x42, 0, 0, 0]);
    let frames = [
        Frame::Join { sender: sender.clone(), metadata: metadata.clone(), versions: vec!["1".to_owned()] },
        Frame::Peer { sender: target.clone(), target: sender.clone(), metadata, selected_version: "1".to_owned() },
        Frame::Error { sender: target.clone(), target: sender.clone(), message: "やり直し".to_owned() },
        Frame::Leave { sender: sender.clone() },
        Frame::Request { sender: sender.clone(), target: target.clone(), document, data: data.clone() },
        Frame::Sync { sender: sender.clone(), target: target.clone(), document, data: data.clone() },
        Frame::DocUnavailable { sender: target.clone(), target: sender.clone(), document },
        Frame::Ephemeral {
            sender: sender.clone(),
            target: target.clone(),
            document,
            session: "s".to_owned(),
            count: 3,
            data,
        },
        Frame::News { sender: target.clone(), target: sender.clone(), cursor_hint: 7 },
        Frame::Renew { sender, target, access_token: RenewalToken::new("token") },
    ];
    frames.iter().map(Frame::encode).collect()
}

fn peer(name: &str) -> PeerId {
    PeerId::new(name).expect("a short text")
}

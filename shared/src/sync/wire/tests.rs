//! Frames as captured from stock clients, written back, and arbitrary bytes.

use minicbor::Encoder;
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

use super::{Frame, PeerId, PeerMetadata, RenewalToken, WireError};
use crate::{ids::DocumentId, sync::limits::MAX_FRAME_BYTES};

fn peer(text: &str) -> PeerId {
    PeerId::new(text).unwrap()
}

fn document() -> DocumentId {
    DocumentId::from_bytes([7; 16])
}

fn every_frame() -> Vec<Frame> {
    let (sender, target, document) = (peer("phone"), peer("server"), document());
    let data = bytes::Bytes::from_static(&[0x42, 0, 0, 0, 0]);
    let metadata = PeerMetadata { storage_id: Some("store".into()), is_ephemeral: false, taiwa: true };
    vec![
        Frame::Join { sender: sender.clone(), metadata: metadata.clone(), versions: vec!["1".into()] },
        Frame::Peer { sender: sender.clone(), target: target.clone(), metadata, selected_version: "1".into() },
        Frame::Error { sender: sender.clone(), target: target.clone(), message: "no".into() },
        Frame::Leave { sender: sender.clone() },
        Frame::Request { sender: sender.clone(), target: target.clone(), document, data: data.clone() },
        Frame::Sync { sender: sender.clone(), target: target.clone(), document, data: data.clone() },
        Frame::DocUnavailable { sender: sender.clone(), target: target.clone(), document },
        Frame::Ephemeral {
            sender: sender.clone(),
            target: target.clone(),
            document,
            session: "s".into(),
            count: u64::MAX,
            data,
        },
        Frame::RemoteSubscriptionChange,
        Frame::RemoteHeadsChanged,
        Frame::News { sender: sender.clone(), target: target.clone(), cursor_hint: 12 },
        Frame::Renew { sender, target, access_token: RenewalToken::new("token") },
        Frame::Unknown,
    ]
}

#[test]
fn every_frame_survives_writing_and_reading() {
    for frame in every_frame() {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn frames_are_written_as_cbor_x_writes_them() {
    let join = Frame::Join { sender: peer("p"), metadata: PeerMetadata::default(), versions: vec!["1".into()] };
    let expected = "a4647479706564 6a6f696e 6873656e6465724964 6170 6c706565724d65746164617461 a1 \
                    6b6973457068656d6572616c f4 7819737570706f7274656450726f746f636f6c56657273696f6e73 81 6131";
    assert_eq!(hex::encode(join.encode()), expected.replace(' ', ""));
}

#[test]
fn loose_encodings_of_javascript_are_understood() {
    let mut out = Encoder::new(Vec::new());
    out.begin_map().unwrap();
    out.str("count").unwrap().f64(3.0).unwrap();
    out.str("data").unwrap().tag(minicbor::data::Tag::new(64)).unwrap().bytes(&[1, 2]).unwrap();
    out.str("documentId").unwrap().str(&document().to_base58check()).unwrap();
    out.str("extra").unwrap().begin_array().unwrap().u8(1).unwrap().end().unwrap();
    out.u8(5).unwrap().null().unwrap();
    out.str("senderId").unwrap().begin_str().unwrap().str("pho").unwrap().str("ne").unwrap().end().unwrap();
    out.str("sessionId").unwrap().str("s").unwrap().str("message").unwrap().undefined().unwrap();
    out.str("targetId").unwrap().str("server").unwrap().str("type").unwrap().str("ephemeral").unwrap();
    out.end().unwrap();
    let frame = Frame::decode(&out.into_writer()).unwrap();
    let Frame::Ephemeral { sender, count, data, .. } = frame else { panic!("{frame:?}") };
    assert_eq!((sender.as_str(), count, &data[..]), ("phone", 3, &[1, 2][..]));

    let mut out = Encoder::new(Vec::new());
    out.map(4).unwrap().str("type").unwrap().str("join").unwrap().str("senderId").unwrap().str("p").unwrap();
    out.str("peerMetadata").unwrap().undefined().unwrap();
    out.str("supportedProtocolVersions").unwrap().begin_array().unwrap().str("1").unwrap().end().unwrap();
    let expected = Frame::Join { sender: peer("p"), metadata: PeerMetadata::default(), versions: vec!["1".into()] };
    assert_eq!(Frame::decode(&out.into_writer()), Ok(expected));
}

#[test]
fn frames_without_what_they_need_are_refused() {
    let mut out = Encoder::new(Vec::new());
    out.map(2).unwrap().str("type").unwrap().str("sync").unwrap().str("senderId").unwrap().str("p").unwrap();
    let error = Frame::decode(&out.into_writer());
    assert_eq!(error, Err(WireError::Field { kind: "sync", field: "targetId" }));
    assert_eq!(Frame::decode(&vec![0; MAX_FRAME_BYTES + 1]), Err(WireError::TooLarge(MAX_FRAME_BYTES + 1)));
    assert!(matches!(Frame::decode(&[]), Err(WireError::NotAFrame(_))));
    assert!(matches!(Frame::decode(&[0xa0]), Err(WireError::NotAFrame(_))));
    let long = Frame::Leave { sender: PeerId("x".repeat(129).into()) };
    assert_eq!(Frame::decode(&long.encode()), Err(WireError::Field { kind: "leave", field: "senderId" }));
}

#[test]
fn a_token_is_not_printed() {
    let frame = Frame::Renew { sender: peer("a"), target: peer("b"), access_token: RenewalToken::new("geheim") };
    assert!(!format!("{frame:?}").contains("geheim"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Frame::decode(&data);
    }

    #[test]
    fn damaged_frames_never_panic(
        which in 0..13usize,
        at in any::<proptest::sample::Index>(),
        flip in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut data = every_frame()[which].encode();
        let at = at.index(data.len());
        data[at] ^= flip;
        let _ = Frame::decode(&data);
        data.truncate(cut.index(data.len()));
        let _ = Frame::decode(&data);
    }

    #[test]
    fn any_data_survives(data in proptest::collection::vec(any::<u8>(), 0..2_000), count in any::<u64>()) {
        let (sender, target) = (peer("phone"), peer("server"));
        let frame = Frame::Ephemeral {
            sender, target, document: document(), session: "s".into(), count, data: data.into(),
        };
        prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

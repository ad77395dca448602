//! Reads frames: collects the known fields of a CBOR map in any order, then builds the frame its `type` asks for.
//!
//! Tolerates what JavaScript encoders do: null or undefined for absent fields, whole floats for integers, indefinite
//! lengths, byte strings with typed-array tags, unknown fields.

use std::borrow::Cow;

use bytes::Bytes;
use minicbor::{
    data::Type,
    decode::{Decoder, Error},
};

use super::{Frame, PROTOCOL_VERSION, PeerId, PeerMetadata, RenewalToken, WireError};
use crate::{
    ids::DocumentId,
    sync::limits::{MAX_FRAME_BYTES, MAX_FRAME_FIELDS, MAX_TEXT_BYTES, MAX_TOKEN_BYTES},
};

/// RFC 8746 tag of an array of unsigned bytes.
const TAG_UINT8_ARRAY: u64 = 64;
/// 2^53: the largest float that is a whole number beyond doubt.
const MAX_WHOLE_FLOAT: f64 = 9_007_199_254_740_992.0;

#[derive(Default)]
struct Fields<'a> {
    kind: Option<Cow<'a, str>>,
    sender: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    document: Option<Cow<'a, str>>,
    data: Option<Cow<'a, [u8]>>,
    session: Option<Cow<'a, str>>,
    count: Option<u64>,
    message: Option<Cow<'a, str>>,
    metadata: PeerMetadata,
    versions: Vec<String>,
    selected_version: Option<Cow<'a, str>>,
    cursor_hint: Option<u64>,
    access_token: Option<Cow<'a, str>>,
}

pub(super) fn frame(bytes: &[u8]) -> Result<Frame, WireError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(WireError::TooLarge(bytes.len()));
    }
    let mut decoder = Decoder::new(bytes);
    let mut fields = Fields::default();
    each_field(&mut decoder, |name, decoder| fields.read(name, decoder))
        .map_err(|_| WireError::NotAFrame("malformed CBOR"))?;
    fields.into_frame()
}

/// Calls `read` for each field; `read` must consume the value.
fn each_field<'a>(
    decoder: &mut Decoder<'a>,
    mut read: impl FnMut(&str, &mut Decoder<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let length = decoder.map()?;
    let mut seen = 0;
    loop {
        let done = match length {
            Some(length) => seen as u64 == length,
            None => decoder.datatype()? == Type::Break,
        };
        if done {
            if length.is_none() {
                decoder.skip()?;
            }
            return Ok(());
        }
        seen += 1;
        if seen > MAX_FRAME_FIELDS {
            return Err(Error::message("too many fields"));
        }
        match text(decoder)? {
            Some(name) => read(&name, decoder)?,
            None => decoder.skip()?,
        }
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self, name: &str, decoder: &mut Decoder<'a>) -> Result<(), Error> {
        match name {
            "type" => self.kind = text(decoder)?,
            "senderId" => self.sender = text(decoder)?,
            "targetId" => self.target = text(decoder)?,
            "documentId" => self.document = text(decoder)?,
            "data" => self.data = bytes(decoder)?,
            "sessionId" => self.session = text(decoder)?,
            "count" => self.count = number(decoder)?,
            "message" => self.message = text(decoder)?,
            "peerMetadata" => self.metadata = metadata(decoder)?,
            "supportedProtocolVersions" => self.versions = texts(decoder)?,
            "selectedProtocolVersion" => self.selected_version = text(decoder)?,
            "cursorHint" => self.cursor_hint = number(decoder)?,
            "accessToken" => self.access_token = text(decoder)?,
            _ => decoder.skip()?,
        }
        Ok(())
    }

    fn into_frame(self) -> Result<Frame, WireError> {
        let kind = self.kind.as_deref().ok_or(WireError::NotAFrame("no type"))?;
        Ok(match kind {
            "join" => {
                let assumed = || vec![PROTOCOL_VERSION.to_owned()];
                let versions = if self.versions.is_empty() { assumed() } else { self.versions };
                Frame::Join { sender: peer(self.sender, "join", "senderId")?, metadata: self.metadata, versions }
            }
            "peer" => Frame::Peer {
                sender: peer(self.sender, "peer", "senderId")?,
                target: peer(self.target, "peer", "targetId")?,
                metadata: self.metadata,
                selected_version: short(self.selected_version).unwrap_or_else(|| PROTOCOL_VERSION.to_owned()),
            },
            "error" => Frame::Error {
                sender: peer(self.sender, "error", "senderId")?,
                target: peer(self.target, "error", "targetId")?,
                message: short(self.message).unwrap_or_default(),
            },
            "leave" => Frame::Leave { sender: peer(self.sender, "leave", "senderId")? },
            "request" => Frame::Request {
                sender: peer(self.sender, "request", "senderId")?,
                target: peer(self.target, "request", "targetId")?,
                document: document(self.document, "request")?,
                data: data(self.data, "request")?,
            },
            "sync" => Frame::Sync {
                sender: peer(self.sender, "sync", "senderId")?,
                target: peer(self.target, "sync", "targetId")?,
                document: document(self.document, "sync")?,
                data: data(self.data, "sync")?,
            },
            "doc-unavailable" => Frame::DocUnavailable {
                sender: peer(self.sender, "doc-unavailable", "senderId")?,
                target: peer(self.target, "doc-unavailable", "targetId")?,
                document: document(self.document, "doc-unavailable")?,
            },
            "ephemeral" => Frame::Ephemeral {
                sender: peer(self.sender, "ephemeral", "senderId")?,
                target: peer(self.target, "ephemeral", "targetId")?,
                document: document(self.document, "ephemeral")?,
                session: short(self.session).ok_or(WireError::Field { kind: "ephemeral", field: "sessionId" })?,
                count: self.count.ok_or(WireError::Field { kind: "ephemeral", field: "count" })?,
                data: data(self.data, "ephemeral")?,
            },
            "remote-subscription-change" => Frame::RemoteSubscriptionChange,
            "remote-heads-changed" => Frame::RemoteHeadsChanged,
            "taiwa-news" => Frame::News {
                sender: peer(self.sender, "taiwa-news", "senderId")?,
                target: peer(self.target, "taiwa-news", "targetId")?,
                cursor_hint: self.cursor_hint.unwrap_or(0),
            },
            "taiwa-renew" => Frame::Renew {
                sender: peer(self.sender, "taiwa-renew", "senderId")?,
                target: peer(self.target, "taiwa-renew", "targetId")?,
                access_token: self
                    .access_token
                    .filter(|token| token.len() <= MAX_TOKEN_BYTES)
                    .map(|token| RenewalToken::new(token.into_owned()))
                    .ok_or(WireError::Field { kind: "taiwa-renew", field: "accessToken" })?,
            },
            _ => Frame::Unknown,
        })
    }
}

fn peer(text: Option<Cow<'_, str>>, kind: &'static str, field: &'static str) -> Result<PeerId, WireError> {
    text.and_then(|text| PeerId::new(text.into_owned())).ok_or(WireError::Field { kind, field })
}

fn document(text: Option<Cow<'_, str>>, kind: &'static str) -> Result<DocumentId, WireError> {
    text.and_then(|text| DocumentId::from_base58check(&text).ok()).ok_or(WireError::Field { kind, field: "documentId" })
}

fn data(data: Option<Cow<'_, [u8]>>, kind: &'static str) -> Result<Bytes, WireError> {
    data.map(|data| Bytes::from(data.into_owned())).ok_or(WireError::Field { kind, field: "data" })
}

fn short(text: Option<Cow<'_, str>>) -> Option<String> {
    text.filter(|text| text.len() <= MAX_TEXT_BYTES).map(Cow::into_owned)
}

/// A text, or `None` for null, undefined and values of another kind (which are skipped).
fn text<'a>(decoder: &mut Decoder<'a>) -> Result<Option<Cow<'a, str>>, Error> {
    match decoder.datatype()? {
        Type::String => decoder.str().map(|text| Some(Cow::Borrowed(text))),
        Type::StringIndef => {
            let mut joined = String::new();
            for part in decoder.str_iter()? {
                joined.push_str(part?);
            }
            Ok(Some(Cow::Owned(joined)))
        }
        _ => decoder.skip().map(|()| None),
    }
}

/// Bytes, plain or tagged as a Uint8Array.
fn bytes<'a>(decoder: &mut Decoder<'a>) -> Result<Option<Cow<'a, [u8]>>, Error> {
    match decoder.datatype()? {
        Type::Bytes => decoder.bytes().map(|bytes| Some(Cow::Borrowed(bytes))),
        Type::BytesIndef => {
            let mut joined = Vec::new();
            for part in decoder.bytes_iter()? {
                joined.extend_from_slice(part?);
            }
            Ok(Some(Cow::Owned(joined)))
        }
        Type::Tag => {
            let before = decoder.position();
            let tag = decoder.tag()?;
            if tag.as_u64() == TAG_UINT8_ARRAY && matches!(decoder.datatype()?, Type::Bytes | Type::BytesIndef) {
                return bytes(decoder);
            }
            decoder.set_position(before);
            decoder.skip().map(|()| None)
        }
        _ => decoder.skip().map(|()| None),
    }
}

/// A number that is whole and not negative, however it is encoded.
fn number(decoder: &mut Decoder<'_>) -> Result<Option<u64>, Error> {
    match decoder.datatype()? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64().map(Some),
        Type::F16 => decoder.f16().map(|float| whole(f64::from(float))),
        Type::F32 => decoder.f32().map(|float| whole(f64::from(float))),
        Type::F64 => decoder.f64().map(whole),
        _ => decoder.skip().map(|()| None),
    }
}

fn whole(float: f64) -> Option<u64> {
    let fits = (0.0..=MAX_WHOLE_FLOAT).contains(&float) && float.fract() == 0.0;
    fits.then_some(float as u64)
}

fn flag(decoder: &mut Decoder<'_>) -> Result<bool, Error> {
    match decoder.datatype()? {
        Type::Bool => decoder.bool(),
        _ => decoder.skip().map(|()| false),
    }
}

fn texts(decoder: &mut Decoder<'_>) -> Result<Vec<String>, Error> {
    let length = match decoder.datatype()? {
        Type::Array | Type::ArrayIndef => decoder.array()?,
        _ => return decoder.skip().map(|()| Vec::new()),
    };
    let mut list = Vec::new();
    let mut seen = 0;
    loop {
        match length {
            Some(length) if seen == length => return Ok(list),
            None if decoder.datatype()? == Type::Break => return decoder.skip().map(|()| list),
            _ => {}
        }
        seen += 1;
        if let Some(text) = text(decoder)?.filter(|_| list.len() < MAX_FRAME_FIELDS) {
            list.extend(short(Some(text)));
        }
    }
}

fn metadata(decoder: &mut Decoder<'_>) -> Result<PeerMetadata, Error> {
    if !matches!(decoder.datatype()?, Type::Map | Type::MapIndef) {
        return decoder.skip().map(|()| PeerMetadata::default());
    }
    let mut metadata = PeerMetadata::default();
    each_field(decoder, |name, decoder| {
        match name {
            "storageId" => metadata.storage_id = short(text(decoder)?),
            "isEphemeral" => metadata.is_ephemeral = flag(decoder)?,
            "taiwa" => metadata.taiwa = flag(decoder)?,
            _ => decoder.skip()?,
        }
        Ok(())
    })?;
    Ok(metadata)
}

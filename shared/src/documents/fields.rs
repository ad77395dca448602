//! Tolerant reads and the small writes that all schemas share.
//!
//! A value of a wrong type counts as absent, a key of a wrong form as unknown. Nothing recurses: what is not expected is
//! not looked into. Scalars that two people may set come back with every value that stands ([`Choice`]).

use std::str::FromStr;

use automerge::{ActorId, Automerge, ObjId, ObjType, ReadDoc, ScalarValue, Value, transaction::Transactable};
use unicode_segmentation::UnicodeSegmentation;

use super::{error::DocumentError, genesis::Container, replica::Replica};
use crate::{domain::brief::Choice, ids::UserId, time::Timestamp};

/// Every value at a key that `read` understands, the one that all phones show first in front, equal ones once.
fn values<T: PartialEq>(
    doc: &Automerge,
    object: &ObjId,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Vec<(T, ObjId)> {
    let mut found: Vec<(T, ObjId)> = Vec::new();
    for (value, id) in doc.get_all(object, key).unwrap_or_default().into_iter().rev() {
        // A JavaScript client's plain assignment of a string makes a text object.
        let text = match &value {
            Value::Object(ObjType::Text) => doc.text(&id).ok().map(|text| Value::from(text.as_str())),
            _ => None,
        };
        let Some(value) = read(text.as_ref().unwrap_or(&value)) else { continue };
        if found.iter().all(|(other, _)| *other != value) {
            found.push((value, id));
        }
    }
    found
}

fn choice<T: PartialEq>(
    doc: &Automerge,
    object: &ObjId,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Choice<T>> {
    let mut all = values(doc, object, key, read).into_iter().map(|(value, _)| value);
    all.next().map(|value| Choice { value, others: all.collect() })
}

/// A string.
pub(super) fn text(doc: &Automerge, object: &ObjId, key: &str) -> Option<Choice<String>> {
    choice(doc, object, key, |value| value.as_str().map(str::to_owned))
}

/// A string that is an id, a slug or the like.
pub(super) fn parsed<T: FromStr + PartialEq>(doc: &Automerge, object: &ObjId, key: &str) -> Option<Choice<T>> {
    choice(doc, object, key, |value| value.as_str().and_then(|text| text.parse().ok()))
}

/// A truth value.
pub(super) fn flag(doc: &Automerge, object: &ObjId, key: &str) -> Option<Choice<bool>> {
    choice(doc, object, key, |value| value.as_bool())
}

/// Whether a truth value stands at all, in any of the values: what one person has removed stays removed.
pub(super) fn is_set(doc: &Automerge, object: &ObjId, key: &str) -> bool {
    flag(doc, object, key).is_some_and(|flag| flag.value || flag.others.contains(&true))
}

/// A whole number; the shown value only.
pub(super) fn number(doc: &Automerge, object: &ObjId, key: &str) -> Option<i64> {
    choice(doc, object, key, whole_number).map(|number| number.value)
}

/// A whole number on which all agree.
pub(super) fn sole_number(doc: &Automerge, object: &ObjId, key: &str) -> Option<i64> {
    choice(doc, object, key, whole_number).filter(|number| number.others.is_empty()).map(|number| number.value)
}

fn whole_number(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Scalar(scalar) => scalar.as_i64(),
        Value::Object(_) => None,
    }
}

/// Bytes; the shown value only.
pub(super) fn bytes(doc: &Automerge, object: &ObjId, key: &str) -> Option<Vec<u8>> {
    choice(doc, object, key, |value| value.as_bytes().map(<[u8]>::to_vec)).map(|bytes| bytes.value)
}

/// A time in UTC milliseconds; 1970 if absent.
pub(super) fn time(doc: &Automerge, object: &ObjId, key: &str) -> Timestamp {
    let millis = choice(doc, object, key, |value| match value {
        Value::Scalar(scalar) => match scalar.as_ref() {
            ScalarValue::Timestamp(millis) => Some(*millis),
            other => other.as_i64(),
        },
        Value::Object(_) => None,
    });
    Timestamp::from_millis(millis.map_or(0, |millis| millis.value))
}

/// Keys of a map, unknown ones too.
pub(super) fn keys(doc: &Automerge, map: &ObjId) -> Vec<String> {
    doc.keys(map).collect()
}

/// Who wrote the shown value of a string, by the proof in the history.
pub(super) fn writer_of_text(replica: &Replica, object: &ObjId, key: &str) -> Option<UserId> {
    let found = values(replica.doc(), object, key, |value| value.as_str().map(str::to_owned));
    found.first().and_then(|(_, id)| creator(replica, id))
}

/// Who made an object, by the proof in the history.
pub(super) fn creator(replica: &Replica, object: &ObjId) -> Option<UserId> {
    actor_of(object).and_then(|actor| replica.author(actor))
}

/// The actor that made an operation.
pub(super) fn actor_of(id: &ObjId) -> Option<&ActorId> {
    match id {
        ObjId::Root => None,
        ObjId::Id(_, actor, _) => Some(actor),
    }
}

/// The entries of a container of maps whose keys are ids; others are ignored and deleted ones left out.
pub(super) fn entries<I: FromStr>(replica: &Replica, container: Container) -> Vec<(I, ObjId)> {
    let Ok(map) = replica.container(container) else { return Vec::new() };
    let doc = replica.doc();
    let entry = |key: String| {
        let id = key.parse().ok()?;
        let object = child_map(doc, &map, &key)?;
        (!is_set(doc, &object, "deleted")).then_some((id, object))
    };
    keys(doc, &map).into_iter().filter_map(entry).collect()
}

/// One entry, deleted or not.
pub(super) fn entry(replica: &Replica, container: Container, id: &str) -> Result<ObjId, DocumentError> {
    let map = replica.container(container)?;
    child_map(replica.doc(), &map, id).ok_or(DocumentError::NotFound("the item"))
}

fn child_map(doc: &Automerge, map: &ObjId, key: &str) -> Option<ObjId> {
    let found = doc.get_all(map, key).unwrap_or_default();
    found.into_iter().rev().find(|(value, _)| matches!(value, Value::Object(ObjType::Map))).map(|(_, id)| id)
}

/// The order that puts something after all entries of a container.
pub(super) fn next_order(replica: &Replica, map: &ObjId) -> i64 {
    let doc = replica.doc();
    let order = |key: &String| child_map(doc, map, key).and_then(|object| number(doc, &object, "order"));
    keys(doc, map).iter().filter_map(order).max().map_or(0, |last| last.saturating_add(1))
}

/// Adds an entry with its fields in one change.
pub(super) fn add_entry(
    replica: &mut Replica,
    container: Container,
    id: &str,
    now: Timestamp,
    fields: Vec<(&'static str, ScalarValue)>,
) -> Result<(), DocumentError> {
    let map = replica.container(container)?;
    if child_map(replica.doc(), &map, id).is_some() {
        // A retry of the same call; a second object at the key would hide the first.
        return Ok(());
    }
    let order = next_order(replica, &map);
    replica.edit(now, |tx| {
        let object = tx.put_object(&map, id, ObjType::Map)?;
        for (key, value) in fields {
            tx.put(&object, key, value)?;
        }
        tx.put(&object, "order", order)?;
        tx.put(&object, "created", ScalarValue::Timestamp(now.as_millis()))?;
        Ok(())
    })
}

/// Sets one field of an entry; this also resolves a conflict there.
pub(super) fn set_field(
    replica: &mut Replica,
    container: Container,
    id: &str,
    key: &'static str,
    value: impl Into<ScalarValue>,
    now: Timestamp,
) -> Result<(), DocumentError> {
    let object = entry(replica, container, id)?;
    replica.edit(now, |tx| Ok(tx.put(&object, key, value)?))
}

/// Refuses a text of more than `limit` letters as people count them.
pub(super) fn check_length(text: &str, limit: usize) -> Result<(), DocumentError> {
    if text.len() <= limit {
        return Ok(());
    }
    let length = text.graphemes(true).count();
    if length <= limit { Ok(()) } else { Err(DocumentError::TooLong { limit, length }) }
}

/// Refuses more than one line and more than `limit` letters.
pub(super) fn check_line(text: &str, limit: usize) -> Result<(), DocumentError> {
    if text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Err(DocumentError::NotOneLine);
    }
    check_length(text, limit)
}

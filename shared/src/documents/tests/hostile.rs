use automerge::{
    ActorId, Automerge, Change, ObjId, ObjType, ROOT, ReadDoc, ScalarValue,
    transaction::{Transactable, Transaction},
};
use proptest::prelude::*;

use super::{ALL, AOI, MEMO, NOTEBOOK, PREP, SATO, exchange, now, phone};
use crate::documents::{DocumentError, comments, draft, memo, notebook, private};

/// The newest change that somebody makes who keeps to no schema.
fn foreign(replica: &crate::documents::Replica, write: impl FnOnce(&mut Transaction<'_>)) -> Vec<u8> {
    let mut doc = replica.doc().fork();
    doc.set_actor(ActorId::from([0xee_u8; 16].as_slice()));
    let mut tx = doc.transaction();
    write(&mut tx);
    tx.commit();
    doc.get_last_local_change().unwrap().raw_bytes().to_vec()
}

#[test]
fn garbage_is_refused_and_the_document_goes_on() {
    let (mut aoi, mut sato) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2));
    memo::splice_utf16(&mut aoi, 0, 0, "無事", now()).unwrap();
    let good = aoi.take_changes().remove(0);
    sato.apply(&[&good]).unwrap();
    let heads = sato.heads();
    memo::splice_utf16(&mut aoi, 2, 0, "です", now()).unwrap();
    let next = aoi.take_changes().remove(0);
    let mut flipped = next.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    for garbage in [Vec::new(), vec![0; 40], good[..20].to_vec(), flipped, sato.doc().save()] {
        let refused = sato.apply(&[next.clone(), garbage]);
        assert!(matches!(refused, Err(DocumentError::Refused(_))), "{refused:?}");
        assert_eq!((sato.heads(), memo::text(&sato).as_str()), (heads.clone(), "無事"));
    }
    sato.apply(&[next]).unwrap();
    assert_eq!(memo::text(&sato), "無事です");
}

#[test]
fn changes_without_what_they_depend_on_wait_outside() {
    let (mut aoi, mut sato) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2));
    for text in ["一", "二"] {
        memo::splice_utf16(&mut aoi, 0, 0, text, now()).unwrap();
    }
    let changes = aoi.take_changes();
    assert!(matches!(sato.apply(&changes[1..]), Err(DocumentError::Incomplete { missing: 1 })));
    sato.apply(&changes).unwrap();
    assert_eq!(memo::text(&sato), "二一");
    let other = phone(NOTEBOOK, AOI, 3).heads();
    assert!(!other.iter().any(|hash| sato.knows(hash)));
}

#[test]
fn operations_that_make_automerge_panic_leave_the_document_as_it_was() {
    let (mut aoi, mut sato) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2));
    memo::splice_utf16(&mut aoi, 0, 0, "無事", now()).unwrap();
    let good = aoi.take_changes();
    sato.apply(&good).unwrap();
    // A change whose object is a scalar's operation: well-formed, its hash is right, and Automerge panics on it after
    // it has moved the heads.
    let genesis = crate::documents::genesis(&MEMO, 0);
    let hostile = automerge::ExpandedChange {
        operations: vec![automerge::legacy::Op {
            action: automerge::legacy::OpType::Put("x".into()),
            obj: automerge::legacy::ObjectId::Id(automerge::legacy::OpId(
                1,
                ActorId::from(b"\0taiwa-genesis-v1".as_slice()),
            )),
            key: automerge::legacy::Key::Map("k".into()),
            pred: automerge::legacy::SortedVec::new(),
            insert: false,
        }],
        actor_id: ActorId::from([0xee_u8; 16].as_slice()),
        hash: None,
        seq: 1,
        start_op: std::num::NonZeroU64::new(100).unwrap(),
        time: 0,
        message: None,
        deps: vec![genesis.hash],
        extra_bytes: Vec::new(),
        author: None,
    };
    let hostile = Change::from(hostile).raw_bytes().to_vec();
    let heads = sato.heads();
    assert!(matches!(sato.apply(&[hostile]), Err(DocumentError::Refused(_))));
    assert_eq!((sato.heads(), memo::text(&sato).as_str()), (heads, "無事"));
    memo::splice_utf16(&mut sato, 2, 0, "です", now()).unwrap();
    exchange(&mut aoi, &mut sato);
    assert_eq!(memo::text(&aoi), "無事です");
}

#[test]
fn an_actor_cannot_be_continued_by_somebody_else() {
    let (mut aoi, mut sato, mut thief) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2), phone(MEMO, SATO, 1));
    memo::splice_utf16(&mut aoi, 0, 0, "本物", now()).unwrap();
    memo::splice_utf16(&mut thief, 0, 0, "偽物", now()).unwrap();
    sato.apply(&aoi.take_changes()).unwrap();
    assert!(matches!(sato.apply(&thief.take_changes()), Err(DocumentError::Refused(_))));
    memo::splice_utf16(&mut sato, 2, 0, "です", now()).unwrap();
    exchange(&mut aoi, &mut sato);
}

#[test]
fn wrong_types_count_as_absent_and_unknown_keys_stay() {
    let mut sato = phone(NOTEBOOK, SATO, 2);
    let change = foreign(&sato, |tx| {
        let promises = tx.get(ROOT, "promises").unwrap().unwrap().1;
        tx.put(&promises, "no-id", 1).unwrap();
        tx.put(&promises, "0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e11", "text").unwrap();
        let odd = tx.put_object(&promises, "0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e12", ObjType::Map).unwrap();
        tx.put(&odd, "text", 5).unwrap();
        let later = tx.put_object(&promises, "0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e13", ObjType::Map).unwrap();
        // A JavaScript client's plain string.
        let text = tx.put_object(&later, "text", ObjType::Text).unwrap();
        tx.splice_text(&text, 0, 0, "読める").unwrap();
        tx.put(&later, "who", SATO.to_string()).unwrap();
        tx.put(&later, "done", "yes").unwrap();
        tx.put(&later, "order", 1.5).unwrap();
        tx.put(&later, "colour", "blue").unwrap();
        tx.put(ROOT, "intentions", ScalarValue::Null).unwrap();
    });
    sato.apply(&[change]).unwrap();
    let promises = notebook::promises(&sato);
    assert_eq!((promises.len(), promises[0].text.value.as_str(), promises[0].done.value), (1, "読める", false));
    notebook::set_promise_text(&mut sato, promises[0].id, "直した", now()).unwrap();
    let object =
        super::super::fields::entry(&sato, crate::documents::genesis::Container::Promises, &promises[0].id.to_string());
    assert_eq!(sato.doc().get(object.unwrap(), "colour").unwrap().unwrap().0.as_str(), Some("blue"));
}

#[test]
fn a_container_cannot_be_hidden_by_putting_something_else_at_its_key() {
    let (mut aoi, mut sato) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2));
    memo::splice_utf16(&mut aoi, 0, 0, "見える", now()).unwrap();
    sato.apply(&aoi.take_changes()).unwrap();
    let change = foreign(&sato, |tx| {
        tx.put(ROOT, "body", "隠す").unwrap();
    });
    sato.apply(std::slice::from_ref(&change)).unwrap();
    aoi.apply(&[change]).unwrap();
    assert_eq!(memo::text(&sato), "見える");
    memo::splice_utf16(&mut sato, 3, 0, "。", now()).unwrap();
    let applied = aoi.apply(&sato.take_changes()).unwrap();
    assert_eq!((memo::text(&aoi).as_str(), applied.body.len()), ("見える。", 1));
}

#[test]
fn deep_nesting_is_not_walked() {
    let mut sato = phone(PREP, SATO, 2);
    let change = foreign(&sato, |tx| {
        let mut object: ObjId = ROOT;
        for _ in 0..5_000 {
            object = tx.put_object(&object, "topics", ObjType::Map).unwrap();
        }
    });
    let read = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        sato.apply(&[change]).unwrap();
        draft::read(&sato)
    });
    assert!(read.unwrap().join().unwrap().topics.is_empty());
}

#[test]
fn a_document_of_another_key_does_not_open() {
    let mut aoi = phone(NOTEBOOK, AOI, 1);
    let id = crate::ids::PromiseId::from_bytes([7; 16]);
    let promise = notebook::NewPromise { id, text: "一", who: AOI, meeting: None };
    notebook::add_promise(&mut aoi, &promise, now()).unwrap();
    let mut memo = phone(MEMO, AOI, 2);
    assert!(matches!(memo.apply(&aoi.take_changes()), Err(DocumentError::Incomplete { .. })));
    let genesis = crate::documents::genesis(&NOTEBOOK, 0).bytes;
    assert!(matches!(memo.apply(&[genesis]), Err(DocumentError::Refused(_))));
    let plain = Automerge::new().save();
    assert!(memo.apply(&[plain]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_without_a_trace(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..ALL.len()) {
        let mut replica = phone(ALL[kind], AOI, 1);
        let heads = replica.heads();
        prop_assert!(replica.apply(&[bytes]).is_err());
        prop_assert_eq!(replica.heads(), heads);
        prop_assert!(comments::read(&replica).is_empty() && private::notes(&replica).is_empty());
    }
}

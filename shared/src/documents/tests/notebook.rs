use super::{AOI, FIELD_NOTES, MEETING, MEMO, NOTEBOOK, PRIVATE, SATO, exchange, minute, now, phone, send};
use crate::{
    documents::{
        DocumentError,
        notebook::{self, NewPromise},
        private,
    },
    domain::brief::Choice,
    ids::{AgendaId, IntentionId, NoteId, PromiseId},
};

const PROMISE: PromiseId = PromiseId::from_bytes([7; 16]);

fn promise(text: &str) -> NewPromise<'_> {
    NewPromise { id: PROMISE, text, who: SATO, meeting: Some(MEETING) }
}

#[test]
fn both_sides_add_offline_and_nothing_is_lost() {
    let (mut aoi, mut sato) = (phone(NOTEBOOK, AOI, 1), phone(NOTEBOOK, SATO, 2));
    notebook::add_promise(&mut aoi, &promise("資料を見せる"), now()).unwrap();
    let intention = IntentionId::from_bytes([8; 16]);
    notebook::add_intention(&mut sato, intention, SATO, "先に聞く", Some(MEETING), now()).unwrap();
    notebook::add_agenda(&mut sato, AgendaId::from_bytes([9; 16]), SATO, "来期の席", now()).unwrap();
    exchange(&mut aoi, &mut sato);
    for side in [&aoi, &sato] {
        let promises = notebook::promises(side);
        assert_eq!(promises[0].text, Choice::agreed("資料を見せる".to_owned()));
        assert_eq!(
            (promises[0].who.value, promises[0].written_by, promises[0].meeting),
            (SATO, Some(AOI), Some(MEETING))
        );
        assert_eq!(notebook::intentions(side)[0].text.value, "先に聞く");
        assert_eq!(notebook::agenda(side)[0].text.value, "来期の席");
    }
    notebook::end_intention(&mut aoi, intention, now()).unwrap();
    notebook::delete_agenda(&mut aoi, AgendaId::from_bytes([9; 16]), now()).unwrap();
    send(&mut aoi, &mut sato);
    assert!(notebook::intentions(&sato)[0].ended);
    assert!(notebook::agenda(&sato).is_empty());
}

#[test]
fn done_and_open_again_follow_the_order_in_which_people_saw_them() {
    let (mut aoi, mut sato) = (phone(NOTEBOOK, AOI, 1), phone(NOTEBOOK, SATO, 2));
    notebook::add_promise(&mut aoi, &promise("資料を見せる"), now()).unwrap();
    notebook::set_promise_done(&mut aoi, PROMISE, true, now()).unwrap();
    send(&mut aoi, &mut sato);
    // The clock of the second phone is wrong; what it saw counts.
    notebook::set_promise_done(&mut sato, PROMISE, false, minute(-600)).unwrap();
    send(&mut sato, &mut aoi);
    assert_eq!(notebook::promises(&aoi)[0].done, Choice::agreed(false));
}

#[test]
fn done_and_open_again_at_the_same_time_both_stand_until_the_next_tick() {
    let (mut aoi, mut sato) = (phone(NOTEBOOK, AOI, 1), phone(NOTEBOOK, SATO, 2));
    notebook::add_promise(&mut aoi, &promise("資料を見せる"), now()).unwrap();
    notebook::set_promise_done(&mut aoi, PROMISE, true, now()).unwrap();
    send(&mut aoi, &mut sato);
    notebook::set_promise_done(&mut aoi, PROMISE, false, now()).unwrap();
    notebook::set_promise_done(&mut sato, PROMISE, false, now()).unwrap();
    notebook::set_promise_done(&mut sato, PROMISE, true, now()).unwrap();
    exchange(&mut aoi, &mut sato);
    let done = notebook::promises(&aoi)[0].done.clone();
    assert_eq!(done.others, [!done.value]);
    assert_eq!(notebook::promises(&sato)[0].done, done);
    notebook::set_promise_done(&mut sato, PROMISE, done.value, now()).unwrap();
    send(&mut sato, &mut aoi);
    assert_eq!(notebook::promises(&aoi)[0].done, Choice::agreed(done.value));
}

#[test]
fn a_retry_adds_nothing_and_limits_hold() {
    let mut aoi = phone(NOTEBOOK, AOI, 1);
    notebook::add_promise(&mut aoi, &promise("一"), now()).unwrap();
    notebook::add_promise(&mut aoi, &promise("二"), now()).unwrap();
    assert_eq!(notebook::promises(&aoi).len(), 1);
    assert_eq!(aoi.take_changes().len(), 1, "an entry is made in one change");
    let long = "あ".repeat(501);
    let refused = notebook::set_promise_text(&mut aoi, PROMISE, &long, now());
    assert!(matches!(refused, Err(DocumentError::TooLong { limit: 500, length: 501 })));
    let unknown = notebook::set_promise_done(&mut aoi, PromiseId::from_bytes([1; 16]), true, now());
    assert!(matches!(unknown, Err(DocumentError::NotFound(_))));
    assert!(aoi.take_changes().is_empty());
}

#[test]
fn a_deleted_promise_stays_deleted_whoever_edits_it_meanwhile() {
    let (mut aoi, mut sato) = (phone(NOTEBOOK, AOI, 1), phone(NOTEBOOK, SATO, 2));
    notebook::add_promise(&mut aoi, &promise("一"), now()).unwrap();
    send(&mut aoi, &mut sato);
    notebook::delete_promise(&mut aoi, PROMISE, now()).unwrap();
    notebook::set_promise_text(&mut sato, PROMISE, "二", now()).unwrap();
    exchange(&mut aoi, &mut sato);
    assert!(notebook::promises(&aoi).is_empty());
}

#[test]
fn the_wrong_kind_of_document_reads_as_empty_and_refuses_writes() {
    let mut memo = phone(MEMO, AOI, 1);
    assert!(notebook::promises(&memo).is_empty());
    let refused = notebook::add_promise(&mut memo, &promise("一"), now());
    assert!(matches!(refused, Err(DocumentError::WrongKind { wanted: "promises", actual: "memo" })));
}

#[test]
fn private_notes_of_two_devices_join() {
    for key in [PRIVATE, FIELD_NOTES] {
        let (mut one, mut two) = (phone(key, AOI, 1), phone(key, AOI, 2));
        let ids = [NoteId::from_bytes([1; 16]), NoteId::from_bytes([2; 16])];
        private::add(&mut one, ids[0], "島のお客さま\n二行目", None, now()).unwrap();
        private::add(&mut two, ids[1], "在庫の話", Some(MEETING), now()).unwrap();
        private::set_next(&mut two, ids[1], true, now()).unwrap();
        exchange(&mut one, &mut two);
        let notes = private::notes(&one);
        assert_eq!((notes.len(), notes[1].next, notes[1].meeting), (2, true, Some(MEETING)));
        private::set_text(&mut one, ids[0], "ひとつめ", now()).unwrap();
        private::set_text(&mut two, ids[0], "ふたつめ", now()).unwrap();
        private::set_deleted(&mut two, ids[1], true, now()).unwrap();
        exchange(&mut one, &mut two);
        let notes = private::notes(&two);
        assert_eq!((notes.len(), notes[0].text.others.len()), (1, 1));
        private::set_deleted(&mut two, ids[1], false, now()).unwrap();
        assert_eq!(private::notes(&two).len(), 2);
    }
}

use automerge::Change;

use super::{ALL, AOI, MEETING, MEMO, SATO, exchange, minute, now, phone, send};
use crate::{
    documents::{
        DocumentError, Replica, TextSplice, caret,
        caret::Caret,
        comments, composition, draft, memo,
        notebook::{self, NewPromise},
        private,
    },
    domain::ownership::DocumentKey,
    ids::{CommentId, NoteId, PromiseId},
};

const COMMENT: CommentId = CommentId::from_bytes([6; 16]);

fn splice(at: usize, delete: usize, insert: &str) -> TextSplice {
    TextSplice { at, delete, insert: insert.to_owned() }
}

fn written(user: crate::ids::UserId, actor: u8, text: &str) -> Replica {
    let mut memo = phone(MEMO, user, actor);
    memo::splice_utf16(&mut memo, 0, 0, text, now()).unwrap();
    memo
}

#[test]
fn two_phones_that_made_the_memo_offline_have_one_text_with_both_sides() {
    let (mut aoi, mut sato) = (written(AOI, 1, "会議メモ。"), written(SATO, 2, "よろしく。"));
    exchange(&mut aoi, &mut sato);
    let text = memo::text(&aoi);
    assert_eq!(text, memo::text(&sato));
    assert!(["会議メモ。よろしく。", "よろしく。会議メモ。"].contains(&text.as_str()), "{text}");
}

#[test]
fn positions_are_utf16_units_and_edits_fit_whole_letters() {
    let text = "𠮷野家👨‍👩‍👧葛󠄀"; // 15 units, 5 letters
    for (at, delete, insert, expected, done) in [
        (2, 0, "の", "𠮷の野家👨‍👩‍👧葛󠄀", splice(2, 0, "の")),
        (1, 0, "の", "𠮷の野家👨‍👩‍👧葛󠄀", splice(2, 0, "の")),
        (5, 0, "！", "𠮷野家👨‍👩‍👧！葛󠄀", splice(12, 0, "！")),
        (1, 1, "", "野家👨‍👩‍👧葛󠄀", splice(0, 2, "")),
        (0, 1, "吉", "吉野家👨‍👩‍👧葛󠄀", splice(0, 2, "吉")),
        (4, 8, "", "𠮷野家葛󠄀", splice(4, 8, "")),
        // A field that takes off only the variation selector: the text is as the field shows it.
        (13, 2, "", "𠮷野家👨‍👩‍👧葛", splice(12, 3, "葛")),
        (900, 900, "末", "𠮷野家👨‍👩‍👧葛󠄀末", splice(15, 0, "末")),
        (usize::MAX, usize::MAX, "", text, splice(15, 0, "")),
    ] {
        let mut memo = written(AOI, 1, text);
        assert_eq!(memo::splice_utf16(&mut memo, at, delete, insert, now()).unwrap(), done, "{at} {delete} {insert}");
        assert_eq!(memo::text(&memo), expected, "{at} {delete} {insert}");
    }
}

#[test]
fn patches_are_splices_of_the_text_before_them() {
    let (mut aoi, mut sato) = (written(AOI, 1, "一𠮷三"), phone(MEMO, SATO, 2));
    send(&mut aoi, &mut sato);
    memo::splice_utf16(&mut aoi, 1, 2, "👨‍👩‍👧二", now()).unwrap();
    memo::splice_utf16(&mut aoi, 0, 1, "", now()).unwrap();
    memo::splice_utf16(&mut aoi, 0, 0, "始", now()).unwrap();
    comments::add(&mut aoi, COMMENT, (0, 1), "ここ", now()).unwrap();
    let mut field: Vec<u16> = memo::text(&sato).encode_utf16().collect();
    let applied = sato.apply(&aoi.take_changes()).unwrap();
    for splice in &applied.body {
        field.splice(splice.at..splice.at + splice.delete, splice.insert.encode_utf16());
    }
    assert_eq!(String::from_utf16(&field).unwrap(), memo::text(&sato));
    assert_eq!(applied.touched, ["comments"]);
    assert!(sato.apply::<&[u8]>(&[]).unwrap().is_empty());
}

#[test]
fn a_full_memo_takes_no_more_but_gets_shorter() {
    let mut memo = written(AOI, 1, &"👨‍👩‍👧".repeat(memo::MAX_BODY_CHARACTERS - 1));
    memo::splice_utf16(&mut memo, 0, 0, "最", now()).unwrap();
    let refused = memo::splice_utf16(&mut memo, 0, 0, "後", now());
    assert!(matches!(refused, Err(DocumentError::TooLong { limit: 20_000, length: 20_001 })));
    memo::splice_utf16(&mut memo, 0, 1, "", now()).unwrap();
    memo::splice_utf16(&mut memo, 0, 0, "後", now()).unwrap();
}

#[test]
fn a_paste_touches_only_what_differs_and_the_caret_decides_among_equal_letters() {
    let mut memo = written(AOI, 1, "ああ。ありがとう。");
    assert_eq!(memo::replace_text(&mut memo, "ああ。ありがとう。", 0, now()).unwrap(), None);
    for (field, caret, expected) in [
        ("あああ。ありがとう。", 1, splice(0, 0, "あ")),
        ("ああああ。ありがとう。", 4, splice(3, 0, "あ")),
        ("ああああ。本当にありがとう。", 8, splice(5, 0, "本当に")),
        ("ああああ。", 5, splice(5, 9, "")),
        ("😀ああああ。", 2, splice(0, 0, "😀")),
        ("😁ああああ。", 2, splice(0, 2, "😁")),
    ] {
        assert_eq!(memo::replace_text(&mut memo, field, caret, now()).unwrap(), Some(expected), "{field}");
        assert_eq!(memo::text(&memo), field);
    }
}

#[test]
fn every_paragraph_knows_its_authors() {
    let (mut aoi, mut sato) = (written(AOI, 1, "葵が書いた\nふたりで\n"), phone(MEMO, SATO, 2));
    send(&mut aoi, &mut sato);
    memo::splice_utf16(&mut sato, 8, 0, "ながく書いた", now()).unwrap();
    let end = memo::text(&sato).encode_utf16().count();
    memo::splice_utf16(&mut sato, end, 0, "佐藤𠮷", now()).unwrap();
    send(&mut sato, &mut aoi);
    let paragraphs = aoi.paragraphs();
    let found: Vec<_> = paragraphs.iter().map(|it| (it.start, it.length, it.authors.clone())).collect();
    assert_eq!(found, [(0, 5, vec![AOI]), (6, 10, vec![SATO, AOI]), (17, 4, vec![SATO])]);
}

#[test]
fn the_timeline_groups_by_author_and_pauses_and_shows_old_texts() {
    let (mut aoi, mut sato) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2));
    for (at, text) in ["一", "二", "三"].into_iter().enumerate() {
        memo::splice_utf16(&mut aoi, at, 0, text, minute(i64::try_from(at).unwrap())).unwrap();
    }
    memo::splice_utf16(&mut aoi, 3, 0, "四", minute(20)).unwrap();
    send(&mut aoi, &mut sato);
    memo::splice_utf16(&mut sato, 4, 0, "五", minute(20)).unwrap();
    send(&mut sato, &mut aoi);
    let versions = aoi.versions();
    let found: Vec<_> =
        versions.iter().map(|it| (it.author, it.changes, memo::text_at(&aoi, &it.heads).unwrap())).collect();
    let text = str::to_owned;
    assert_eq!(
        found,
        [(Some(AOI), 3, text("一二三")), (Some(AOI), 1, text("一二三四")), (Some(SATO), 1, text("一二三四五"))]
    );
    assert_eq!(
        (versions[0].from.as_millis() % 60_000, versions[0].until),
        (0, versions[0].from.plus(std::time::Duration::from_secs(120)))
    );
    let unknown = automerge::ChangeHash([9; 32]);
    assert!(matches!(memo::text_at(&aoi, &[unknown]), Err(DocumentError::NotFound(_))));
}

#[test]
fn carets_keep_their_place_and_wait_for_text_that_has_not_arrived() {
    let (mut aoi, mut sato) = (written(AOI, 1, "一二三"), phone(MEMO, SATO, 2));
    let place = caret::cursor_at(&aoi, 2).unwrap();
    assert_eq!(caret::index_of(&sato, &place), None);
    send(&mut aoi, &mut sato);
    assert_eq!(caret::index_of(&sato, &place), Some(2));
    memo::splice_utf16(&mut sato, 0, 0, "𠮷", now()).unwrap();
    assert_eq!(caret::index_of(&sato, &place), Some(4));
    memo::splice_utf16(&mut sato, 3, 1, "", now()).unwrap();
    assert_eq!((memo::text(&sato).as_str(), caret::index_of(&sato, &place)), ("𠮷一三", Some(3)));
    assert_eq!(caret::index_of(&sato, &caret::cursor_at(&sato, 0).unwrap()), Some(0));
    assert_eq!(caret::cursor_at(&sato, 900), None);
    for garbage in [&[][..], &[1], &[1, 3, 255, 255, 255, 255, 255], &[0; 500]] {
        assert_eq!(caret::index_of(&sato, garbage), None);
    }
}

#[test]
fn caret_messages_survive_and_tolerate() {
    let caret = Caret { cursor: vec![1, 2, 3], typing: true };
    assert_eq!(Caret::decode(&caret.encode()), Some(caret));
    let newer = b"\xa3\x65later\x82\x01\xa0\x61v\x02\x66cursor\x41\x07";
    assert_eq!(Caret::decode(newer), Some(Caret { cursor: vec![7], typing: false }));
    for hostile in [
        &b""[..],
        b"\xa1",
        b"\xbf\xff",
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x66cursor\x01",
        &[0x9f; 256],
        &[0xa1; 300],
    ] {
        assert_eq!(Caret::decode(hostile), None);
    }
}

#[test]
fn comments_move_with_the_text_and_name_their_author_by_proof() {
    let (mut aoi, mut sato) = (written(AOI, 1, "前。資料を見せる。後。"), phone(MEMO, SATO, 2));
    send(&mut aoi, &mut sato);
    comments::add(&mut sato, COMMENT, (2, 8), "いつまで？", now()).unwrap();
    memo::splice_utf16(&mut aoi, 0, 0, "𠮷", now()).unwrap();
    exchange(&mut aoi, &mut sato);
    let read = comments::read(&aoi);
    assert_eq!((read[0].range, read[0].quote.as_str(), read[0].author), (Some((4, 10)), "資料を見せる", Some(SATO)));
    comments::set_body(&mut aoi, COMMENT, "書き換え", now()).unwrap();
    comments::set_resolved(&mut aoi, COMMENT, true, now()).unwrap();
    memo::splice_utf16(&mut aoi, 9, 1, "", now()).unwrap();
    send(&mut aoi, &mut sato);
    let read = comments::read(&sato);
    assert_eq!(
        (read[0].author, read[0].body_by, read[0].resolved, read[0].range),
        (Some(SATO), Some(AOI), true, Some((4, 9)))
    );
    memo::splice_utf16(&mut aoi, 0, 900, "", now()).unwrap();
    assert_eq!(comments::read(&aoi)[0].range, None);
    comments::delete(&mut aoi, COMMENT, now()).unwrap();
    assert!(comments::read(&aoi).is_empty());
    assert!(matches!(comments::add(&mut sato, COMMENT, (3, 3), "", now()), Err(DocumentError::NotFound(_))));
}

/// Several changes of each kind of document.
fn work(replica: &mut Replica) {
    let topic = "career.future".parse().unwrap();
    for step in 0..3_u8 {
        match *replica.key() {
            DocumentKey::Draft { .. } | DocumentKey::Prep { .. } => {
                draft::set_word(replica, &topic, &format!("{step}回目"), now()).unwrap();
            }
            DocumentKey::Notebook { .. } => {
                let id = PromiseId::from_bytes([step; 16]);
                let promise = NewPromise { id, text: "資料", who: SATO, meeting: Some(MEETING) };
                notebook::add_promise(replica, &promise, now()).unwrap();
            }
            DocumentKey::Memo { .. } => {
                memo::splice_utf16(replica, 0, 0, "資料👨‍👩‍👧", now()).unwrap();
            }
            DocumentKey::Private { .. } | DocumentKey::FieldNotes { .. } => {
                private::add(replica, NoteId::from_bytes([step; 16]), "資料", None, now()).unwrap();
            }
        }
    }
}

#[test]
fn every_kind_survives_store_and_load_with_its_author_in_the_first_change_only() {
    for key in ALL {
        let mut first = phone(key, AOI, 1);
        work(&mut first);
        let stored = first.take_changes();
        assert_eq!(stored.len(), 3);
        for (bytes, seq) in stored.iter().zip(1_u64..) {
            let change = Change::from_bytes(bytes.clone()).unwrap();
            assert_eq!(change.raw_bytes(), bytes);
            let author = change.author().map(|author| author.as_bytes().to_vec());
            assert_eq!((change.seq(), author), (seq, (seq == 1).then(|| AOI.as_bytes().to_vec())));
            assert_eq!(change.timestamp() % 60, 0);
            assert_eq!(change.actor_id().to_bytes(), [1; 16]);
        }
        assert!(first.take_changes().is_empty());

        let editor = crate::documents::Editor { user: AOI, actor: [2; 16] };
        let backwards = stored.iter().rev().map(Vec::as_slice);
        let mut again = Replica::open(key, 0, backwards, editor).unwrap();
        assert_eq!(again.heads(), first.heads());
        assert!(again.take_changes().is_empty());
        assert_eq!(again.author_of(&[1; 16]), Some(AOI));
        work(&mut again);

        let saved = automerge::Automerge::load(&again.doc().save()).unwrap();
        assert_eq!(saved.get_heads(), again.heads());
    }
}

#[test]
fn a_large_paste_and_a_large_deletion_are_several_changes_that_peers_accept() {
    let most = crate::sync::limits::MAX_CHANGE_OPS;
    let paste = "会議の𠮷".repeat(4_000);
    let (mut aoi, mut sato) = (phone(MEMO, AOI, 1), phone(MEMO, SATO, 2));
    memo::splice_utf16(&mut aoi, 0, 0, "始まり終わり", now()).unwrap();
    send(&mut aoi, &mut sato);

    let base = composition::begin(&aoi);
    memo::splice_utf16(&mut sato, 3, 0, "（佐藤）", now()).unwrap();
    send(&mut sato, &mut aoi);
    composition::commit(&mut aoi, &base, &format!("始まり{paste}終わり"), 3, now()).unwrap();
    let deleted = memo::splice_utf16(&mut aoi, 3, 0, "", now()).unwrap();
    assert_eq!(deleted, splice(3, 0, ""));
    let changes = aoi.take_changes();
    assert!(changes.len() > 3);
    for change in &changes {
        let change = Change::from_bytes(change.clone()).unwrap();
        assert!(change.len() as u64 <= most, "{} operations", change.len());
    }
    sato.apply(&changes).unwrap();
    assert_eq!(memo::text(&sato), memo::text(&aoi));
    for part in ["始まり", paste.as_str(), "（佐藤）", "終わり"] {
        assert!(memo::text(&sato).contains(part));
    }

    memo::replace_text(&mut sato, "全部消した", 0, now()).unwrap();
    let changes = sato.take_changes();
    assert!(changes.iter().all(|change| Change::from_bytes(change.clone()).unwrap().len() as u64 <= most));
    aoi.apply(&changes).unwrap();
    assert_eq!(memo::text(&aoi), "全部消した");
}

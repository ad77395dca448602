//! Tips and own words without any server: what the shelf shows, what was asked for since, pins, and who gets none of it.

use std::{path::Path, sync::Arc, time::Duration};

use taiwa_shared::{
    domain::{
        catalog::Catalog, command::Action, ownership::DocumentKey, strengths::Dimension, tip::Byline,
        tip_warning::WarningKind,
    },
    ids::{CommandId, TipId},
    protocol::{
        commands::{Outcome, RejectionReason},
        strengths::Strengths,
        tips::{Offered, Tip, TipScope, TipShelf},
    },
    time::Timestamp,
};

use super::{MANAGER, MEMBER, PAIR, copy_of, meeting, now, options, page, response, signed_in, told, topic};
use crate::{
    session::{MemoryVault, NewTipText, OnUnsent, Session, SessionError, SignedOut, Taiwa, TipFilter, TipItem},
    store::PulledShelf,
};

fn id(number: u8) -> TipId {
    TipId::from_bytes([number; 16])
}

fn tip(number: u8, topic: &str, asked: &str, text: &str) -> Tip {
    Tip {
        id: id(number),
        text: text.to_owned(),
        topic: topic.parse().unwrap(),
        response: response(asked),
        byline: Some("営業・マネジャー歴3年".to_owned()),
        scope: TipScope::Company,
        written: now().minus(Duration::from_secs(24 * 60 * 60)),
        helped: None,
        helped_me: false,
        mine: None,
    }
}

/// Four tips of others, the last one from outside, and one of the manager's own.
fn shelf(at: Timestamp) -> PulledShelf {
    let mut outside = tip(4, "career.future", "think", "社外のヒント");
    outside.scope = TipScope::Outside;
    outside.helped = Some(7);
    let tips = vec![
        tip(1, "work.load", "think", "応えかただけ同じ"),
        tip(2, "career.*", "think", "キャリア全般のヒント"),
        tip(3, "career.future", "think", "これからのことを図に描く"),
        outside,
    ];
    let own = vec![Tip { mine: Some(Offered::Declined), ..tip(5, "work.load", "listen", "自分のヒント") }];
    PulledShelf { at, tips: TipShelf { tips, own, outside: true }, strengths: Strengths::default() }
}

async fn manager(directory: &Path, vault: &Arc<MemoryVault>) -> (Taiwa, Session) {
    let (taiwa, session) = signed_in(directory, vault, MANAGER).await;
    session.core.store.put_shelf(&shelf(now().minus(Duration::from_secs(60)))).await.unwrap();
    (taiwa, session)
}

async fn all(session: &Session) -> Vec<TipItem> {
    session.tips(&TipFilter::default(), "").await.unwrap().tips
}

async fn one(session: &Session, tip: TipId) -> Option<TipItem> {
    all(session).await.into_iter().find(|item| item.id == Some(tip))
}

fn ids(tips: &[TipItem]) -> Vec<TipId> {
    tips.iter().filter_map(|tip| tip.id).collect()
}

fn new_tip(text: &str) -> NewTipText {
    let (topic, asked) = ("career.future".parse().unwrap(), response("think"));
    NewTipText { text: text.to_owned(), topic, response: asked, byline: Byline::Name, outside: true }
}

async fn answer(session: &Session, outcome: Outcome) {
    let command: CommandId = session.core.store.commands().await.unwrap().last().unwrap().id;
    session.core.store.answer_commands(page(vec![]).epoch, now(), &[(command, outcome)]).await.unwrap();
}

#[tokio::test]
async fn tips_for_a_topic_and_a_response_come_in_stages_and_words_are_found_however_they_are_typed() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session) = manager(directory.path(), &Arc::default()).await;
    let career =
        TipFilter { topic: Some(topic("career.future")), response: Some(response("think")), ..TipFilter::default() };
    let shown = session.tips(&career, "").await.unwrap();
    assert_eq!(ids(&shown.tips), [id(3), id(4), id(2), id(1)]);
    assert!(shown.outside && shown.as_of.as_deref() == Some("今日 09:57"), "{:?}", shown.as_of);
    let built_in = shown.tips.iter().filter(|tip| tip.id.is_none()).count();
    assert_eq!(built_in, Catalog::built_in().tips.iter().filter(|tip| tip.response.as_str() == "think").count());
    assert_eq!(shown.tips[0].standing.as_deref(), Some("新着"));
    assert_eq!(
        shown.tips.iter().find(|tip| tip.id == Some(id(4))).unwrap().standing.as_deref(),
        Some("7人が試してよかった")
    );
    let outside = TipFilter { scope: Some(TipScope::Outside), ..career.clone() };
    assert_eq!(ids(&session.tips(&outside, "").await.unwrap().tips), [id(4)]);
    let listen = TipFilter {
        category: Some("work".parse().unwrap()),
        response: Some(response("listen")),
        ..TipFilter::default()
    };
    let listen = session.tips(&listen, "").await.unwrap().tips;
    assert_eq!((ids(&listen), listen.len()), (vec![id(5)], 2), "and the built-in one");
    assert_eq!((listen[0].mine, listen[0].offered), (true, Some("社外には公開されません")));
    let found = session.tips(&TipFilter::default(), "ｷｬﾘｱ　全般").await.unwrap().tips;
    assert_eq!((ids(&found), found[0].ranges.clone()), (vec![id(2)], vec![0..4, 4..6]));
    let too_long = session.tips(&TipFilter::default(), &"あ".repeat(501)).await;
    assert!(matches!(too_long, Err(SessionError::TooLong { limit: 500, length: 501 })));
}

#[tokio::test]
async fn what_was_asked_for_offline_is_seen_at_once_and_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (taiwa, session) = manager(directory.path(), &vault).await;
    let written = session.write_tip(new_tip(" まず図に描く ")).await.unwrap();
    session.set_tip_helped(id(3), true).await.unwrap();
    session.set_tip_helped(id(3), true).await.unwrap();
    session.report_tip(id(4)).await.unwrap();
    session.report_tip(id(4)).await.unwrap();
    session.withdraw_tip(id(5)).await.unwrap();
    assert!(matches!(session.withdraw_tip(id(1)).await, Err(SessionError::NotFound)), "it is another person's");
    assert_eq!(session.unsent().await.unwrap(), 4, "said twice is asked once");
    let copy = copy_of(directory.path());
    let again = Taiwa::open(options(copy.path(), &vault)).await.unwrap();
    for session in [&session, &again.session().await.unwrap()] {
        let mine = one(session, written).await.unwrap();
        assert_eq!((mine.text.as_str(), mine.byline.as_deref()), ("まず図に描く", Some("佐藤 健")));
        assert!(mine.mine && mine.waiting && mine.offered == Some("社外: 確認待ち"));
        assert!(one(session, id(3)).await.unwrap().helped_me);
        assert!(one(session, id(4)).await.unwrap().reported);
        assert_eq!(one(session, id(5)).await, None);
    }
    assert_eq!(taiwa.sign_out(OnUnsent::Ask).await.unwrap(), SignedOut::Unsent { changes: 4 });
    for (text, expected) in [("あ".repeat(141), 141), ("あ".repeat(200), 200)] {
        let refused = session.write_tip(new_tip(&text)).await;
        assert!(matches!(refused, Err(SessionError::TooLong { limit: 140, length }) if length == expected));
    }
    assert!(matches!(session.write_tip(new_tip(" ")).await, Err(SessionError::Implausible(_))));
    assert!(matches!(session.write_tip(new_tip("一\n二")).await, Err(SessionError::NotOneLine)));
}

#[tokio::test]
async fn the_servers_word_takes_the_place_of_what_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session) = manager(directory.path(), &Arc::default()).await;
    let written = session.write_tip(new_tip("まず図に描く")).await.unwrap();
    answer(&session, Outcome::Applied).await;
    let taken = one(&session, written).await.unwrap();
    assert!(taken.mine && !taken.waiting, "it is there until the shelf is pulled");
    // Pulled later and not among the own ones: it was withdrawn on another phone.
    session.core.store.put_shelf(&shelf(now().plus(Duration::from_secs(1)))).await.unwrap();
    assert_eq!(one(&session, written).await, None);
    // A tip that is gone asks nobody for a decision; one that was not taken does.
    session.set_tip_helped(id(3), true).await.unwrap();
    answer(&session, Outcome::Rejected { reason: RejectionReason::TipGone, current: None }).await;
    assert!(!one(&session, id(3)).await.unwrap().helped_me);
    assert_eq!(session.command_cards().await.unwrap(), []);
    let refused = session.write_tip(new_tip("まず図に描く")).await.unwrap();
    answer(&session, Outcome::Rejected { reason: RejectionReason::TipNotTaken, current: None }).await;
    assert_eq!(one(&session, refused).await, None);
    let cards = session.command_cards().await.unwrap();
    assert_eq!((cards.len(), cards[0].what.as_str()), (1, "ヒント「まず図に描く」の投稿"));
    assert!(!cards[0].can_keep_mine && cards[0].why.contains("140文字"));
}

#[tokio::test]
async fn a_pinned_tip_stands_on_the_next_brief_of_that_member_and_on_no_later_one() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session) = manager(directory.path(), &Arc::default()).await;
    let key = DocumentKey::Prep { pair: PAIR, meeting: meeting() };
    told(&session, key, &[("career.future", "think")]).await;
    let tips = async |meeting| session.brief(meeting).await.unwrap().tips;
    assert_eq!(
        tips(meeting()).await,
        ["これからのことを図に描く", "社外のヒント", "キャリア全般のヒント"],
        "exact before category, 社内 before 社外"
    );
    session.pin_tip(PAIR, Some(id(1)), "応えかただけ同じ".to_owned()).await.unwrap();
    session.pin_tip(PAIR, Some(id(1)), "応えかただけ同じ".to_owned()).await.unwrap();
    let pinned = ["応えかただけ同じ", "これからのことを図に描く", "社外のヒント"];
    assert_eq!(tips(meeting()).await, pinned);
    let next = session.upcoming().await.unwrap()[1].meeting;
    assert_eq!(tips(next).await, Vec::<String>::new(), "nothing has arrived for that one");
    let pins = session.pinned_tips().await.unwrap();
    assert_eq!((pins.len(), pins[0].meeting, pins[0].tried), (1, Some(meeting()), false));
    assert_eq!(pins[0].member_name, "田中 葵");
    // Cancelled, the pin goes on to the one after; over, it stays behind.
    session.cancel_meeting(meeting()).await.unwrap();
    assert_eq!(tips(next).await, ["応えかただけ同じ"]);
    session.finish_meeting(next).await.unwrap();
    let pins = session.pinned_tips().await.unwrap();
    assert_eq!((pins[0].meeting, pins[0].tried), (Some(next), true), "and 試してよかった is offered");
    session.unpin_tip(PAIR, "応えかただけ同じ").await.unwrap();
    assert_eq!(session.pinned_tips().await.unwrap(), []);
    // A pin is asked of nobody: only the cancelling and the end wait for the server.
    let about_tips = session.core.store.commands().await.unwrap();
    assert!(about_tips.iter().all(|it| matches!(it.action, Action::Cancel { .. } | Action::Finish { .. })));
}

#[tokio::test]
async fn a_member_gets_nothing_of_what_managers_have() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session) = signed_in(directory.path(), &Arc::default(), MEMBER).await;
    session.core.store.put_shelf(&shelf(now())).await.unwrap();
    assert!(matches!(session.tips(&TipFilter::default(), "").await, Err(SessionError::NoAccess)));
    assert!(matches!(session.strengths().await, Err(SessionError::NoAccess)));
    assert!(matches!(session.write_tip(new_tip("図に描く")).await, Err(SessionError::NoAccess)));
    assert!(matches!(session.set_tip_helped(id(3), true).await, Err(SessionError::NoAccess)));
    assert!(matches!(session.pin_tip(PAIR, None, "図".to_owned()).await, Err(SessionError::NoAccess)));
    assert_eq!(session.expectations().await.unwrap(), []);
    session.choose_topic(meeting(), topic("career.future")).await.unwrap();
    session.set_response(meeting(), topic("career.future"), response("think")).await.unwrap();
    session.publish(meeting()).await.unwrap();
    let brief = session.brief(meeting()).await.unwrap();
    assert!(!brief.tips.is_empty() && brief.tips.iter().all(|tip| !tip.contains("ヒント")), "{:?}", brief.tips);
}

#[tokio::test]
async fn words_are_shown_with_labels_and_their_absence_is_said_kindly() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let (_taiwa, session) = manager(directory.path(), &vault).await;
    let card = session.strengths().await.unwrap();
    assert_eq!(card.empty, Some("まだ十分な声がありません（5人以上で表示）"));
    assert_eq!((card.strong.len(), card.strong_words, card.invitation, card.choices.len()), (0, None, None, 17));
    let listen = Dimension::Response { slug: response("listen") };
    let career = Dimension::Category { slug: "career".parse().unwrap() };
    session.guess_strengths(vec![listen.clone(), career.clone()]).await.unwrap();
    assert!(matches!(
        session.guess_strengths(vec![listen.clone(); 4]).await,
        Err(SessionError::TooLong { limit: 3, length: 4 })
    ));
    let put = async |strengths| {
        let shelf = PulledShelf { strengths, ..shelf(now()) };
        session.core.store.put_shelf(&shelf).await.unwrap();
        session.strengths().await.unwrap()
    };
    let words = Strengths {
        strong: vec![listen.clone()],
        growing: Some(career.clone()),
        rough: vec![career.clone()],
        enough_voices: true,
        ..Strengths::default()
    };
    let card = put(words).await;
    assert_eq!(card.strong_words.as_deref(), Some("あなたが得意そう: 話を聞いてほしい"));
    assert_eq!((card.empty, card.guesses[0].confirmed, card.guesses[1].confirmed), (None, true, false));
    assert_eq!((card.strong[0].note, card.growing.unwrap().note), (None, Some("目安")));
    let filter = card.growing_filter.unwrap();
    assert!(!session.tips(&filter, "").await.unwrap().tips.is_empty(), "the filter is ready");
    let own =
        Strengths { growing: Some(career), best_of_own: Some(listen), enough_voices: true, ..Strengths::default() };
    assert_eq!(
        put(own).await.best_of_own.as_deref(),
        Some("あなたの1on1の中では「話を聞いてほしい」が一番話せています")
    );
    let none = put(Strengths { enough_voices: true, ..Strengths::default() }).await;
    assert_eq!(none.empty, Some("いまのところ、目立った違いはありません"));
    // The guess is on this phone and outlives the app; nothing of it is sent.
    let copy = copy_of(directory.path());
    let again = Taiwa::open(options(copy.path(), &vault)).await.unwrap().session().await.unwrap();
    assert_eq!(again.strengths().await.unwrap().guesses.len(), 2);
    assert_eq!(again.unsent().await.unwrap(), 0);
}

#[tokio::test]
async fn a_text_is_looked_over_with_the_names_on_this_phone() {
    let directory = tempfile::tempdir().unwrap();
    let (_taiwa, session) = manager(directory.path(), &Arc::default()).await;
    let found = session.tip_warnings("田中に図を描いてもらった。");
    assert_eq!((found.len(), found[0].kind, found[0].range.clone()), (1, WarningKind::Person, 0..2));
    assert_eq!(session.tip_warnings("佐藤という名字は自分"), [], "one's own name is one's own affair");
    assert_eq!(session.tip_warnings("図を描いてもらった。"), []);
}

//! Tips: who writes and reads them, once per manager, in which order, and what other companies get.

use std::collections::BTreeSet;

use taiwa_server::{
    records::{access::Principal, leaving},
    store::people::Email,
    tips::{
        feed::{self, FeedError, Wanted},
        review::{Reviewed, Verdict, decide, let_exchange},
    },
};
use taiwa_shared::{
    domain::{
        command::Action,
        search::Query,
        tip::{Byline, NewTip},
    },
    ids::TipId,
    protocol::{
        commands::{Outcome, RejectionReason},
        tips::{Offered, Tip, TipScope, TipsPage},
    },
    time::Zone,
};

use super::{
    fixture::Fixture,
    orders::{nth, on_device, rejected, send, send_one},
};

super::on_both! {
    a_manager_reads_what_managers_of_the_company_wrote_and_nobody_else_does;
    a_tip_that_helped_counts_once_per_manager_and_is_said_from_three_on;
    a_tip_that_was_withdrawn_is_gone_everywhere;
    the_exact_topic_comes_first_then_its_category_then_the_response;
    pages_leave_nothing_out_while_tips_are_written_and_found_helpful;
    a_tip_of_somebody_who_left_has_no_author;
    a_tip_that_cannot_be_one_is_refused;
    other_companies_read_what_was_offered_and_passed_and_nothing_of_whose_it_is;
    a_company_that_takes_no_part_reads_nothing_and_gives_nothing;
    what_was_reported_is_looked_at_and_taken_down;
}

/// Two companies; in the first, five managers with a member each.
struct World {
    fixture: Fixture,
    managers: Vec<Principal>,
    member: Principal,
    hr: Principal,
    elsewhere: Principal,
    sent: std::cell::Cell<u64>,
}

impl World {
    async fn open(fixture: Fixture) -> Self {
        let mut csv = "email,name,manager_email,role\nhr@a.jp,工藤 彩,,hr\n".to_owned();
        for n in 0..5 {
            csv.push_str(&format!("m{n}@a.jp,上村{n} 健,,\ne{n}@a.jp,田中{n} 葵,m{n}@a.jp,\n"));
        }
        fixture.import("a", &csv).await;
        fixture.import("b", "email,name,manager_email\nken@b.jp,高橋 健,\njiro@b.jp,林 次郎,ken@b.jp\n").await;
        let mut managers = Vec::new();
        for n in 0..5u8 {
            managers.push(on_device(&fixture, "a", &format!("m{n}@a.jp"), 10 + n).await);
        }
        let member = on_device(&fixture, "a", "e0@a.jp", 30).await;
        let hr = on_device(&fixture, "a", "hr@a.jp", 31).await;
        let elsewhere = on_device(&fixture, "b", "ken@b.jp", 32).await;
        Self { fixture, managers, member, hr, elsewhere, sent: std::cell::Cell::new(0) }
    }

    async fn ask(&self, who: &Principal, action: Action) -> Outcome {
        self.sent.set(self.sent.get() + 1);
        send_one(&self.fixture, who, self.sent.get(), action).await
    }

    async fn write(&self, who: &Principal, tip: NewTip) -> TipId {
        let id = tip.id;
        assert_eq!(self.ask(who, Action::WriteTip { tip }).await, Outcome::Applied);
        id
    }

    async fn page(&self, who: &Principal, wanted: &Wanted, cursor: Option<&str>, limit: usize) -> TipsPage {
        feed::page(&self.fixture.store, who, wanted, cursor, limit).await.unwrap()
    }

    async fn feed(&self, who: &Principal, scope: TipScope) -> Vec<Tip> {
        self.page(who, &all(scope), None, 50).await.tips
    }

    async fn reads_nothing(&self, who: &Principal) {
        let refused = feed::page(&self.fixture.store, who, &all(TipScope::Company), None, 10).await;
        assert!(matches!(refused, Err(FeedError::Absent)), "{refused:?}");
        let refused = feed::shelf(&self.fixture.store, who).await;
        assert!(matches!(refused, Err(FeedError::Absent)), "{refused:?}");
    }
}

pub(super) fn all(scope: TipScope) -> Wanted {
    Wanted { scope, topic: None, category: None, response: None, query: None }
}

pub(super) fn tip(n: u8, text: &str) -> NewTip {
    let id = TipId::new(taiwa_shared::time::Timestamp::from_millis(1_760_000_000_000), [n; 10]);
    let (topic, response) = ("career.future".to_owned().try_into().unwrap(), "think".parse().unwrap());
    NewTip { id, text: text.to_owned(), topic, response, byline: Byline::Name, outside: false }
}

fn texts(tips: &[Tip]) -> Vec<&str> {
    tips.iter().map(|tip| tip.text.as_str()).collect()
}

async fn a_manager_reads_what_managers_of_the_company_wrote_and_nobody_else_does(fixture: Fixture) {
    let world = World::open(fixture).await;
    let [author, reader, ..] = &world.managers[..] else { unreachable!() };
    let line = NewTip {
        byline: Byline::Line("営業・マネジャー歴3年".to_owned()), ..tip(1, "沈黙を10秒数える")
    };
    world.write(author, line).await;
    world.write(author, tip(2, "先に一つ約束する")).await;
    world.write(author, NewTip { byline: Byline::None, ..tip(3, "まず時系列") }).await;
    let read = world.feed(reader, TipScope::Company).await;
    let bylines: BTreeSet<_> = read.iter().map(|tip| (tip.text.as_str(), tip.byline.as_deref())).collect();
    let expected = [
        ("まず時系列", None),
        ("先に一つ約束する", Some("上村0 健")),
        ("沈黙を10秒数える", Some("営業・マネジャー歴3年")),
    ];
    assert_eq!(bylines, expected.into());
    assert!(read.iter().all(|tip| tip.mine.is_none() && tip.helped.is_none() && !tip.helped_me));
    assert!(world.feed(author, TipScope::Company).await.iter().all(|tip| tip.mine == Some(Offered::No)));
    let shelf = feed::shelf(&world.fixture.store, author).await.unwrap();
    assert_eq!((shelf.tips.len(), shelf.own.len(), shelf.outside), (3, 3, false));

    assert_eq!(world.feed(&world.elsewhere, TipScope::Company).await, []);
    for who in [&world.member, &world.hr] {
        world.reads_nothing(who).await;
        let write = world.ask(who, Action::WriteTip { tip: tip(9, "書けない") }).await;
        assert_eq!(write, rejected(RejectionReason::TipGone));
    }
    let id = tip(1, "").id;
    for action in
        [Action::TipHelped { tip: id, helped: true }, Action::ReportTip { tip: id }, Action::WithdrawTip { tip: id }]
    {
        assert_eq!(world.ask(&world.elsewhere, action).await, rejected(RejectionReason::TipGone));
    }
    let withdraw = world.ask(reader, Action::WithdrawTip { tip: id }).await;
    assert_eq!(withdraw, rejected(RejectionReason::TipGone), "it is not theirs");
    assert_eq!(world.feed(reader, TipScope::Company).await.len(), 3);
}

async fn a_tip_that_helped_counts_once_per_manager_and_is_said_from_three_on(fixture: Fixture) {
    let world = World::open(fixture).await;
    let author = &world.managers[0];
    let id = world.write(author, tip(1, "ペンを置く")).await;
    let newer = world.write(author, tip(2, "あとから書いた")).await;
    assert_eq!(world.feed(author, TipScope::Company).await[0].id, newer);
    let own = world.ask(author, Action::TipHelped { tip: id, helped: true }).await;
    assert_eq!(own, rejected(RejectionReason::TipGone), "one's own does not count");
    let helped = Action::TipHelped { tip: id, helped: true };
    for (count, reader) in world.managers[1..4].iter().enumerate() {
        for _ in 0..2 {
            assert_eq!(world.ask(reader, helped.clone()).await, Outcome::Applied);
        }
        let read = world.feed(reader, TipScope::Company).await;
        assert_eq!((read[0].id, read[0].helped_me), (id, true), "what helped comes before what is newer");
        assert_eq!(read[0].helped, (count == 2).then_some(3));
    }
    let back = Action::TipHelped { tip: id, helped: false };
    for _ in 0..2 {
        assert_eq!(world.ask(&world.managers[1], back.clone()).await, Outcome::Applied);
    }
    let read = world.feed(&world.managers[1], TipScope::Company).await;
    assert_eq!((read[0].helped, read[0].helped_me), (None, false));
}

async fn a_tip_that_was_withdrawn_is_gone_everywhere(fixture: Fixture) {
    let world = World::open(fixture).await;
    for slug in ["a", "b"] {
        let organisation = world.fixture.organisation(slug).await;
        let_exchange(&world.fixture.store, organisation, true).await.unwrap();
    }
    let author = &world.managers[0];
    let id = world.write(author, NewTip { outside: true, ..tip(1, "取り下げるヒント") }).await;
    world.ask(&world.managers[1], Action::TipHelped { tip: id, helped: true }).await;
    assert_eq!(decide(&world.fixture.store, id, Verdict::Pass, world.fixture.now()).await.unwrap(), Reviewed::Done);
    assert_eq!(world.feed(&world.elsewhere, TipScope::Outside).await.len(), 1);
    assert_eq!(world.ask(author, Action::WithdrawTip { tip: id }).await, Outcome::Applied);
    assert_eq!(world.feed(author, TipScope::Company).await, []);
    assert_eq!(world.feed(&world.elsewhere, TipScope::Outside).await, []);
    let shelf = feed::shelf(&world.fixture.store, author).await.unwrap();
    assert!(shelf.tips.is_empty() && shelf.own.is_empty());
    let query = Some(Query::parse("取り下げ").unwrap());
    let found = world.page(author, &Wanted { query, ..all(TipScope::Company) }, None, 10).await;
    assert_eq!(found, TipsPage { tips: vec![], next: None });
    assert_eq!(world.ask(author, Action::WithdrawTip { tip: id }).await, rejected(RejectionReason::TipGone));
}

async fn the_exact_topic_comes_first_then_its_category_then_the_response(fixture: Fixture) {
    let world = World::open(fixture).await;
    let author = &world.managers[0];
    let of = |n, text, topic: &str, response: &str| NewTip {
        topic: topic.to_owned().try_into().unwrap(),
        response: response.parse().unwrap(),
        ..tip(n, text)
    };
    for tip in [
        of(1, "ぴったり", "career.future", "think"),
        of(2, "分野", "career.*", "think"),
        of(3, "関わり方", "work.trouble", "think"),
        of(4, "話題だけ", "career.future", "listen"),
        of(5, "ほか", "work.trouble", "listen"),
    ] {
        world.write(author, tip).await;
    }
    let topic = || Some("career.future".parse().unwrap());
    let category = || Some("career".parse().unwrap());
    let response = || Some("think".parse().unwrap());
    let company = || all(TipScope::Company);
    let cases = [
        (Wanted { topic: topic(), response: response(), ..company() }, vec!["ぴったり", "分野", "関わり方"]),
        (Wanted { category: category(), response: response(), ..company() }, vec!["分野", "ぴったり", "関わり方"]),
        (Wanted { topic: topic(), ..company() }, vec!["話題だけ", "ぴったり", "分野"]),
        (Wanted { category: category(), ..company() }, vec!["話題だけ", "分野", "ぴったり"]),
        (Wanted { response: response(), ..company() }, vec!["関わり方", "分野", "ぴったり"]),
        (company(), vec!["ほか", "話題だけ", "関わり方", "分野", "ぴったり"]),
    ];
    for (wanted, expected) in cases {
        assert_eq!(texts(&world.page(author, &wanted, None, 10).await.tips), expected, "{wanted:?}");
        // One by one it is the same.
        let (mut cursor, mut one_by_one) = (None, Vec::new());
        loop {
            let page = world.page(author, &wanted, cursor.as_deref(), 1).await;
            one_by_one.extend(page.tips);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(texts(&one_by_one), expected, "{wanted:?}");
    }
    let first = world.page(author, &company(), None, 1).await;
    let other = Wanted { topic: topic(), ..company() };
    let refused = feed::page(&world.fixture.store, author, &other, first.next.as_deref(), 1).await;
    assert!(matches!(refused, Err(FeedError::Cursor)), "{refused:?}");
    for cursor in ["", "x", "0-0-0", "0-0-0-0-0", "ffffffffffffffffff-0-0-0", "0-7fffffffffffffff-7-00000000"] {
        let refused = feed::page(&world.fixture.store, author, &company(), Some(cursor), 1).await;
        assert!(matches!(refused, Err(FeedError::Cursor)), "{cursor}: {refused:?}");
    }
}

async fn pages_leave_nothing_out_while_tips_are_written_and_found_helpful(fixture: Fixture) {
    let world = World::open(fixture).await;
    let (author, reader) = (&world.managers[0], &world.managers[1]);
    let mut written = Vec::new();
    for n in 0..30 {
        written.push(world.write(author, tip(n, &format!("ヒント {n}"))).await);
    }
    let (mut seen, mut cursor, mut more) = (Vec::new(), None, 100);
    loop {
        let page = world.page(reader, &all(TipScope::Company), cursor.as_deref(), 4).await;
        seen.extend(page.tips.iter().map(|tip| tip.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        // Somebody writes, and finds helpful what was seen already.
        world.write(author, tip(more, "途中で増えた")).await;
        world.ask(&world.managers[2], Action::TipHelped { tip: seen[0], helped: true }).await;
        more += 1;
    }
    let untouched: Vec<_> = written.iter().rev().copied().collect();
    assert_eq!(seen, untouched, "each once, in order");
}

async fn a_tip_of_somebody_who_left_has_no_author(fixture: Fixture) {
    let world = World::open(fixture).await;
    let author = world.managers[0];
    world.write(&author, tip(1, "残るヒント")).await;
    let line = NewTip { byline: Byline::Line("上村さんの上司".to_owned()), ..tip(2, "これも残る") };
    world.write(&author, line).await;
    let email = Email::normalise("m0@a.jp");
    leaving::deactivate(&world.fixture.store, author.organisation, &email, world.fixture.now()).await.unwrap();
    let read = world.feed(&world.managers[1], TipScope::Company).await;
    assert_eq!(texts(&read), ["これも残る", "残るヒント"]);
    assert!(read.iter().all(|tip| tip.byline.is_none()), "{read:?}");
}

async fn a_tip_that_cannot_be_one_is_refused(fixture: Fixture) {
    let world = World::open(fixture).await;
    let author = &world.managers[0];
    let line = |line: &str| Byline::Line(line.to_owned());
    let bad = [
        tip(1, ""),
        tip(1, " \u{3000}"),
        tip(1, &"長".repeat(141)),
        tip(1, "二行\nある"),
        NewTip { byline: line(&"肩".repeat(41)), ..tip(1, "良い") },
        NewTip { byline: line("a\tb"), ..tip(1, "良い") },
        NewTip { id: TipId::from_bytes([1; 16]), ..tip(1, "良い") },
    ];
    for tip in bad {
        let outcome = world.ask(author, Action::WriteTip { tip: tip.clone() }).await;
        assert_eq!(outcome, rejected(RejectionReason::TipNotTaken), "{tip:?}");
    }
    let spaces = NewTip { byline: line(" \u{3000}"), ..tip(9, "　間を置く ") };
    world.write(author, spaces).await;
    let read = world.feed(author, TipScope::Company).await;
    assert_eq!((read[0].text.as_str(), &read[0].byline), ("間を置く", &None), "spaces say nothing");
    assert_eq!(world.ask(author, Action::WithdrawTip { tip: read[0].id }).await, Outcome::Applied);
    let longest = tip(1, &"👩‍👩‍👧".repeat(140));
    let id = world.write(author, longest.clone()).await;
    assert_eq!(world.ask(author, Action::WriteTip { tip: longest }).await, Outcome::Applied, "again is the same");
    let taken = world.ask(&world.managers[1], Action::WriteTip { tip: NewTip { id, ..tip(1, "横取り") } }).await;
    assert_eq!(taken, rejected(RejectionReason::TipNotTaken));
    // Sent again, a command has its outcome again and no second effect.
    let command = nth(900, Action::WriteTip { tip: tip(7, "一度だけ") });
    let twice = [command.clone(), command];
    assert_eq!(send(&world.fixture, author, &twice).await, [Outcome::Applied, Outcome::Applied]);
    assert_eq!(world.feed(author, TipScope::Company).await.len(), 2);
}

async fn other_companies_read_what_was_offered_and_passed_and_nothing_of_whose_it_is(fixture: Fixture) {
    let world = World::open(fixture).await;
    let store = &world.fixture.store;
    let author = &world.managers[0];
    let before = world.write(author, NewTip { outside: true, ..tip(1, "まだ参加していない") }).await;
    for slug in ["a", "b"] {
        let_exchange(store, world.fixture.organisation(slug).await, true).await.unwrap();
    }
    let line = NewTip { outside: true, byline: Byline::Line("営業三年".to_owned()), ..tip(2, "外にも出す") };
    let passed = world.write(author, line).await;
    let declined = world.write(author, NewTip { outside: true, ..tip(3, "出さないことになる") }).await;
    let kept = world.write(author, tip(4, "社内だけ")).await;
    let now = world.fixture.now();
    let waiting = store.tips_to_review(10).await.unwrap();
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    assert_eq!(world.feed(&world.elsewhere, TipScope::Outside).await, [], "not before somebody has passed it");
    assert_eq!(decide(store, passed, Verdict::Pass, now).await.unwrap(), Reviewed::Done);
    assert_eq!(decide(store, declined, Verdict::Decline, now).await.unwrap(), Reviewed::Done);
    for tip in [passed, declined, kept, before] {
        assert_eq!(decide(store, tip, Verdict::Pass, now).await.unwrap(), Reviewed::NotWaiting);
    }
    assert_eq!(decide(store, TipId::from_bytes([9; 16]), Verdict::Pass, now).await.unwrap(), Reviewed::Absent);
    assert_eq!(store.tips_to_review(10).await.unwrap().len(), 0);

    let outside = world.feed(&world.elsewhere, TipScope::Outside).await;
    let [copy] = &outside[..] else { panic!("{outside:?}") };
    assert_eq!((copy.text.as_str(), copy.byline.as_deref(), copy.mine), ("外にも出す", None, None));
    assert_ne!(copy.id, passed, "nothing leads back");
    let midnight = Zone::tokyo().at(now.in_zone(&Zone::tokyo()).date().at(0, 0, 0, 0));
    assert_eq!(copy.written, midnight, "the day in Japan and no more");
    assert_eq!(world.feed(author, TipScope::Company).await[0].written, midnight);
    let search = Wanted { query: Some(Query::parse("外").unwrap()), ..all(TipScope::Outside) };
    assert_eq!(texts(&world.page(&world.elsewhere, &search, None, 10).await.tips), ["外にも出す"]);
    for who in &world.managers[..2] {
        assert_eq!(world.feed(who, TipScope::Outside).await, [], "who reads the tip itself reads no copy");
        assert_eq!(world.page(who, &search, None, 10).await.tips, []);
    }
    let praise = world.ask(author, Action::TipHelped { tip: copy.id, helped: true }).await;
    assert_eq!(praise, rejected(RejectionReason::TipGone), "one's own tip, by its copy");
    let own = feed::shelf(store, author).await.unwrap().own;
    let states: BTreeSet<_> = own.iter().map(|tip| (tip.text.as_str(), format!("{:?}", tip.mine.unwrap()))).collect();
    let expected =
        [("まだ参加していない", "No"), ("出さないことになる", "Declined"), ("外にも出す", "Yes"), ("社内だけ", "No")];
    assert_eq!(states, expected.map(|(text, state)| (text, state.to_owned())).into());
    // It counts outside, too, once per manager of any company.
    let helped = Action::TipHelped { tip: copy.id, helped: true };
    for who in [&world.elsewhere, &world.elsewhere, &world.managers[1], &world.managers[2]] {
        assert_eq!(world.ask(who, helped.clone()).await, Outcome::Applied);
    }
    assert_eq!(world.feed(&world.elsewhere, TipScope::Outside).await[0].helped, Some(3));
    assert_eq!(world.feed(author, TipScope::Company).await.iter().filter_map(|tip| tip.helped).count(), 0);
}

async fn a_company_that_takes_no_part_reads_nothing_and_gives_nothing(fixture: Fixture) {
    let world = World::open(fixture).await;
    let store = &world.fixture.store;
    let author = &world.managers[0];
    let organisation = world.fixture.organisation("a").await;
    let_exchange(store, organisation, true).await.unwrap();
    let other = world.fixture.organisation("b").await;
    let id = world.write(author, NewTip { outside: true, ..tip(1, "出ていた") }).await;
    decide(store, id, Verdict::Pass, world.fixture.now()).await.unwrap();
    let_exchange(store, other, true).await.unwrap();
    let copy = world.feed(&world.elsewhere, TipScope::Outside).await[0].id;
    let_exchange(store, other, false).await.unwrap();
    assert_eq!(world.feed(&world.elsewhere, TipScope::Outside).await, []);
    let helped = world.ask(&world.elsewhere, Action::TipHelped { tip: copy, helped: true }).await;
    assert_eq!(helped, rejected(RejectionReason::TipGone));

    let_exchange(store, other, true).await.unwrap();
    world.write(author, NewTip { outside: true, ..tip(2, "待っていた") }).await;
    assert_eq!(store.tips_to_review(10).await.unwrap().len(), 1);
    assert_eq!(let_exchange(store, organisation, false).await.unwrap(), 1);
    assert_eq!(store.tips_to_review(10).await.unwrap().len(), 0, "nobody decides on what is not offered any more");
    let own = feed::shelf(store, author).await.unwrap().own;
    assert!(own.iter().all(|tip| tip.mine == Some(Offered::No)), "{own:?}");
    assert_eq!(world.feed(&world.elsewhere, TipScope::Outside).await, [], "what was given is gone");
    assert_eq!(texts(&world.feed(author, TipScope::Company).await), ["待っていた", "出ていた"]);
}

async fn what_was_reported_is_looked_at_and_taken_down(fixture: Fixture) {
    let world = World::open(fixture).await;
    let store = &world.fixture.store;
    let now = world.fixture.now();
    let (author, reader) = (&world.managers[0], &world.managers[1]);
    let bad = world.write(author, tip(1, "田中さんの話")).await;
    let fine = world.write(author, tip(2, "良いヒント")).await;
    for tip in [bad, fine] {
        for _ in 0..2 {
            assert_eq!(world.ask(reader, Action::ReportTip { tip }).await, Outcome::Applied);
        }
    }
    assert_eq!(store.tips_to_review(10).await.unwrap().len(), 2);
    assert_eq!(decide(store, fine, Verdict::Keep, now).await.unwrap(), Reviewed::Done);
    assert_eq!(decide(store, fine, Verdict::Keep, now).await.unwrap(), Reviewed::NotWaiting);
    assert_eq!(decide(store, bad, Verdict::TakeDown, now).await.unwrap(), Reviewed::Done);
    assert_eq!(texts(&world.feed(reader, TipScope::Company).await), ["良いヒント"]);

    // A copy outside that is taken down does not come back, and its author sees that.
    for slug in ["a", "b"] {
        let_exchange(store, world.fixture.organisation(slug).await, true).await.unwrap();
    }
    let offered = world.write(author, NewTip { outside: true, ..tip(3, "外で困る") }).await;
    decide(store, offered, Verdict::Pass, now).await.unwrap();
    let copy = world.feed(&world.elsewhere, TipScope::Outside).await[0].id;
    assert_eq!(world.ask(&world.elsewhere, Action::ReportTip { tip: copy }).await, Outcome::Applied);
    assert_eq!(decide(store, copy, Verdict::TakeDown, now).await.unwrap(), Reviewed::Done);
    assert_eq!(world.feed(&world.elsewhere, TipScope::Outside).await, []);
    let own = feed::shelf(store, author).await.unwrap().own;
    assert_eq!(own.iter().find(|tip| tip.id == offered).unwrap().mine, Some(Offered::Declined));
}

//! Tips that companies share by accident or by malice, and decisions and counts that fall into the same instant.

use taiwa_server::{
    records::{access::Principal, commands::take},
    tips::{
        feed::{self, Wanted},
        review::{Reviewed, Verdict, decide, decide_in, let_exchange},
    },
};
use taiwa_shared::{
    domain::{command::Action, tip::NewTip},
    ids::TipId,
    protocol::{
        commands::{Command, CommandsRequest, Outcome},
        tips::{Tip, TipScope},
    },
};

use super::{
    fixture::Fixture,
    orders::{nth, on_device, send_one},
    tips::{all, tip},
};

super::on_both! {
    a_tip_of_the_same_id_in_another_company_is_another_tip;
    a_reviewer_takes_down_the_tip_of_one_company_alone;
    what_is_withdrawn_while_a_reviewer_passes_it_has_no_copy_outside;
    managers_of_two_companies_count_at_once_and_each_counts;
}

/// Two companies that exchange tips, with managers `m0` to `m3` in each.
async fn two_companies(fixture: &Fixture) -> [Vec<Principal>; 2] {
    let mut of_both = Vec::new();
    for (slug, first) in [("a", 10), ("b", 20)] {
        let mut csv = "email,name,manager_email\n".to_owned();
        for n in 0..4 {
            csv.push_str(&format!("m{n}@{slug}.jp,上村{n} 健,\ne{n}@{slug}.jp,田中{n} 葵,m{n}@{slug}.jp\n"));
        }
        fixture.import(slug, &csv).await;
        let_exchange(&fixture.store, fixture.organisation(slug).await, true).await.unwrap();
        let mut managers = Vec::new();
        for n in 0..4_u8 {
            managers.push(on_device(fixture, slug, &format!("m{n}@{slug}.jp"), first + n).await);
        }
        of_both.push(managers);
    }
    of_both.try_into().unwrap()
}

async fn read(fixture: &Fixture, who: &Principal, scope: TipScope) -> Vec<Tip> {
    feed::page(&fixture.store, who, &Wanted { ..all(scope) }, None, 50).await.unwrap().tips
}

async fn applied(fixture: &Fixture, who: &Principal, n: u64, action: Action) {
    assert_eq!(send_one(fixture, who, n, action).await, Outcome::Applied);
}

async fn a_tip_of_the_same_id_in_another_company_is_another_tip(fixture: Fixture) {
    let [ours, theirs] = two_companies(&fixture).await;
    let shared = tip(1, "こちらのもの");
    applied(&fixture, &ours[0], 1, Action::WriteTip { tip: shared.clone() }).await;
    let helped = || Action::TipHelped { tip: shared.id, helped: true };
    applied(&fixture, &ours[1], 1, helped()).await;
    applied(&fixture, &ours[1], 2, Action::ReportTip { tip: shared.id }).await;
    let other = NewTip { text: "あちらのもの".to_owned(), ..shared.clone() };
    applied(&fixture, &theirs[0], 1, Action::WriteTip { tip: other }).await;
    applied(&fixture, &theirs[0], 2, Action::WithdrawTip { tip: shared.id }).await;
    let still = read(&fixture, &ours[1], TipScope::Company).await;
    assert_eq!((still[0].text.as_str(), still[0].helped_me), ("こちらのもの", true));
    // Whom it helped before counts once, whatever became of the other one.
    applied(&fixture, &ours[1], 3, helped()).await;
    applied(&fixture, &ours[2], 1, helped()).await;
    assert_eq!(read(&fixture, &ours[1], TipScope::Company).await[0].helped, None, "two managers");
    applied(&fixture, &ours[3], 1, helped()).await;
    assert_eq!(read(&fixture, &ours[1], TipScope::Company).await[0].helped, Some(3));
    applied(&fixture, &ours[1], 4, Action::ReportTip { tip: shared.id }).await;
    assert_eq!(fixture.store.tips_to_review(10).await.unwrap().len(), 1);
}

async fn a_reviewer_takes_down_the_tip_of_one_company_alone(fixture: Fixture) {
    let [ours, theirs] = two_companies(&fixture).await;
    let shared = tip(1, "こちらのもの");
    applied(&fixture, &ours[0], 1, Action::WriteTip { tip: shared.clone() }).await;
    let bad = NewTip { text: "あちらのもの".to_owned(), ..shared.clone() };
    applied(&fixture, &theirs[0], 1, Action::WriteTip { tip: bad }).await;
    applied(&fixture, &theirs[1], 1, Action::ReportTip { tip: shared.id }).await;
    for verdict in [Verdict::TakeDown, Verdict::Keep, Verdict::Pass, Verdict::Decline] {
        let several = decide(&fixture.store, shared.id, verdict, fixture.now()).await.unwrap();
        assert_eq!(several, Reviewed::Several, "{verdict:?}");
    }
    let b = theirs[0].organisation;
    let done = decide_in(&fixture.store, b, shared.id, Verdict::TakeDown, fixture.now()).await.unwrap();
    assert_eq!(done, Reviewed::Done);
    assert_eq!(read(&fixture, &theirs[0], TipScope::Company).await, []);
    assert_eq!(read(&fixture, &ours[1], TipScope::Company).await.len(), 1);
    let gone = decide_in(&fixture.store, b, shared.id, Verdict::TakeDown, fixture.now()).await.unwrap();
    assert_eq!(gone, Reviewed::Absent);
}

async fn give(fixture: &Fixture, who: &Principal, command: Command) -> Outcome {
    let request = CommandsRequest { commands: vec![command] };
    take(&fixture.store, &fixture.bus, who, &request, fixture.now()).await.unwrap().outcomes.remove(0).outcome
}

async fn what_is_withdrawn_while_a_reviewer_passes_it_has_no_copy_outside(fixture: Fixture) {
    let [ours, theirs] = two_companies(&fixture).await;
    let author = &ours[0];
    for round in 0..24_u8 {
        let offered = NewTip { outside: true, ..tip(round, "取り下げる") };
        let n = u64::from(round) * 2;
        applied(&fixture, author, n + 1, Action::WriteTip { tip: offered.clone() }).await;
        let withdraw = nth(n + 2, Action::WithdrawTip { tip: offered.id });
        let (passed, withdrawn) = tokio::join!(
            decide(&fixture.store, offered.id, Verdict::Pass, fixture.now()),
            give(&fixture, author, withdraw)
        );
        assert_eq!(withdrawn, Outcome::Applied);
        assert!(matches!(passed.unwrap(), Reviewed::Done | Reviewed::Absent));
        assert_eq!(read(&fixture, &theirs[0], TipScope::Outside).await, [], "round {round}");
    }
}

async fn managers_of_two_companies_count_at_once_and_each_counts(fixture: Fixture) {
    let [ours, theirs] = two_companies(&fixture).await;
    for round in 0..8_u8 {
        let offered = NewTip { outside: true, ..tip(round, "役に立つ") };
        applied(&fixture, &ours[0], u64::from(round) + 1, Action::WriteTip { tip: offered.clone() }).await;
        decide(&fixture.store, offered.id, Verdict::Pass, fixture.now()).await.unwrap();
        let outside = read(&fixture, &theirs[0], TipScope::Outside).await;
        let copy: TipId = outside.iter().find(|tip| tip.helped.is_none()).unwrap().id;
        let helped = |sequence| nth(sequence, Action::TipHelped { tip: copy, helped: true });
        let sequence = u64::from(round) + 50;
        let (one, two, three, four) = tokio::join!(
            give(&fixture, &ours[1], helped(sequence)),
            give(&fixture, &theirs[1], helped(sequence)),
            give(&fixture, &ours[2], helped(sequence)),
            give(&fixture, &theirs[2], helped(sequence)),
        );
        assert_eq!([one, two, three, four], [(); 4].map(|()| Outcome::Applied));
        let counted = read(&fixture, &theirs[0], TipScope::Outside).await;
        assert_eq!(counted.iter().find(|tip| tip.id == copy).unwrap().helped, Some(4), "round {round}");
    }
}

//! Act 4: promises and intentions carry over to the next 1on1.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Story;

const PROMISE: &str = "来月の大口案件の資料を見せる";
const OWN_PROMISE: &str = "担当表の案を1枚";
const INTENTION: &str = "まず最後まで聞いてから話す";

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("約束：次の1on1へ持ち越す");
    let meeting = story.office.next_meeting().await?;
    let Story { timeline, office, .. } = story;
    let pair = office.pair;
    let (member, manager) = (office.member.session().await?, office.manager.session().await?);
    member.add_promise(pair, manager.me(), PROMISE.to_owned(), Some(meeting)).await?;
    member.add_promise(pair, member.me(), OWN_PROMISE.to_owned(), Some(meeting)).await?;
    member.add_intention(pair, INTENTION.to_owned(), Some(meeting)).await?;
    timeline.say(&office.member.who, format!("次回までに：{PROMISE}（{}）・{OWN_PROMISE}（自分）", office.manager.who));
    timeline.say(&office.member.who, format!("意識すること：{INTENTION}"));

    let both =
        office.manager.sees(|session| async move { session.home().await }, |home| home.promises.len() == 2).await?;
    timeline.check("約束は両方のホームに出る", both.is_some());
    let home = member.home().await?;
    timeline.check("意識することは自分のホームに出る", home.intentions.iter().any(|it| it.texts == [INTENTION]));

    // After the 1on1 the phones know the next one by themselves.
    story.clock.advance(Duration::from_secs(2 * 60 * 60));
    let next = story.office.next_meeting().await?;
    story.move_to_before(next, Duration::from_secs(30)).await?;
    let Story { timeline, office, .. } = story;
    timeline.check("端末は次回の日時を自分で知っている", next != meeting);
    let manager = office.manager.session().await?;
    let brief = manager.brief(next).await?;
    timeline.say(&office.manager.who, format!("次回のブリーフ：{}", brief.title));
    brief.promises.iter().for_each(|promise| timeline.say(&office.manager.who, promise));
    timeline.check("次回のブリーフに前回の約束が出て、自分の分が先に立つ", {
        brief.promises.len() == 2 && brief.promises[0] == format!("前回の約束: {PROMISE}（あなた）")
    });

    let promise = manager.promises().await?.into_iter().find(|it| it.mine).context("the manager has a promise")?;
    let (mine, theirs) = (manager.tick_promise(pair, promise.id), member.tick_promise(pair, promise.id));
    tokio::try_join!(mine, theirs)?;
    timeline.say("ふたり", "同じ約束に、同時に「済み」を付けました");
    let done =
        office.member.sees(|session| async move { session.home().await }, |home| home.promises.len() == 1).await?;
    timeline.check("二重の「済み」はひとつになる", done.is_some());
    Ok(())
}

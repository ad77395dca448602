//! Act: a manager tells the others what worked, written without a network; another one finds it, tries it, and has it at
//! hand in the next brief.

use std::time::Duration;

use anyhow::Result;
use taiwa_mobile_core::session::{NewTipText, Session, TipFilter};
use taiwa_shared::domain::tip::Byline;

use super::Story;

const TOPIC: &str = "career.future";
const RESPONSE: &str = "think";
const WITH_A_NAME: &str = "株式会社ミナトの田中さんの話を出したら、300万円の案件の話になった。";
const TIP: &str = "付箋に「3年後の一日」を書いてもらい、二人で並べ替えると話が具体的になる。";
const ENGLISH: &str = "Ask for one ordinary day in three years, hour by hour, and write nothing down yourself.";
/// Newer tips are asked for when the last were pulled longer ago than this.
const A_WHILE: Duration = Duration::from_secs(120);

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("ヒント：うまくいった関わり方を、ほかのマネジャーへ");
    let meeting = story.office.next_meeting().await?;
    story.clock.advance(A_WHILE);
    let Story { timeline, field, office, .. } = story;
    let author = &field.manager;
    author.enter_tunnel();
    let session = author.session().await?;
    let warnings = session.tip_warnings(WITH_A_NAME);
    let units: Vec<u16> = WITH_A_NAME.encode_utf16().collect();
    let named =
        warnings.iter().map(|it| String::from_utf16_lossy(&units[it.range.start as usize..it.range.end as usize]));
    timeline.say(&author.who, format!("下書き：{WITH_A_NAME}"));
    timeline.say(&author.who, format!("端末の注意：{}", named.collect::<Vec<_>>().join("・")));
    timeline.check("会社名・人名・金額を、送る前に端末が知らせる", warnings.len() >= 3);
    timeline.check("名前のない文には何も言わない", session.tip_warnings(TIP).is_empty());
    for text in [TIP, ENGLISH] {
        session.write_tip(written(text)?).await?;
    }
    timeline.say(&author.who, format!("書き直しました：{TIP}"));
    timeline.check("圏外で書いたヒントは端末にあり、送信待ちになる", author.word().await?.starts_with("送信待ち"));
    author.leave_tunnel().await?;
    timeline.check("電波が戻ると届く", author.is_synced().await?);

    let reader = &office.manager;
    let session = reader.session().await?;
    session.tips_opened();
    let fitting = TipFilter { topic: Some(TOPIC.parse()?), response: Some(RESPONSE.parse()?), ..TipFilter::default() };
    let asked = fitting.clone();
    let look = move |session: Session| {
        let asked = asked.clone();
        async move { session.tips(&asked, "").await }
    };
    let page = reader.sees(look, |page| page.tips.iter().any(|tip| tip.text == TIP)).await?;
    let first = page.iter().flat_map(|page| &page.tips).take(3);
    for tip in first.clone() {
        let standing = tip.standing.as_deref().unwrap_or("はじめから");
        timeline.say(&reader.who, format!("{}×{}　{}（{standing}）", tip.topic_label, tip.response_label, tip.text));
    }
    let is_first = first.take(2).any(|tip| tip.text == TIP && tip.byline.as_deref() == Some("営業・マネジャー歴3年"));
    timeline.check("話題×期待する対応に合うヒントが先に並び、誰のものかは書いた人が選んだとおり", is_first);

    let found = session.more_tips(&fitting, "付箋", None).await?.tips;
    timeline.check("サーバーの検索でも見つかる", found.iter().any(|tip| tip.text == TIP));

    let tip = found.iter().find(|tip| tip.text == TIP).and_then(|tip| tip.id);
    if let Some(tip) = tip {
        session.set_tip_helped(tip, true).await?;
        timeline.say(&reader.who, "「試してよかった」を押しました");
    }
    let helped = session.tips(&fitting, "").await?.tips.into_iter().any(|it| it.id == tip && it.helped_me);
    timeline.check("試してよかったは一人一回", helped && reader.is_synced().await?);

    let member = office.member.session().await?;
    member.set_response(meeting, TOPIC.parse()?, RESPONSE.parse()?).await?;
    member.publish(meeting).await?;
    let brief = move |session: Session| async move { session.brief(meeting).await };
    let brief = reader.sees(brief, |brief| brief.tips.iter().any(|tip| tip.contains(TIP))).await?;
    brief.iter().flat_map(|brief| &brief.tips).for_each(|tip| timeline.say(&reader.who, format!("ブリーフ：{tip}")));
    timeline.check("次のブリーフに、合うヒントが3つまで出る", brief.is_some_and(|brief| brief.tips.len() <= 3));

    reader.enter_tunnel();
    for (words, expected) in [("付箋　並べ替え", TIP), ("ordinary DAY", ENGLISH)] {
        let found = session.tips(&TipFilter::default(), words).await?.tips;
        timeline.check(&format!("圏外でも「{words}」で見つかる"), found.len() == 1 && found[0].text == expected);
    }
    reader.leave_tunnel().await?;
    Ok(())
}

fn written(text: &str) -> Result<NewTipText> {
    Ok(NewTipText {
        text: text.to_owned(),
        topic: TOPIC.parse()?,
        response: RESPONSE.parse()?,
        byline: Byline::Line("営業・マネジャー歴3年".to_owned()),
        outside: false,
    })
}

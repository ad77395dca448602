//! Act 2: the manager opens the brief ten seconds before, in a room without Wi-Fi.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Story;

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("ブリーフ：始まる10秒前、電波の届かない会議室で");
    let meeting = story.office.next_meeting().await?;
    story.move_to_before(meeting, Duration::from_secs(10)).await?;
    let Story { timeline, office, .. } = story;
    let manager = &mut office.manager;

    manager.enter_tunnel();
    manager.kill_and_reopen().await?;
    let opened = Instant::now();
    let brief = manager.session().await?.brief(meeting).await?;
    let millis = opened.elapsed().as_millis();
    timeline.say(&manager.who, format!("通知をタップ → {}", brief.title));
    for topic in &brief.topics {
        timeline.say(&manager.who, format!("話したいこと：{}", topic.topic));
        timeline.say(&manager.who, format!("期待する対応：{}", topic.responses.join("／")));
        timeline.say(&manager.who, format!("ひとこと：{}", topic.words.join("／")));
        timeline.say(&manager.who, format!("ヒント：{}", topic.hints.join(" ")));
    }
    for tip in &brief.tips {
        timeline.say(&manager.who, format!("他のマネジャー：{tip}"));
    }
    timeline.check(&format!("圏外でも端末の中から開く（{millis} ms）"), millis < 1_000);
    timeline.check("話題・期待する対応・ヒントがそろっている", {
        brief.topics.len() == 1
            && brief.topics[0].responses == ["一緒に考えてほしい"]
            && !brief.topics[0].hints.is_empty()
            && !brief.tips.is_empty()
    });
    manager.session().await?.brief_shown(meeting).await?;
    manager.leave_tunnel().await?;
    let receipt = office
        .member
        .sees(
            |session| async move { session.upcoming().await },
            |upcoming| upcoming.iter().any(|it| it.meeting == meeting && it.brief_seen.is_some()),
        )
        .await?;
    let receipt = receipt.iter().flatten().find(|it| it.meeting == meeting).and_then(|it| it.brief_seen.as_ref());
    timeline.say(&office.member.who, format!("画面：{}", receipt.map_or("", |receipt| receipt.text.as_str())));
    timeline.check(
        "電波が戻ると、確認されたことが準備した本人の画面に出る",
        receipt.is_some_and(|receipt| !receipt.newer_changes),
    );
    Ok(())
}

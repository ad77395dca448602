//! Act 6: the server is killed with -9 while two people type, and comes back.

use anyhow::Result;

use super::Story;

const LINES: usize = 30;

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("停電：書いている最中にサーバーが落ちる");
    let meeting = story.field.next_meeting().await?;
    let Story { timeline, server, field, .. } = story;
    let member = field.member.session().await?.memo(meeting).await?;
    let manager = field.manager.session().await?.memo(meeting).await?;
    for line in 0..LINES {
        let (mine, theirs) = (format!("メ{line}。"), format!("マ{line}。"));
        tokio::try_join!(member.splice(0, 0, mine), manager.splice(0, 0, theirs))?;
        if line == LINES / 2 {
            server.kill()?;
            timeline.say("サーバー", "電源が落ちました（kill -9）");
        }
    }
    timeline.say(&field.member.who, format!("書き続けました。画面：{}", field.member.word().await?));
    server.restart().await?;
    timeline.say("サーバー", "再起動しました");
    field.member.session().await?.network_available();
    field.manager.session().await?.network_available();
    let synced = field.member.is_synced().await? && field.manager.is_synced().await?;
    timeline.check("再起動のあと、ふたりとも同期済みになる", synced);

    let look = async {
        loop {
            let changed = member.changed();
            let (mine, theirs) = (member.read().await?.text, manager.read().await?.text);
            let whole =
                (0..LINES).all(|line| mine.contains(&format!("メ{line}。")) && mine.contains(&format!("マ{line}。")));
            if whole && mine == theirs {
                return anyhow::Ok(true);
            }
            let _ = tokio::time::timeout(std::time::Duration::from_millis(100), changed).await;
        }
    };
    let same = tokio::time::timeout(std::time::Duration::from_secs(15), look).await.unwrap_or(Ok(false))?;
    timeline.check(&format!("{}か所の入力がひとつも失われず、ふたりのメモは同じになる", 2 * LINES), same);
    Ok(())
}

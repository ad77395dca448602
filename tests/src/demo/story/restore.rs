//! Act: a disk is lost; the server comes back from last night's backup while the phones hold what is newer.

use std::time::Duration;

use anyhow::Result;
use taiwa_mobile_core::session::Memo;
use taiwa_shared::domain::ownership::DocumentKey;
use tokio::time::{interval, timeout};

use super::Story;
use crate::inspect::Contents;

/// How long the phones may take to bring back what the server lacks.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks into the server's database.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const BEFORE: &str = "バックアップの前に書いたこと。";
const AFTER: [&str; 2] = ["バックアップの後にメンバーが書いたこと。", "バックアップの後に上司が書いたこと。"];

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("復元：バックアップより新しい入力は端末にある");
    let meeting = story.field.next_meeting().await?;
    let backup = story.file("昨夜.backup")?;
    let Story { timeline, server, field, .. } = story;
    let (member, manager) = (&field.member, &field.manager);
    let mine = member.session().await?.memo(meeting).await?;
    let theirs = manager.session().await?.memo(meeting).await?;
    mine.splice(0, 0, BEFORE.to_owned()).await?;
    timeline.check("入力がサーバーに届く", member.is_synced().await?);
    let said = server.run_command(&["backup", &backup]).await?;
    timeline.say("運用担当", format!("動かしたままバックアップ：{}", said.lines().next().unwrap_or_default()));

    mine.splice(0, 0, AFTER[0].to_owned()).await?;
    theirs.splice(0, 0, AFTER[1].to_owned()).await?;
    let synced = member.is_synced().await? && manager.is_synced().await?;
    timeline.check("そのあとの入力も同期済みになる", synced);
    server.stop().await?;
    let said = server.run_command(&["restore", "--replace", &backup]).await?;
    timeline.say("運用担当", format!("復元：{}", said.lines().next().unwrap_or_default()));
    let document = DocumentKey::Memo { pair: field.pair, meeting }.document_id(0);
    let place = format!("document {document}");
    let restored = Contents::of_server(&server.database()).await?;
    timeline.check(
        "復元した直後のサーバーには、バックアップの前のことだけがある",
        restored.places_of(BEFORE).contains(&place.as_str())
            && AFTER.iter().all(|text| !restored.places_of(text).contains(&place.as_str())),
    );
    server.restart().await?;
    timeline.say("サーバー", "復元したデータで起動しました");
    member.session().await?.network_available();
    manager.session().await?.network_available();
    let everything = async {
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let now = Contents::of_server(&server.database()).await?;
            if AFTER.iter().all(|text| now.places_of(text).contains(&place.as_str())) {
                return anyhow::Ok(true);
            }
        }
    };
    let complete = timeout(PATIENCE, everything).await.unwrap_or(Ok(false))?;
    timeline.check("足りない入力を端末が送り直し、サーバーに全部そろう", complete);
    let synced = member.is_synced().await? && manager.is_synced().await?;
    let (one, other) = (text(&mine).await?, text(&theirs).await?);
    timeline.check("ふたりとも同期済みで、メモは一字も違わない", synced && one == other && one.contains(AFTER[0]));
    Ok(())
}

async fn text(memo: &Memo) -> Result<String> {
    Ok(memo.read().await?.text)
}

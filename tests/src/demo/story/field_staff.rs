//! Act 5: two days at a customer's without any signal.

use std::time::{Duration, Instant};

use anyhow::Result;
use taiwa_mobile_core::session::NotesOf;

use super::Story;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NOTES: [&str; 3] = ["港の倉庫は来春に建て替え", "次の担当者は女将さん", "見積もりは税込みで話す"];

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("現場：離島で2日間、圏外");
    let meeting = story.field.next_meeting().await?;
    let Story { timeline, clock, field, .. } = story;
    let member = &mut field.member;
    member.enter_tunnel();
    let session = member.session().await?;
    for note in NOTES {
        session.add_note(NotesOf::Field, note.to_owned(), None).await?;
    }
    timeline.say(&member.who, format!("現場メモを{}件書きました", NOTES.len()));
    drop(session);
    clock.advance(DAY);
    member.kill_and_reopen().await?;
    let session = member.session().await?;
    session.set_response(meeting, "customer.field".parse()?, "inform".parse()?).await?;
    session.set_word(meeting, "customer.field".parse()?, "倉庫の建て替えの話".to_owned()).await?;
    session.publish(meeting).await?;
    let memo = session.memo(meeting).await?;
    for line in 0..40 {
        memo.splice(
            memo.shown().encode_utf16().count(),
            0,
            format!("{line}軒目：話を聞いた。次は資料を持って行く。\n"),
        )
        .await?;
    }
    clock.advance(DAY);
    timeline.say(&member.who, format!("1on1の準備をして、メモに{}字書きました", memo.shown().chars().count()));
    timeline.say(&member.who, format!("画面：{}", member.word().await?));
    let waiting = session.unsent().await?;
    timeline.check("2日分がすべて端末に残っている", waiting >= 45);

    let back = Instant::now();
    member.leave_tunnel().await?;
    timeline.say(&member.who, "港に戻りました。アプリを開きます");
    let synced = member.is_synced().await?;
    timeline.check(&format!("{waiting}件の変更がまとめて届く（{:.1} 秒）", back.elapsed().as_secs_f32()), synced);
    let manager = &field.manager;
    let prepared = manager
        .sees(
            |session| async move { session.home().await },
            |home| home.upcoming.iter().any(|it| it.meeting == meeting && !it.topics.is_empty()),
        )
        .await?;
    timeline.check("上司のホームに準備が出る", prepared.is_some());
    let theirs = manager.session().await?.memo(meeting).await?;
    let look = async {
        loop {
            let changed = theirs.changed();
            if theirs.read().await?.text == memo.shown() || changed.await.is_none() {
                return anyhow::Ok(theirs.read().await?.text == memo.shown());
            }
        }
    };
    let same = tokio::time::timeout(Duration::from_secs(15), look).await.unwrap_or(Ok(false))?;
    timeline.check("上司の端末のメモは一字も違わない", same);
    Ok(())
}

//! Act: a 1on1 is moved while the other side is two days without a signal and moves it too.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::ToSpan;
use taiwa_mobile_core::session::{CardKind, Session, UpcomingMeeting};
use taiwa_shared::{
    domain::meeting::MeetingTime,
    ids::MeetingId,
    time::{Clock, Zone},
};

use super::Story;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTES: u16 = 30;

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("予定変更：相手が2日間圏外のあいだに");
    let Story { timeline, clock, field, .. } = story;
    let (member, manager) = (&field.member, &field.manager);
    let (mine, theirs) = (member.session().await?, manager.session().await?);
    let soonest = clock.now().plus(4 * DAY);
    let planned = mine.upcoming().await?.into_iter().find(|it| it.starts > soonest).context("a 1on1 in some days")?;
    let meeting = planned.meeting;

    member.enter_tunnel();
    timeline.say(&member.who, format!("次の1on1は{}。また圏外へ出かけます", planned.when));
    theirs.move_meeting(meeting, later(&planned, 1)).await?;
    let moved = shown(&theirs, meeting).await?;
    timeline.say(&manager.who, format!("{}に変更しました", moved.when));
    timeline.check("変えた本人の画面はすぐに変わる", moved.starts > planned.starts);
    timeline.check("変更がサーバーに届く", manager.is_synced().await?);

    clock.advance(2 * DAY);
    let before = shown(&mine, meeting).await?;
    timeline.check("圏外の端末は前の時刻を示している", before.starts == planned.starts);
    mine.move_meeting(meeting, later(&planned, -1)).await?;
    let own = shown(&mine, meeting).await?;
    timeline.say(&member.who, format!("圏外のまま{}に変更しました。画面：{}", own.when, member.word().await?));
    timeline.check("自分の変更は送信待ちと示される", own.waiting);

    member.leave_tunnel().await?;
    timeline.say(&member.who, "電波が戻りました");
    let cards = member.sees(|session| async move { session.command_cards().await }, |cards| !cards.is_empty()).await?;
    let card = cards.unwrap_or_default().into_iter().next();
    if let Some(card) = &card {
        timeline.say(&member.who, format!("カード：{}", card.why));
        let (mine, theirs) = (card.mine.as_deref().unwrap_or("–"), card.theirs.as_deref().unwrap_or("–"));
        timeline.say(&member.who, format!("自分の変更：{mine}　相手の変更：{theirs}"));
    }
    let both = |kind, mine: &Option<String>, theirs: &Option<String>| {
        kind == CardKind::Conflict && mine.is_some() && theirs.is_some() && mine != theirs
    };
    timeline.check(
        "どちらも黙って消されず、両方の時刻から選べる",
        card.as_ref().is_some_and(|card| both(card.kind, &card.mine, &card.theirs)),
    );
    let card = card.context("a card to decide on")?;
    mine.take_theirs(card.id).await?;
    timeline.say(&member.who, "相手の時刻を選びました");
    let agreed = shown(&mine, meeting).await?;
    let notice = agreed.moved.as_ref().map_or(String::new(), |moved| moved.notice.clone());
    timeline.say(&member.who, format!("ホーム：{notice}（{}さん）", moved_by(&agreed)));
    timeline.check("ふたりの端末の時刻は同じになる", agreed.starts == shown(&theirs, meeting).await?.starts);
    timeline.check("準備とメモは動かした1on1についている", mine.memo(meeting).await.is_ok());
    timeline.check("片付いたカードは残らない", mine.command_cards().await?.is_empty());
    Ok(())
}

fn moved_by(meeting: &UpcomingMeeting) -> String {
    meeting.moved.as_ref().map_or(String::new(), |moved| moved.by_name.clone())
}

async fn shown(session: &Session, meeting: MeetingId) -> Result<UpcomingMeeting> {
    let upcoming = session.upcoming().await?;
    upcoming.into_iter().find(|it| it.meeting == meeting).context("the 1on1 is on the home screen")
}

/// So many hours later than it was planned.
fn later(meeting: &UpcomingMeeting, hours: i64) -> MeetingTime {
    let zone = Zone::tokyo();
    let starts = meeting.starts.in_zone(&zone).saturating_add(hours.hours());
    MeetingTime { starts, zone, length_minutes: MINUTES }
}

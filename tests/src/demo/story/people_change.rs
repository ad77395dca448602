//! Act: a member gets another manager, and somebody leaves the company.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use taiwa_mobile_core::{session::PairItem, sync::Connection};
use taiwa_shared::domain::people::PairState;

use super::Story;
use crate::demo::company;

/// An end of access by another process is felt within a second; the rest is for a slow machine.
const AT_ONCE: Duration = Duration::from_secs(3);

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("異動：上司が変わる");
    let moved = story.people.iter().position(|person| person.email == story.office.member_email);
    let other = story.people.iter().find(|person| person.email == story.field.member_email);
    let manager = other.and_then(|person| person.manager.clone());
    story.people[moved.context("the member is in the list")?].manager = manager;
    let file = story.file("異動.csv")?;
    std::fs::write(&file, company::csv(&story.people)).context("write the list of people")?;
    let Story { timeline, server, office, field, .. } = story;
    let meeting = office.next_meeting().await?;
    let import = ["import", "--organisation", company::SLUG, "--name", company::NAME];
    let said = server.run_command(&[&import[..], &["--dry-run", &file]].concat()).await?;
    said.lines().for_each(|line| timeline.say("確認だけ", line));
    let said = server.run_command(&[&import[..], &[&file]].concat()).await?;
    said.lines().for_each(|line| timeline.say("取り込み", line));

    let pair = office.pair;
    let is_closed = move |pairs: &Vec<PairItem>| {
        pairs.iter().any(|item| item.pair == pair && matches!(item.state, PairState::Closed { .. }))
    };
    let pairs = |session: taiwa_mobile_core::session::Session| async move { Ok(session.pairs()) };
    let closed = office.manager.sees(pairs, is_closed).await?.is_some();
    timeline.check("前の上司の端末で、ふたりの組は終わったと示される", closed);
    let session = office.manager.session().await?;
    let memo = session.memo(meeting).await?;
    timeline.check("前の上司は30日のあいだ読める", memo.read().await.is_ok());
    timeline.check("前の上司はもう書けない", memo.splice(0, 0, "もう一言".to_owned()).await.is_err());
    let opened =
        move |pairs: &Vec<PairItem>| pairs.iter().any(|item| item.pair != pair && item.state == PairState::Open);
    let new = office.member.sees(pairs, opened).await?.is_some();
    timeline.check("本人には新しい上司との組が始まっている", new);
    let theirs = office.member.session().await?.pairs();
    let names: Vec<_> = theirs.iter().map(|item| item.partner_name.as_str()).collect();
    timeline.say(&office.member.who, format!("画面：{}", names.join("・")));

    timeline.act("退職：アクセスはその場で終わる");
    let leaving = &field.member;
    let live =
        leaving.sees(|session| async move { Ok(session.sync_status().connection) }, |it| *it == Connection::Online);
    timeline.check("退職する人の端末は接続している", live.await?.is_some());
    let said =
        server.run_command(&["person", "deactivate", "--organisation", company::SLUG, &field.member_email]).await?;
    timeline.say("運用担当", said.trim());
    let since = Instant::now();
    let ended = leaving
        .sees(|session| async move { Ok(session.sync_status().connection) }, |it| *it == Connection::SignInAgain);
    let ended = ended.await?.is_some();
    let seconds = since.elapsed().as_secs_f32();
    timeline.check(&format!("開いていた接続も切れる（{seconds:.1} 秒）"), ended && since.elapsed() < AT_ONCE);
    let session = leaving.session().await?;
    let memo = session.memo(field.next_meeting().await?).await?;
    let written = memo.splice(0, 0, "最後の一言".to_owned()).await;
    let kept = session.unsent().await? > 0;
    timeline.check("端末に書いたものは黙って消えない", written.is_err() || kept);
    let pair = field.pair;
    let is_closed = move |pairs: &Vec<PairItem>| {
        pairs.iter().any(|item| item.pair == pair && matches!(item.state, PairState::Closed { .. }))
    };
    let closed = field.manager.sees(pairs, is_closed).await?.is_some();
    timeline.check("上司の端末でも組は終わったと示される", closed);
    Ok(())
}

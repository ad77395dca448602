//! Act: after a 1on1 the member says how it went, without a network, and the manager learns nothing of it.

use std::time::Duration;

use anyhow::{Context, Result};
use taiwa_mobile_core::session::{RatingStanding, SessionError};
use taiwa_shared::domain::rating::AsAsked;

use super::{Story, server_store};
use crate::demo::company::SLUG;

/// The length of a 1on1.
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("ふりかえり：話せた感は本人だけのもの");
    let meeting = story.office.next_meeting().await?;
    story.clock.advance(HALF_AN_HOUR);
    let Story { timeline, server, office, .. } = story;
    let member = &office.member;
    member.enter_tunnel();
    let session = member.session().await?;
    session.finish_meeting(meeting).await?;
    let form = session.rating(meeting).await?;
    timeline.say(&member.who, format!("1on1を終えました。画面：{}", form.question));
    timeline.say(&member.who, &form.assurance);
    let step = form.steps.iter().rev().nth(1).context("the scale has five steps")?;
    session.rate(meeting, step.talked, Some(AsAsked::Yes)).await?;
    timeline.say(&member.who, format!("「{}」・{} はい", step.label, form.second_question));
    let form = session.rating(meeting).await?;
    timeline.say(&member.who, format!("画面：{}", form.standing_words.as_deref().unwrap_or("送信済み")));
    timeline.check("圏外でも答えは端末に残り、送信待ちと表示される", form.standing == RatingStanding::Waiting);

    member.leave_tunnel().await?;
    let is_sent = move |session: taiwa_mobile_core::session::Session| async move { session.rating(meeting).await };
    let sent = member.sees(is_sent, |form| form.standing == RatingStanding::Sent).await?;
    timeline.check("電波が戻ると届き、集計までは直せる", sent.is_some_and(|form| form.can_change));
    let store = server_store(server).await?;
    let organisation = store.organisation_by_slug(SLUG).await?.context("the company is there")?.id;
    let rated = store.ratings_of_weeks(organisation, jiff::civil::Date::MIN, jiff::civil::Date::MAX).await?;
    store.close().await;
    let [row] = &rated[..] else { anyhow::bail!("one rating is at the server, and not {}", rated.len()) };
    let people = [member.session().await?.me(), office.manager.session().await?.me()];
    let named = people
        .iter()
        .any(|person| [row.ticket, row.rater, row.subject].iter().any(|key| key.starts_with(person.as_bytes())));
    timeline.check(
        "サーバーにあるのは札と週と値だけで、誰のものかは書かれていない",
        !named && row.rating.talked == step.talked,
    );

    let manager = office.manager.session().await?;
    let refused = matches!(manager.rating(meeting).await, Err(SessionError::NoAccess));
    timeline
        .check("上司の端末では、答えたかどうかさえ分からない", refused && manager.home().await?.ratings_due.is_empty());
    Ok(())
}

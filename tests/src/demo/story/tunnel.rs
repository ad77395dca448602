//! Act 1: the member prepares in a train tunnel; the app is killed on the way.

use std::time::{Duration, Instant};

use anyhow::Result;
use taiwa_mobile_core::session::PreparationState;

use super::Story;

/// Two hours and eight minutes before a 1on1 at 10:00: on the train at 7:52.
const ON_THE_TRAIN: Duration = Duration::from_secs((2 * 60 + 8) * 60);

/// What the member writes first and thinks better of; must never reach the manager.
pub(super) const FIRST_THOUGHT: &str = "本音：もう辞めたい";
/// What the member tells.
const WORD: &str = "3年後の姿が見えない";

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("準備：通勤電車のトンネルの中で");
    let meeting = story.office.next_meeting().await?;
    story.move_to_before(meeting, ON_THE_TRAIN).await?;
    let Story { timeline, office, .. } = story;
    let (member, manager) = (&mut office.member, &office.manager);

    member.enter_tunnel();
    timeline.say("電車", "トンネルに入りました。圏外です");
    let session = member.session().await?;
    let form = session.prepare(meeting).await?;
    timeline.say(&member.who, format!("「準備する」（{} {}さん）", form.when, form.partner_name));
    let offered: Vec<_> = form.offered.iter().map(|topic| topic.label.as_str()).collect();
    timeline.say(&member.who, format!("画面：{}", offered.join("・")));
    timeline.check("最初に6つの話題が並ぶ", offered.len() == 6);

    let tapped = Instant::now();
    session.choose_topic(meeting, "career.future".parse()?).await?;
    let millis = tapped.elapsed().as_millis();
    timeline.say(&member.who, "「これからのキャリア」を選びました");
    timeline.check(&format!("圏外でもタップはすぐ保存される（{millis} ms）"), millis < 1_000);
    session.set_word(meeting, "career.future".parse()?, FIRST_THOUGHT.to_owned()).await?;
    drop(session);

    member.kill_and_reopen().await?;
    timeline.say(&member.who, "電話がかかってきて、アプリが強制終了しました。開き直します");
    let session = member.session().await?;
    let form = session.prepare(meeting).await?;
    let chosen: Vec<_> = form.chosen.iter().map(|topic| topic.label.as_str()).collect();
    timeline.check("開き直しても、選んだ話題とひとことが残っている", {
        chosen == ["これからのキャリア"] && form.chosen[0].words == [FIRST_THOUGHT]
    });

    session.set_response(meeting, "career.future".parse()?, "think".parse()?).await?;
    session.set_word(meeting, "career.future".parse()?, WORD.to_owned()).await?;
    session.publish(meeting).await?;
    timeline.say(&member.who, format!("「一緒に考えてほしい」「{WORD}」→「これで伝える」"));
    let word = member.word().await?;
    timeline.say(&member.who, format!("画面：{word}。電波が戻ったら届きます"));
    timeline.check("届いたとは言わず、送信待ちと言う", word.starts_with("送信待ち"));

    let brief = manager.session().await?.brief(meeting).await?;
    let not_arrived = brief.not_arrived.unwrap_or_default();
    timeline.say(&manager.who, format!("画面：{not_arrived}"));
    timeline.check("上司の画面は「準備なし」と決めつけない", not_arrived.starts_with("まだ届いていません"));

    member.leave_tunnel().await?;
    timeline.say("電車", "トンネルを出ました");
    let synced = member.is_synced().await?;
    timeline.say(&member.who, format!("画面：{}", member.word().await?));
    timeline.check("何もしなくても同期済みになる", synced);
    let arrived = manager
        .sees(
            |session| async move { session.home().await },
            |home| home.upcoming.iter().any(|it| it.meeting == meeting && !it.topics.is_empty()),
        )
        .await?;
    let home = arrived.unwrap_or(manager.session().await?.home().await?);
    let shown = home.upcoming.iter().find(|it| it.meeting == meeting);
    let topics: Vec<_> = shown.iter().flat_map(|it| &it.topics).collect();
    for topic in &topics {
        let responses: Vec<_> = topic.responses.iter().map(|it| it.label.as_str()).collect();
        timeline.say(&manager.who, format!("ホーム：{} × {}", topic.label, responses.join("／")));
    }
    timeline.check("上司のホームに、話題と期待する関わり方が出る", {
        topics.len() == 1
            && topics[0].label == "これからのキャリア"
            && topics[0].responses[0].label == "一緒に考えてほしい"
            && topics[0].words == [WORD]
            && shown.is_some_and(|it| it.preparation == PreparationState::Published)
    });
    Ok(())
}

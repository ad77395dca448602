//! Act 3: both type Japanese into one memo, one of them on a bad line that breaks in between.

use anyhow::{Context, Result};
use taiwa_mobile_core::session::Memo;

use super::Story;
use crate::link::Weather;

const MEMBERS: [&str; 4] =
    ["3年後は𠮷野さんのように", "お客様に頼られる営業になりたい。", "まず提案書を一人で書く", "😀"];
const MANAGERS: [&str; 4] = ["得意なのは聞く力。", "来月の大口案件を", "一緒に担当しよう。", "資料は私が用意"];

pub(super) async fn play(story: &mut Story) -> Result<()> {
    story.timeline.act("メモ：ふたりで同時に書く。片方の回線は悪い");
    let meeting = story.office.next_meeting().await?;
    let Story { timeline, office, .. } = story;
    let (member, manager) = (&office.member, &office.manager);
    let members = member.session().await?.memo(meeting).await?;
    let managers = manager.session().await?.memo(meeting).await?;
    manager.line.set_weather(Weather::train());
    timeline.say("会議室", format!("{}のWi-Fiが不安定です（往復 120〜280 ms）", manager.who));

    append(&members, "キャリアについて\n").await?;
    timeline.say(&member.who, "「キャリアについて」と書き始めました");
    let arrived = wait_for(&managers, |text| text.contains("キャリア")).await?;
    timeline.check("書いた文字が相手の画面に出る", arrived.is_some());
    members.show_caret(3, false).await?;
    let caret = tokio::time::timeout(std::time::Duration::from_secs(10), managers.next_caret()).await;
    timeline.check("相手のカーソルが見える", matches!(caret, Ok(Some(caret)) if caret.position_utf16 == Some(3)));

    for (round, (mine, theirs)) in MEMBERS.iter().zip(MANAGERS).enumerate() {
        if round == 2 {
            manager.enter_tunnel();
            timeline.say(&manager.who, "回線が切れました。書き続けます");
        }
        tokio::try_join!(append(&members, mine), append(&managers, theirs))?;
    }
    timeline.say(&manager.who, format!("画面：{}", manager.word().await?));
    timeline.check("切れても書いたものは端末に残り、送信待ちになる", manager.word().await?.starts_with("送信待ち"));
    manager.leave_tunnel().await?;
    timeline.say("会議室", "回線が戻りました");
    let all_there = |text: &str| MEMBERS.iter().chain(&MANAGERS).all(|phrase| text.contains(phrase));
    let members_text = wait_for(&members, all_there).await?;
    let managers_text = wait_for(&managers, all_there).await?;
    let text = members_text.clone().unwrap_or_default();
    text.lines().for_each(|line| timeline.say("メモ", line));
    timeline.check("どちらの文字も失われない", members_text.is_some());
    timeline.check("ふたりのメモは同じになる", members_text == managers_text);
    timeline.check("ふたりとも同期済みになる", member.is_synced().await? && manager.is_synced().await?);

    let memo = managers.read().await?;
    let authors: std::collections::BTreeSet<_> = memo.paragraphs.iter().flat_map(|it| &it.authors).copied().collect();
    let both = [member.session().await?.me(), manager.session().await?.me()];
    timeline.check("どの段落を誰が書いたかが文書そのものから分かる", both.iter().all(|user| authors.contains(user)));
    timeline.check("変更の履歴が残る", !members.versions().await?.is_empty());
    Ok(())
}

/// Types at the end of the memo, as the field shows it.
async fn append(memo: &Memo, phrase: &str) -> Result<()> {
    take_remote(memo).await?;
    let end = memo.shown().encode_utf16().count();
    memo.splice(end, 0, phrase.to_owned()).await?;
    Ok(())
}

/// The field takes what arrived.
async fn take_remote(memo: &Memo) -> Result<()> {
    while let Some(shown) = memo.remote(0).await? {
        if memo.adopt(shown.revision) {
            break;
        }
    }
    Ok(())
}

/// Waits until the memo reads as expected; none if it does not in time.
async fn wait_for(memo: &Memo, expected: impl Fn(&str) -> bool) -> Result<Option<String>> {
    let look = async {
        loop {
            let changed = memo.changed();
            let text = memo.read().await?.text;
            if expected(&text) {
                return Ok(text);
            }
            changed.await.context("the session ended")?;
        }
    };
    match tokio::time::timeout(std::time::Duration::from_secs(15), look).await {
        Ok(text) => text.map(Some),
        Err(_) => Ok(None),
    }
}

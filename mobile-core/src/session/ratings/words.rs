//! What people read about ratings. Pure.

use taiwa_shared::{
    domain::{brief::local_time, catalog::Language, rating::AsAsked},
    time::{Timestamp, Zone},
};

use super::AsAskedChoice;
use crate::store::{NotTaken, RatingState, StoredRating};

pub(super) const fn question(language: Language) -> &'static str {
    match language {
        Language::Ja => "今日の1on1、話したいことを話せましたか？",
        Language::En => "Were you able to talk about what you wanted?",
    }
}

pub(super) const fn second_question(language: Language) -> &'static str {
    match language {
        Language::Ja => "お願いした関わり方でしたか？",
        Language::En => "Did your manager respond the way you asked?",
    }
}

pub(super) fn answers(language: Language) -> Vec<AsAskedChoice> {
    let labels = match language {
        Language::Ja => [(AsAsked::Yes, "はい"), (AsAsked::Roughly, "だいたい"), (AsAsked::No, "ちがった")],
        Language::En => [(AsAsked::Yes, "Yes"), (AsAsked::Roughly, "Roughly"), (AsAsked::No, "No")],
    };
    labels.into_iter().map(|(as_asked, label)| AsAskedChoice { as_asked, label }).collect()
}

pub(super) fn assurance(manager: &str, language: Language) -> String {
    match language {
        Language::Ja => {
            format!("この回答は{manager}さんには見えません。5人以上の回答が集まると、傾向だけが伝わります。")
        }
        Language::En => {
            format!("{manager} does not see this. Once five people or more have answered, only the tendency is told.")
        }
    }
}

/// How far a rating has come, and what follows from that; none if nothing was said.
pub(super) fn standing(row: &StoredRating, now: Timestamp, zone: &Zone, language: Language) -> Option<String> {
    let until = row.until.filter(|until| now < *until).map(|until| local_time(until, now, zone, language));
    let words = match (row.state, language, until) {
        (RatingState::NotGiven, ..) => return None,
        (RatingState::Waiting, Language::Ja, _) => "回答は保存されています。つながったときに送ります。".to_owned(),
        (RatingState::Waiting, Language::En, _) => "Your answer is kept and sent when there is a network.".to_owned(),
        (RatingState::Sent, Language::Ja, Some(until)) => format!("送りました。{until} まで変更できます。"),
        (RatingState::Sent, Language::En, Some(until)) => format!("Sent. You can change it until {until}."),
        (RatingState::Sent, Language::Ja, None) => "送りました。変更の期間は終わりました。".to_owned(),
        (RatingState::Sent, Language::En, None) => "Sent. It can no longer be changed.".to_owned(),
        (RatingState::NotTaken, language, _) => return Some(not_taken(row, language).to_owned()),
    };
    Some(words)
}

/// Why it is not counted, and what is counted instead.
const fn not_taken(row: &StoredRating, language: Language) -> &'static str {
    match (row.not_taken, row.sent.is_some(), language) {
        (Some(NotTaken::Closed), true, Language::Ja) => {
            "変更は間に合いませんでした。先に送った回答のまま集計されました。"
        }
        (Some(NotTaken::Closed), true, Language::En) => {
            "The change came too late. What you had sent before was counted."
        }
        (Some(NotTaken::Closed), false, Language::Ja) => {
            "締め切りを過ぎていたため、この回答は届いていません。集計には入りません。"
        }
        (Some(NotTaken::Closed), false, Language::En) => {
            "It was too late: your answer did not arrive and is not counted."
        }
        (_, true, Language::Ja) => "サーバーが変更を受け付けませんでした。先に送った回答は届いています。",
        (_, true, Language::En) => "The server did not take the change. What you had sent before is there.",
        (_, false, Language::Ja) => "サーバーがこの回答を受け付けませんでした。集計には入りません。",
        (_, false, Language::En) => "The server did not take your answer. It is not counted.",
    }
}

use super::*;
use crate::{domain::cadence::Cadence, ids::PairId};

fn meeting() -> Meeting {
    Cadence::default().meeting_in_slot(PairId::from_bytes([1; 16]), civil::date(2026, 4, 20))
}

fn at(hour: i8, minute: i8) -> Timestamp {
    Zone::tokyo().at(civil::date(2026, 4, 20).at(hour, minute, 0, 0))
}

fn topic(topic: &str, response: &str) -> PreparedTopic {
    PreparedTopic { topic: topic.parse().unwrap(), response: Choice::agreed(response.parse().unwrap()), word: None }
}

fn show(prep: Option<&[PreparedTopic]>, promises: &[OpenPromise], last_exchange: Option<Timestamp>) -> Brief {
    show_with(prep, promises, last_exchange, (&[], &[]))
}

fn show_with(
    prep: Option<&[PreparedTopic]>,
    promises: &[OpenPromise],
    last_exchange: Option<Timestamp>,
    (pinned, shared): (&[String], &[SharedTip]),
) -> Brief {
    let (meeting, zone) = (meeting(), Zone::tokyo());
    let input = BriefInput {
        meeting: &meeting,
        member_name: "田中 葵",
        prep,
        last_exchange,
        promises,
        pinned,
        shared,
        zone: &zone,
        now: at(9, 59),
        language: Language::Ja,
    };
    brief(Catalog::built_in(), &input)
}

#[test]
fn topic_response_and_hint_stand_on_one_small_screen() {
    let promise = OpenPromise { text: "資料を見せる".into(), by_reader: true };
    let brief = show(Some(&[topic("career.future", "think")]), &[promise], Some(at(9, 58)));
    assert_eq!(brief.title, "田中 葵さん　今日 10:00");
    assert_eq!(brief.topics[0].topic, "これからのキャリア");
    assert_eq!(brief.topics[0].responses, ["一緒に考えてほしい"]);
    assert_eq!(brief.promises, ["前回の約束: 資料を見せる（あなた）"]);
    assert_eq!(brief.tips.len(), 2);
    let above_the_fold: usize = brief.topics[0].hints.iter().take(3).map(|hint| hint.chars().count()).sum::<usize>()
        + brief.title.chars().count()
        + brief.promises[0].chars().count()
        + brief.topics[0].topic.chars().count();
    assert!(above_the_fold <= 160, "{above_the_fold} characters");
}

#[test]
fn what_has_not_arrived_is_never_called_missing() {
    let brief = show(None, &[], Some(at(9, 58)));
    assert_eq!(brief.not_arrived.as_deref(), Some("まだ届いていません（今日 09:58 時点）"));
    assert!(brief.topics.is_empty());
    let empty = show(Some(&[]), &[], None).not_arrived.unwrap();
    assert!(empty.starts_with("まだ届いていません"), "an empty preparation is no statement either: {empty}");
    assert!(!empty.contains("準備なし"));
}

#[test]
fn a_conflict_between_two_devices_shows_both() {
    let mut prepared = topic("work.load", "decide");
    prepared.response.others.push("listen".parse().unwrap());
    prepared.word =
        Some(Choice { value: "見積もりが3件".into(), others: vec!["残業が続いている".into()] });
    let brief = show(Some(&[prepared]), &[], None);
    assert_eq!(brief.topics[0].responses, ["決めてほしい・承認がほしい", "話を聞いてほしい"]);
    assert_eq!(brief.topics[0].words, ["見積もりが3件", "残業が続いている"]);
}

#[test]
fn a_sensitive_topic_is_shown_and_marked() {
    let brief = show(Some(&[topic("condition.health", "listen")]), &[], None);
    assert!(brief.topics[0].sensitive);
    assert!(brief.topics[0].hints.iter().any(|hint| hint.contains("窓口")));
}

#[test]
fn undecided_is_said_and_not_guessed() {
    let brief = show(Some(&[topic("free.talk", "undecided")]), &[], None);
    assert_eq!(brief.topics[0].responses, ["まだ決めていない"]);
    assert!(brief.topics[0].hints[0].contains("最初の1分"));
}

#[test]
fn the_readers_own_promises_come_first_and_at_most_three_are_shown() {
    let promise = |text: &str, by_reader| OpenPromise { text: text.into(), by_reader };
    let all = [promise("a", false), promise("b", false), promise("c", false), promise("d", true)];
    let brief = show(None, &all, None);
    assert_eq!(brief.promises.len(), 3);
    assert_eq!(brief.promises[0], "前回の約束: d（あなた）");
}

#[test]
fn dates_are_written_as_people_say_them() {
    let (zone, now) = (Zone::tokyo(), at(9, 59));
    let say = |day: i8, language| {
        local_time(Zone::tokyo().at(civil::date(2026, 4, day).at(18, 5, 0, 0)), now, &zone, language)
    };
    assert_eq!(say(19, Language::Ja), "昨日 18:05");
    assert_eq!(say(27, Language::Ja), "4月27日(月) 18:05");
    assert_eq!(say(27, Language::En), "Mon 27 Apr, 18:05");
    assert_eq!(say(21, Language::En), "tomorrow 18:05");
}

#[test]
fn tips_are_the_pinned_ones_then_those_of_other_managers_then_the_built_in_ones() {
    let shared = |topic: &str, response: &str, text: &str| SharedTip {
        topic: topic.parse().unwrap(),
        response: response.parse().unwrap(),
        text: text.to_owned(),
    };
    let others = [
        shared("career.*", "think", "category"),
        shared("career.future", "listen", "another response"),
        shared("career.future", "think", "exact"),
        shared("career.role", "think", "another topic"),
    ];
    let prep = [topic("career.future", "think")];
    let built_in = show(Some(&prep), &[], None).tips;
    let both = show_with(Some(&prep), &[], None, (&[], &others)).tips;
    assert_eq!(both, ["exact".to_owned(), "category".to_owned(), built_in[0].clone()]);
    let pinned = ["pinned".to_owned(), "exact".to_owned()];
    assert_eq!(show_with(Some(&prep), &[], None, (&pinned, &others)).tips, ["pinned", "exact", "category"]);
    // A pinned tip stands there before anything has arrived.
    assert_eq!(show_with(None, &[], None, (&pinned, &others)).tips, pinned);
}

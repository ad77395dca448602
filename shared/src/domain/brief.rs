//! The brief: what the manager reads in the ten seconds before a 1on1.
//!
//! A pure function of what this phone holds. It never claims that somebody did not prepare: what has not arrived is
//! 「まだ届いていません」 with the time of this phone's own last exchange, never the other person's.

use jiff::civil;

use super::{
    catalog::{Catalog, Language, ResponseSlug, TopicSlug},
    meeting::Meeting,
    tip::{Fit, TipTopic},
};
use crate::time::{Timestamp, Zone};

/// Most tips on a brief.
const MAX_TIPS: usize = 3;

/// Most promises on a brief; the others are in the notebook.
const MAX_PROMISES: usize = 3;

/// A choice that two devices may have set differently while offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<T> {
    /// The value that every phone shows first.
    pub value: T,
    /// Other values set at the same time elsewhere; shown beside it until somebody chooses again.
    pub others: Vec<T>,
}

impl<T> Choice<T> {
    /// A choice on which all devices agree.
    pub const fn agreed(value: T) -> Self {
        Self { value, others: Vec::new() }
    }
}

/// One topic of a published preparation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedTopic {
    /// What to talk about.
    pub topic: TopicSlug,
    /// How to respond.
    pub response: Choice<ResponseSlug>,
    /// One line in the member's own words.
    pub word: Option<Choice<String>>,
}

/// Something promised at an earlier meeting and not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPromise {
    /// What was promised.
    pub text: String,
    /// Whether the reader of the brief promised it.
    pub by_reader: bool,
}

/// A tip of another manager that is on this phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedTip {
    /// What it is for.
    pub topic: TipTopic,
    /// Which response it is for.
    pub response: ResponseSlug,
    /// The tip.
    pub text: String,
}

/// What a phone knows when it shows a brief.
#[derive(Debug, Clone)]
pub struct BriefInput<'a> {
    /// The meeting.
    pub meeting: &'a Meeting,
    /// Name of the person who prepared.
    pub member_name: &'a str,
    /// The preparation, if it has arrived; in the member's order.
    pub prep: Option<&'a [PreparedTopic]>,
    /// When this phone last exchanged with the server.
    pub last_exchange: Option<Timestamp>,
    /// Promises that are still open.
    pub promises: &'a [OpenPromise],
    /// Tips that the reader, the manager, has pinned to this brief.
    pub pinned: &'a [String],
    /// Tips of other managers, the most useful first; those that fit are shown before the built-in ones.
    pub shared: &'a [SharedTip],
    /// Zone of the reader.
    pub zone: &'a Zone,
    /// Now.
    pub now: Timestamp,
    /// Language of the reader.
    pub language: Language,
}

/// The brief, ready to show: texts only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Whose and when: 「田中 葵さん　今日 10:00」.
    pub title: String,
    /// Topics with responses; empty if nothing has arrived.
    pub topics: Vec<BriefTopic>,
    /// Said instead of topics when nothing has arrived.
    pub not_arrived: Option<String>,
    /// Open promises, at most three, the reader's own first.
    pub promises: Vec<String>,
    /// At most three tips: what the reader has pinned, then what fits these topics and responses.
    pub tips: Vec<String>,
}

/// One topic on a brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefTopic {
    /// What to talk about.
    pub topic: String,
    /// How to respond; several where the member's devices disagree.
    pub responses: Vec<String>,
    /// The member's own words; several where the devices disagree.
    pub words: Vec<String>,
    /// What to do for this response, and what to keep in mind for this topic.
    pub hints: Vec<String>,
    /// Never repeated outside the brief (notification, widget).
    pub sensitive: bool,
}

/// Builds the brief.
pub fn brief(catalog: &Catalog, input: &BriefInput<'_>) -> Brief {
    let prepared = input.prep.filter(|topics| !topics.is_empty());
    Brief {
        title: title(input),
        topics: prepared.unwrap_or_default().iter().map(|topic| brief_topic(catalog, topic, input.language)).collect(),
        not_arrived: prepared.is_none().then(|| not_arrived(input)),
        promises: promises(input),
        tips: tips(catalog, prepared.unwrap_or_default(), input),
    }
}

fn title(input: &BriefInput<'_>) -> String {
    let when = local_time(input.meeting.starts_at(), input.now, input.zone, input.language);
    match input.language {
        Language::Ja => format!("{}さん　{when}", input.member_name),
        Language::En => format!("{} · {when}", input.member_name),
    }
}

fn brief_topic(catalog: &Catalog, prepared: &PreparedTopic, language: Language) -> BriefTopic {
    let response = &prepared.response;
    let responses = std::iter::once(&response.value).chain(&response.others);
    let word = prepared.word.iter().flat_map(|word| std::iter::once(&word.value).chain(&word.others));
    let hints = catalog
        .response_hint(&response.value, language)
        .into_iter()
        .chain(catalog.topic_hint(&prepared.topic, &response.value, language))
        .map(str::to_owned)
        .collect();
    BriefTopic {
        topic: catalog.topic_label(&prepared.topic, language).to_owned(),
        responses: responses.map(|slug| catalog.response_label(slug, language).to_owned()).collect(),
        words: word.filter(|word| !word.is_empty()).cloned().collect(),
        hints,
        sensitive: catalog.topic(&prepared.topic).is_some_and(|topic| topic.sensitive),
    }
}

fn not_arrived(input: &BriefInput<'_>) -> String {
    let last = input.last_exchange.map(|at| local_time(at, input.now, input.zone, input.language));
    match (input.language, last) {
        (Language::Ja, Some(at)) => format!("まだ届いていません（{at} 時点）"),
        (Language::Ja, None) => "まだ届いていません（この端末はまだ受信していません）".to_owned(),
        (Language::En, Some(at)) => format!("Nothing has arrived yet (as of {at})"),
        (Language::En, None) => "Nothing has arrived yet (this device has not received anything so far)".to_owned(),
    }
}

fn promises(input: &BriefInput<'_>) -> Vec<String> {
    let mut open: Vec<_> = input.promises.iter().collect();
    open.sort_by_key(|promise| !promise.by_reader);
    open.into_iter()
        .take(MAX_PROMISES)
        .map(|promise| match (input.language, promise.by_reader) {
            (Language::Ja, true) => format!("前回の約束: {}（あなた）", promise.text),
            (Language::Ja, false) => format!("前回の約束: {}（{}さん）", promise.text, input.member_name),
            (Language::En, true) => format!("Promised: {} (you)", promise.text),
            (Language::En, false) => format!("Promised: {} ({})", promise.text, input.member_name),
        })
        .collect()
}

fn tips(catalog: &Catalog, prepared: &[PreparedTopic], input: &BriefInput<'_>) -> Vec<String> {
    let shared = prepared.iter().flat_map(|topic| shared_for(input.shared, topic));
    let built_in = prepared
        .iter()
        .flat_map(|topic| catalog.tips_for(&topic.topic, &topic.response.value, MAX_TIPS))
        .map(|tip| tip.text.get(input.language));
    let mut tips: Vec<String> = Vec::with_capacity(MAX_TIPS);
    for text in input.pinned.iter().chain(shared).chain(built_in) {
        if tips.len() < MAX_TIPS && !tips.contains(text) {
            tips.push(text.clone());
        }
    }
    tips
}

/// The tips for a topic and its response, those for exactly this topic first.
fn shared_for<'a>(shared: &'a [SharedTip], topic: &PreparedTopic) -> Vec<&'a String> {
    let fitting = shared.iter().filter(|tip| tip.response == topic.response.value);
    let mut fitting: Vec<(Fit, &String)> =
        fitting.filter_map(|tip| Some((tip.topic.fit(&topic.topic)?, &tip.text))).collect();
    fitting.sort_by_key(|(fit, _)| *fit);
    fitting.into_iter().map(|(_, text)| text).collect()
}

/// A local time as people say it: 「今日 10:00」, 「昨日 18:20」, otherwise 「10月26日(月) 10:00」.
pub fn local_time(at: Timestamp, now: Timestamp, zone: &Zone, language: Language) -> String {
    let local = at.in_zone(zone);
    let today = now.in_zone(zone).date();
    let day = day_word(local.date(), today, language).unwrap_or_else(|| full_date(local.date(), language));
    format!("{day} {:02}:{:02}", local.hour(), local.minute())
}

fn day_word(date: civil::Date, today: civil::Date, language: Language) -> Option<String> {
    let word = match (today.until(date).ok()?.get_days(), language) {
        (0, Language::Ja) => "今日",
        (1, Language::Ja) => "明日",
        (-1, Language::Ja) => "昨日",
        (0, Language::En) => "today",
        (1, Language::En) => "tomorrow",
        (-1, Language::En) => "yesterday",
        _ => return None,
    };
    Some(word.to_owned())
}

fn full_date(date: civil::Date, language: Language) -> String {
    const JA: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];
    let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    match language {
        Language::Ja => format!("{}月{}日({})", date.month(), date.day(), JA[weekday]),
        Language::En => date.strftime("%a %-d %b,").to_string(),
    }
}

#[cfg(test)]
mod tests;

use super::{AOI, DRAFT, NOTEBOOK, PREP, exchange, now, phone, send};
use crate::{
    documents::{DocumentError, draft, prep},
    domain::{
        brief::Choice,
        catalog::{ResponseSlug, TopicSlug},
    },
};

fn topic(slug: &str) -> TopicSlug {
    slug.parse().unwrap()
}

fn response(slug: &str) -> ResponseSlug {
    slug.parse().unwrap()
}

fn slugs(preparation: &crate::documents::Preparation) -> Vec<&str> {
    preparation.topics.iter().map(|it| it.topic.as_str()).collect()
}

#[test]
fn topics_chosen_on_two_devices_join_and_more_than_three_are_said() {
    let (mut phone_a, mut phone_b) = (phone(DRAFT, AOI, 1), phone(DRAFT, AOI, 2));
    for slug in ["career.future", "work.load"] {
        draft::choose(&mut phone_a, &topic(slug), now()).unwrap();
    }
    for slug in ["team.relations", "x.acme.own"] {
        draft::choose(&mut phone_b, &topic(slug), now()).unwrap();
    }
    exchange(&mut phone_a, &mut phone_b);
    let read = draft::read(&phone_a);
    assert_eq!(slugs(&read), ["career.future", "team.relations", "work.load", "x.acme.own"]);
    assert!(read.over_limit);
    assert_eq!(read.shown().len(), 3);
    assert_eq!(read, draft::read(&phone_b));
    let full = draft::choose(&mut phone_a, &topic("work.tools"), now());
    assert!(matches!(full, Err(DocumentError::TooLong { limit: 3, .. })));
    draft::unchoose(&mut phone_a, &topic("work.load"), now()).unwrap();
    assert!(!draft::read(&phone_a).over_limit);
}

#[test]
fn two_responses_set_apart_both_stand_until_the_next_one() {
    let (mut phone_a, mut phone_b) = (phone(DRAFT, AOI, 1), phone(DRAFT, AOI, 2));
    let career = topic("career.future");
    draft::set_response(&mut phone_a, &career, &response("think"), now()).unwrap();
    draft::set_response(&mut phone_b, &career, &response("advice"), now()).unwrap();
    exchange(&mut phone_a, &mut phone_b);
    let read = draft::read(&phone_a).topics;
    let mut both = vec![read[0].response.value.as_str(), read[0].response.others[0].as_str()];
    both.sort_unstable();
    assert_eq!((read.len(), both), (1, vec!["advice", "think"]));
    assert_eq!(read, draft::read(&phone_b).topics);

    // Choosing what is shown first already resolves it too.
    draft::set_response(&mut phone_b, &career, &read[0].response.value, now()).unwrap();
    send(&mut phone_b, &mut phone_a);
    assert_eq!(draft::read(&phone_a).topics[0].response, Choice::agreed(read[0].response.value.clone()));
}

#[test]
fn equal_responses_set_apart_are_no_conflict() {
    let (mut phone_a, mut phone_b) = (phone(DRAFT, AOI, 1), phone(DRAFT, AOI, 2));
    for phone in [&mut phone_a, &mut phone_b] {
        draft::set_response(phone, &topic("career.future"), &response("think"), now()).unwrap();
    }
    exchange(&mut phone_a, &mut phone_b);
    assert_eq!(draft::read(&phone_a).topics[0].response, Choice::agreed(response("think")));
}

#[test]
fn a_response_outlives_another_device_taking_the_topic_back() {
    let (mut phone_a, mut phone_b) = (phone(DRAFT, AOI, 1), phone(DRAFT, AOI, 2));
    let career = topic("career.future");
    draft::choose(&mut phone_a, &career, now()).unwrap();
    send(&mut phone_a, &mut phone_b);
    draft::unchoose(&mut phone_a, &career, now()).unwrap();
    draft::set_response(&mut phone_b, &career, &response("listen"), now()).unwrap();
    exchange(&mut phone_a, &mut phone_b);
    assert_eq!(slugs(&draft::read(&phone_a)), ["career.future"]);
}

#[test]
fn a_topic_taken_back_and_chosen_again_has_its_word_again() {
    let mut phone = phone(DRAFT, AOI, 1);
    let career = topic("career.future");
    draft::set_word(&mut phone, &career, "来年のこと", now()).unwrap();
    draft::unchoose(&mut phone, &career, now()).unwrap();
    assert!(draft::read(&phone).topics.is_empty());
    draft::choose(&mut phone, &career, now()).unwrap();
    assert_eq!(draft::read(&phone).topics[0].word, Some(Choice::agreed("来年のこと".to_owned())));
}

#[test]
fn a_word_is_one_line_of_140_letters() {
    let mut phone = phone(DRAFT, AOI, 1);
    let career = topic("career.future");
    let family = "👨‍👩‍👧".repeat(140);
    draft::set_word(&mut phone, &career, &family, now()).unwrap();
    let longer = draft::set_word(&mut phone, &career, &format!("{family}あ"), now());
    assert!(matches!(longer, Err(DocumentError::TooLong { limit: 140, length: 141 })));
    assert!(matches!(draft::set_word(&mut phone, &career, "一\n二", now()), Err(DocumentError::NotOneLine)));
    assert_eq!(draft::read(&phone).topics[0].word.as_ref().unwrap().value, family);
}

#[test]
fn publishing_writes_the_final_state_and_only_what_differs() {
    let (mut form, mut published) = (phone(DRAFT, AOI, 1), phone(PREP, AOI, 2));
    let (career, load) = (topic("career.future"), topic("work.load"));
    draft::set_word(&mut form, &load, "本音：もう辞めたい", now()).unwrap();
    draft::set_word(&mut form, &load, "最近の量について", now()).unwrap();
    draft::set_response(&mut form, &career, &response("think"), now()).unwrap();
    assert!(prep::publish(&mut published, &form, now()).unwrap());
    assert_eq!(prep::read(&published), draft::read(&form));

    let changes = published.take_changes();
    assert_eq!(changes.len(), 1);
    let needle = "辞めたい".as_bytes();
    assert!(!changes[0].windows(needle.len()).any(|window| window == needle));

    assert!(!prep::publish(&mut published, &form, now()).unwrap());
    assert!(published.take_changes().is_empty());

    draft::unchoose(&mut form, &load, now()).unwrap();
    assert!(prep::publish(&mut published, &form, now()).unwrap());
    assert_eq!(slugs(&prep::read(&published)), ["career.future"]);
    assert_eq!(prep::read(&published).topics[0].word, None);
}

#[test]
fn preps_published_from_two_devices_show_both_and_the_next_publishing_resolves() {
    let (mut phone_a, mut phone_b) = (phone(PREP, AOI, 1), phone(PREP, AOI, 2));
    let (mut form_a, mut form_b) = (phone(DRAFT, AOI, 3), phone(DRAFT, AOI, 4));
    let career = topic("career.future");
    draft::set_response(&mut form_a, &career, &response("think"), now()).unwrap();
    draft::set_response(&mut form_b, &career, &response("advice"), now()).unwrap();
    prep::publish(&mut phone_a, &form_a, now()).unwrap();
    prep::publish(&mut phone_b, &form_b, now()).unwrap();
    exchange(&mut phone_a, &mut phone_b);
    let read = prep::read(&phone_a);
    assert_eq!(read.topics[0].response.others.len(), 1);
    assert_eq!(read, prep::read(&phone_b));

    prep::publish(&mut phone_a, &form_a, now()).unwrap();
    send(&mut phone_a, &mut phone_b);
    assert_eq!(prep::read(&phone_b).topics[0].response, Choice::agreed(response("think")));
}

#[test]
fn only_a_draft_is_published_and_only_into_a_prep() {
    let (mut form, mut notebook) = (phone(DRAFT, AOI, 1), phone(NOTEBOOK, AOI, 2));
    assert!(matches!(prep::publish(&mut notebook, &form, now()), Err(DocumentError::WrongKind { .. })));
    let other = phone(DRAFT, AOI, 3);
    assert!(matches!(prep::publish(&mut form, &other, now()), Err(DocumentError::WrongKind { .. })));
}

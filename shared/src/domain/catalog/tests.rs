use std::collections::HashSet;

use super::*;

const LANGUAGES: [Language; 2] = [Language::Ja, Language::En];

fn characters(lines: &[String]) -> usize {
    lines.iter().map(|line| line.chars().count()).sum()
}

#[test]
fn the_embedded_catalog_is_whole_and_fits_the_brief() {
    let catalog = Catalog::built_in();
    assert_eq!((catalog.categories.len(), catalog.topics.len(), catalog.responses.len()), (10, 25, 7));
    let categories: HashSet<_> = catalog.categories.iter().map(|category| category.slug.as_str()).collect();
    let topics: HashSet<_> = catalog.topics.iter().map(|topic| topic.slug.as_str()).collect();
    assert_eq!((categories.len(), topics.len()), (10, 25), "slugs are unique");
    for topic in &catalog.topics {
        assert_eq!(topic.category, topic.slug.category(), "{}", topic.slug);
        assert!(categories.contains(topic.category.as_str()), "{}", topic.slug);
        assert!(topic.wording.ja.label.chars().count() <= 14, "{}", topic.slug);
        assert!(characters(&topic.wording.ja.hint) <= 60, "{}", topic.slug);
    }
    for response in &catalog.responses {
        assert!(!response.slug.is_undecided());
        assert!(characters(&response.wording.ja.hint) <= 75, "{}", response.slug);
    }
    assert_eq!(catalog.rating.iter().map(|step| step.value.step()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for tip in &catalog.tips {
        assert!(tip.response.is_undecided() || catalog.response(&tip.response).is_some(), "{}", tip.text.ja);
        let known =
            tip.topic.strip_suffix(".*").map_or_else(|| topics.contains(&*tip.topic), |c| categories.contains(c));
        assert!(known, "{}", tip.topic);
        assert!(tip.text.ja.chars().count() <= 140 && tip.text.en.chars().count() <= 140, "{}", tip.text.ja);
    }
}

#[test]
fn no_text_is_missing_in_either_language_or_uses_words_the_product_avoids() {
    let catalog = Catalog::built_in();
    for language in LANGUAGES {
        let wordings = catalog.topics.iter().map(|t| &t.wording).chain(catalog.responses.iter().map(|r| &r.wording));
        for wording in wordings.map(|both| both.get(language)) {
            let texts = wording.hint.iter().chain([&wording.label, &wording.help]);
            for text in texts {
                assert!(!text.trim().is_empty());
                assert!(!text.contains("部下") && !text.contains("面談"), "{text}");
            }
            assert!(!wording.hint.is_empty() && wording.hint.len() <= 3);
        }
    }
}

#[test]
fn a_slug_of_a_newer_version_is_shown_as_new_and_kept() {
    let catalog = Catalog::built_in();
    let topic: TopicSlug = "x.sample.visit".parse().unwrap();
    assert_eq!(catalog.topic_label(&topic, Language::Ja), "（新しい項目）");
    assert!(catalog.topic_hint(&topic, &ResponseSlug::undecided(), Language::Ja).is_empty());
    assert!("".parse::<TopicSlug>().is_err() && "Career".parse::<TopicSlug>().is_err());
    assert!("a".repeat(65).parse::<TopicSlug>().is_err());
}

#[test]
fn topic_and_response_that_pull_apart_have_their_own_hint() {
    let catalog = Catalog::built_in();
    let hint = |topic: &str, response: &str| {
        catalog.topic_hint(&topic.parse().unwrap(), &response.parse().unwrap(), Language::Ja).join("")
    };
    assert!(hint("condition.mood", "listen").contains("窓口"));
    assert!(hint("career.role", "think").contains("3か月"));
    assert!(hint("career.role", "listen").contains("やりたい理由"));
}

#[test]
fn tips_for_the_exact_topic_come_first() {
    let catalog = Catalog::built_in();
    let tips = catalog.tips_for(&"career.future".parse().unwrap(), &"think".parse().unwrap(), 3);
    let topics: Vec<_> = tips.iter().map(|tip| tip.topic.as_str()).collect();
    assert_eq!(topics, ["career.future", "career.*"]);
}

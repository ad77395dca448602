//! Tokens of the search index: one, two and three letters of folded text, under the name of the organisation.
//!
//! Japanese has no spaces, and most words that people look for have two characters, which trigram indexes do not find;
//! so every pair of neighbours is a token, in every script. Three letters are one because lists of hits are short then, of
//! English words above all, whose pairs nearly every text has. The organisation is in each token, so that no list of hits
//! holds anybody else's. Tokens are letters and digits only: neither engine reads anything into them.

use std::collections::BTreeSet;

use taiwa_shared::ids::OrganisationId;

use crate::store::tips::Labels;

/// Letters of the longest token.
const LONGEST: usize = 3;
/// Tokens of a query that are looked up; the rest is compared.
const MAX_LOOKED_UP: usize = 40;

/// All tokens of a tip: of its folded text and of its labels.
pub fn of_text(organisation: OrganisationId, folded: &str, labels: Labels<'_>) -> Vec<String> {
    let mut tokens = of_labels(organisation, labels);
    for word in folded.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        tokens.extend(letters.iter().map(|letter| token(organisation, &[*letter])));
        tokens.extend(letters.windows(2).map(|pair| token(organisation, pair)));
        tokens.extend(letters.windows(LONGEST).map(|letters| token(organisation, letters)));
    }
    tokens.into_iter().collect()
}

/// Tokens that every tip with these folded words and labels has.
pub fn of_words(organisation: OrganisationId, words: &[String], labels: Labels<'_>) -> Vec<String> {
    let mut tokens = BTreeSet::new();
    for word in words {
        let letters: Vec<char> = word.chars().collect();
        let long = letters.len().min(LONGEST);
        if long > 0 {
            tokens.extend(letters.windows(long).map(|letters| token(organisation, letters)));
        }
    }
    of_labels(organisation, labels).into_iter().chain(tokens).take(MAX_LOOKED_UP).collect()
}

fn of_labels(organisation: OrganisationId, labels: Labels<'_>) -> BTreeSet<String> {
    let Labels { topic, category, response } = labels;
    let named = [("t", topic), ("c", category), ("r", response)].into_iter().filter(|(_, label)| !label.is_empty());
    named.map(|(kind, label)| format!("{}{kind}{}", prefix(organisation), hex::encode(label))).collect()
}

/// The end of the id: ids of one day begin alike. Whoever has the same end is told apart when a hit is fetched.
fn prefix(organisation: OrganisationId) -> String {
    hex::encode(&organisation.as_bytes()[12..])
}

fn token(organisation: OrganisationId, letters: &[char]) -> String {
    use std::fmt::Write;
    let mut token = prefix(organisation);
    for letter in letters {
        let _ = write!(token, "x{:x}", u32::from(*letter));
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: OrganisationId = OrganisationId::from_bytes([1; 16]);
    const FOR: Labels<'_> = Labels { topic: "career.future", category: "career", response: "think" };
    const ANY: Labels<'_> = Labels { topic: "", category: "", response: "" };

    #[test]
    fn every_part_of_a_text_has_tokens_of_the_text() {
        let text = "評価 の前に listen 聞く";
        let tokens = of_text(ONE, text, FOR);
        for part in ["評価", "聞", "の前", "list", "e"] {
            let wanted = of_words(ONE, &[part.to_owned()], ANY);
            assert!(!wanted.is_empty() && wanted.iter().all(|token| tokens.contains(token)), "{part}");
        }
        let absent = of_words(ONE, &["価の".to_owned()], ANY);
        assert!(!absent.iter().all(|token| tokens.contains(token)), "words do not run together");
    }

    #[test]
    fn labels_are_tokens_too_and_no_text_has_them() {
        let tokens = of_text(ONE, "think career", FOR);
        for wanted in [FOR, Labels { response: "", ..FOR }, Labels { topic: "", category: "", ..FOR }] {
            assert!(of_words(ONE, &[], wanted).iter().all(|token| tokens.contains(token)), "{wanted:?}");
        }
        for other in [Labels { response: "career", ..ANY }, Labels { category: "think", ..ANY }] {
            assert!(of_words(ONE, &[], other).iter().all(|token| !tokens.contains(token)), "{other:?}");
        }
    }

    #[test]
    fn tokens_are_an_organisations_own_and_nothing_but_letters_and_digits() {
        let hostile = "\" OR * NEAR( ' -- \u{202e} %_\\";
        let other = OrganisationId::from_bytes([2; 16]);
        let tokens = of_text(ONE, hostile, FOR);
        assert!(tokens.iter().all(|token| token.chars().all(|letter| letter.is_ascii_alphanumeric())), "{tokens:?}");
        assert!(of_text(other, hostile, FOR).iter().all(|token| !tokens.contains(token)));
    }
}

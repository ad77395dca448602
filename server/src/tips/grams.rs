//! Tokens of the search index: one and two letters of folded text, under the name of the organisation.
//!
//! Japanese has no spaces, and most words that people look for have two characters, which trigram indexes do not find;
//! so every pair of neighbours is a token, in every script. The organisation is in each token, so that no list of hits
//! holds anybody else's. Tokens are letters and digits only: neither engine reads anything into them.

use std::collections::BTreeSet;

use taiwa_shared::ids::OrganisationId;

/// Tokens of a query that are looked up; the rest is compared.
const MAX_LOOKED_UP: usize = 40;

/// All tokens of a folded text.
pub fn of_text(organisation: OrganisationId, folded: &str) -> Vec<String> {
    let mut tokens = BTreeSet::new();
    for word in folded.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        tokens.extend(letters.iter().map(|letter| token(organisation, &[*letter])));
        tokens.extend(letters.windows(2).map(|pair| token(organisation, pair)));
    }
    tokens.into_iter().collect()
}

/// Tokens that every text with these folded words has.
pub fn of_words(organisation: OrganisationId, words: &[String]) -> Vec<String> {
    let mut tokens = BTreeSet::new();
    for word in words {
        let letters: Vec<char> = word.chars().collect();
        match letters.len() {
            0 => {}
            1 => {
                tokens.insert(token(organisation, &letters));
            }
            _ => tokens.extend(letters.windows(2).map(|pair| token(organisation, pair))),
        }
    }
    tokens.into_iter().take(MAX_LOOKED_UP).collect()
}

fn token(organisation: OrganisationId, letters: &[char]) -> String {
    use std::fmt::Write;
    // The end of the id: ids of one day begin alike. Whoever has the same end is told apart when a hit is fetched.
    let mut token = hex::encode(&organisation.as_bytes()[12..]);
    for letter in letters {
        let _ = write!(token, "x{:x}", u32::from(*letter));
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: OrganisationId = OrganisationId::from_bytes([1; 16]);

    #[test]
    fn every_part_of_a_text_has_tokens_of_the_text() {
        let text = "評価 の前に listen 聞く";
        let tokens = of_text(ONE, text);
        for part in ["評価", "聞", "の前", "list", "e"] {
            let wanted = of_words(ONE, &[part.to_owned()]);
            assert!(!wanted.is_empty() && wanted.iter().all(|token| tokens.contains(token)), "{part}");
        }
        let absent = of_words(ONE, &["価の".to_owned()]);
        assert!(!absent.iter().all(|token| tokens.contains(token)), "words do not run together");
    }

    #[test]
    fn tokens_are_an_organisations_own_and_nothing_but_letters_and_digits() {
        let hostile = "\" OR * NEAR( ' -- \u{202e} %_\\";
        let other = OrganisationId::from_bytes([2; 16]);
        let tokens = of_text(ONE, hostile);
        assert!(tokens.iter().all(|token| token.chars().all(|letter| letter.is_ascii_alphanumeric())), "{tokens:?}");
        assert!(of_text(other, hostile).iter().all(|token| !tokens.contains(token)));
    }
}

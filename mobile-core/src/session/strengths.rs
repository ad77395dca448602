//! 得意 and 伸びしろ: a manager's own words, from the shelf, and beside them what they take their strengths to be.
//!
//! Words come once a week and say no number. Most managers wait months for the first, so that the empty state matters; the
//! own guess is on this phone alone and compared here.

use taiwa_shared::{
    domain::{catalog::Language, strengths::Dimension},
    protocol::strengths::Strengths,
};

use super::{Session, SessionError, tips::TipFilter};

/// Most strengths that somebody guesses: as many as are shown.
const MAX_GUESSES: usize = 3;

/// A way of responding or a category of topics, to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrengthItem {
    /// Which.
    pub dimension: Dimension,
    /// What people read.
    pub label: String,
    /// 「目安」, where the company is too small to be measured against itself.
    pub note: Option<&'static str>,
}

/// What somebody takes for a strength of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuessedStrength {
    /// Which.
    pub item: StrengthItem,
    /// Whether the words say the same; never that they say otherwise.
    pub confirmed: bool,
}

/// The card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrengthsCard {
    /// 得意: at most three, the surest first.
    pub strong: Vec<StrengthItem>,
    /// 「あなたが得意そう: 話を聞いてほしい」 and the like; none without a strength.
    pub strong_words: Option<String>,
    /// 「このテーマのヒントを書いてみませんか」, where there is a strength.
    pub invitation: Option<&'static str>,
    /// 伸びしろ: at most one.
    pub growing: Option<StrengthItem>,
    /// The tips for it.
    pub growing_filter: Option<TipFilter>,
    /// 「あなたの1on1の中では「…」が一番話せています」, beside a growth area of somebody without a strength.
    pub best_of_own: Option<String>,
    /// Said as long as there are no words.
    pub empty: Option<&'static str>,
    /// What this person takes their strengths to be.
    pub guesses: Vec<GuessedStrength>,
    /// What may be guessed: the responses, then the categories.
    pub choices: Vec<StrengthItem>,
}

impl Session {
    /// The card of this person's own words, from what this phone holds.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if this person manages nobody.
    pub async fn strengths(&self) -> Result<StrengthsCard, SessionError> {
        if !self.core.roster().is_manager(self.me()) {
            return Err(SessionError::NoAccess);
        }
        let shelf = self.core.store.shelf().await?;
        let words = shelf.map(|shelf| shelf.strengths).unwrap_or_default();
        Ok(self.card_of(&words, &self.core.store.guess().await?))
    }

    /// Keeps what this person takes their strengths to be, on this phone alone; at most three.
    ///
    /// # Errors
    /// [`SessionError::TooLong`], [`SessionError::StorageFull`].
    pub async fn guess_strengths(&self, guess: Vec<Dimension>) -> Result<(), SessionError> {
        if guess.len() > MAX_GUESSES {
            return Err(SessionError::TooLong { limit: MAX_GUESSES, length: guess.len() });
        }
        self.core.store.put_guess(&guess).await?;
        self.core.changes.happened();
        Ok(())
    }

    fn card_of(&self, words: &Strengths, guess: &[Dimension]) -> StrengthsCard {
        let language = self.core.language;
        let said = |it: &Dimension| {
            let note = words.rough.contains(it).then(|| rough(language));
            StrengthItem { note, ..self.strength(it) }
        };
        let strong: Vec<StrengthItem> = words.strong.iter().map(said).collect();
        let guessed =
            |it: &Dimension| GuessedStrength { item: self.strength(it), confirmed: words.strong.contains(it) };
        StrengthsCard {
            strong_words: strong_words(&strong, language),
            invitation: (!strong.is_empty()).then(|| invitation(language)),
            strong,
            growing: words.growing.as_ref().map(said),
            growing_filter: words.growing.as_ref().map(filter_for),
            best_of_own: words.best_of_own.as_ref().map(|it| best_of_own(&self.strength(it).label, language)),
            empty: empty(words, language),
            guesses: guess.iter().map(guessed).collect(),
            choices: self.choices(),
        }
    }

    fn strength(&self, dimension: &Dimension) -> StrengthItem {
        let (catalog, language) = (self.core.catalog(), self.core.language);
        let label = match dimension {
            Dimension::Response { slug } => catalog.response_label(slug, language),
            Dimension::Category { slug } => catalog.category_label(slug.as_str(), language),
        };
        StrengthItem { dimension: dimension.clone(), label: label.to_owned(), note: None }
    }

    fn choices(&self) -> Vec<StrengthItem> {
        let catalog = self.core.catalog();
        let responses = catalog.responses.iter().map(|it| Dimension::Response { slug: it.slug.clone() });
        let categories = catalog.categories.iter().filter_map(|it| it.slug.parse().ok());
        let categories = categories.map(|slug| Dimension::Category { slug });
        responses.chain(categories).map(|dimension| self.strength(&dimension)).collect()
    }
}

fn filter_for(dimension: &Dimension) -> TipFilter {
    match dimension.clone() {
        Dimension::Response { slug } => TipFilter { response: Some(slug), ..TipFilter::default() },
        Dimension::Category { slug } => TipFilter { category: Some(slug), ..TipFilter::default() },
    }
}

fn strong_words(strong: &[StrengthItem], language: Language) -> Option<String> {
    if strong.is_empty() {
        return None;
    }
    let labels: Vec<&str> = strong.iter().map(|item| item.label.as_str()).collect();
    Some(match language {
        Language::Ja => format!("あなたが得意そう: {}", labels.join("、")),
        Language::En => format!("You seem to be good at: {}", labels.join(", ")),
    })
}

const fn rough(language: Language) -> &'static str {
    match language {
        Language::Ja => "目安",
        Language::En => "a rough guide",
    }
}

const fn invitation(language: Language) -> &'static str {
    match language {
        Language::Ja => "このテーマのヒントを書いてみませんか",
        Language::En => "Would you like to share a tip on this?",
    }
}

fn best_of_own(label: &str, language: Language) -> String {
    match language {
        Language::Ja => format!("あなたの1on1の中では「{label}」が一番話せています"),
        Language::En => format!("In your own 1on1s people talk best about or with: {label}"),
    }
}

/// Why there are no words, and never that somebody is bad at anything.
const fn empty(words: &Strengths, language: Language) -> Option<&'static str> {
    if !words.strong.is_empty() || words.growing.is_some() {
        return None;
    }
    Some(match (words.enough_voices, language) {
        (false, Language::Ja) => "まだ十分な声がありません（5人以上で表示）",
        (false, Language::En) => "There are not enough voices yet (shown from five people on)",
        (true, Language::Ja) => "いまのところ、目立った違いはありません",
        (true, Language::En) => "So far nothing stands out",
    })
}

//! What is said of a manager, and when that may change.
//!
//! A first word follows the bars. From then on a word changes only if at least two people rated in its cell since it
//! last changed and the odds are past the bar by a margin, so that no single rating can be read off a change. Below five
//! voices nothing is said, at once and whatever was said before.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Cell, Dimension};

/// 得意 from here on.
const STRONG: f64 = 0.85;
/// 伸びしろ up to here.
const GROWING: f64 = 0.05;
/// How far past its bar a word changes.
const MARGIN: f64 = 0.03;
/// So many people rated in a cell since its last change, or nothing of it changes.
const VOICES_FOR_CHANGE: usize = 2;
/// Most strengths at once.
const MAX_STRONG: usize = 3;

/// What is said of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Strong,
    Growing,
    /// Nothing: the odds are between the bars, or there are better ones.
    Steady,
    /// There were enough voices once.
    Unheard,
}

/// A cell of which something was said, if only that there are enough voices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    #[serde(flatten)]
    about: Dimension,
    word: Word,
    /// The count that changed the word.
    changed: Date,
    /// How sure it was then, in thousandths: the order of strengths.
    sure: u16,
    /// Whether it was measured against the usual share; told with the word, and renewed only when the word may change.
    #[serde(default)]
    rough: bool,
}

/// The best of a manager's own, which is told beside a growth area of somebody without a strength.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Best {
    about: Option<Dimension>,
    /// The count that chose it.
    changed: Date,
}

/// A manager's words and what the next count has to remember of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// In the order of dimensions.
    said: Vec<Said>,
    best: Option<Best>,
}

/// A cell with enough voices.
pub(super) struct Heard<'c, P> {
    pub(super) dimension: &'c Dimension,
    pub(super) cell: &'c Cell<P>,
    /// How sure it lies above the company.
    pub(super) sure: f64,
    /// The share of successes that is likely.
    pub(super) mean: f64,
    /// Whether that is against the usual share and not the company's own.
    pub(super) is_rough: bool,
}

impl Standing {
    /// 得意: at most three, the surest first.
    pub fn strong(&self) -> Vec<&Dimension> {
        let mut strong: Vec<&Said> = self.said.iter().filter(|said| said.word == Word::Strong).collect();
        strong.sort_by_key(|said| std::cmp::Reverse(said.sure));
        strong.into_iter().map(|said| &said.about).collect()
    }

    /// 伸びしろ: at most one.
    pub fn growing(&self) -> Option<&Dimension> {
        self.said.iter().find(|said| said.word == Word::Growing).map(|said| &said.about)
    }

    /// What is told beside a growth area of somebody without a strength.
    pub fn best_of_own(&self) -> Option<&Dimension> {
        let is_told = self.growing().is_some() && self.strong().is_empty();
        self.best.as_ref().filter(|_| is_told).and_then(|best| best.about.as_ref())
    }

    /// Whether at least one dimension has enough voices.
    pub fn has_enough_voices(&self) -> bool {
        self.said.iter().any(|said| said.word != Word::Unheard)
    }

    /// 目安: what of the words was measured against the usual share, because the company is too small to have its own.
    pub fn rough(&self) -> Vec<&Dimension> {
        let told = |said: &&Said| {
            let is_word = matches!(said.word, Word::Strong | Word::Growing) || self.best_of_own() == Some(&said.about);
            said.rough && is_word
        };
        self.said.iter().filter(told).map(|said| &said.about).collect()
    }

    fn before(&self, dimension: &Dimension) -> Option<&Said> {
        self.said.iter().find(|said| said.about == *dimension)
    }

    /// What is said after a count of `monday` that heard these cells; what changed before `first` and is heard no more
    /// needs no memory.
    pub(super) fn next<P>(&self, mut heard: Vec<Heard<'_, P>>, monday: Date, first: Date) -> Self {
        // That there are enough voices again is said when two have come, and not when the one that was missing has.
        heard.retain(|heard| self.may_change(heard) || !self.had(heard, Word::Unheard));
        let strong = self.next_strong(&heard);
        let growing = self.next_growing(&heard, &strong);
        let word_of = |at: usize| match at {
            _ if strong.contains(&at) => Word::Strong,
            _ if growing == Some(at) => Word::Growing,
            _ => Word::Steady,
        };
        let mut said: Vec<Said> = Vec::new();
        for (at, heard) in heard.iter().enumerate() {
            let (word, about) = (word_of(at), heard.dimension.clone());
            said.push(match self.before(heard.dimension) {
                Some(before) if before.word == word => {
                    let rough = if self.may_change(heard) { heard.is_rough } else { before.rough };
                    Said { rough, ..before.clone() }
                }
                _ => Said { about, word, changed: monday, sure: thousandths(heard.sure), rough: heard.is_rough },
            });
        }
        for before in self.said.iter().filter(|said| !heard.iter().any(|heard| *heard.dimension == said.about)) {
            if before.word != Word::Unheard {
                said.push(Said {
                    word: Word::Unheard,
                    changed: monday,
                    sure: 0,
                    rough: false,
                    about: before.about.clone(),
                });
            } else if before.changed >= first {
                said.push(before.clone());
            }
        }
        said.sort_by(|one, other| one.about.cmp(&other.about));
        let best = self.next_best(&heard, growing, monday).filter(|best| best.about.is_some() || best.changed >= first);
        Self { said, best }
    }

    /// Whether anything of this cell may change.
    fn may_change<P>(&self, heard: &Heard<'_, P>) -> bool {
        let before = self.before(heard.dimension);
        before.is_none_or(|said| heard.cell.voices_since(said.changed) >= VOICES_FOR_CHANGE)
    }

    /// How far past its bar a cell gets a word that it does not have.
    fn margin<P>(&self, heard: &Heard<'_, P>) -> f64 {
        let is_first = self.before(heard.dimension).is_none_or(|said| said.word == Word::Unheard);
        if is_first { 0.0 } else { MARGIN }
    }

    fn had<P>(&self, heard: &Heard<'_, P>, word: Word) -> bool {
        self.before(heard.dimension).is_some_and(|said| said.word == word)
    }

    fn keeps_strong<P>(&self, heard: &Heard<'_, P>) -> bool {
        self.had(heard, Word::Strong) && !(self.may_change(heard) && heard.sure < STRONG - MARGIN)
    }

    fn keeps_growing<P>(&self, heard: &Heard<'_, P>) -> bool {
        self.had(heard, Word::Growing) && !(self.may_change(heard) && heard.sure > GROWING + MARGIN)
    }

    /// Places of the strengths: those that stay, and the surest that may come into what room is left.
    fn next_strong<P>(&self, heard: &[Heard<'_, P>]) -> Vec<usize> {
        let at = |fits: &dyn Fn(&Heard<'_, P>) -> bool| -> Vec<usize> {
            (0..heard.len()).filter(|at| fits(&heard[*at])).collect()
        };
        let mut strong = at(&|heard| self.keeps_strong(heard));
        let mut coming = at(&|heard| {
            let is_free = !self.keeps_strong(heard) && !self.keeps_growing(heard) && self.may_change(heard);
            is_free && heard.sure >= STRONG + self.margin(heard)
        });
        coming.sort_by(|one, other| heard[*other].sure.total_cmp(&heard[*one].sure));
        coming.truncate(MAX_STRONG.saturating_sub(strong.len()));
        strong.append(&mut coming);
        strong
    }

    /// Place of the growth area: the one that stays, or the surest that may come.
    fn next_growing<P>(&self, heard: &[Heard<'_, P>], strong: &[usize]) -> Option<usize> {
        let kept = (0..heard.len()).find(|at| self.keeps_growing(&heard[*at]));
        let comes = |heard: &Heard<'_, P>| self.may_change(heard) && heard.sure <= GROWING - self.margin(heard);
        let coming = (0..heard.len()).filter(|at| !strong.contains(at) && comes(&heard[*at]));
        kept.or_else(|| coming.min_by(|one, other| heard[*one].sure.total_cmp(&heard[*other].sure)))
    }

    /// The cell in which most was talked about: another one only if it is better by the margin, and if enough people
    /// rated in both since the last choice.
    fn next_best<P>(&self, heard: &[Heard<'_, P>], growing: Option<usize>, monday: Date) -> Option<Best> {
        let free = || heard.iter().enumerate().filter(|(at, _)| growing != Some(*at)).map(|(_, heard)| heard);
        let moved = |heard: &Heard<'_, P>| {
            let chosen = self.best.as_ref().map(|best| best.changed);
            chosen.is_none_or(|chosen| heard.cell.voices_since(chosen) >= VOICES_FOR_CHANGE)
        };
        let challenger = free().filter(|heard| moved(heard)).max_by(|one, other| one.mean.total_cmp(&other.mean));
        let about = self.best.as_ref().and_then(|best| best.about.as_ref());
        let holder = about.and_then(|about| free().find(|heard| heard.dimension == about));
        let next = match (holder, challenger) {
            (Some(holder), Some(challenger)) if moved(holder) && challenger.mean > holder.mean + MARGIN => challenger,
            (Some(holder), _) => holder,
            (None, Some(challenger)) => challenger,
            (None, None) if about.is_some() => return Some(Best { about: None, changed: monday }),
            (None, None) => return self.best.clone(),
        };
        if about == Some(next.dimension) {
            return self.best.clone();
        }
        Some(Best { about: Some(next.dimension.clone()), changed: monday })
    }
}

/// A probability as it is kept.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1,000")]
fn thousandths(sure: f64) -> u16 {
    (sure.clamp(0.0, 1.0) * 1_000.0).round() as u16
}

//! 得意・伸びしろ: what a manager is good at, in words, from ratings that nobody can read back.
//!
//! Map: `cells` brings the ratings of a year together by manager and dimension; `odds` says how sure a cell is to lie
//! above the company; `words` decides what may be said of it, and what of that may change. Called once a week by the
//! server. Decides nothing of who gives or gets what; knows no person, only keys that the caller made up for this count.

mod cells;
mod odds;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use self::cells::Cell;
pub use self::words::Standing;
use super::{
    catalog::{Catalog, CategorySlug, ResponseSlug},
    rating::{Pick, Talked},
};

/// Days before a count whose ratings are in it.
pub const WINDOW_DAYS: i64 = 365;

/// What words are about: a way of responding, or a category of topics. Never both at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "dimension", rename_all = "snake_case")]
pub enum Dimension {
    /// One of the responses, never `undecided`.
    Response {
        /// Which.
        #[cfg_attr(feature = "openapi", schema(value_type = String, examples("listen")))]
        slug: ResponseSlug,
    },
    /// One of the categories.
    Category {
        /// Which.
        #[cfg_attr(feature = "openapi", schema(value_type = String, examples("career")))]
        slug: CategorySlug,
    },
}

/// Half of a calendar year, within which a rater keeps one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HalfYear {
    year: i16,
    is_second: bool,
}

impl HalfYear {
    /// The half-year of a date.
    pub fn of(date: Date) -> Self {
        Self { year: date.year(), is_second: date.month() > 6 }
    }

    /// The half-years that a count of this Monday can see, oldest first.
    pub fn seen_from(monday: Date) -> Vec<Self> {
        let halves: BTreeSet<Self> =
            (0..=WINDOW_DAYS / 7).map(|weeks| Self::of(monday.saturating_sub(weeks.weeks()))).collect();
        halves.into_iter().collect()
    }
}

impl std::fmt::Display for HalfYear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.year, if self.is_second { 2 } else { 1 })
    }
}

/// Whose rating it is, as far as that can be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice<P> {
    /// The same key is the same person in every half-year.
    Joined(P),
    /// Somebody who left: the same key is the same person within this half-year, another key in another half-year may
    /// be the same person.
    Apart(HalfYear, P),
}

/// One rating.
#[derive(Debug, Clone)]
pub struct Rated<M, P> {
    /// Who was rated.
    pub manager: M,
    /// Who rated.
    pub voice: Voice<P>,
    /// The Monday of the week in which it arrived.
    pub week: Date,
    /// How it went.
    pub talked: Talked,
    /// What had been asked for.
    pub picks: Vec<Pick>,
}

/// The count of a Monday: every manager's words from the closed weeks of the last year and from what was said before.
///
/// A manager whose ratings have all grown too old is left out once nothing has to be remembered.
pub fn count<M: Ord + Clone, P: Ord + Clone>(
    ratings: impl IntoIterator<Item = Rated<M, P>>,
    before: &BTreeMap<M, Standing>,
    monday: Date,
) -> BTreeMap<M, Standing> {
    let first = monday.saturating_sub(WINDOW_DAYS.days());
    let cells = cells::gather(ratings.into_iter().filter(|rated| (first..monday).contains(&rated.week)));
    let strength = odds::strength_of(&cells);
    let companies: BTreeMap<&Dimension, odds::Company> =
        cells.iter().map(|(dimension, cells)| (dimension, odds::Company::of(cells.values(), strength))).collect();

    let managers: BTreeSet<&M> = cells.values().flat_map(BTreeMap::keys).chain(before.keys()).collect();
    let none = Standing::default();
    let standing = |manager: &M| {
        let own: Vec<words::Heard<'_, P>> = cells
            .iter()
            .filter_map(|(dimension, cells)| {
                let cell = cells.get(manager).filter(|cell| cell.is_enough())?;
                let company = &companies[dimension];
                let (sure, mean) = (company.above(cell), company.mean_of(cell));
                Some(words::Heard { dimension, cell, sure, mean, is_rough: company.is_rough })
            })
            .collect();
        before.get(manager).unwrap_or(&none).next(own, monday, first)
    };
    let all = managers.into_iter().map(|manager| (manager.clone(), standing(manager)));
    all.filter(|(_, standing)| *standing != none).collect()
}

/// The dimensions of a rating that this version counts, each once.
fn dimensions_of(picks: &[Pick]) -> BTreeSet<Dimension> {
    let catalog = Catalog::built_in();
    let responses = picks.iter().filter(|pick| catalog.response(&pick.response).is_some());
    let responses = responses.map(|pick| Dimension::Response { slug: pick.response.clone() });
    let is_category = |pick: &&Pick| catalog.categories.iter().any(|known| known.slug == pick.category.as_str());
    let categories = picks.iter().filter(is_category);
    let categories = categories.map(|pick| Dimension::Category { slug: pick.category.clone() });
    responses.chain(categories).collect()
}

#[cfg(test)]
mod tests;

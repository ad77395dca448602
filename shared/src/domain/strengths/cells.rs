//! The ratings of one manager in one dimension, by voice.
//!
//! Weighs voices, so that one counts at most three ratings, and says whether there are enough of them. Of voices that
//! cannot be told apart from half-year to half-year only those of one half-year count: nobody counts twice.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Dimension, HalfYear, Rated, Voice, dimensions_of};

/// One voice counts at most so many ratings.
const HEAVIEST_VOICE: u32 = 3;
/// Fewer people than this are never told of.
const FEWEST_VOICES: usize = 5;
/// Fewer weighed ratings than this say nothing; with it no voice is more than 3/8 of a cell.
const LEAST_WEIGHT: u32 = 8;

/// What one voice said in a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    ratings: u32,
    successes: u32,
    last: Date,
}

impl Tally {
    /// Weighed ratings.
    pub(super) fn weight(self) -> f64 {
        f64::from(self.ratings.min(HEAVIEST_VOICE))
    }

    /// Weighed successes.
    pub(super) fn success(self) -> f64 {
        self.weight() * f64::from(self.successes) / f64::from(self.ratings)
    }
}

/// One manager's ratings in one dimension.
#[derive(Debug)]
pub(super) struct Cell<P> {
    voices: BTreeMap<Voice<P>, Tally>,
}

impl<P> Cell<P> {
    /// What each voice said.
    pub(super) fn tallies(&self) -> impl Iterator<Item = Tally> {
        self.voices.values().copied()
    }

    /// Weighed ratings: N.
    pub(super) fn weight(&self) -> f64 {
        self.tallies().map(Tally::weight).sum()
    }

    /// Weighed successes: S.
    pub(super) fn success(&self) -> f64 {
        self.tallies().map(Tally::success).sum()
    }

    /// Whether anything may be said of it at all.
    pub(super) fn is_enough(&self) -> bool {
        self.voices.len() >= FEWEST_VOICES && self.weight() >= f64::from(LEAST_WEIGHT)
    }

    /// How many people rated in this week or later.
    pub(super) fn voices_since(&self, week: Date) -> usize {
        self.tallies().filter(|tally| tally.last >= week).count()
    }
}

/// The cells of all managers, by dimension.
pub(super) fn gather<M: Ord + Clone, P: Ord + Clone>(
    ratings: impl Iterator<Item = Rated<M, P>>,
) -> BTreeMap<Dimension, BTreeMap<M, Cell<P>>> {
    let mut cells: BTreeMap<Dimension, BTreeMap<M, Cell<P>>> = BTreeMap::new();
    for rated in ratings {
        for dimension in dimensions_of(&rated.picks) {
            let of_dimension = cells.entry(dimension).or_default();
            let cell = of_dimension.entry(rated.manager.clone()).or_insert_with(|| Cell { voices: BTreeMap::new() });
            let tally = cell.voices.entry(rated.voice.clone());
            let tally = tally.or_insert(Tally { ratings: 0, successes: 0, last: rated.week });
            tally.ratings += 1;
            tally.successes += u32::from(rated.talked.is_success());
            tally.last = tally.last.max(rated.week);
        }
    }
    cells.values_mut().flat_map(BTreeMap::values_mut).for_each(keep_one_half_year);
    cells
}

/// Of voices that cannot be joined, those of the half-year with the most of them stay, the latest of several.
fn keep_one_half_year<P: Ord>(cell: &mut Cell<P>) {
    let mut apart: BTreeMap<HalfYear, usize> = BTreeMap::new();
    for voice in cell.voices.keys() {
        if let Voice::Apart(half, _) = voice {
            *apart.entry(*half).or_default() += 1;
        }
    }
    let kept = apart.into_iter().max_by_key(|(half, voices)| (*voices, *half)).map(|(half, _)| half);
    cell.voices.retain(|voice, _| !matches!(voice, Voice::Apart(half, _) if Some(*half) != kept));
}

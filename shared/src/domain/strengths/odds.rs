//! How sure a cell is to lie above its company: a Beta prior around the company's share, and what the cell's voices say.
//!
//! The prior's strength is read off the company by the method of moments once enough managers have a cell. Numbers
//! never leave the count; `words` makes words of them.

use std::collections::{BTreeMap, BTreeSet};

use statrs::function::beta::checked_beta_reg;

use super::{Dimension, cells::Cell};

/// The share of successes that is taken where a company is too small to have one of its own.
const USUAL_SHARE: f64 = 0.65;
/// A company's own share needs so many managers with a rating …
const MANAGERS_FOR_SHARE: usize = 10;
/// … and so many weighed ratings.
const WEIGHT_FOR_SHARE: f64 = 100.0;
/// The prior's strength, in ratings, until it can be read off the company.
const USUAL_STRENGTH: f64 = 20.0;
/// It is read off once so many managers have enough voices.
const MANAGERS_FOR_STRENGTH: usize = 20;
/// A prior weaker than this would let a few ratings decide; one that is stronger would let nobody have a word.
const STRENGTHS: (f64, f64) = (8.0, 40.0);

/// What is usual in a company in one dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Company {
    /// The share of successes: μ.
    pub(super) share: f64,
    /// The strength of the prior, in ratings: κ.
    pub(super) strength: f64,
    /// Whether the share is the usual one and not the company's own.
    pub(super) is_rough: bool,
}

impl Company {
    /// What is usual in a dimension with these cells, in a company whose managers differ as `strength` says.
    pub(super) fn of<'c, P: 'c>(cells: impl Iterator<Item = &'c Cell<P>> + Clone, strength: f64) -> Self {
        let sums = cells.clone().map(|cell| (cell.success(), cell.weight()));
        let (success, weight) = sums.fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
        let is_rough = cells.count() < MANAGERS_FOR_SHARE || weight < WEIGHT_FOR_SHARE;
        // A share of exactly 0 or 1 leaves no prior to speak of.
        let share = if is_rough { USUAL_SHARE } else { (success / weight).clamp(0.01, 0.99) };
        Self { share, strength, is_rough }
    }

    /// How sure it is that the manager's share lies above the company's: `P(θ > μ)`.
    pub(super) fn above<P>(&self, cell: &Cell<P>) -> f64 {
        let (success, weight) = (cell.success(), cell.weight());
        let successes = self.share * self.strength + success;
        let failures = (1.0 - self.share) * self.strength + weight - success;
        let below = checked_beta_reg(successes, failures, self.share);
        1.0 - below.expect("both parameters are above 0 and the share lies between 0 and 1")
    }

    /// The manager's share, as likely as not.
    pub(super) fn mean_of<P>(&self, cell: &Cell<P>) -> f64 {
        (self.share * self.strength + cell.success()) / (self.strength + cell.weight())
    }
}

/// The strength of the prior of a company with these cells, by dimension and manager: κ, one for all dimensions.
pub(super) fn strength_of<M: Ord, P>(cells: &BTreeMap<Dimension, BTreeMap<M, Cell<P>>>) -> f64 {
    let enough = cells.values().flatten().filter(|(_, cell)| cell.is_enough()).map(|(manager, _)| manager);
    if enough.collect::<BTreeSet<_>>().len() < MANAGERS_FOR_STRENGTH {
        return USUAL_STRENGTH;
    }
    let (weakest, strongest) = STRENGTHS;
    let moments = cells.values().map(|cells| Moments::of(cells.values().filter(|cell| cell.is_enough())));
    let (beyond, whole) = moments.fold((0.0, 0.0), |sum, of| (sum.0 + of.beyond_raters, sum.1 + of.whole));
    // Of a Beta distribution the variance is μ(1-μ)/(κ+1).
    if beyond <= 0.0 { strongest } else { (whole / beyond - 1.0).clamp(weakest, strongest) }
}

/// How much the managers of a dimension differ.
struct Moments {
    /// Weighed sum of squares between managers, less what is expected of it when only raters differ: each manager's own
    /// spread between voices, corrected for small numbers.
    beyond_raters: f64,
    /// What the same sum would be if every manager's share were 0 or 1.
    whole: f64,
}

impl Moments {
    fn of<'c, P: 'c>(cells: impl Iterator<Item = &'c Cell<P>> + Clone) -> Self {
        let total: f64 = cells.clone().map(Cell::weight).sum();
        let share = cells.clone().map(Cell::success).sum::<f64>() / total.max(1.0);
        let (mut beyond_raters, mut squares) = (0.0, 0.0);
        for cell in cells {
            let (weight, own) = (cell.weight(), cell.success() / cell.weight());
            let (voices, spread) = cell.tallies().fold((0.0, 0.0), |(voices, spread), tally| {
                (voices + 1.0, spread + (tally.success() - own * tally.weight()).powi(2))
            });
            let by_raters = spread / (weight * weight) * voices / (voices - 1.0);
            beyond_raters += weight * ((own - share).powi(2) - by_raters * (1.0 - weight / total));
            squares += weight * weight;
        }
        Self { beyond_raters, whole: share * (1.0 - share) * (total - squares / total.max(1.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incomplete_beta_is_the_one_of_the_tables() {
        for (x, a, b, expected) in [
            (0.5, 2.0, 3.0, 0.6875),
            (0.3, 5.0, 2.0, 0.010_935),
            (0.65, 13.0, 7.0, 0.481_166),
            (0.5, 40.0, 40.0, 0.5),
            (0.2, 1.0, 1.0, 0.2),
        ] {
            let found = checked_beta_reg(a, b, x).unwrap();
            assert!((found - expected).abs() < 1e-6, "I_{x}({a}, {b}) = {found}, not {expected}");
        }
    }
}

//! The count of Monday 06:00: closed weeks become words.
//!
//! Reads what no request can change any more, counts on a thread of its own, and writes everything of an organisation in
//! one transaction: that it was counted, the closed weeks in the order of their tickets, nothing of what is too old, and
//! the words. A count that was missed is made up for by the next one, and one that was made is not made again.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{ToSpan, civil::Date};
use taiwa_shared::{
    domain::strengths::{HalfYear, Rated, Standing, Voice, WINDOW_DAYS, count},
    ids::{OrganisationId, UserId},
    time::Timestamp,
};
use tokio::task::spawn_blocking;

use super::{key::RatingKey, week};
use crate::store::{
    Store, StoreError,
    ratings::{Line, Pseudonym, RatingRow},
    strengths::Uncounted,
};

/// Ratings are kept for so long, and then only the words are.
const KEPT_MONTHS: i64 = 13;

/// Counts for every organisation that has not had the last count that is due.
///
/// # Errors
/// [`StoreError`] if the records could not be read or written; organisations that were counted stay so.
pub async fn count_due(store: &Store, key: &RatingKey, now: Timestamp) -> Result<(), StoreError> {
    let monday = week::last_due(now);
    for uncounted in store.uncounted(week::count_of(monday), monday).await? {
        count_one(store, key, uncounted, monday).await?;
    }
    Ok(())
}

async fn count_one(store: &Store, key: &RatingKey, uncounted: Uncounted, monday: Date) -> Result<(), StoreError> {
    let organisation = uncounted.organisation;
    let ratings = store.ratings_of_weeks(organisation, monday.saturating_sub(WINDOW_DAYS.days()), monday).await?;
    let said = store.standings(organisation).await?;
    let nothing_to_count = ratings.is_empty() && said.is_empty();
    let standings = if nothing_to_count {
        Vec::new()
    } else {
        let (lines, key) = (store.lines(organisation).await?, key.clone());
        let counting = spawn_blocking(move || words(&key, organisation, &lines, ratings, said, monday));
        counting.await.expect("counting does not panic, and the runtime stops after its tasks")
    };
    let mut tx = store.begin().await?;
    if !tx.set_counted(organisation, monday).await? {
        return Ok(());
    }
    tx.forget_ratings(organisation, Date::MIN, monday.saturating_sub(KEPT_MONTHS.months())).await?;
    tx.close_weeks(organisation, uncounted.last.unwrap_or(Date::MIN), monday).await?;
    tx.replace_standings(organisation, &standings).await?;
    tx.commit().await?;
    store.sweep_ratings().await
}

/// What is said of everybody who has a line, under the keys under which it is kept.
fn words(
    key: &RatingKey,
    organisation: OrganisationId,
    lines: &[Line],
    ratings: Vec<RatingRow>,
    said: Vec<(Pseudonym, Standing)>,
    monday: Date,
) -> Vec<(Pseudonym, Standing)> {
    let people = Joined::new(key, organisation, lines, monday);
    let rated = ratings.into_iter().filter_map(|row| {
        Some(Rated {
            manager: *people.managers.get(&row.subject)?,
            voice: people.voice(row.rater, row.week),
            week: row.week,
            talked: row.rating.talked,
            picks: row.rating.picks,
        })
    });
    let before = said.into_iter().filter_map(|(subject, standing)| Some((*people.managers.get(&subject)?, standing)));
    let before: BTreeMap<UserId, Standing> = before.collect();
    let after = count(rated, &before, monday);
    after.into_iter().map(|(manager, standing)| (key.subject(organisation, manager), standing)).collect()
}

/// Who stands behind the keys, in memory and for the time of a count.
struct Joined {
    managers: HashMap<Pseudonym, UserId>,
    /// The people of every key of a rater that can be joined over half-years.
    raters: HashMap<Pseudonym, UserId>,
}

impl Joined {
    fn new(key: &RatingKey, organisation: OrganisationId, lines: &[Line], monday: Date) -> Self {
        let all: HashSet<UserId> = lines.iter().map(|line| line.manager).collect();
        let managers = all.into_iter().map(|manager| (key.subject(organisation, manager), manager)).collect();
        let halves = HalfYear::seen_from(monday);
        // Somebody who has left is no longer to be told from others.
        let active = lines.iter().filter(|line| line.member_is_active);
        let raters = active.flat_map(|line| {
            let key_of = move |half: &HalfYear| key.rater(organisation, line.member, line.manager, *half);
            halves.iter().map(move |half| (key_of(half), line.member))
        });
        Self { managers, raters: raters.collect() }
    }

    fn voice(&self, rater: Pseudonym, week: Date) -> Voice<Rater> {
        match self.raters.get(&rater) {
            Some(person) => Voice::Joined(Rater::Person(*person)),
            None => Voice::Apart(week::half_year_of(week), Rater::Key(rater)),
        }
    }
}

/// A rater as far as the count can tell one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rater {
    Person(UserId),
    Key(Pseudonym),
}

//! Ratings and the words that come of them: who may give one and until when, what is kept, and the count of Monday 06:00.

use std::time::Duration;

use jiff::{ToSpan, civil::Date};
use taiwa_server::records::{
    access::Principal,
    leaving,
    ratings::{self, RatingError, key::RatingKey, week, weekly::count_due},
};
use taiwa_shared::{
    domain::{
        catalog::Catalog,
        meeting::{Meeting, MeetingState},
        rating::{Pick, Rating, Talked},
        strengths::Dimension,
    },
    ids::{DeviceId, MeetingId},
    protocol::{ratings::OwnRatings, strengths::Strengths},
    time::{Timestamp, Zone},
};

use super::{
    fixture::{DAY, Fixture, MINUTE},
    orders::{counter, slot},
};

super::on_both! {
    a_rating_is_given_by_the_member_of_a_line_after_its_end_and_by_nobody_else;
    a_rating_is_editable_until_sunday_24_also_from_a_second_device;
    a_late_rating_counts_in_the_week_in_which_it_arrives;
    after_fourteen_days_there_is_no_rating;
    a_rating_moves_no_counter_and_touches_nobody;
    a_count_says_words_to_the_manager_alone_on_monday_at_6;
    below_five_people_nothing_is_said;
    a_count_that_was_missed_for_three_weeks_is_made_up_for;
    a_count_twice_is_one;
    somebody_in_two_half_years_is_one_voice;
    a_voice_that_left_still_counts_and_is_nobodys;
    without_the_key_old_ratings_no_longer_count;
    a_closed_week_lies_in_the_order_of_its_tickets;
    raw_ratings_are_deleted_after_13_months;
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MEMBERS: usize = 6;

/// Ken with six members, and Mori with one.
struct Office {
    fixture: Fixture,
    key: RatingKey,
    folder: tempfile::TempDir,
    members: Vec<Principal>,
    manager: Principal,
    other: Principal,
    others_manager: Principal,
}

impl Office {
    async fn open(fixture: Fixture) -> Self {
        let mut csv = "email,name,manager_email,role\nken@a.jp,高橋 健,,\nmori@a.jp,森 由美,,\n".to_owned();
        for member in 0..MEMBERS {
            csv.push_str(&format!("m{member}@a.jp,部員 {member},ken@a.jp,\n"));
        }
        csv.push_str("jiro@a.jp,林 次郎,mori@a.jp,\nhr@a.jp,工藤 彩,,hr\n");
        fixture.import("a", &csv).await;
        let mut members = Vec::new();
        for member in 0..MEMBERS {
            members.push(fixture.principal("a", &format!("m{member}@a.jp")).await);
        }
        let folder = tempfile::tempdir().unwrap();
        Self {
            key: RatingKey::open(&folder.path().join("rating-key")).unwrap(),
            folder,
            members,
            manager: fixture.principal("a", "ken@a.jp").await,
            other: fixture.principal("a", "jiro@a.jp").await,
            others_manager: fixture.principal("a", "mori@a.jp").await,
            fixture,
        }
    }

    /// A meeting of a member that is over at this time; `days` tells meetings apart.
    async fn over(&self, member: &Principal, days: i64, at: Timestamp) -> MeetingId {
        let meeting = slot(&self.fixture.pair_of(member).await, days);
        self.keep(member, Meeting { state: MeetingState::Finished, finished: Some(at), ..meeting }).await
    }

    async fn keep(&self, member: &Principal, meeting: Meeting) -> MeetingId {
        let mut tx = self.fixture.store.begin().await.unwrap();
        let rev = tx.next_rev(member.organisation).await.unwrap();
        tx.add_meeting(member.organisation, &meeting, rev).await.unwrap();
        tx.change_meeting(member.organisation, &meeting, rev).await.unwrap();
        tx.commit().await.unwrap();
        meeting.id
    }

    async fn give(&self, who: &Principal, meeting: MeetingId, step: u8, at: Timestamp) -> Result<(), RatingError> {
        ratings::give(&self.fixture.store, &self.key, who, meeting, rating(step), at).await
    }

    /// Everybody of these has a 1on1 and rates it at this time.
    async fn all_rate(&self, members: &[Principal], days: i64, step: u8, at: Timestamp) {
        for member in members {
            let meeting = self.over(member, days, at).await;
            self.give(member, meeting, step, at).await.unwrap();
        }
    }

    async fn own(&self, who: &Principal, at: Timestamp) -> OwnRatings {
        ratings::own(&self.fixture.store, &self.key, who, at).await.unwrap()
    }

    async fn count(&self, at: Timestamp) {
        count_due(&self.fixture.store, &self.key, at).await.unwrap();
    }

    async fn words(&self, who: &Principal) -> Strengths {
        ratings::strengths(&self.fixture.store, &self.key, who).await.unwrap()
    }

    /// How many ratings are kept.
    async fn kept(&self) -> usize {
        let organisation = self.manager.organisation;
        self.fixture.store.ratings_of_weeks(organisation, Date::MIN, Date::MAX).await.unwrap().len()
    }
}

fn rating(step: u8) -> Rating {
    let pick = Pick { category: "career".parse().unwrap(), response: listen() };
    Rating { talked: Talked::try_from(step).unwrap(), as_asked: None, picks: vec![pick] }
}

fn listen() -> taiwa_shared::domain::catalog::ResponseSlug {
    Catalog::built_in().responses[0].slug.clone()
}

/// A time of day some days after the Monday of the week that comes next; organisations are older than that.
fn at(fixture: &Fixture, days: i64, time: &str) -> Timestamp {
    let monday = week::after(week::monday_of(fixture.now()));
    let time: jiff::civil::Time = time.parse().unwrap();
    Zone::tokyo().at(monday.saturating_add(days.days()).to_datetime(time))
}

fn is_absent(answer: &Result<(), RatingError>) -> bool {
    matches!(answer, Err(RatingError::Absent))
}

fn is_closed(answer: &Result<(), RatingError>) -> bool {
    matches!(answer, Err(RatingError::Closed))
}

async fn a_rating_is_given_by_the_member_of_a_line_after_its_end_and_by_nobody_else(fixture: Fixture) {
    fixture.import("b", "email,name,manager_email\nhana@b.jp,佐藤 花,bo@b.jp\nbo@b.jp,高橋 望,\n").await;
    let office = Office::open(fixture).await;
    let (member, now) = (&office.members[0], at(&office.fixture, 2, "12:00:00"));
    let planned = slot(&office.fixture.pair_of(member).await, 14);
    let stranger = office.fixture.principal("b", "hana@b.jp").await;
    let hr = office.fixture.principal("a", "hr@a.jp").await;
    // Not even a record, then planned, then cancelled.
    assert!(is_absent(&office.give(member, planned.id, 5, now).await));
    office.keep(member, planned.clone()).await;
    assert!(is_absent(&office.give(member, planned.id, 5, now).await));
    office.keep(member, Meeting { state: MeetingState::Cancelled, ..planned.clone() }).await;
    assert!(is_absent(&office.give(member, planned.id, 5, now).await));
    let over = office.over(member, 14, now).await;
    for who in [&office.manager, &office.members[1], &office.other, &office.others_manager, &stranger, &hr] {
        assert!(is_absent(&office.give(who, over, 5, now).await), "{who:?}");
        assert_eq!(office.own(who, now).await.ratings, []);
    }
    assert_eq!(office.kept().await, 0);
    office.give(member, over, 5, now).await.unwrap();
    assert_eq!(office.own(member, now).await.ratings.len(), 1);
    // The former member of a closed pair reads on, and still has their say.
    let pair = office.fixture.pair_of(member).await;
    let late = office.over(member, 28, now).await;
    let mut tx = office.fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(member.organisation).await.unwrap();
    assert!(tx.close_pair(member.organisation, pair.id, now, rev).await.unwrap());
    tx.commit().await.unwrap();
    office.give(member, late, 2, now).await.unwrap();
    assert_eq!(office.kept().await, 2);
}

async fn a_rating_is_editable_until_sunday_24_also_from_a_second_device(fixture: Fixture) {
    let office = Office::open(fixture).await;
    let (phone, sunday) = (&office.members[0], at(&office.fixture, 6, "23:59:59"));
    let tablet = Principal { device: DeviceId::from_bytes([9; 16]), ..*phone };
    let meeting = office.over(phone, 0, at(&office.fixture, 2, "10:30:00")).await;
    office.give(phone, meeting, 5, at(&office.fixture, 2, "10:31:00")).await.unwrap();
    let seen = office.own(&tablet, sunday).await;
    assert_eq!(seen.ratings.iter().map(|own| (own.meeting, own.talked.step())).collect::<Vec<_>>(), [(meeting, 5)]);
    assert_eq!(seen.editable_until, at(&office.fixture, 7, "00:00:00"));
    office.give(&tablet, meeting, 2, sunday).await.unwrap();
    office.give(&tablet, meeting, 2, sunday).await.unwrap();
    assert_eq!(office.own(phone, sunday).await.ratings[0].talked.step(), 2);
    assert_eq!(office.kept().await, 1, "a repeated rating is one");
    // From Monday on it is closed, hours before it is counted.
    for device in [phone, &tablet] {
        assert!(is_closed(&office.give(device, meeting, 4, at(&office.fixture, 7, "00:00:00")).await));
        assert_eq!(office.own(device, at(&office.fixture, 7, "00:00:00")).await.ratings, []);
    }
    let kept = office.fixture.store.ratings_of_weeks(phone.organisation, Date::MIN, Date::MAX).await.unwrap();
    assert_eq!(kept[0].rating.talked.step(), 2, "what was refused changed nothing");
}

async fn a_late_rating_counts_in_the_week_in_which_it_arrives(fixture: Fixture) {
    let office = Office::open(fixture).await;
    let member = &office.members[0];
    let meeting = office.over(member, 0, at(&office.fixture, 2, "10:30:00")).await;
    office.count(at(&office.fixture, 7, "06:00:00")).await;
    let thursday = at(&office.fixture, 10, "09:00:00");
    office.give(member, meeting, 3, thursday).await.unwrap();
    office.give(member, meeting, 4, at(&office.fixture, 13, "23:00:00")).await.unwrap();
    let kept = office.fixture.store.ratings_of_weeks(member.organisation, Date::MIN, Date::MAX).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.week).collect::<Vec<_>>(), [week::monday_of(thursday)]);
    assert!(is_closed(&office.give(member, meeting, 5, at(&office.fixture, 14, "09:00:00")).await));
}

async fn after_fourteen_days_there_is_no_rating(fixture: Fixture) {
    let office = Office::open(fixture).await;
    let (member, over) = (&office.members[0], at(&office.fixture, 2, "10:30:00"));
    let (first, second) = (office.over(member, 0, over).await, office.over(member, 14, over).await);
    let last = over.plus(14 * DAY);
    office.give(member, first, 4, last).await.unwrap();
    assert_eq!(office.own(member, last).await.ratings.len(), 1, "a phone sees the last one too");
    assert!(is_closed(&office.give(member, second, 4, last.plus(MINUTE)).await));
    // To everybody else it looks as if there had never been one.
    assert!(is_absent(&office.give(&office.manager, second, 4, last.plus(MINUTE)).await));
}

async fn a_rating_moves_no_counter_and_touches_nobody(fixture: Fixture) {
    let office = Office::open(fixture).await;
    let (member, now) = (&office.members[0], at(&office.fixture, 2, "12:00:00"));
    let meeting = office.over(member, 0, now).await;
    let (before, (_, cursor)) =
        (counter(&office.fixture, member).await, office.fixture.pull(&office.manager, None).await);
    office.give(member, meeting, 1, now).await.unwrap();
    office.give(member, meeting, 5, now).await.unwrap();
    office.count(at(&office.fixture, 7, "06:00:00")).await;
    assert_eq!(counter(&office.fixture, member).await, before);
    assert!(office.fixture.store.touched_since(member.organisation, before).await.unwrap().is_empty());
    for who in [&office.manager, member] {
        assert_eq!(office.fixture.pull(who, Some(&cursor)).await.0, []);
    }
}

async fn a_count_says_words_to_the_manager_alone_on_monday_at_6(fixture: Fixture) {
    let office = Office::open(fixture).await;
    for days in [0, 14] {
        office.all_rate(&office.members, days, 5, at(&office.fixture, 2 + days / 7, "12:00:00")).await;
    }
    let nothing = Strengths::default();
    office.count(at(&office.fixture, 7, "05:59:59")).await;
    let words = office.words(&office.manager).await;
    assert_eq!(Strengths { counted: None, ..words }, nothing);
    office.count(at(&office.fixture, 7, "06:00:00")).await;
    let words = office.words(&office.manager).await;
    let expected = [Dimension::Response { slug: listen() }, Dimension::Category { slug: "career".parse().unwrap() }];
    assert_eq!(words.strong.len(), 2, "{words:?}");
    assert!(expected.iter().all(|dimension| words.strong.contains(dimension)), "{words:?}");
    assert!(words.enough_voices);
    assert_eq!(words.counted, Some(at(&office.fixture, 7, "06:00:00")));
    for who in office.members.iter().chain([&office.other, &office.others_manager]) {
        assert_eq!(office.words(who).await, Strengths { counted: words.counted, ..nothing.clone() });
    }
}

async fn below_five_people_nothing_is_said(fixture: Fixture) {
    let office = Office::open(fixture).await;
    for days in (0..70).step_by(7) {
        office.all_rate(&office.members[..4], days, 5, at(&office.fixture, 2 + days, "12:00:00")).await;
    }
    office.count(at(&office.fixture, 70, "06:00:00")).await;
    let words = office.words(&office.manager).await;
    assert!(words.counted.is_some());
    assert_eq!(Strengths { counted: None, ..words }, Strengths::default());
}

async fn a_count_that_was_missed_for_three_weeks_is_made_up_for(fixture: Fixture) {
    let office = Office::open(fixture).await;
    office.count(at(&office.fixture, 0, "06:00:00")).await;
    for days in [0, 7, 14] {
        office.all_rate(&office.members, days, 5, at(&office.fixture, 2 + days, "12:00:00")).await;
    }
    // Nothing ran for three weeks, and it is Thursday.
    office.count(at(&office.fixture, 24, "15:00:00")).await;
    let words = office.words(&office.manager).await;
    assert_eq!(words.counted, Some(at(&office.fixture, 21, "06:00:00")));
    assert_eq!(words.strong.len(), 2, "{words:?}");
    assert_eq!(office.kept().await, 3 * MEMBERS);
}

async fn a_count_twice_is_one(fixture: Fixture) {
    let office = Office::open(fixture).await;
    for days in [0, 1] {
        office.all_rate(&office.members, days, 5, at(&office.fixture, 2 + days, "12:00:00")).await;
    }
    let monday = at(&office.fixture, 7, "06:00:00");
    let both = tokio::join!(
        count_due(&office.fixture.store, &office.key, monday),
        count_due(&office.fixture.store, &office.key, monday)
    );
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    let organisation = office.manager.organisation;
    let (words, stored) = (office.words(&office.manager).await, office.fixture.store.standings(organisation).await);
    office.count(monday.plus(MINUTE)).await;
    office.count(at(&office.fixture, 9, "06:00:00")).await;
    assert_eq!(office.words(&office.manager).await, words);
    assert_eq!(office.fixture.store.standings(organisation).await.unwrap(), stored.unwrap());
    assert_eq!(office.kept().await, 2 * MEMBERS);
}

async fn somebody_in_two_half_years_is_one_voice(fixture: Fixture) {
    let office = Office::open(fixture).await;
    // Mondays around the next first of July and first of January.
    let mut monday = week::after(week::monday_of(office.fixture.now()));
    while week::half_year_of(monday) == week::half_year_of(week::after(monday)) {
        monday = week::after(monday);
    }
    let noon = |monday: Date| Zone::tokyo().at(monday.at(12, 0, 0, 0));
    let four = &office.members[..4];
    for (place, week) in [monday, week::after(monday)].into_iter().enumerate() {
        for more in 0..2 {
            office.all_rate(four, 2 * i64::try_from(place).unwrap() + more, 5, noon(week)).await;
        }
    }
    let keys = office.fixture.store.ratings_of_weeks(office.manager.organisation, Date::MIN, Date::MAX).await.unwrap();
    let keys: std::collections::BTreeSet<_> = keys.into_iter().map(|row| row.rater).collect();
    assert_eq!(keys.len(), 8, "the control: each of the four has two keys");
    let after = week::count_of(week::after(week::after(monday)));
    office.count(after).await;
    assert!(!office.words(&office.manager).await.enough_voices);
    office.all_rate(&office.members[4..5], 9, 5, after.plus(DAY)).await;
    office.count(after.plus(WEEK)).await;
    assert!(office.words(&office.manager).await.enough_voices, "the fifth makes five");
}

async fn a_voice_that_left_still_counts_and_is_nobodys(fixture: Fixture) {
    let office = Office::open(fixture).await;
    let five = &office.members[..5];
    for days in [0, 1] {
        office.all_rate(five, days, 5, at(&office.fixture, 2 + days, "12:00:00")).await;
    }
    let organisation = office.manager.organisation;
    let email = taiwa_server::store::people::Email::normalise("m0@a.jp");
    leaving::deactivate(&office.fixture.store, organisation, &email, office.fixture.now()).await.unwrap();
    office.count(at(&office.fixture, 7, "06:00:00")).await;
    assert!(office.words(&office.manager).await.enough_voices);
}

async fn without_the_key_old_ratings_no_longer_count(fixture: Fixture) {
    let mut office = Office::open(fixture).await;
    for days in [0, 1] {
        office.all_rate(&office.members, days, 5, at(&office.fixture, 2 + days, "12:00:00")).await;
    }
    office.count(at(&office.fixture, 7, "06:00:00")).await;
    let words = office.words(&office.manager).await;
    assert!(words.enough_voices);
    let old = std::mem::replace(&mut office.key, RatingKey::open(&office.folder.path().join("another")).unwrap());
    assert!(office.key.is_new());
    assert!(!office.words(&office.manager).await.enough_voices);
    let meeting = office.over(&office.members[0], 3, at(&office.fixture, 9, "12:00:00")).await;
    office.give(&office.members[0], meeting, 5, at(&office.fixture, 9, "12:00:00")).await.unwrap();
    office.count(at(&office.fixture, 14, "06:00:00")).await;
    assert!(!office.words(&office.manager).await.enough_voices);
    // The file is found again: the ratings under it count again.
    office.key = old;
    office.count(at(&office.fixture, 21, "06:00:00")).await;
    assert_eq!(office.words(&office.manager).await.strong, words.strong);
}

async fn a_closed_week_lies_in_the_order_of_its_tickets(fixture: Fixture) {
    let office = Office::open(fixture).await;
    let Some(_) = office.fixture.store.ratings_as_they_lie().await.unwrap() else { return };
    let lie = || async { office.fixture.store.ratings_as_they_lie().await.unwrap().unwrap() };
    for days in [0, 1] {
        office.all_rate(&office.members, days, 5, at(&office.fixture, 2 + days, "12:00:00")).await;
    }
    let came = lie().await;
    assert!(!came.is_sorted_by_key(|(ticket, _)| ticket.clone()), "the control: they lie as they came");
    office.count(at(&office.fixture, 7, "06:00:00")).await;
    let closed = lie().await;
    assert_eq!(closed.len(), came.len());
    assert!(closed.is_sorted_by_key(|(ticket, _)| ticket.clone()));
    let writers: std::collections::BTreeSet<_> = closed.into_iter().map(|(_, writer)| writer).collect();
    assert_eq!(writers.len(), 1, "one transaction wrote them all");
}

async fn raw_ratings_are_deleted_after_13_months(fixture: Fixture) {
    let office = Office::open(fixture).await;
    let wednesday = at(&office.fixture, 2, "12:00:00");
    office.all_rate(&office.members, 0, 5, wednesday).await;
    let monday = week::monday_of(wednesday);
    let first_without = std::iter::successors(Some(monday), |monday| Some(week::after(*monday)))
        .find(|later| monday < later.saturating_sub(13.months()))
        .unwrap();
    let last_with = first_without.saturating_sub(1.week());
    office.count(week::count_of(last_with)).await;
    assert_eq!(office.kept().await, MEMBERS);
    office.count(week::count_of(first_without)).await;
    assert_eq!(office.kept().await, 0);
}

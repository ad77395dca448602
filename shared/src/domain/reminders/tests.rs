use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::{
    domain::{cadence::Cadence, meeting::MeetingTime},
    ids::PairId,
};

fn meeting_at(starts: DateTime, zone: &Zone) -> Meeting {
    let name = Cadence::default().meeting_in_slot(PairId::from_bytes([1; 16]), starts.date()).name();
    Meeting::planned(name, MeetingTime { starts, zone: zone.clone(), length_minutes: 30 })
}

fn plan(meeting: &Meeting, side: Side, settings: ReminderSettings, zone: &Zone) -> Vec<Reminder> {
    let meetings = [RemindedMeeting { meeting, side, partner_name: "佐藤", is_published: false }];
    let (now, until) = (Timestamp::default(), Timestamp::from_millis(i64::MAX));
    reminders(&ReminderInput { meetings: &meetings, settings, zone, now, until, language: Language::Ja })
}

/// Local times of the member's notices, with what is wanted switched on and off.
fn times(starts: DateTime, settings: ReminderSettings) -> Vec<(ReminderKind, DateTime)> {
    let zone = Zone::tokyo();
    let plan = plan(&meeting_at(starts, &zone), Side::Member, settings, &zone);
    plan.into_iter().map(|reminder| (reminder.kind, reminder.at.in_zone(&zone))).collect()
}

const ALL: ReminderSettings = ReminderSettings { prepare: true, before: true, quiet_hours: true, days_off: true };

#[test]
fn notices_come_on_the_working_day_before_and_ten_minutes_before() {
    use ReminderKind::{Before, Prepare};
    let on = |month, day, hour, minute| date(2026, month, day).at(hour, minute, 0, 0);
    for (starts, settings, expected) in [
        (on(10, 27, 10, 0), ALL, vec![(Prepare, on(10, 26, 17, 0)), (Before, on(10, 27, 9, 50))]),
        // Monday; the day after a weekend and three holidays.
        (on(10, 26, 10, 0), ALL, vec![(Prepare, on(10, 23, 17, 0)), (Before, on(10, 26, 9, 50))]),
        (on(5, 7, 10, 0), ALL, vec![(Prepare, on(5, 1, 17, 0)), (Before, on(5, 7, 9, 50))]),
        // Early and late: the evening before, or the last minute before the quiet hours.
        (on(10, 27, 8, 5), ALL, vec![(Prepare, on(10, 26, 17, 0)), (Before, on(10, 26, 19, 59))]),
        (on(10, 27, 20, 10), ALL, vec![(Prepare, on(10, 26, 17, 0)), (Before, on(10, 27, 19, 59))]),
        (on(10, 27, 20, 9), ALL, vec![(Prepare, on(10, 26, 17, 0)), (Before, on(10, 27, 19, 59))]),
        // Early on a Monday: Friday evening is no notice that a meeting begins.
        (on(10, 26, 8, 5), ALL, vec![(Prepare, on(10, 23, 17, 0))]),
        // On a Sunday they work on weekends; the Friday before a holiday is not the day before.
        (on(10, 25, 10, 0), ALL, vec![(Prepare, on(10, 24, 17, 0)), (Before, on(10, 25, 9, 50))]),
        // Moved onto a holiday by hand: that day is agreed.
        (on(11, 3, 10, 0), ALL, vec![(Prepare, on(11, 2, 17, 0)), (Before, on(11, 3, 9, 50))]),
        (
            on(10, 26, 8, 5),
            ReminderSettings { days_off: false, ..ALL },
            vec![(Prepare, on(10, 25, 17, 0)), (Before, on(10, 25, 19, 59))],
        ),
        (
            on(10, 26, 8, 5),
            ReminderSettings { quiet_hours: false, ..ALL },
            vec![(Prepare, on(10, 23, 17, 0)), (Before, on(10, 26, 7, 55))],
        ),
        (on(10, 27, 10, 0), ReminderSettings { prepare: false, ..ALL }, vec![(Before, on(10, 27, 9, 50))]),
        (on(10, 27, 10, 0), ReminderSettings { before: false, ..ALL }, vec![(Prepare, on(10, 26, 17, 0))]),
    ] {
        assert_eq!(times(starts, settings), expected, "{starts} {settings:?}");
    }
}

#[test]
fn what_is_done_needs_no_notice() {
    let zone = Zone::tokyo();
    let planned = meeting_at(date(2026, 10, 27).at(10, 0, 0, 0), &zone);
    let count = |meeting: &Meeting, side, is_published| {
        let meetings = [RemindedMeeting { meeting, side, partner_name: "佐藤", is_published }];
        let (now, until) = (Timestamp::default(), Timestamp::from_millis(i64::MAX));
        let language = Language::En;
        reminders(&ReminderInput { meetings: &meetings, settings: ALL, zone: &zone, now, until, language }).len()
    };
    assert_eq!(count(&planned, Side::Member, false), 2);
    assert_eq!(count(&planned, Side::Member, true), 1, "told already");
    assert_eq!(count(&planned, Side::Manager, false), 1, "managers prepare nothing");
    for state in [MeetingState::Cancelled, MeetingState::Finished] {
        assert_eq!(count(&Meeting { state, ..planned.clone() }, Side::Member, false), 0);
    }
    let finished = Some(planned.starts_at());
    assert_eq!(count(&Meeting { finished, ..planned }, Side::Member, false), 0, "somebody said that it is over");
}

#[test]
fn a_notice_says_who_and_when_and_nothing_else() {
    let zone = Zone::tokyo();
    let words = |starts, side, language| {
        let meeting = meeting_at(starts, &zone);
        let meetings = [RemindedMeeting { meeting: &meeting, side, partner_name: "佐藤 葵", is_published: false }];
        let (now, until) = (Timestamp::default(), Timestamp::from_millis(i64::MAX));
        let input = ReminderInput { meetings: &meetings, settings: ALL, zone: &zone, now, until, language };
        reminders(&input).into_iter().map(|it| format!("{} / {}", it.title, it.body)).collect::<Vec<_>>()
    };
    let starts = date(2026, 10, 26).at(10, 0, 0, 0);
    assert_eq!(
        words(starts, Side::Member, Language::Ja),
        [
            "佐藤 葵さんとの1on1の準備 / 10月26日(月) 10:00 からです。話したいことを選びませんか？",
            "10:00 佐藤 葵さんとの1on1 / 始まる前に準備を見直せます。"
        ]
    );
    assert_eq!(
        words(starts, Side::Member, Language::En),
        [
            "Prepare your 1on1 with 佐藤 葵 / It starts Mon 26 Oct, 10:00. What would you like to talk about?",
            "10:00 1on1 with 佐藤 葵 / You can look over your preparation first."
        ]
    );
    let early = date(2026, 10, 27).at(8, 5, 0, 0);
    assert_eq!(
        words(early, Side::Manager, Language::Ja),
        ["明日 08:05 佐藤 葵さんとの1on1 / 始まる前にブリーフを確認しませんか？"]
    );
    assert_eq!(
        words(early, Side::Manager, Language::En),
        ["tomorrow 08:05 1on1 with 佐藤 葵 / Would you like to read the brief first?"]
    );
}

fn zones() -> impl Strategy<Value = Zone> {
    const NAMES: [&str; 6] =
        ["Asia/Tokyo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];
    prop::sample::select(&NAMES[..]).prop_map(|name| name.parse().unwrap())
}

fn starts() -> impl Strategy<Value = DateTime> {
    (0_i64..5 * 366 * 24 * 12).prop_map(|fives| date(2026, 1, 1).at(0, 0, 0, 0).saturating_add((fives * 5).minutes()))
}

fn settings() -> impl Strategy<Value = ReminderSettings> {
    any::<[bool; 4]>().prop_map(|[prepare, before, quiet_hours, days_off]| ReminderSettings {
        prepare,
        before,
        quiet_hours,
        days_off,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn notices_are_few_early_enough_and_quiet(
        (starts, there, here) in (starts(), zones(), zones()),
        settings in settings(),
        is_member in any::<bool>(),
    ) {
        let side = if is_member { Side::Member } else { Side::Manager };
        let meeting = meeting_at(starts, &there);
        let meets_on = meeting.starts_at().in_zone(&here).date();
        let plan = plan(&meeting, side, settings, &here);
        let most = if is_member { 2 } else { 1 };
        prop_assert!(plan.len() <= most);
        for reminder in &plan {
            prop_assert!(reminder.at < meeting.starts_at());
            let local = reminder.at.in_zone(&here);
            if settings.quiet_hours {
                prop_assert!((8..20).contains(&local.hour()), "{local}");
            }
            if settings.days_off && !holidays::is_weekend(meets_on) && local.date() != meets_on {
                prop_assert!(!holidays::is_day_off(local.date(), &here), "{local}");
            }
            let is_wanted = match reminder.kind {
                ReminderKind::Prepare => settings.prepare && is_member,
                ReminderKind::Before => settings.before,
            };
            prop_assert!(is_wanted);
        }
        prop_assert!(plan.is_sorted_by_key(|reminder| reminder.at));
    }

    #[test]
    fn a_moved_meeting_takes_its_notices_along(from in starts(), days in 1_i64..60, zone in zones()) {
        let meeting = meeting_at(from, &zone);
        let moved = Meeting { starts: from.saturating_add(days.days()), revision: 1, ..meeting.clone() };
        let off = ReminderSettings { days_off: false, quiet_hours: false, ..ALL };
        let (before, after) = (plan(&meeting, Side::Member, off, &zone), plan(&moved, Side::Member, off, &zone));
        let ids = |plan: &[Reminder]| plan.iter().map(|it| (it.kind, it.id)).collect::<Vec<_>>();
        prop_assert_eq!(ids(&before), ids(&after));
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(after.at > before.at);
        }
    }

    #[test]
    fn only_what_lies_in_the_window_is_planned(starts in starts(), hours in 0_i64..96) {
        let zone = Zone::tokyo();
        let meeting = meeting_at(starts, &zone);
        let now = zone.at(starts.saturating_sub(hours.hours()));
        let meetings = [RemindedMeeting { meeting: &meeting, side: Side::Member, partner_name: "", is_published: false }];
        let window = |now, until| {
            let (zone, language) = (&zone, Language::Ja);
            reminders(&ReminderInput { meetings: &meetings, settings: ALL, zone, now, until, language })
        };
        let all = window(Timestamp::default(), Timestamp::from_millis(i64::MAX));
        let split = [window(Timestamp::default(), now), window(now, Timestamp::from_millis(i64::MAX))].concat();
        prop_assert_eq!(all, split);
    }
}

#[derive(Deserialize)]
struct Vector {
    starts: DateTime,
    meeting_zone: Zone,
    phone_zone: Zone,
    side: Side,
    settings: ReminderSettings,
    /// Kind and local time on the phone.
    reminders: Vec<(ReminderKind, DateTime)>,
}

/// For other implementations of reminders; vectors are added and never changed.
#[test]
fn the_vectors_of_reminders_hold() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../tests/vectors/reminders.json")).unwrap();
    for it in vectors {
        let plan = plan(&meeting_at(it.starts, &it.meeting_zone), it.side, it.settings, &it.phone_zone);
        let found: Vec<_> = plan.iter().map(|reminder| (reminder.kind, reminder.at.in_zone(&it.phone_zone))).collect();
        assert_eq!(found, it.reminders, "{}", it.starts);
    }
    let pinned = meeting_at(date(2026, 10, 26).at(10, 0, 0, 0), &Zone::tokyo());
    let ids: Vec<_> = plan(&pinned, Side::Member, ALL, &Zone::tokyo()).iter().map(|it| it.id.to_string()).collect();
    assert_eq!(ids, ["85c40c05-cfbc-5fba-8d7e-be4d3036ce87", "fdf82996-69af-53b9-9b30-1b5c2ca8a011"]);
}

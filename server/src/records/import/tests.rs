//! Faults of a file, each named where it stands; and the spread of new pairs over the fortnight.

use std::collections::HashSet;

use taiwa_shared::domain::cadence::{Cadence, Rhythm, WeekOfMonth};

use super::*;

fn faults(text: &[u8]) -> Vec<String> {
    match Table::read(text).and_then(|table| table.managers(&BTreeMap::new())) {
        Err(ImportError::Faults(faults)) => faults.iter().map(Fault::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plain_file_is_read() {
    let text = "\u{feff}name,email,role,site,manager_email\r\n\
        佐藤 花子,Hanako@Example.jp,,名古屋,ken@example.jp\r\n\"高橋, 健\",ken@example.jp,HR,,\r\n\r\n";
    let table = Table::read(text.as_bytes()).unwrap();
    assert_eq!(table.rows.len(), 2);
    assert_eq!(table.rows[0].email.as_str(), "hanako@example.jp");
    assert_eq!(table.rows[0].site.as_deref(), Some("名古屋"));
    assert_eq!(table.rows[1].name, "高橋, 健");
    let managers = table.managers(&BTreeMap::new()).unwrap();
    assert_eq!(managers[&table.rows[0].email], table.rows[1].email);
}

#[test]
fn each_fault_is_named_with_line_and_column() {
    for (text, expected) in [
        (&b""[..], "line 1, column email: the column is missing"),
        (b"email,name\n", "line 1: there is a header but nobody below it"),
        (b"email,name,phone\na@x,A,1\n", "line 1: column 3 is called \"phone\""),
        (b"email,email,name\n", "line 1, column email: the column stands there twice"),
        (b"email,name\na@x,A\nb@x\n", "line 3: there are 1 cells where the header has 2"),
        (b"email,name\na@x,A\nnot an address,B\n", "line 3, column email: \"not an address\" is not an e-mail address"),
        (b"email,name\na@x,\n", "line 2, column name: the name is missing"),
        (b"email,name,role\na@x,A,boss\n", "line 2, column role: \"boss\" is not a role"),
        (b"email,name\na@x,A\nA@X,B\n", "line 3, column email: the same e-mail stands in line 2"),
        (b"email,name\na@x,\x83\x65\x83\x58\x83\x67\n", "line 2: the file is not UTF-8"),
        (b"email,name\na@x,A\0\n", "line 2: there is a NUL character"),
        (b"email,name\na@x,\"A\nB\"\n", "line 2, column name: there is a line break"),
        (b"email,name,manager_email\na@x,A,b@x\n", "line 2, column manager_email: nobody has the e-mail b@x"),
        (b"email,name,manager_email\na@x,A,a@x\n", "line 2, column manager_email: nobody can be their own manager"),
        (
            b"email,name,manager_email\nz@x,Z,a@x\na@x,A,b@x\nb@x,B,a@x\n",
            "line 3, column manager_email: the managers go in a circle",
        ),
    ] {
        let found = faults(text);
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected}\n{found:#?}");
    }
    assert_eq!(faults(&vec![b'a'; 11 * 1_024 * 1_024])[0], "line 1: the file is larger than 10 MiB: split it");
}

#[test]
fn a_file_full_of_faults_reports_the_first_twenty() {
    let text = format!("email,name\n{}", "nobody,\n".repeat(1_000));
    assert_eq!(faults(text.as_bytes()).len(), 20);
}

#[test]
fn the_pairs_of_a_manager_never_meet_at_the_same_time() {
    let manager = UserId::from_bytes([255; 16]);
    let now = Timestamp::from_millis(1_790_000_000_000);
    let mut calendar = Calendar::new([].iter(), now);
    let mut times = HashSet::new();
    for member in 0..160_u8 {
        let cadence = calendar.place(UserId::from_bytes([member; 16]), manager, &format!("member{member}@example.jp"));
        assert!((9..17).contains(&cadence.time.hour()), "{cadence:?}");
        assert!(cadence.first >= now.in_zone(&cadence.zone).date());
        assert!(times.insert((cadence.first, cadence.time)), "{cadence:?}");
    }
    // A fortnight has 160 half hours; the next one has to share.
    calendar.place(UserId::from_bytes([200; 16]), manager, "one more");
}

#[test]
fn a_monthly_pair_keeps_its_time_free_in_both_weeks() {
    let (member, manager) = (UserId::from_bytes([1; 16]), UserId::from_bytes([255; 16]));
    let now = Timestamp::from_millis(1_790_000_000_000);
    let cadence = Calendar::new([].iter(), now).place(member, manager, "the same seed");
    for (rhythm, taken) in [(Rhythm::Monthly(WeekOfMonth::First), 2), (Rhythm::Weekly, 2), (Rhythm::Biweekly, 1)] {
        let pair = Pair {
            id: PairId::from_bytes([7; 16]),
            member,
            manager,
            kind: PairKind::Line,
            cadence: Cadence { rhythm, ..cadence.clone() },
            cadence_revision: 0,
            state: PairState::Open,
        };
        let mut calendar = Calendar::new([&pair].into_iter(), now);
        let same_time =
            |placed: &Cadence| placed.time == cadence.time && placed.first.weekday() == cadence.first.weekday();
        let placed = (0..160 - taken).map(|i| calendar.place(UserId::from_bytes([i; 16]), manager, &i.to_string()));
        let beside = placed.filter(same_time).count();
        assert_eq!(beside, usize::from(2 - taken), "{rhythm:?}");
    }
}

//! Faults of a file, each named where it stands; characters; what a plan contains; the spread of new pairs.

use std::collections::HashSet;

use encoding_rs::SHIFT_JIS;
use taiwa_shared::{
    domain::people::Role,
    ids::UserId,
    protocol::people::{ChangedField, Difference, ImportColumn, ImportFault, NamedPair, PersonField, TextEncoding},
    time::Timestamp,
};

use super::{
    ImportError, Missing, Table,
    placement::Calendar,
    plan::{Making, Plan, Present, plan},
};
use crate::store::people::{Email, PersonRow};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const REMOVE: Missing = Missing::Remove { allowed: None };
const NOBODY: Present = Present { people: Vec::new(), sites: Vec::new(), open: Vec::new() };

fn planned(text: &str, present: &Present, missing: Missing) -> Result<Plan, ImportError> {
    let mut count = 0_u64;
    let mut random = || {
        count += 1;
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&count.to_be_bytes());
        bytes
    };
    plan(&Table::read(text.as_bytes())?, present, missing, Making { now: NOW, random: &mut random })
}

/// The records after a file was imported into others.
fn after(text: &str, present: &Present, missing: Missing) -> Present {
    let plan = planned(text, present, missing).unwrap();
    let mut people: Vec<PersonRow> = present.people.clone();
    for person in plan.change.into_iter().chain(plan.remove) {
        let place = people.iter().position(|it| it.id == person.id).unwrap();
        people[place] = person;
    }
    people.extend(plan.add);
    let open = present.open.iter().filter(|pair| !plan.close.contains(&pair.id)).cloned().chain(plan.open);
    let sites = present.sites.iter().cloned().chain(plan.sites);
    Present { people, sites: sites.collect(), open: open.collect() }
}

fn faults(text: &[u8]) -> Vec<String> {
    let outcome = Table::read(text).and_then(|table| {
        let mut random = || [0; 10];
        plan(&table, &NOBODY, REMOVE, Making { now: NOW, random: &mut random })
    });
    match outcome {
        Err(ImportError::Faults(faults)) => faults.iter().map(ImportFault::to_string).collect(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => Vec::new(),
    }
}

fn faults_of(outcome: Result<Plan, ImportError>) -> Vec<String> {
    match outcome {
        Err(ImportError::Faults(faults)) => faults.iter().map(ImportFault::to_string).collect(),
        _ => panic!("no faults"),
    }
}

#[test]
fn a_plain_file_is_read() {
    let text = "\u{feff}name,email,role,site,manager_email\r\n\
        佐藤 花子,Hanako@Example.jp,,名古屋,ken@example.jp\r\n\"高橋, 健\",ken@example.jp,HR,,\r\n\r\n";
    let table = Table::read(text.as_bytes()).unwrap();
    assert_eq!((table.rows.len(), table.encoding), (2, TextEncoding::Utf8));
    assert_eq!(table.rows[0].email.as_str(), "hanako@example.jp");
    assert_eq!(table.rows[0].site.as_deref(), Some("名古屋"));
    assert_eq!((table.rows[1].name.as_str(), table.rows[1].role), ("高橋, 健", Role::Hr));
    assert_eq!(table.rows[0].manager, Some(table.rows[1].email.clone()));
}

#[test]
fn japanese_headers_roles_and_empty_columns_of_excel_are_read() {
    for header in [
        "メールアドレス,氏名,部署/勤務地,上司のメールアドレス,役割,",
        "ﾒｰﾙｱﾄﾞﾚｽ, 氏名 ,勤務地,上司のメールアドレス,役割,",
        "ＥＭＡＩＬ,Name,部署,Manager_Email,役割,",
    ] {
        let text =
            format!("{header}\na@a.jp,阿部,東京,b@a.jp,人事,\nb@a.jp,馬場,,,管理者,\nc@a.jp,千葉,,,ﾒﾝﾊﾞｰ,\n,,,,,\n");
        let rows = Table::read(text.as_bytes()).unwrap().rows;
        assert_eq!(
            rows.iter().map(|row| row.role).collect::<Vec<_>>(),
            [Role::Hr, Role::Admin, Role::Member],
            "{header}"
        );
        assert_eq!((rows[0].site.as_deref(), rows[0].manager.as_ref()), (Some("東京"), Some(&rows[1].email)));
    }
}

#[test]
fn a_file_of_japanese_excel_is_read_with_the_characters_that_only_windows_has() {
    let text = "氏名,メールアドレス,部署/勤務地\r\n髙橋 健,ken@a.jp,①営業部\r\n山﨑 薫,kaoru@a.jp,㈱本社\r\n表 ソ能,so@a.jp,\r\n";
    let (bytes, _, lossy) = SHIFT_JIS.encode(text);
    assert!(!lossy && std::str::from_utf8(&bytes).is_err(), "the control");
    let table = Table::read(&bytes).unwrap();
    assert_eq!(table.encoding, TextEncoding::ShiftJis);
    let names: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["髙橋 健", "山﨑 薫", "表 ソ能"]);
    assert_eq!(table.rows[0].site.as_deref(), Some("①営業部"));
    let as_utf8 = Table::read(text.as_bytes()).unwrap();
    assert_eq!((as_utf8.rows, as_utf8.encoding), (table.rows, TextEncoding::Utf8));
}

#[test]
fn each_fault_is_named_with_line_and_column() {
    let too_long = format!("email,name\na@x,{}\n", "長".repeat(101));
    for (text, expected) in [
        (&b""[..], "line 1: there is no column email or メールアドレス"),
        (b"email\na@x\n", "line 1: there is no column name or 氏名"),
        (b"email,name\n", "line 1: there is a header but nobody below it"),
        (b"email,name,phone\na@x,A,1\n", "line 1, column 3 (phone): this column is not known; known are email or "),
        (b"email,email,name\n", "line 1, column 2 (email): there is a column for this already"),
        (b"email,name\na@x,A\nb@x\n", "line 3: there are 1 cells where the first line has 2"),
        (b"email,name,\na@x,A,1\n", "line 2, column 3 (): the first line has no name for this column"),
        (b"email,name\na@x,A\nnot an address,B\n", "line 3, column 1 (email): \"not an address\" is not an e-mail"),
        (b"email,name\na@x,\n", "line 2, column 2 (name): the name is missing"),
        (too_long.as_bytes(), "line 2, column 2 (name): the cell has more than 100 characters"),
        (b"email,name,role\na@x,A,boss\n", "line 2, column 3 (role): \"boss\" is not a role: write member"),
        (b"email,name\na@x,A\nA@X,B\n", "line 3, column 1 (email): the same e-mail stands in line 2"),
        (b"\xef\xbb\xbfemail,name\na@x,\xff\n", "line 2: the file says that it is UTF-8 and is not"),
        (b"email,name\na@x,A\nb@x,\xff\xff\n", "line 3: the file is neither UTF-8 nor Shift_JIS: save it as"),
        (b"\xff\xfee\0m\0", "line 1: the file is UTF-16: save it as"),
        (b"email,name\na@x,A\0\n", "line 2: there is a NUL character"),
        (b"email,name\na@x,\"A\nB\"\n", "line 2, column 2 (name): there is a line break"),
        ("email,name\na@x,\u{fffd}\n".as_bytes(), "line 2, column 2 (name): a character was lost"),
        (b"email,name\na@x,\xf0\x40\n", "line 2, column 2 (name): there is a character that only the computer"),
        (b"email,name,manager_email\na@x,A,b@x\n", "line 2, column 3 (manager_email): nobody has the e-mail b@x"),
        (b"email,name,manager_email\na@x,A,a@x\n", "line 2, column 3 (manager_email): nobody can be their own"),
        (
            b"email,name,manager_email\nz@x,Z,a@x\na@x,A,b@x\nb@x,B,a@x\n",
            "line 3, column 3 (manager_email): the managers go in a circle",
        ),
    ] {
        let found = faults(text);
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected}\n{found:#?}");
    }
    assert_eq!(
        faults(&vec![b'a'; 11 * 1_024 * 1_024])[0],
        "line 1: the file is larger than 10 MiB: this is not a list of people"
    );
    assert_eq!(
        faults("メールアドレス,氏名\nx,\n".as_bytes()).last().unwrap(),
        "line 2, column 2 (氏名): the name is missing"
    );
}

#[test]
fn a_file_full_of_faults_reports_the_first_twenty() {
    let text = format!("email,name\n{}", "nobody,\n".repeat(1_000));
    assert_eq!(faults(text.as_bytes()).len(), 20);
}

#[test]
fn any_bytes_give_a_table_or_faults_with_lines() {
    let mut state = 7_u32;
    for length in 0..400 {
        let bytes: Vec<u8> = (0..length)
            .map(|place| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"email,name\n\"\r\xe3\x83\xff\0"[(state >> 24) as usize % 17].wrapping_add((place % 251 == 250) as u8)
            })
            .collect();
        let with_header = [&b"email,name\n"[..], &bytes].concat();
        for bytes in [bytes, with_header] {
            match Table::read(&bytes) {
                Ok(table) => assert!(!table.rows.is_empty()),
                Err(ImportError::Faults(faults)) => {
                    assert!(faults.iter().all(|fault| fault.line > 0) && !faults.is_empty())
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

const LIST: &str = "email,name,site,manager_email,role\n\
    hanako@a.jp,佐藤 花子,名古屋,ken@a.jp,\nken@a.jp,高橋 健,名古屋,mari@a.jp,\nmari@a.jp,田中 真理,東京,,\nhr@a.jp,人事,東京,,hr\n";

#[test]
fn the_same_file_twice_changes_nothing() {
    let first = planned(LIST, &NOBODY, REMOVE).unwrap().difference;
    assert_eq!((first.added.len(), first.sites_added.len(), first.pairs_opened.len()), (4, 2, 2));
    assert_eq!((first.added[0].manager.as_deref(), first.added[3].role), (Some("高橋 健"), Role::Hr));
    let present = after(LIST, &NOBODY, REMOVE);
    let again = planned(LIST, &present, REMOVE).unwrap();
    assert_eq!(again.difference, Difference { unchanged: 4, ..Difference::default() });
    assert!(again.difference.is_empty() && again.close.is_empty() && again.open.is_empty());
}

#[test]
fn a_difference_says_what_was_and_what_becomes() {
    let present = after(LIST, &NOBODY, REMOVE);
    let text = "email,name,site,manager_email,role\nhanako@a.jp,佐藤 花子,大阪,mari@a.jp,\n\
        ken@a.jp,髙橋 健,名古屋,mari@a.jp,\nmari@a.jp,田中 真理,東京,,admin\n";
    let difference = planned(text, &present, REMOVE).unwrap().difference;
    let field =
        |field, old: &str, new: &str| ChangedField { field, old: Some(old.to_owned()), new: Some(new.to_owned()) };
    let fields: Vec<_> = difference.changed.iter().map(|person| person.fields.clone()).collect();
    assert_eq!(
        fields,
        [
            vec![field(PersonField::Site, "名古屋", "大阪"), field(PersonField::Manager, "高橋 健", "田中 真理")],
            vec![field(PersonField::Name, "高橋 健", "髙橋 健")],
            vec![field(PersonField::Role, "member", "admin")],
        ]
    );
    let pair = |member: &str, manager: &str| NamedPair { member: member.to_owned(), manager: manager.to_owned() };
    assert_eq!(difference.pairs_closed, [pair("佐藤 花子", "髙橋 健")]);
    assert_eq!(difference.pairs_opened, [pair("佐藤 花子", "田中 真理")]);
    assert_eq!((difference.removed.len(), difference.removed[0].name.as_str()), (1, "人事"));
    assert_eq!(difference.removal_to_allow, None, "one person is always few");
}

#[test]
fn a_column_that_is_not_there_changes_nothing() {
    let present = after(LIST, &NOBODY, REMOVE);
    let text = "email,name\nhanako@a.jp,佐藤 花子\nken@a.jp,高橋 健\nmari@a.jp,田中 真理\nhr@a.jp,人事\n";
    assert_eq!(
        planned(text, &present, REMOVE).unwrap().difference,
        Difference { unchanged: 4, ..Difference::default() }
    );
    // Without their manager a person has none.
    let gone = "email,name\nhanako@a.jp,佐藤 花子\nmari@a.jp,田中 真理\nhr@a.jp,人事\n";
    let difference = planned(gone, &present, REMOVE).unwrap().difference;
    assert_eq!((difference.removed.len(), difference.changed.len(), difference.pairs_closed.len()), (1, 1, 2));
}

#[test]
fn whoever_is_missing_goes_or_stays_as_is_said() {
    let present = after(LIST, &NOBODY, REMOVE);
    let text = "email,name,manager_email\nhanako@a.jp,佐藤 花子,ken@a.jp\nken@a.jp,高橋 健,\n";
    let difference = planned(text, &present, REMOVE).unwrap().difference;
    assert_eq!((difference.removed.len(), difference.pairs_closed.len()), (2, 1));
    let kept = planned(text, &present, Missing::Keep).unwrap().difference;
    assert_eq!((kept.removed.len(), kept.pairs_closed.len(), kept.changed.len()), (0, 1, 1));
    let above = "email,name,manager_email\nhanako@a.jp,佐藤 花子,mari@a.jp\n";
    assert!(planned(above, &present, Missing::Keep).is_ok());
    let found = faults_of(planned(above, &present, REMOVE));
    assert_eq!(
        found,
        [
            "line 2, column 3 (manager_email): mari@a.jp is not in this file and would be removed: add a line for this manager, or name another"
        ]
    );
    let without_mari = "email,name\nhanako@a.jp,佐藤 花子\nken@a.jp,高橋 健\nhr@a.jp,人事\n";
    let left = after(without_mari, &present, REMOVE);
    assert!(faults_of(planned(above, &left, Missing::Keep))[0].contains("mari@a.jp has left"));
    // A circle that closes through somebody who is not in the file.
    let circle = "email,name,manager_email\nmari@a.jp,田中 真理,hanako@a.jp\n";
    assert!(faults_of(planned(circle, &present, Missing::Keep))[0].contains("go in a circle"));
    // Coming back brings the same person.
    let back = planned(LIST, &left, REMOVE).unwrap();
    assert!(back.add.is_empty() && back.difference.changed.iter().any(|it| it.name == "田中 真理" && it.returns));
}

#[test]
fn more_than_a_tenth_and_more_than_two_are_not_removed_without_a_word() {
    let list = |people: usize| {
        let rows: String = (0..people).map(|number| format!("p{number}@a.jp,人{number}\n")).collect();
        format!("email,name\n{rows}")
    };
    for (before, now, expected) in
        [(4, 2, None), (4, 1, Some(3)), (30, 27, None), (29, 26, Some(3)), (100, 90, None), (100, 89, Some(11))]
    {
        let present = after(&list(before), &NOBODY, REMOVE);
        let difference = planned(&list(now), &present, REMOVE).unwrap().difference;
        assert_eq!((difference.removed.len(), difference.removal_to_allow), (before - now, expected), "{before} {now}");
        assert_eq!(planned(&list(now), &present, Missing::Keep).unwrap().difference.removal_to_allow, None);
    }
}

#[test]
fn the_largest_file_is_planned_in_bounded_time_whatever_its_shape() {
    // A chain of a hundred thousand managers, which closes into one circle.
    let row = |number: usize, manager: usize| format!("p{number}@a.jp,P,p{manager}@a.jp\n");
    let chain: String = (0..99_999).map(|number| row(number, number + 1)).collect();
    let circle = format!("email,name,manager_email\n{chain}{}", row(99_999, 0));
    assert_eq!(faults_of(planned(&circle, &NOBODY, REMOVE)).len(), 20);
    let more = format!("email,name,manager_email\n{chain}{}", "x@a.jp,X,\ny@a.jp,Y,\n");
    assert_eq!(
        faults(more.as_bytes())[0],
        "line 100002: there are more than 100000 people: this is not one organisation"
    );
}

#[test]
fn a_column_is_numbered_as_the_file_has_it() {
    let table = Table::read(b"name,email\nA,a@x\n").unwrap();
    let column = table.column(super::header::Field::Email);
    assert_eq!(column, Some(ImportColumn { number: 2, name: "email".to_owned() }));
    assert_eq!(table.rows[0].email, Email::normalise("a@x"));
}

#[test]
fn the_pairs_of_a_manager_never_meet_at_the_same_time() {
    let manager = UserId::from_bytes([255; 16]);
    let mut calendar = Calendar::new([].iter(), NOW);
    let mut times = HashSet::new();
    for member in 0..160_u8 {
        let cadence = calendar.place(UserId::from_bytes([member; 16]), manager, &format!("member{member}@example.jp"));
        assert!((9..17).contains(&cadence.time.hour()), "{cadence:?}");
        assert!(cadence.first >= NOW.in_zone(&cadence.zone).date());
        assert!(times.insert((cadence.first, cadence.time)), "{cadence:?}");
    }
    // A fortnight has 160 half hours; the next one has to share.
    calendar.place(UserId::from_bytes([200; 16]), manager, "one more");
}

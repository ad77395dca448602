//! The records pull: nothing is missed, nothing is taken away by absence, and nobody sees what is not theirs.

use std::{
    collections::BTreeMap,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
};

use taiwa_server::{
    records::{
        access::{Principal, document_grant},
        claims::claim,
        upkeep::lose_sight_of_closed_pairs,
    },
    store::{Store, pairs::Sight},
};
use taiwa_shared::{
    domain::{
        meeting::Meeting,
        ownership::{Access, DocumentKey},
        people::Pair,
    },
    ids::{DocumentId, HeadsDigest},
    protocol::records::{ClaimOutcome, ClaimRequest, DocumentClaim, RecordEntry},
};

use super::fixture::{DAY, Fixture, document_ids, documents, pairs};

const COMPANY: &str = "email,name,manager_email\n\
    hanako@a.jp,佐藤 花子,ken@a.jp\n\
    taro@a.jp,鈴木 太郎,ken@a.jp\n\
    ken@a.jp,高橋 健,\n\
    mari@a.jp,田中 真理,\n";

super::on_both! {
    a_reader_misses_nothing_while_many_write;
    more_than_a_page_comes_whole_and_once;
    a_person_sees_themselves_their_partners_and_nobody_else;
    a_cursor_of_another_epoch_or_ahead_starts_over_and_takes_nothing_away;
    gained_sight_brings_everything_below_whatever_the_cursor;
    lost_sight_is_one_entry_and_ones_own_notes_stay;
    a_closed_pair_is_read_by_its_member_for_good_and_by_its_manager_for_thirty_days;
    drafts_are_the_members_alone;
    organisations_do_not_meet;
    authors_come_with_readable_documents_only;
}

async fn claim_all(fixture: &Fixture, who: &Principal, claims: Vec<DocumentClaim>) -> Vec<DocumentId> {
    let answer = claim(&fixture.store, &fixture.bus, who, &ClaimRequest { claims }, fixture.now()).await.unwrap();
    let known = answer.outcomes.into_iter().map(|outcome| match outcome {
        ClaimOutcome::Known { document, .. } => document,
        ClaimOutcome::Refused => panic!("a claim was refused"),
    });
    known.collect()
}

/// Draft, prep and memo of the pair's next meeting, its notebook, and the member's private notes.
fn all_kinds(fixture: &Fixture, pair: &Pair) -> Vec<DocumentClaim> {
    let today = fixture.now().in_zone(&pair.cadence.zone).date();
    let slot = pair.cadence.slots(today, today.saturating_add(jiff_days(20))).next();
    let meeting = Meeting::id_of_slot(pair.id, slot.unwrap());
    let keys = [
        DocumentKey::Draft { pair: pair.id, meeting },
        DocumentKey::Prep { pair: pair.id, meeting },
        DocumentKey::Memo { pair: pair.id, meeting },
        DocumentKey::Notebook { pair: pair.id },
        DocumentKey::Private { pair: pair.id, user: pair.member },
    ];
    keys.into_iter().map(|key| DocumentClaim { key, slot }).collect()
}

fn jiff_days(days: i64) -> jiff::Span {
    jiff::ToSpan::days(days)
}

async fn a_reader_misses_nothing_while_many_write(fixture: Fixture) {
    const WRITERS: u8 = 8;
    const ROUNDS: u8 = 25;
    fixture.import("a", COMPANY).await;
    let ken = fixture.principal("a", "ken@a.jp").await;
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let pair = fixture.pair_of(&hanako).await;
    let notebook = claim_all(&fixture, &hanako, all_kinds(&fixture, &pair)).await[3];
    let start: jiff::civil::Date = fixture.now().in_zone(&pair.cadence.zone).date();

    let writing = Arc::new(AtomicBool::new(true));
    let fixture = Arc::new(fixture);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (fixture, hanako) = (Arc::clone(&fixture), hanako);
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let slot = start.saturating_add(jiff_days(i64::from(writer) * 25 + i64::from(round)));
                let meeting = Meeting::id_of_slot(pair.id, slot);
                let key = DocumentKey::Memo { pair: pair.id, meeting };
                let made = claim_all(&fixture, &hanako, vec![DocumentClaim { key, slot: Some(slot) }]).await;
                let digest = HeadsDigest::of([[writer; 32], [round; 32]]);
                let both = [(made[0], digest), (notebook, digest)];
                let mut tx = fixture.store.begin().await.unwrap();
                let rev = tx.next_rev(hanako.organisation).await.unwrap();
                for (document, digest) in both {
                    tx.renew_digest(hanako.organisation, document, digest, rev).await.unwrap();
                }
                tx.commit().await.unwrap();
            }
        });
    }
    let reader = tokio::spawn({
        let (fixture, writing) = (Arc::clone(&fixture), Arc::clone(&writing));
        async move {
            let mut seen: BTreeMap<DocumentId, Option<HeadsDigest>> = BTreeMap::new();
            let mut cursor = None;
            let mut pulls = 0;
            loop {
                let last = !writing.load(Ordering::SeqCst);
                let (entries, next) = fixture.pull(&ken, cursor.as_deref()).await;
                seen.extend(documents(&entries).into_iter().map(|document| (document.id, document.digest)));
                cursor = Some(next);
                pulls += 1;
                if last {
                    return (seen, pulls);
                }
            }
        }
    });
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    writing.store(false, Ordering::SeqCst);
    let (seen, pulls) = reader.await.unwrap();
    let (entries, _) = fixture.pull(&ken, None).await;
    let all: BTreeMap<_, _> = documents(&entries).into_iter().map(|document| (document.id, document.digest)).collect();
    assert!(all.len() > usize::from(WRITERS) * usize::from(ROUNDS), "{} documents", all.len());
    assert!(pulls > 1, "the reader has to read while there is writing");
    assert_eq!(seen, all);
}

async fn more_than_a_page_comes_whole_and_once(fixture: Fixture) {
    let members: String = (0..700).map(|n| format!("m{n}@a.jp,Member {n},boss@a.jp\n")).collect();
    fixture.import("a", &format!("email,name,manager_email\nboss@a.jp,Boss,\n{members}")).await;
    let boss = fixture.principal("a", "boss@a.jp").await;
    let first = fixture.page(&boss, None).await;
    assert!(first.more);
    let (entries, cursor) = fixture.pull(&boss, None).await;
    assert_eq!(entries.len(), 701 + 700);
    let mut ids = pairs(&entries);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 700);
    assert_eq!(fixture.page(&boss, Some(&cursor)).await.entries, []);
}

async fn a_person_sees_themselves_their_partners_and_nobody_else(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    for (email, expected) in [
        ("hanako@a.jp", &["佐藤 花子", "高橋 健"][..]),
        ("ken@a.jp", &["佐藤 花子", "鈴木 太郎", "高橋 健"]),
        ("mari@a.jp", &["田中 真理"]),
    ] {
        let (entries, _) = fixture.pull(&fixture.principal("a", email).await, None).await;
        let mut names: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                RecordEntry::Person(person) => Some(person.name.as_str()),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{email}");
    }
}

async fn a_cursor_of_another_epoch_or_ahead_starts_over_and_takes_nothing_away(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let (all, cursor) = fixture.pull(&hanako, None).await;
    assert_eq!(fixture.page(&hanako, Some(&cursor)).await.entries, []);

    let ahead = cursor.replacen(".1.", ".9000.", 1);
    assert_ne!(ahead, cursor);
    let page = fixture.page(&hanako, Some(&ahead)).await;
    assert_eq!((page.entries, page.epoch), (all.clone(), fixture.store.epoch()));

    fixture.store.renew_epoch(fixture.now()).await.unwrap();
    let mut restored = fixture;
    restored.store = Store::open(&restored.url, restored.now()).await.unwrap();
    let page = restored.page(&hanako, Some(&cursor)).await;
    assert_eq!((page.entries, page.epoch), (all, restored.store.epoch()));
    assert!(!page.cursor.starts_with(&cursor[..36]));
}

async fn gained_sight_brings_everything_below_whatever_the_cursor(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, mari) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "mari@a.jp").await);
    let pair = fixture.pair_of(&hanako).await;
    claim_all(&fixture, &hanako, all_kinds(&fixture, &pair)).await;
    let (before, cursor) = fixture.pull(&hanako, None).await;

    set_sight(&fixture, &hanako, &pair, Sight::Lost).await;
    let (lost, cursor) = fixture.pull(&hanako, Some(&cursor)).await;
    assert!(lost.contains(&RecordEntry::PairLost { pair: pair.id }));
    set_sight(&fixture, &hanako, &pair, Sight::Granted).await;
    let (again, _) = fixture.pull(&hanako, Some(&cursor)).await;
    assert_eq!(pairs(&again), [pair.id]);
    assert_eq!(document_ids(&again), document_ids(&before));
    assert!(again.iter().any(|entry| matches!(entry, RecordEntry::Meeting(_))));
    assert!(again.iter().any(|entry| matches!(entry, RecordEntry::Person(person) if person.id == pair.manager)));

    let (others, _) = fixture.pull(&mari, None).await;
    assert_eq!(others.len(), 1, "{others:?}");
}

async fn set_sight(fixture: &Fixture, who: &Principal, pair: &Pair, sight: Sight) {
    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(who.organisation).await.unwrap();
    tx.set_sight(who.organisation, who.user, pair.id, sight, rev).await.unwrap();
    tx.commit().await.unwrap();
}

async fn lost_sight_is_one_entry_and_ones_own_notes_stay(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let hanako = fixture.principal("a", "hanako@a.jp").await;
    let pair = fixture.pair_of(&hanako).await;
    let made = claim_all(&fixture, &hanako, all_kinds(&fixture, &pair)).await;
    let private = made[4];
    let (_, cursor) = fixture.pull(&hanako, None).await;
    set_sight(&fixture, &hanako, &pair, Sight::Lost).await;

    let (entries, _) = fixture.pull(&hanako, Some(&cursor)).await;
    // The loss comes first, so that what the phone keeps is what is said after it.
    assert_eq!(entries[0], RecordEntry::PairLost { pair: pair.id });
    assert_eq!(document_ids(&entries), [private]);
    assert_eq!(entries.len(), 2, "{entries:?}");
    for document in made {
        let grant = document_grant(&fixture.store, &hanako, document, fixture.now()).await.unwrap();
        assert_eq!(grant.map(|grant| grant.access), (document == private).then_some(Access::Write));
    }
}

async fn a_closed_pair_is_read_by_its_member_for_good_and_by_its_manager_for_thirty_days(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, ken) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "ken@a.jp").await);
    let pair = fixture.pair_of(&hanako).await;
    let made = claim_all(&fixture, &hanako, all_kinds(&fixture, &pair)).await;
    let memo = made[2];
    let (_, cursor) = fixture.pull(&ken, None).await;
    let (_, members) = fixture.pull(&hanako, None).await;
    let access_of = async |who| {
        let grant = document_grant(&fixture.store, who, memo, fixture.now()).await.unwrap();
        grant.map_or(Access::None, |grant| grant.access)
    };
    let access = async || access_of(&ken).await;
    assert_eq!((access().await, access_of(&hanako).await), (Access::Write, Access::Write));

    let moved = fixture.import("a", "email,name,manager_email\nhanako@a.jp,佐藤 花子,mari@a.jp\n").await.difference;
    assert_eq!((moved.pairs_opened.len(), moved.pairs_closed.len()), (1, 1));
    assert_eq!(access().await, Access::Read);
    let (entries, cursor) = fixture.pull(&ken, Some(&cursor)).await;
    assert_eq!(pairs(&entries), [pair.id]);
    let read_only = documents(&entries).iter().all(|document| document.access == Access::Read);
    assert!(read_only && documents(&entries).iter().any(|document| document.id == memo), "{entries:?}");
    let (_, members) = fixture.pull(&hanako, Some(&members)).await;

    fixture.clock.advance(29 * DAY);
    lose_sight_of_closed_pairs(&fixture.store, &fixture.bus, fixture.now()).await.unwrap();
    assert_eq!(access().await, Access::Read);
    assert_eq!(fixture.pull(&ken, Some(&cursor)).await.0, []);
    fixture.clock.advance(DAY);
    assert_eq!(access().await, Access::None, "by time alone");
    lose_sight_of_closed_pairs(&fixture.store, &fixture.bus, fixture.now()).await.unwrap();
    assert_eq!(fixture.pull(&ken, Some(&cursor)).await.0, [RecordEntry::PairLost { pair: pair.id }]);
    let counter = fixture.store.counter(ken.organisation).await.unwrap();
    lose_sight_of_closed_pairs(&fixture.store, &fixture.bus, fixture.now()).await.unwrap();
    assert_eq!(fixture.store.counter(ken.organisation).await.unwrap(), counter, "once is enough");
    assert_eq!(access_of(&hanako).await, Access::Read, "the member reads on");
    assert_eq!(fixture.pull(&hanako, Some(&members)).await.0, [], "and is told to drop nothing");
}

async fn drafts_are_the_members_alone(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, ken) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "ken@a.jp").await);
    let pair = fixture.pair_of(&hanako).await;
    let made = claim_all(&fixture, &hanako, all_kinds(&fixture, &pair)).await;
    let (draft, private) = (made[0], made[4]);
    let ids = document_ids(&fixture.pull(&ken, None).await.0);
    assert_eq!(ids.len(), 3);
    for document in [draft, private] {
        assert!(!ids.contains(&document));
        assert_eq!(document_grant(&fixture.store, &ken, document, fixture.now()).await.unwrap(), None);
        assert!(document_grant(&fixture.store, &hanako, document, fixture.now()).await.unwrap().is_some());
    }
}

async fn organisations_do_not_meet(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    fixture.import("b", COMPANY).await;
    let (ours, theirs) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("b", "hanako@a.jp").await);
    assert_ne!(ours.user, theirs.user);
    let pair = fixture.pair_of(&ours).await;
    let made = claim_all(&fixture, &ours, all_kinds(&fixture, &pair)).await;

    let (entries, _) = fixture.pull(&theirs, None).await;
    assert_eq!(documents(&entries), Vec::<&_>::new());
    assert!(!pairs(&entries).contains(&pair.id));
    // The same person's id in another organisation, as if a token had been mixed up.
    let mixed = Principal { organisation: theirs.organisation, ..ours };
    assert_eq!(fixture.pull(&mixed, None).await.0, []);
    let request = ClaimRequest { claims: all_kinds(&fixture, &pair) };
    for stranger in [theirs, mixed] {
        for document in &made {
            assert_eq!(document_grant(&fixture.store, &stranger, *document, fixture.now()).await.unwrap(), None);
        }
        let answer = claim(&fixture.store, &fixture.bus, &stranger, &request, fixture.now()).await.unwrap();
        assert!(answer.outcomes.iter().all(|outcome| *outcome == ClaimOutcome::Refused), "{answer:?}");
    }
    assert_eq!(fixture.store.counter(theirs.organisation).await.unwrap(), 1);
}

async fn authors_come_with_readable_documents_only(fixture: Fixture) {
    fixture.import("a", COMPANY).await;
    let (hanako, ken) = (fixture.principal("a", "hanako@a.jp").await, fixture.principal("a", "ken@a.jp").await);
    let pair = fixture.pair_of(&hanako).await;
    let made = claim_all(&fixture, &hanako, all_kinds(&fixture, &pair)).await;
    let (draft, memo) = (made[0], made[2]);
    let (_, cursor) = fixture.pull(&ken, None).await;
    let mut tx = fixture.store.begin().await.unwrap();
    let rev = tx.next_rev(hanako.organisation).await.unwrap();
    for document in [draft, memo] {
        tx.bind_author(hanako.organisation, document, &[0xab; 16], hanako.user, rev).await.unwrap();
        tx.bind_author(hanako.organisation, document, &[0xab; 16], ken.user, rev).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(fixture.store.authors(hanako.organisation, memo).await.unwrap(), [(vec![0xab; 16], hanako.user)]);
    let authors = |entries: Vec<RecordEntry>| -> Vec<DocumentId> {
        let found = entries.into_iter().filter_map(|entry| match entry {
            RecordEntry::Author(author) => {
                assert_eq!((author.user, author.actor), (hanako.user, "ab".repeat(16)));
                Some(author.document)
            }
            _ => None,
        });
        found.collect()
    };
    assert_eq!(authors(fixture.pull(&ken, Some(&cursor)).await.0), [memo]);
    let mut mine = authors(fixture.pull(&hanako, None).await.0);
    mine.sort_unstable();
    let mut both = [draft, memo];
    both.sort_unstable();
    assert_eq!(mine, both);
}

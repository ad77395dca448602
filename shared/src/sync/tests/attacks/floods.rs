//! Attacks by amount: each change is well-formed, and all of them together are not wanted.

use super::{
    ATTACKER, ActorId, AutoCommit, Change, CommitOptions, ExpandedChange, MAX_HEADS, NonZeroU64, ObjType, ROOT,
    ReadDoc, Rejection, Transactable, VICTIM, changes_since, fault, message, scene, type_key,
};
use crate::sync::{
    limits::{MAX_OBJECT_DEPTH, MAX_START_OP_GAP},
    rejection::ChangeFault,
};

fn actor(n: u32) -> ActorId {
    ActorId::from([&[0xac; 12][..], &n.to_be_bytes()].concat())
}

/// Of one text typed by as many people at once as there are chunks, none of whom knows of the others.
fn at_once(from: &AutoCommit, count: u32) -> Vec<Vec<u8>> {
    let mut fork = from.clone().with_actor(actor(0));
    type_key(&mut fork, "h");
    let template = fork.get_last_local_change().unwrap();
    (0..count)
        .map(|n| {
            let mut change = template.decode();
            change.actor_id = actor(n);
            Change::from(change).raw_bytes().to_vec()
        })
        .collect()
}

#[test]
fn five_thousand_actors_at_once_are_refused() {
    let one = scene();
    let chunks = at_once(&one.attacker, 5_000);
    // The first are like any others, so it is the number that is refused.
    let mut control = scene();
    assert_eq!(control.hub.receive(ATTACKER, &message(chunks[..MAX_HEADS].to_vec())), Ok(MAX_HEADS));
    let rejection = one.refuses(&message(chunks));
    assert!(matches!(rejection, Rejection::TooMuch(_)), "{rejection}");
}

#[test]
fn five_thousand_actors_in_a_row_hold_nobody_up() {
    // As a client does that is started anew for each word.
    let mut one = scene();
    let template = one.honest();
    let (mut heads, mut chunks) = (template.deps().to_vec(), Vec::new());
    for (n, start_op) in (0..5_000).zip(template.start_op().get()..) {
        let mut change = template.decode();
        (change.actor_id, change.deps) = (actor(n), heads);
        change.start_op = NonZeroU64::new(start_op).unwrap();
        let change = Change::from(change);
        heads = vec![change.hash()];
        chunks.push(change.raw_bytes().to_vec());
    }
    for part in chunks.chunks(2_500) {
        assert_eq!(one.hub.receive(ATTACKER, &message(part.to_vec())), Ok(part.len()));
        one.hub.commit();
    }
    let before = one.victim.get_heads();
    let started = std::time::Instant::now();
    type_key(&mut one.victim, "k");
    assert_eq!(one.hub.receive(VICTIM, &message(changes_since(&mut one.victim, &before))), Ok(1));
    one.hub.commit();
    let answer = one.hub.send(ATTACKER).expect("the others hear of it");
    // Mostly its first Bloom filter, of ten bits for each change; Automerge's own answer has 439 KB.
    assert!(answer.len() < 10_000, "{} bytes for one key", answer.len());
    assert!(started.elapsed().as_secs() < 2, "one key took {:?}", started.elapsed());
}

#[test]
fn objects_nested_a_hundred_thousand_deep_are_refused_at_the_first_level_too_many() {
    let mut one = scene();
    let mut inside = ROOT;
    let mut depth = 0;
    // Each level in a change of its own, a hundred changes at a time.
    loop {
        let before = one.attacker.get_heads();
        for _ in 0..100 {
            inside = one.attacker.put_object(&inside, "in", ObjType::Map).unwrap();
            one.attacker.commit_with(CommitOptions::default().with_time(0));
            depth += 1;
        }
        let chunks = changes_since(&mut one.attacker, &before);
        match one.hub.receive(ATTACKER, &message(chunks)) {
            Ok(_) => one.hub.commit(),
            Err(Rejection::Change { fault, .. }) => {
                assert_eq!(fault, ChangeFault::Reference("objects nested too deeply"));
                break;
            }
            Err(other) => panic!("not a fault of a change: {other}"),
        }
        assert!(depth < 100_000_usize, "any depth is accepted");
    }
    assert!(depth <= 100 + usize::from(MAX_OBJECT_DEPTH));
    let before = one.victim.get_heads();
    type_key(&mut one.victim, "k");
    assert_eq!(one.hub.receive(VICTIM, &message(changes_since(&mut one.victim, &before))), Ok(1));
}

#[test]
fn counters_can_be_driven_up_only_by_as_much_as_a_large_change_brings() {
    let mut one = scene();
    let top = one.attacker.get_changes(&[]).iter().map(Change::max_op).max().unwrap();
    let start = |op| move |change: &mut ExpandedChange| change.start_op = NonZeroU64::new(op).unwrap();
    let high = one.forge(start(top + 1 + MAX_START_OP_GAP));
    assert_eq!(one.hub.receive(ATTACKER, &message(vec![high])), Ok(1));
    one.hub.commit();
    let mut one = scene();
    let higher = one.forge(start(top + 2 + MAX_START_OP_GAP));
    assert_eq!(fault(one.refuses_chunk(higher)), ChangeFault::StartOp);
}

#[test]
fn the_text_of_a_flooded_document_still_goes_to_everybody() {
    let mut one = scene();
    let chunks = at_once(&one.attacker, MAX_HEADS as u32);
    assert_eq!(one.hub.receive(ATTACKER, &message(chunks)), Ok(MAX_HEADS));
    one.hub.commit();
    // The victim receives all of it with automerge's own engine and goes on typing over it.
    let mut state = automerge::sync::State::new();
    loop {
        use automerge::sync::SyncDoc;
        let said = one.victim.sync().generate_sync_message(&mut state);
        if let Some(said) = &said {
            one.hub.receive(VICTIM, &said.clone().encode()).unwrap();
        }
        let heard = one.hub.send(VICTIM);
        if let Some(heard) = &heard {
            let heard = automerge::sync::Message::decode(heard).unwrap();
            one.victim.sync().receive_sync_message(&mut state, heard).unwrap();
        }
        if said.is_none() && heard.is_none() {
            break;
        }
    }
    let (_, body) = one.victim.get(ROOT, "body").unwrap().unwrap();
    assert_eq!(one.victim.text(&body).unwrap().matches('h').count(), MAX_HEADS);
    let before = one.victim.get_heads();
    type_key(&mut one.victim, "k");
    assert_eq!(one.hub.receive(VICTIM, &message(changes_since(&mut one.victim, &before))), Ok(1));
    one.hub.commit();
    assert_eq!(one.hub.sync.heads().len(), 1, "one edit on top of all of them");
}

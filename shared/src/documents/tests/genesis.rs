use std::collections::BTreeMap;

use automerge::{Automerge, Change, ReadDoc};
use serde::{Deserialize, Serialize};

use super::{ALL, DocumentKey, MEMO};
use crate::documents::genesis;

/// One line of `tests/interop/genesis.json`, which the JavaScript check reads too. Lines are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Golden {
    key: DocumentKey,
    generation: u32,
    document: String,
    document_bytes: String,
    message: String,
    containers: Vec<(String, String)>,
    hash: String,
    bytes: String,
}

fn golden(key: DocumentKey, generation: u32) -> Golden {
    let genesis = genesis(&key, generation);
    let change = Change::from_bytes(genesis.bytes.clone()).unwrap();
    let mut doc = Automerge::new();
    doc.apply_changes([change.clone()]).unwrap();
    let container = |container: &genesis::Container| {
        let id = doc.get(automerge::ROOT, container.key()).unwrap().unwrap().1;
        (container.key().to_owned(), doc.object_type(id).unwrap().to_string())
    };
    Golden {
        key,
        generation,
        document: genesis.document.to_string(),
        document_bytes: hex::encode(genesis.document.as_bytes()),
        message: change.message().unwrap().to_owned(),
        containers: genesis::containers(&key).iter().map(container).collect(),
        hash: genesis.hash.to_string(),
        bytes: hex::encode(&genesis.bytes),
    }
}

#[test]
fn every_genesis_is_the_one_that_all_devices_make() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/genesis.json");
    let made: Vec<Golden> = ALL.into_iter().map(|key| golden(key, 0)).chain([golden(MEMO, 1)]).collect();
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let committed: Vec<Golden> = serde_json::from_str(&committed)
        .unwrap_or_else(|_| panic!("{path} has to hold:\n{}", serde_json::to_string_pretty(&made).unwrap()));
    assert_eq!(made, committed);
}

#[test]
fn a_genesis_belongs_to_nobody_and_to_one_document() {
    let mut hashes = BTreeMap::new();
    for (key, generation) in ALL.into_iter().flat_map(|key| [(key, 0), (key, 1)]) {
        let genesis = genesis(&key, generation);
        let change = Change::from_bytes(genesis.bytes).unwrap();
        assert_eq!((change.seq(), change.timestamp(), change.author()), (1, 0, None));
        assert!(change.deps().is_empty());
        assert_eq!(hashes.insert(genesis.hash, (key, generation)), None);
    }
}

#[test]
fn containers_are_found_by_their_object_ids() {
    for key in ALL {
        let mut doc = Automerge::new();
        doc.apply_changes([Change::from_bytes(genesis(&key, 0).bytes).unwrap()]).unwrap();
        for container in genesis::containers(&key) {
            let (_, id) = doc.get(automerge::ROOT, container.key()).unwrap().unwrap();
            assert_eq!(Some(id), container.object(&key), "{key:?} {container:?}");
        }
    }
}

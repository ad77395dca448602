//! The published prep: what the manager gets to read.
//!
//! Publishing writes the draft's final state and only where it differs, so that the prep's history holds what was
//! said and nothing of how somebody arrived at it.

use std::collections::BTreeMap;

use automerge::{Automerge, ObjId, ScalarValue, transaction::Transactable};

use super::{
    choices::{self, Preparation},
    error::DocumentError,
    fields,
    genesis::Container,
    replica::Replica,
};
use crate::{
    domain::{brief::PreparedTopic, catalog::TopicSlug, ownership::DocumentKey},
    time::Timestamp,
};

/// What was published last; empty if nothing was.
pub fn read(prep: &Replica) -> Preparation {
    choices::read(prep)
}

/// これで伝える: writes what the draft shows into the prep, in one change or none. Says whether there was anything new.
///
/// Topics beyond the first three stay in the draft.
///
/// # Errors
/// [`DocumentError::WrongKind`] if these are not a prep and a draft.
pub fn publish(prep: &mut Replica, draft: &Replica, now: Timestamp) -> Result<bool, DocumentError> {
    for (replica, wanted, fits) in [
        (&*prep, "prep", matches!(prep.key(), DocumentKey::Prep { .. })),
        (draft, "draft", matches!(draft.key(), DocumentKey::Draft { .. })),
    ] {
        if !fits {
            return Err(DocumentError::WrongKind { wanted, actual: replica.key().kind() });
        }
    }
    let shown = choices::read(draft);
    let shown = shown.shown();
    let topics = shown.iter().zip(0_i64..).map(|(topic, order)| (topic.topic.as_str().to_owned(), order)).collect();
    let response = shown.iter().map(|it| (it.topic.as_str().to_owned(), it.response.value.as_str().to_owned()));
    let word = |it: &PreparedTopic| {
        let word = it.word.as_ref().filter(|word| !word.value.is_empty())?;
        Some((it.topic.as_str().to_owned(), word.value.clone()))
    };
    let (responses, words) = (response.collect(), shown.iter().filter_map(word).collect());

    let mut differences = Differences::default();
    let doc = prep.doc();
    differences
        .collect(doc, &prep.container(Container::Topics)?, &topics, |map, key| fields::sole_number(doc, map, key));
    for (container, wanted) in [(Container::Responses, responses), (Container::Words, words)] {
        let map = prep.container(container)?;
        differences.collect(doc, &map, &wanted, |map, key| {
            fields::text(doc, map, key).filter(|now| now.others.is_empty()).map(|now| now.value)
        });
    }
    let Differences { puts, deletes } = differences;
    if puts.is_empty() && deletes.is_empty() {
        return Ok(false);
    }
    prep.edit(now, |tx| {
        for (map, key) in &deletes {
            tx.delete(map, key.as_str())?;
        }
        for (map, key, value) in puts {
            tx.put(&map, key.as_str(), value)?;
        }
        Ok(true)
    })
}

#[derive(Default)]
struct Differences {
    puts: Vec<(ObjId, String, ScalarValue)>,
    deletes: Vec<(ObjId, String)>,
}

impl Differences {
    fn collect<T: PartialEq + Clone + Into<ScalarValue>>(
        &mut self,
        doc: &Automerge,
        map: &ObjId,
        wanted: &BTreeMap<String, T>,
        standing: impl Fn(&ObjId, &str) -> Option<T>,
    ) {
        for (key, value) in wanted {
            if standing(map, key).as_ref() != Some(value) {
                self.puts.push((map.clone(), key.clone(), value.clone().into()));
            }
        }
        // Keys that are no topics are a newer version's business.
        let is_gone = |key: &String| !wanted.contains_key(key) && key.parse::<TopicSlug>().is_ok();
        let gone = fields::keys(doc, map).into_iter().filter(is_gone);
        self.deletes.extend(gone.map(|key| (map.clone(), key)));
    }
}

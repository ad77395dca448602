//! Who wrote what and when: the authors of each paragraph and the timeline of a document.
//!
//! Called for a memo's coloured edge and its list of versions. Authors are proven by the history (a change's author),
//! times are the writers' own clocks, to the minute.

use std::{collections::HashSet, time::Duration};

use automerge::{ChangeHash, ReadDoc, ScalarValueRef, ValueRef};

use super::{fields::actor_of, genesis::Container, replica::Replica};
use crate::{ids::UserId, time::Timestamp};

/// A pause after which somebody's writing counts as a new version.
const VERSION_GAP: Duration = Duration::from_secs(5 * 60);

/// A paragraph of a memo: a line of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paragraph {
    /// Where it begins, in UTF-16 units.
    pub start: usize,
    /// Its length in UTF-16 units, without the line break.
    pub length: usize,
    /// Who wrote what stands in it, the one with the most first; unknown writers are left out.
    pub authors: Vec<UserId>,
}

/// A stretch of somebody's work on a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Whose, if known.
    pub author: Option<UserId>,
    /// First and last minute of it, by the author's clock.
    pub from: Timestamp,
    /// See [`Self::from`].
    pub until: Timestamp,
    /// Number of changes.
    pub changes: usize,
    /// Heads of the document after it, for [`super::memo::text_at`].
    pub heads: Vec<ChangeHash>,
}

impl Replica {
    /// The paragraphs of a memo with their authors; none in other documents.
    pub fn paragraphs(&self) -> Vec<Paragraph> {
        let Ok(body) = self.container(Container::Body) else { return Vec::new() };
        let mut paragraphs = Vec::new();
        let mut line = Line::default();
        for item in self.doc().list_range(&body, ..) {
            let ValueRef::Scalar(ScalarValueRef::Str(text)) = &item.value else { continue };
            let id = item.id();
            let author = actor_of(&id).and_then(|actor| self.author(actor));
            line.push(text, author, &mut paragraphs);
        }
        paragraphs.push(line.end());
        paragraphs
    }

    /// The timeline: stretches of one author's changes with pauses of at most five minutes, oldest first.
    pub fn versions(&self) -> Vec<Version> {
        let mut versions: Vec<Version> = Vec::new();
        let mut heads: HashSet<ChangeHash> = HashSet::new();
        for change in self.doc().get_changes_meta(&[]) {
            for dependency in &change.deps {
                heads.remove(dependency);
            }
            heads.insert(change.hash);
            if change.deps.is_empty() {
                // The genesis is nobody's work.
                continue;
            }
            let author = self.author(&change.actor);
            let at = Timestamp::from_millis(change.timestamp.saturating_mul(1_000));
            let sorted_heads = || {
                let mut sorted: Vec<ChangeHash> = heads.iter().copied().collect();
                sorted.sort_unstable();
                sorted
            };
            match versions.last_mut() {
                Some(last)
                    if last.author == author
                        && at.since(last.until) <= VERSION_GAP
                        && last.from.since(at) <= VERSION_GAP =>
                {
                    last.from = last.from.min(at);
                    last.until = last.until.max(at);
                    last.changes += 1;
                    last.heads = sorted_heads();
                }
                _ => versions.push(Version { author, from: at, until: at, changes: 1, heads: sorted_heads() }),
            }
        }
        versions
    }
}

/// A paragraph while its characters are being read.
#[derive(Default)]
struct Line {
    start: usize,
    length: usize,
    shares: Vec<(UserId, usize)>,
}

impl Line {
    fn push(&mut self, text: &str, author: Option<UserId>, done: &mut Vec<Paragraph>) {
        for char in text.chars() {
            if char == '\n' {
                let start = self.start + self.length + 1;
                done.push(std::mem::take(self).end());
                self.start = start;
                continue;
            }
            self.length += char.len_utf16();
            let Some(author) = author else { continue };
            match self.shares.iter_mut().find(|(user, _)| *user == author) {
                Some((_, share)) => *share += 1,
                None => self.shares.push((author, 1)),
            }
        }
    }

    fn end(mut self) -> Paragraph {
        self.shares.sort_by_key(|(_, share)| std::cmp::Reverse(*share));
        let authors = self.shares.into_iter().map(|(user, _)| user).collect();
        Paragraph { start: self.start, length: self.length, authors }
    }
}

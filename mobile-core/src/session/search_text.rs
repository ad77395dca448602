//! What search looks through of a document: the lines of each thing in it, made together with the summary.
//!
//! A memo with its comments, a promise, a note or a preparation is one thing: a search for two words finds it when both are in it. Drafts
//! are not looked through: what was told is in the preparation.

use serde::{Deserialize, Serialize};
use taiwa_shared::{
    documents::{Replica, comments, memo},
    domain::{catalog::Language, ownership::DocumentKey},
    ids::{HeadsDigest, MeetingId},
    time::Timestamp,
};

use super::summary::{Content, Summary, Values, topic_lines};

/// What a line was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchKind {
    /// The shared memo of a meeting, or a comment on it.
    Memo,
    /// A promise.
    Promise,
    /// 次回までに意識すること.
    Intention,
    /// A point for the next agenda.
    Agenda,
    /// A published preparation.
    Preparation,
    /// 自分用メモ about a pair.
    PrivateNote,
    /// 現場メモ.
    FieldNote,
}

/// The text of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SearchText {
    /// The heads it was made of; none while there was only the genesis.
    pub(super) made_of: Option<HeadsDigest>,
    pub(super) things: Vec<Thing>,
}

/// One thing in a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Thing {
    pub(super) kind: SearchKind,
    pub(super) meeting: Option<MeetingId>,
    /// When it was written, where the document says so.
    pub(super) created: Option<Timestamp>,
    pub(super) lines: Vec<String>,
}

impl SearchText {
    /// Reads the text of a document whose summary was just made.
    pub(super) fn of(replica: &Replica, summary: &Summary, language: Language) -> Self {
        let mut things = things(replica, &summary.content, language);
        things.retain(|thing| !thing.lines.is_empty());
        Self { made_of: summary.made_of, things }
    }
}

fn things(replica: &Replica, content: &Content, language: Language) -> Vec<Thing> {
    let meeting = replica.key().meeting();
    match content {
        Content::Topics(_) if matches!(replica.key(), DocumentKey::Draft { .. }) => Vec::new(),
        Content::Topics(topics) => {
            let lines: Vec<String> = topics.iter().flat_map(|topic| topic_lines(topic, language)).collect();
            vec![Thing { kind: SearchKind::Preparation, meeting, created: None, lines: lines_of(&lines) }]
        }
        Content::Notebook { promises, intentions, agenda } => {
            let promises = promises.iter().map(|it| written(SearchKind::Promise, &it.text, it.meeting, it.created));
            let intentions =
                intentions.iter().map(|it| written(SearchKind::Intention, &it.text, it.meeting, it.created));
            let agenda = agenda.iter().map(|it| written(SearchKind::Agenda, &it.text, None, it.created));
            promises.chain(intentions).chain(agenda).collect()
        }
        Content::Memo { .. } => {
            let comments = comments::read(replica).into_iter().map(|comment| comment.body);
            let comments = comments.flat_map(|body| std::iter::once(body.value).chain(body.others));
            let texts: Vec<String> = std::iter::once(memo::text(replica)).chain(comments).collect();
            vec![Thing { kind: SearchKind::Memo, meeting, created: None, lines: lines_of(&texts) }]
        }
        Content::Notes(notes) => {
            let field = matches!(replica.key(), DocumentKey::FieldNotes { .. });
            let kind = if field { SearchKind::FieldNote } else { SearchKind::PrivateNote };
            notes.iter().map(|it| written(kind, &it.text, it.meeting, it.created)).collect()
        }
    }
}

fn written(kind: SearchKind, text: &Values<String>, meeting: Option<MeetingId>, created: Timestamp) -> Thing {
    Thing { kind, meeting, created: Some(created), lines: lines_of(text.all()) }
}

fn lines_of(texts: &[String]) -> Vec<String> {
    texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

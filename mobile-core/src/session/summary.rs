//! What lists show of a document, made when it changed and kept in the store, so that no screen opens a document.
//!
//! Also the lines of a document, from which the text of edits that cannot be sent is found.

use serde::{Deserialize, Serialize};
use taiwa_shared::{
    documents::{Replica, comments, draft, memo, notebook, prep, private},
    domain::{
        brief::{Choice, PreparedTopic},
        catalog::{Catalog, Language, ResponseSlug, TopicSlug},
        ownership::DocumentKey,
    },
    ids::{AgendaId, HeadsDigest, IntentionId, MeetingId, NoteId, PromiseId, UserId},
    time::Timestamp,
};

/// Longest start of a memo that is kept for lists, in characters.
const EXCERPT_CHARACTERS: usize = 120;

/// What is known of a document without opening it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Summary {
    /// The heads it was made of; none while there was only the genesis.
    pub(super) made_of: Option<HeadsDigest>,
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Content {
    /// Of a draft or a prep.
    Topics(Vec<TopicLine>),
    /// Of a notebook.
    Notebook { promises: Vec<PromiseLine>, intentions: Vec<IntentionLine>, agenda: Vec<AgendaLine> },
    /// Of a memo.
    Memo { excerpt: String },
    /// Of private notes.
    Notes(Vec<NoteLine>),
}

/// A value and those set at the same time elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Values<T>(Vec<T>);

impl<T: Clone> Values<T> {
    fn of(choice: &Choice<T>) -> Self {
        Self(std::iter::once(&choice.value).chain(&choice.others).cloned().collect())
    }
    fn choice(&self) -> Option<Choice<T>> {
        let (value, others) = self.0.split_first()?;
        Some(Choice { value: value.clone(), others: others.to_vec() })
    }
    /// The value that is shown first.
    pub(super) fn first(&self) -> Option<&T> {
        self.0.first()
    }
    /// All values.
    pub(super) fn all(&self) -> &[T] {
        &self.0
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TopicLine {
    topic: TopicSlug,
    response: Values<ResponseSlug>,
    word: Option<Values<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PromiseLine {
    pub(super) id: PromiseId,
    pub(super) text: Values<String>,
    pub(super) who: Values<UserId>,
    pub(super) done: Values<bool>,
    pub(super) meeting: Option<MeetingId>,
    pub(super) created: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct IntentionLine {
    pub(super) id: IntentionId,
    pub(super) text: Values<String>,
    pub(super) who: UserId,
    pub(super) meeting: Option<MeetingId>,
    pub(super) ended: bool,
    pub(super) created: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AgendaLine {
    pub(super) id: AgendaId,
    pub(super) text: Values<String>,
    pub(super) who: UserId,
    pub(super) created: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct NoteLine {
    pub(super) id: NoteId,
    pub(super) text: Values<String>,
    pub(super) meeting: Option<MeetingId>,
    pub(super) created: Timestamp,
    pub(super) next: bool,
}

impl TopicLine {
    pub(super) fn prepared(&self) -> Option<PreparedTopic> {
        let word = self.word.as_ref().and_then(Values::choice);
        Some(PreparedTopic { topic: self.topic.clone(), response: self.response.choice()?, word })
    }

    fn of(prepared: &PreparedTopic) -> Self {
        Self {
            topic: prepared.topic.clone(),
            response: Values::of(&prepared.response),
            word: prepared.word.as_ref().map(Values::of),
        }
    }
}

impl Summary {
    /// Reads what lists show.
    pub(super) fn of(replica: &Replica) -> Self {
        let made_of = local_digest(replica);
        Self { made_of, content: Content::of(replica) }
    }

    /// The topics of a draft or prep, in the member's order.
    pub(super) fn topics(&self) -> Vec<PreparedTopic> {
        match &self.content {
            Content::Topics(topics) => topics.iter().filter_map(TopicLine::prepared).collect(),
            Content::Notebook { .. } | Content::Memo { .. } | Content::Notes(_) => Vec::new(),
        }
    }
}

impl Content {
    fn of(replica: &Replica) -> Self {
        match replica.key() {
            DocumentKey::Draft { .. } => Self::topics(&draft::read(replica).topics),
            DocumentKey::Prep { .. } => Self::topics(&prep::read(replica).topics),
            DocumentKey::Notebook { .. } => Self::notebook(replica),
            DocumentKey::Memo { .. } => {
                Self::Memo { excerpt: memo::text(replica).chars().take(EXCERPT_CHARACTERS).collect() }
            }
            DocumentKey::Private { .. } | DocumentKey::FieldNotes { .. } => Self::notes(replica),
        }
    }

    fn topics(topics: &[PreparedTopic]) -> Self {
        Self::Topics(topics.iter().map(TopicLine::of).collect())
    }

    fn notebook(replica: &Replica) -> Self {
        let promise = |it: notebook::Promise| PromiseLine {
            id: it.id,
            text: Values::of(&it.text),
            who: Values::of(&it.who),
            done: Values::of(&it.done),
            meeting: it.meeting,
            created: it.created,
        };
        let intention = |it: notebook::Intention| IntentionLine {
            id: it.id,
            text: Values::of(&it.text),
            who: it.who,
            meeting: it.meeting,
            ended: it.ended,
            created: it.created,
        };
        let agenda = |it: notebook::AgendaItem| AgendaLine {
            id: it.id,
            text: Values::of(&it.text),
            who: it.who,
            created: it.created,
        };
        Self::Notebook {
            promises: notebook::promises(replica).into_iter().map(promise).collect(),
            intentions: notebook::intentions(replica).into_iter().map(intention).collect(),
            agenda: notebook::agenda(replica).into_iter().map(agenda).collect(),
        }
    }

    fn notes(replica: &Replica) -> Self {
        let note = |it: private::Note| NoteLine {
            id: it.id,
            text: Values::of(&it.text),
            meeting: it.meeting,
            created: it.created,
            next: it.next,
        };
        Self::Notes(private::notes(replica).into_iter().map(note).collect())
    }
}

/// The digest of a replica's heads as the store counts them: none while there is only the genesis.
pub(super) fn local_digest(replica: &Replica) -> Option<HeadsDigest> {
    let genesis = taiwa_shared::documents::genesis(replica.key(), replica.generation()).hash;
    let heads = replica.heads();
    (heads != [genesis]).then(|| HeadsDigest::of(heads.into_iter().map(|hash| hash.0)))
}

/// Everything a person may have chosen or written in a document, one line each.
fn lines(replica: &Replica, language: Language) -> Vec<String> {
    match Content::of(replica) {
        Content::Topics(topics) => topics.iter().flat_map(|line| topic_lines(line, language)).collect(),
        Content::Notebook { promises, intentions, agenda } => {
            let promises = promises.iter().flat_map(|line| line.text.all());
            let intentions = intentions.iter().flat_map(|line| line.text.all());
            let agenda = agenda.iter().flat_map(|line| line.text.all());
            promises.chain(intentions).chain(agenda).cloned().collect()
        }
        Content::Memo { .. } => {
            let comments = comments::read(replica).into_iter().map(|comment| comment.body.value);
            memo::text(replica).lines().map(str::to_owned).chain(comments).collect()
        }
        Content::Notes(notes) => notes.iter().flat_map(|line| line.text.all()).cloned().collect(),
    }
}

/// 「これからのキャリア: 一緒に考えてほしい」, and the words.
pub(super) fn topic_lines(line: &TopicLine, language: Language) -> Vec<String> {
    let catalog = Catalog::built_in();
    let topic = catalog.topic_label(&line.topic, language);
    let response = |slug| format!("{topic}: {}", catalog.response_label(slug, language));
    let words = line.word.iter().flat_map(Values::all).cloned();
    line.response.all().iter().map(response).chain(words).collect()
}

/// The lines that are in `after` and not in `before`: what somebody wrote in between.
pub(super) fn added_text(before: &Replica, after: &Replica, language: Language) -> String {
    let mut known = lines(before, language);
    let added = lines(after, language).into_iter().filter(|line| match known.iter().position(|it| it == line) {
        Some(at) => {
            known.swap_remove(at);
            false
        }
        None => !line.trim().is_empty(),
    });
    added.collect::<Vec<_>>().join("\n")
}

//! What a person does and sees on a phone's screens: memo, preparation, brief, private notes.
//!
//! Each verb goes through the session as a host's screen does, and panics where a person would be told of an error.

use std::sync::Arc;

use anyhow::Result;
use automerge::ChangeHash;
use taiwa_mobile_core::session::{Memo, MemoParagraph, NotesOf};
use taiwa_shared::{
    domain::{catalog::TopicSlug, ownership::DocumentKey},
    ids::{DocumentId, MeetingId, UserId},
};

use super::Phone;
use crate::eventually::{PATIENCE, eventually, eventually_equals};

impl Phone {
    /// Types into the memo at an index in UTF-16 units of what [`Self::memo_text`] shows.
    ///
    /// # Panics
    /// If the phone refuses.
    pub async fn type_into_memo(&self, meeting: MeetingId, at: usize, insert: &str) {
        self.try_type_into_memo(meeting, at, insert).await.expect("the phone takes the edit");
    }

    /// As [`Self::type_into_memo`].
    ///
    /// # Errors
    /// What the phone says.
    pub async fn try_type_into_memo(&self, meeting: MeetingId, at: usize, insert: &str) -> Result<()> {
        let memo = self.memo(meeting).await?;
        // As a text field does: it shows what arrived before the person goes on typing.
        while let Some(shown) = memo.remote(0).await? {
            memo.adopt(shown.revision);
        }
        Ok(memo.splice(at, 0, insert.to_owned()).await?)
    }

    /// The memo's text as this phone has it.
    ///
    /// # Panics
    /// If the phone does not show it.
    pub async fn memo_text(&self, meeting: MeetingId) -> String {
        self.try_memo_text(meeting).await.expect("the phone shows the memo")
    }

    /// As [`Self::memo_text`].
    ///
    /// # Errors
    /// What the phone says.
    pub async fn try_memo_text(&self, meeting: MeetingId) -> Result<String> {
        Ok(self.memo(meeting).await?.read().await?.text)
    }

    /// The memo's paragraphs and who wrote them, the one with the most first.
    ///
    /// # Panics
    /// If the phone does not show them.
    pub async fn memo_authors(&self, meeting: MeetingId) -> Vec<(String, Vec<UserId>)> {
        let memo = self.memo(meeting).await.expect("the phone opens the memo");
        let memo = memo.read().await.expect("the phone shows the memo");
        let units: Vec<u16> = memo.text.encode_utf16().collect();
        let paragraph = |it: &MemoParagraph| {
            let text = &units[it.start_utf16..it.start_utf16 + it.length_utf16];
            (String::from_utf16_lossy(text), it.authors.clone())
        };
        memo.paragraphs.iter().map(paragraph).collect()
    }

    /// The memo's document.
    ///
    /// # Panics
    /// If this phone knows no such meeting.
    pub async fn memo_document(&self, meeting: MeetingId) -> DocumentId {
        let meetings = self.session.upcoming().await.expect("the store is read");
        let pair = meetings.iter().find(|it| it.meeting == meeting).expect("the meeting is known").pair;
        DocumentKey::Memo { pair, meeting }.document_id(0)
    }

    /// The heads of the memo as stored on this phone, sorted.
    ///
    /// # Panics
    /// If the store cannot be read.
    pub async fn memo_heads(&self, meeting: MeetingId) -> Vec<ChangeHash> {
        let document = self.memo_document(meeting).await;
        self.contents().await.heads_of(document)
    }

    /// Waits until this phone and others have stored equal heads of a memo.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn eventually_same_heads(&self, meeting: MeetingId, others: &[&Self]) -> Vec<ChangeHash> {
        eventually("equal heads", PATIENCE, || async {
            let heads = self.memo_heads(meeting).await;
            for other in others {
                if other.memo_heads(meeting).await != heads {
                    return None;
                }
            }
            Some(heads)
        })
        .await
    }

    /// Waits until the memo reads so.
    ///
    /// # Panics
    /// If it does not in time.
    pub async fn eventually_reads(&self, meeting: MeetingId, expected: &str) {
        eventually_equals("the memo's text", &expected.to_owned(), || self.memo_text(meeting)).await;
    }

    /// Chooses a topic in the draft of a meeting.
    ///
    /// # Panics
    /// If the phone refuses.
    pub async fn choose(&self, meeting: MeetingId, topic: &str) {
        self.session.choose_topic(meeting, slug(topic)).await.expect("the phone takes the topic");
    }

    /// Writes the line of a topic in the draft of a meeting.
    ///
    /// # Panics
    /// If the phone refuses.
    pub async fn set_word(&self, meeting: MeetingId, topic: &str, word: &str) {
        self.session.set_word(meeting, slug(topic), word.to_owned()).await.expect("the phone takes the line");
    }

    /// これで伝える.
    ///
    /// # Panics
    /// If the phone refuses.
    pub async fn publish(&self, meeting: MeetingId) {
        self.session.publish(meeting).await.expect("the phone publishes");
    }

    /// The topics in the draft of a meeting, sorted.
    ///
    /// # Panics
    /// If the phone does not show them.
    pub async fn chosen(&self, meeting: MeetingId) -> Vec<String> {
        let prepare = self.session.prepare(meeting).await.expect("the phone shows the form");
        let mut chosen: Vec<_> = prepare.chosen.iter().map(|topic| topic.slug.to_string()).collect();
        chosen.sort();
        chosen
    }

    /// Waits until the brief of a meeting says this in the member's words, and looks at it.
    ///
    /// # Panics
    /// If it does not in time.
    pub async fn eventually_reads_brief(&self, meeting: MeetingId, word: &str) {
        eventually("the brief says it", PATIENCE, || async {
            let brief = self.session.brief(meeting).await.expect("the phone shows the brief");
            brief.topics.iter().any(|topic| topic.words.iter().any(|it| it == word)).then_some(())
        })
        .await;
        self.session.brief_shown(meeting).await.expect("the phone notes that it was looked at");
    }

    /// Writes a private note about the pair with another person.
    ///
    /// # Panics
    /// If the phone refuses.
    pub async fn add_private_note(&self, about: &Self, text: &str) {
        let of = NotesOf::Pair(self.pair_with(about).await);
        self.session.add_note(of, text.to_owned(), None).await.expect("the phone takes the note");
    }

    /// Waits until this phone shows a private note about the pair with another person.
    ///
    /// # Panics
    /// If it does not in time.
    pub async fn eventually_has_note(&self, about: &Self, text: &str) {
        let of = NotesOf::Pair(self.pair_with(about).await);
        eventually("the note arrives", PATIENCE, || async {
            let notes = self.session.notes(of).await.expect("the phone shows the notes");
            notes.iter().any(|note| note.texts.iter().any(|it| it == text)).then_some(())
        })
        .await;
    }

    async fn memo(&self, meeting: MeetingId) -> Result<Arc<Memo>> {
        let mut memos = self.memos.lock().await;
        if let Some(memo) = memos.get(&meeting) {
            return Ok(memo.clone());
        }
        let memo = Arc::new(self.session.memo(meeting).await?);
        memos.insert(meeting, memo.clone());
        Ok(memo)
    }
}

fn slug(topic: &str) -> TopicSlug {
    topic.parse().expect("tests name topics of the catalog")
}

//! What a connection still has to send: one mark per document, never a backlog of messages.
//!
//! Marks are set by whoever learns something (commits, news, other people's carets) and taken by the connection's
//! writing half, which makes the message at that moment. A slow reader therefore costs one mark per document. Nothing
//! here waits or knows what a message contains.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use taiwa_shared::{
    ids::DocumentId,
    sync::wire::{Frame, PeerId},
};
use tokio::{sync::Notify, time::Instant};

/// Control frames (mostly `doc-unavailable`) that may wait before the reading half has to.
const MAX_CONTROL: usize = 256;
/// Ephemeral messages that may wait, one per document and sender; older ones are dropped, as they would be outdated.
const MAX_EPHEMERAL: usize = 64;
/// Whoever was sent changes within so many times the patience with acknowledgements is in the middle of typing together,
/// and is likely to be sent some again.
const TALKING: u32 = 4;

/// Somebody else's ephemeral message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ephemeral {
    pub(super) sender: PeerId,
    pub(super) session: String,
    pub(super) count: u64,
    pub(super) data: Bytes,
}

/// The next thing to do for the writing half, the most urgent first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    Control(Frame),
    CheckAccess,
    Sync(DocumentId),
    Ephemeral(DocumentId, Ephemeral),
    News(i64),
}

/// The marks of one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    marks: Mutex<Marks>,
    filled: Notify,
    drained: Notify,
}

#[derive(Debug, Default)]
struct Marks {
    control: VecDeque<Frame>,
    check_access: bool,
    documents: VecDeque<DocumentId>,
    marked: HashSet<DocumentId>,
    /// Documents of which an acknowledgement is owed and nothing else, and until when it may wait.
    held: Vec<(DocumentId, Instant)>,
    /// When changes were last sent.
    changes_sent: Option<Instant>,
    ephemeral_order: VecDeque<(DocumentId, PeerId)>,
    ephemeral: HashMap<(DocumentId, PeerId), Ephemeral>,
    news: Option<i64>,
}

impl Outbox {
    /// Marks a document as having something to send.
    pub(super) fn mark(&self, document: DocumentId) {
        let mut marks = self.marks();
        if marks.marked.insert(document) {
            marks.documents.push_back(document);
            self.filled.notify_one();
        }
    }

    /// Notes that an acknowledgement is owed of a document. It may wait until the instant that is returned, and then
    /// [`Self::release`] has to be called; none if it need not be, as when no changes were sent for a while: then
    /// none are likely to go anyway.
    pub(super) fn owe(&self, document: DocumentId, now: Instant, patience: Duration) -> Option<Instant> {
        let mut marks = self.marks();
        if marks.marked.contains(&document) || marks.held.iter().any(|(held, _)| *held == document) {
            return None;
        }
        if marks.changes_sent.is_none_or(|sent| now.duration_since(sent) > TALKING * patience) {
            drop(marks);
            self.mark(document);
            return None;
        }
        marks.held.push((document, now + patience));
        Some(now + patience)
    }

    /// Changes were sent.
    pub(super) fn note_changes_sent(&self, now: Instant) {
        self.marks().changes_sent = Some(now);
    }

    /// What may not wait beyond `now` is to be sent.
    pub(super) fn release(&self, now: Instant) {
        let due: Vec<_> = self.marks().held.extract_if(.., |(_, until)| *until <= now).collect();
        due.into_iter().for_each(|(document, _)| self.mark(document));
    }

    /// What was owed is to be sent.
    pub(super) fn release_all(&self) {
        let held = std::mem::take(&mut self.marks().held);
        held.into_iter().for_each(|(document, _)| self.mark(document));
    }

    /// Queues a control frame.
    pub(super) fn control(&self, frame: Frame) {
        self.marks().control.push_back(frame);
        self.filled.notify_one();
    }

    /// Waits until there is room for more control frames.
    ///
    /// # Cancellation
    /// Safe.
    pub(super) async fn room(&self) {
        while self.marks().control.len() >= MAX_CONTROL {
            self.drained.notified().await;
        }
    }

    /// Asks for a check of all sessions' access.
    pub(super) fn check_access(&self) {
        self.marks().check_access = true;
        self.filled.notify_one();
    }

    /// Keeps the latest ephemeral message per document and sender.
    pub(super) fn ephemeral(&self, document: DocumentId, message: Ephemeral) {
        let mut marks = self.marks();
        let key = (document, message.sender.clone());
        if marks.ephemeral.insert(key.clone(), message).is_none() {
            marks.ephemeral_order.push_back(key);
            if marks.ephemeral_order.len() > MAX_EPHEMERAL
                && let Some(oldest) = marks.ephemeral_order.pop_front()
            {
                marks.ephemeral.remove(&oldest);
            }
        }
        self.filled.notify_one();
    }

    /// Tells of the newest state of the records.
    pub(super) fn news(&self, counter: i64) {
        let mut marks = self.marks();
        marks.news = marks.news.max(Some(counter));
        self.filled.notify_one();
    }

    /// Takes the most urgent task. A mark is cleared before the state it stands for is read.
    pub(super) fn next(&self) -> Option<Task> {
        let mut marks = self.marks();
        if let Some(frame) = marks.control.pop_front() {
            self.drained.notify_one();
            return Some(Task::Control(frame));
        }
        if std::mem::take(&mut marks.check_access) {
            return Some(Task::CheckAccess);
        }
        if let Some(document) = marks.documents.pop_front() {
            marks.marked.remove(&document);
            marks.held.retain(|(held, _)| *held != document);
            return Some(Task::Sync(document));
        }
        if let Some(key) = marks.ephemeral_order.pop_front()
            && let Some(message) = marks.ephemeral.remove(&key)
        {
            return Some(Task::Ephemeral(key.0, message));
        }
        marks.news.take().map(Task::News)
    }

    /// Waits until there may be a task.
    ///
    /// # Cancellation
    /// Safe: a task is only taken by [`Self::next`].
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: DocumentId = DocumentId::from_bytes([1; 16]);

    fn caret(sender: usize, count: u64) -> Ephemeral {
        let sender = PeerId::new(format!("peer-{sender}")).unwrap();
        Ephemeral { sender, session: "s".to_owned(), count, data: Bytes::new() }
    }

    #[test]
    fn a_document_is_marked_once_however_often_it_changes() {
        let outbox = Outbox::default();
        for _ in 0..1_000 {
            outbox.mark(DOCUMENT);
        }
        assert_eq!(outbox.next(), Some(Task::Sync(DOCUMENT)));
        assert_eq!(outbox.next(), None);
    }

    #[test]
    fn an_acknowledgement_waits_only_while_they_talk_and_goes_with_what_is_sent_anyway() {
        let (outbox, start, patience) = (Outbox::default(), Instant::now(), Duration::from_secs(1));
        assert_eq!(outbox.owe(DOCUMENT, start, patience), None, "no changes were sent yet");
        assert_eq!(outbox.next(), Some(Task::Sync(DOCUMENT)));
        outbox.note_changes_sent(start);
        let until = outbox.owe(DOCUMENT, start, patience).unwrap();
        assert_eq!((outbox.owe(DOCUMENT, start, patience), outbox.next()), (None, None));
        outbox.release(until.checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(outbox.next(), None);
        outbox.release(until);
        assert_eq!((outbox.next(), outbox.next()), (Some(Task::Sync(DOCUMENT)), None));
        outbox.owe(DOCUMENT, start, patience).unwrap();
        outbox.mark(DOCUMENT);
        assert_eq!(outbox.next(), Some(Task::Sync(DOCUMENT)));
        outbox.release_all();
        assert_eq!(outbox.next(), None, "it went with what was sent");
        let later = start + Duration::from_secs(60);
        assert_eq!((outbox.owe(DOCUMENT, later, patience), outbox.next()), (None, Some(Task::Sync(DOCUMENT))));
    }

    #[test]
    fn only_the_latest_caret_of_each_sender_waits() {
        let outbox = Outbox::default();
        for count in 0..10 {
            outbox.ephemeral(DOCUMENT, caret(0, count));
        }
        assert_eq!(outbox.next(), Some(Task::Ephemeral(DOCUMENT, caret(0, 9))));
        assert_eq!(outbox.next(), None);
        for sender in 0..2 * MAX_EPHEMERAL {
            outbox.ephemeral(DOCUMENT, caret(sender, 1));
        }
        let left = std::iter::from_fn(|| outbox.next()).count();
        assert_eq!(left, MAX_EPHEMERAL);
    }

    #[test]
    fn control_goes_before_documents_and_news_come_last() {
        let outbox = Outbox::default();
        outbox.news(3);
        outbox.mark(DOCUMENT);
        outbox.check_access();
        outbox.control(Frame::Unknown);
        outbox.news(2);
        let order: Vec<Task> = std::iter::from_fn(|| outbox.next()).collect();
        assert_eq!(order, [Task::Control(Frame::Unknown), Task::CheckAccess, Task::Sync(DOCUMENT), Task::News(3)]);
    }
}

//! メモ: the shared text of a meeting, written by both at the same time.
//!
//! Reading it with its writers, comments, versions and carets; typing into it is in [`super::field`]. Positions are UTF-16
//! units, as in every text field.

use std::sync::Arc;

use bytes::Bytes;
use taiwa_shared::{
    documents::{
        DocumentError, Replica,
        caret::{self, Caret},
        comments, composition, memo,
    },
    domain::ownership::{Access, DocumentKey},
    ids::{CommentId, DocumentId, MeetingId, UserId},
    time::Timestamp,
};
use tokio::sync::{Mutex, broadcast, watch};

use super::{Session, SessionError, Watch, desk::Target, field::Field, notebook::random};
use crate::sync::SyncHandle;

/// A memo as a screen shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoText {
    /// The text.
    pub text: String,
    /// Its paragraphs with their writers.
    pub paragraphs: Vec<MemoParagraph>,
    /// Comments by their place.
    pub comments: Vec<MemoComment>,
    /// Whether this person may write in it.
    pub can_write: bool,
}

/// A paragraph and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoParagraph {
    /// Where it begins.
    pub start_utf16: usize,
    /// Its length without the line break.
    pub length_utf16: usize,
    /// Who wrote it, the one with the most first.
    pub authors: Vec<UserId>,
}

/// A comment on a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoComment {
    /// Which.
    pub id: CommentId,
    /// The passage now, start and end; none if it was deleted.
    pub range_utf16: Option<(usize, usize)>,
    /// The passage as it was.
    pub quote: String,
    /// What it says; several where two devices changed it at the same time.
    pub texts: Vec<String>,
    /// Who made it.
    pub author: Option<UserId>,
    /// Whether it is settled.
    pub resolved: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// A stretch of somebody's writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoVersion {
    /// Place in the list, for [`Memo::text_of_version`].
    pub index: usize,
    /// Who wrote.
    pub author: Option<UserId>,
    /// First minute, by the writer's clock.
    pub from: Timestamp,
    /// Last minute.
    pub until: Timestamp,
}

/// Somebody else's caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCaret {
    /// The device it is on.
    pub sender: String,
    /// Where it is; none if it stands in text that has not arrived.
    pub position_utf16: Option<usize>,
    /// Whether they are composing (入力中).
    pub typing: bool,
}

/// A caret as it arrived.
#[derive(Debug, Clone)]
pub(super) struct CaretMessage {
    pub(super) document: DocumentId,
    pub(super) sender: String,
    pub(super) data: Bytes,
}

/// A memo on screen; kept live by the sync until dropped.
pub struct Memo {
    pub(super) session: Session,
    pub(super) target: Target,
    pub(super) field: Arc<Field>,
    document: DocumentId,
    /// A receiver has one user at a time; waiting for it loses nothing when broken off.
    carets: Mutex<broadcast::Receiver<CaretMessage>>,
    changes: Mutex<watch::Receiver<u64>>,
    _on_screen: OnScreen,
}

/// Tells the sync that a document left the screen.
struct OnScreen {
    sync: SyncHandle,
    document: DocumentId,
}

impl Drop for OnScreen {
    fn drop(&mut self) {
        self.sync.close_document(self.document);
    }
}

impl Session {
    /// Puts the memo of a meeting on screen.
    ///
    /// # Errors
    /// [`SessionError::NoAccess`] if the meeting is not known or not this person's.
    pub async fn memo(&self, meeting: MeetingId) -> Result<Memo, SessionError> {
        let meeting = self.meeting_of(meeting)?;
        let key = DocumentKey::Memo { pair: meeting.pair, meeting: meeting.id };
        let target = Target { key, slot: meeting.slot };
        let field = match self.desk.edit(target, |replica| Ok(composition::begin(replica))).await {
            // Closed pairs stay readable for a while.
            Err(SessionError::NoAccess) => self.desk.read(key, composition::begin).await?,
            begun => begun?,
        };
        let document = self.core.document_id(&key);
        let carets = self.carets.subscribe();
        self.sync.open_document(document);
        let on_screen = OnScreen { sync: self.sync.clone(), document };
        Ok(Memo {
            session: self.clone(),
            target,
            document,
            field: Arc::new(Field::new(field)),
            carets: Mutex::new(carets),
            changes: Mutex::new(self.core.changes.subscribe()),
            _on_screen: on_screen,
        })
    }
}

impl Memo {
    /// The memo with its paragraphs and comments, as new as this phone has it.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn read(&self) -> Result<MemoText, SessionError> {
        let can_write = self.session.core.access(&self.target.key) == Access::Write;
        self.session.desk.read(self.target.key, move |replica| memo_text(replica, can_write)).await
    }

    /// Observes the memo: as it is first, then after each change, own or not.
    pub fn watch(&self) -> Watch<MemoText> {
        let key = self.target.key;
        self.session.observe(move |session| async move {
            let can_write = session.core.access(&key) == Access::Write;
            session.desk.read(key, move |replica| memo_text(replica, can_write)).await
        })
    }

    /// Shows the own caret to the other person; nothing of it is kept.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn show_caret(&self, position_utf16: usize, typing: bool) -> Result<(), SessionError> {
        let find = move |replica: &Replica| caret::cursor_at(replica, position_utf16);
        if let Some(cursor) = self.session.desk.read(self.target.key, find).await? {
            self.session.sync.broadcast(self.document, Caret { cursor, typing }.encode());
        }
        Ok(())
    }

    /// Waits until something in this session changed since the last call, such as text that arrived; none after it ended.
    ///
    /// # Cancellation
    /// Loses nothing.
    pub async fn changed(&self) -> Option<()> {
        let mut changes = self.changes.lock().await;
        tokio::select! {
            () = self.session.core.ended.cancelled() => None,
            changed = changes.changed() => changed.ok(),
        }
    }

    /// The next caret of somebody else; none after the session ended.
    ///
    /// # Cancellation
    /// At most the caret that just arrived is lost, and another follows it.
    pub async fn next_caret(&self) -> Option<RemoteCaret> {
        let mut carets = self.carets.lock().await;
        self.wait_for_caret(&mut carets).await
    }

    /// The versions, oldest first.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn versions(&self) -> Result<Vec<MemoVersion>, SessionError> {
        let versions = self.session.desk.read(self.target.key, Replica::versions).await?;
        let version = |(index, version): (usize, taiwa_shared::documents::Version)| MemoVersion {
            index,
            author: version.author,
            from: version.from,
            until: version.until,
        };
        Ok(versions.into_iter().enumerate().map(version).collect())
    }

    /// The text as a version left it.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn text_of_version(&self, index: usize) -> Result<String, SessionError> {
        let read = move |replica: &Replica| {
            let versions = replica.versions();
            let version = versions.get(index).ok_or(DocumentError::NotFound("this version"))?;
            memo::text_at(replica, &version.heads)
        };
        Ok(self.session.desk.read(self.target.key, read).await??)
    }

    /// Comments on a passage.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::TooLong`].
    pub async fn add_comment(
        &self,
        start_utf16: usize,
        end_utf16: usize,
        text: String,
    ) -> Result<CommentId, SessionError> {
        let now = self.session.core.now();
        let id = CommentId::new(now, random());
        let add = move |replica: &mut Replica| comments::add(replica, id, (start_utf16, end_utf16), &text, now);
        self.session.desk.edit(self.target, add).await?;
        Ok(id)
    }

    /// Settles a comment.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn resolve_comment(&self, id: CommentId) -> Result<(), SessionError> {
        let now = self.session.core.now();
        self.session.desk.edit(self.target, move |replica| comments::set_resolved(replica, id, true, now)).await
    }

    /// Takes a comment away.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn delete_comment(&self, id: CommentId) -> Result<(), SessionError> {
        let now = self.session.core.now();
        self.session.desk.edit(self.target, move |replica| comments::delete(replica, id, now)).await
    }

    async fn wait_for_caret(&self, carets: &mut broadcast::Receiver<CaretMessage>) -> Option<RemoteCaret> {
        loop {
            let message = tokio::select! {
                () = self.session.core.ended.cancelled() => return None,
                message = carets.recv() => message,
            };
            let message = match message {
                Ok(message) if message.document == self.document => message,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            let Some(Caret { cursor, typing }) = Caret::decode(&message.data) else { continue };
            let find = move |replica: &Replica| caret::index_of(replica, &cursor);
            let position_utf16 = self.session.desk.read(self.target.key, find).await.ok()?;
            return Some(RemoteCaret { sender: message.sender, position_utf16, typing });
        }
    }
}

fn memo_text(replica: &Replica, can_write: bool) -> MemoText {
    let paragraph = |it: taiwa_shared::documents::Paragraph| MemoParagraph {
        start_utf16: it.start,
        length_utf16: it.length,
        authors: it.authors,
    };
    let comment = |it: comments::Comment| MemoComment {
        id: it.id,
        range_utf16: it.range,
        quote: it.quote,
        texts: std::iter::once(it.body.value).chain(it.body.others).collect(),
        author: it.author,
        resolved: it.resolved,
        created: it.created,
    };
    MemoText {
        text: memo::text(replica),
        paragraphs: replica.paragraphs().into_iter().map(paragraph).collect(),
        comments: comments::read(replica).into_iter().map(comment).collect(),
        can_write,
    }
}

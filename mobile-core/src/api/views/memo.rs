//! A memo with its paragraphs, comments, versions and carets. Every offset is in UTF-16 units.

use crate::{
    api::error::units,
    session::{MemoComment, MemoParagraph, MemoText, MemoVersion, RemoteCaret, Shown},
};

/// A memo as a screen shows it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MemoView {
    /// The text.
    pub text: String,
    /// Its paragraphs with their writers.
    pub paragraphs: Vec<ParagraphView>,
    /// Comments by their place.
    pub comments: Vec<CommentView>,
    /// Whether this person may write in it.
    pub can_write: bool,
}

/// A paragraph and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ParagraphView {
    /// Where it begins.
    pub start_utf16: u32,
    /// Its length without the line break.
    pub length_utf16: u32,
    /// Who wrote it, the one with the most first.
    pub author_ids: Vec<String>,
}

/// A passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct RangeView {
    /// Where it begins.
    pub start_utf16: u32,
    /// Where it ends.
    pub end_utf16: u32,
}

/// A comment on a passage.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CommentView {
    /// Which.
    pub comment_id: String,
    /// The passage now; none if it was deleted.
    pub range: Option<RangeView>,
    /// The passage as it was.
    pub quote: String,
    /// What it says; several where two devices changed it at the same time.
    pub texts: Vec<String>,
    /// Who made it.
    pub author_id: Option<String>,
    /// Whether it is settled.
    pub resolved: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_millis: i64,
}

/// A stretch of somebody's writing.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VersionView {
    /// For `text_of_version`.
    pub index: u32,
    /// Who wrote.
    pub author_id: Option<String>,
    /// First minute, by the writer's clock, in milliseconds since 1970.
    pub from_millis: i64,
    /// Last minute.
    pub until_millis: i64,
}

/// What the text field is to show.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldView {
    /// The text.
    pub text: String,
    /// Where the caret belongs.
    pub caret_utf16: u32,
    /// For `adopt`.
    pub revision: u64,
}

/// Somebody else's caret.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CaretView {
    /// The device it is on.
    pub sender: String,
    /// Where it is; none if it stands in text that has not arrived.
    pub position_utf16: Option<u32>,
    /// 入力中.
    pub typing: bool,
}

impl From<MemoText> for MemoView {
    fn from(memo: MemoText) -> Self {
        Self {
            text: memo.text,
            paragraphs: memo.paragraphs.into_iter().map(Into::into).collect(),
            comments: memo.comments.into_iter().map(Into::into).collect(),
            can_write: memo.can_write,
        }
    }
}

impl From<MemoParagraph> for ParagraphView {
    fn from(paragraph: MemoParagraph) -> Self {
        Self {
            start_utf16: units(paragraph.start_utf16),
            length_utf16: units(paragraph.length_utf16),
            author_ids: paragraph.authors.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<MemoComment> for CommentView {
    fn from(comment: MemoComment) -> Self {
        let range = |(start, end)| RangeView { start_utf16: units(start), end_utf16: units(end) };
        Self {
            comment_id: comment.id.to_string(),
            range: comment.range_utf16.map(range),
            quote: comment.quote,
            texts: comment.texts,
            author_id: comment.author.map(|id| id.to_string()),
            resolved: comment.resolved,
            created_millis: comment.created.as_millis(),
        }
    }
}

impl From<MemoVersion> for VersionView {
    fn from(version: MemoVersion) -> Self {
        Self {
            index: units(version.index),
            author_id: version.author.map(|id| id.to_string()),
            from_millis: version.from.as_millis(),
            until_millis: version.until.as_millis(),
        }
    }
}

impl From<Shown> for FieldView {
    fn from(shown: Shown) -> Self {
        Self { text: shown.text, caret_utf16: units(shown.caret_utf16), revision: shown.revision }
    }
}

impl From<RemoteCaret> for CaretView {
    fn from(caret: RemoteCaret) -> Self {
        Self { sender: caret.sender, position_utf16: caret.position_utf16.map(units), typing: caret.typing }
    }
}

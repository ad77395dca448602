//! Text that an input method composes while others go on writing.
//!
//! Between start and end the field is left alone and shows the text as it was at the start. At the end, what changed is
//! written on top of the heads at the start and merges with everything since; written on top of the newest heads instead
//! it would delete what the other person wrote meanwhile. Decides nothing about when a composition ends.

use automerge::ChangeHash;

use super::{caret, error::DocumentError, genesis::Container, memo, replica::Replica, text};
use crate::time::Timestamp;

/// The memo as it was when a composition began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composition {
    heads: Vec<ChangeHash>,
    text: String,
}

impl Composition {
    /// Heads at the start.
    pub fn heads(&self) -> &[ChangeHash] {
        &self.heads
    }
    /// Text at the start, which the field goes on showing.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What the field has to show after a composition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The text, with everything that arrived meanwhile.
    pub text: String,
    /// Where the caret belongs, in UTF-16 units.
    pub caret: usize,
    /// What the field shows until it takes what arrived: the base of what is typed next.
    pub field: Composition,
}

/// Remembers the memo as it is now.
pub fn begin(replica: &Replica) -> Composition {
    Composition { heads: replica.heads(), text: memo::text(replica) }
}

/// Writes what the field shows at the end of a composition; `caret` is where its caret stands, in UTF-16 units.
///
/// # Errors
/// [`DocumentError::TooLong`] if the memo would grow beyond its limit, [`DocumentError::NotFound`] if the composition
/// began in another document. Nothing is changed then.
pub fn commit(
    replica: &mut Replica,
    composition: &Composition,
    field: &str,
    caret: usize,
    now: Timestamp,
) -> Result<Committed, DocumentError> {
    let body = replica.container(Container::Body)?;
    if !composition.heads.iter().all(|hash| replica.knows(hash)) {
        return Err(DocumentError::NotFound("the start of the composition"));
    }
    let caret = caret.min(text::units(field));
    let mut field_heads = composition.heads.clone();
    if let Some(splice) = text::difference(&composition.text, field, caret) {
        let deleted = text::slice(&composition.text, splice.at, splice.delete);
        memo::check_room(&memo::text(replica), deleted, &splice.insert)?;
        field_heads.clear();
        field_heads.extend(memo::write(replica, &body, &splice, Some(&composition.heads), now)?);
    }
    let shown = Composition { heads: field_heads, text: field.to_owned() };
    let anchor = caret::anchor(replica, caret, Some(&shown.heads));
    let text = memo::text(replica);
    let caret = anchor.and_then(|anchor| caret::position(replica, &anchor)).unwrap_or_else(|| text::units(&text));
    Ok(Committed { text, caret, field: shown })
}

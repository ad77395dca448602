//! Operations that can never be right, whatever the document contains.
//!
//! Automerge 0.12 accepts each of these and then panics or writes a document that cannot be loaded again. What needs
//! the document to decide (does the object exist, is it a text) is not decided here.

use automerge::{
    ExpandedChange, ObjType,
    legacy::{ElementId, Key, ObjectId, OpId, OpType},
};

use crate::sync::rejection::ChangeFault;

/// Checks every operation of a decoded change.
pub(super) fn check(change: &ExpandedChange) -> Result<(), ChangeFault> {
    for (own, op) in (change.start_op.get()..).zip(&change.operations) {
        // An operation refers only to earlier ones, and counters grow along the history.
        let earlier = |id: &OpId| (1..own).contains(&id.counter());
        let fault = |what| Err(ChangeFault::Operation(what));
        if let ObjectId::Id(object) = &op.obj
            && !earlier(object)
        {
            return fault("in an object that is not earlier");
        }
        if let Key::Seq(ElementId::Id(element)) = &op.key
            && !earlier(element)
        {
            return fault("at an element that is not earlier");
        }
        if !op.pred.iter().all(earlier) {
            return fault("predecessor that is not earlier");
        }
        if op.insert && (op.key.is_map_key() || !op.pred.is_empty()) {
            return fault("insertion with a key or a predecessor");
        }
        if !op.insert && op.key == Key::Seq(ElementId::Head) {
            return fault("head of a sequence that is not inserted at");
        }
        if op.obj == ObjectId::Root && !op.key.is_map_key() {
            return fault("element of the root map");
        }
        match &op.action {
            OpType::Delete | OpType::Increment(_) if op.pred.is_empty() => return fault("nothing to delete or count"),
            OpType::Delete | OpType::Increment(_) if op.insert => return fault("deletion that inserts"),
            OpType::Make(ObjType::Table) => return fault("table"),
            // The end of a mark before its begin cannot be seen without the order of the text; our schemas have none.
            OpType::MarkBegin(_) | OpType::MarkEnd(_) => return fault("mark"),
            _ => {}
        }
    }
    Ok(())
}

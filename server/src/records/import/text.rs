//! The characters of a file: UTF-8 with or without a byte order mark, or Shift_JIS as Japanese Excel writes it.
//!
//! Decided by what the file contains, never by what somebody says it is. Knows nothing of commas.

use std::borrow::Cow;

use encoding_rs::SHIFT_JIS;
use taiwa_shared::protocol::people::{ImportFault, TextEncoding};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How UTF-16 begins, which Excel calls "Unicode text".
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
/// What to do about a file whose characters cannot be read.
const SAVE_AGAIN: &str = "save it as \"CSV UTF-8\" (Excel offers it when saving)";

/// The text of a file without its byte order mark, and how it was read.
///
/// # Errors
/// The line of the first byte that fits neither.
pub(super) fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, TextEncoding), ImportFault> {
    if UTF_16_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(fault(1, format!("the file is UTF-16: {SAVE_AGAIN}")));
    }
    let (marked, body) = match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(body) => (true, body),
        None => (false, bytes),
    };
    let invalid = match std::str::from_utf8(body) {
        Ok(text) => return Ok((Cow::Borrowed(text), TextEncoding::Utf8)),
        Err(error) => error.valid_up_to(),
    };
    if marked {
        return Err(fault(line_of(body, invalid), format!("the file says that it is UTF-8 and is not: {SAVE_AGAIN}")));
    }
    if let Some(text) = shift_jis(body) {
        return Ok((text, TextEncoding::ShiftJis));
    }
    // No second byte of Shift_JIS is a line feed, so lines can be read one by one.
    let line = body.split(|byte| *byte == b'\n').position(|line| shift_jis(line).is_none());
    let line = line.map_or(1, |before| before as u64 + 1);
    Err(fault(line, format!("the file is neither UTF-8 nor Shift_JIS: {SAVE_AGAIN}")))
}

fn shift_jis(bytes: &[u8]) -> Option<Cow<'_, str>> {
    SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes)
}

fn line_of(bytes: &[u8], place: usize) -> u64 {
    bytes[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

fn fault(line: u64, what: String) -> ImportFault {
    ImportFault { line, column: None, what }
}

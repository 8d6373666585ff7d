//! Sizes that bound this crate.

/// Data elements of a message with a primary and a secondary bitmap (ISO 8583:1987).
pub const DE_COUNT: usize = scheme::DE_COUNT;

/// Payload bytes of one frame with a 2-byte length: what the length can say.
pub const BE2_FRAME_MAX: usize = u16::MAX as usize;

/// Bytes of all values of one message: no frame is longer.
pub const MESSAGE_BYTES_MAX: usize = BE2_FRAME_MAX;

/// Digits of a length indicator. ISO 8583 has LL and LLL; four leave room for private fields and
/// keep one element below any frame.
pub const LENGTH_DIGITS_MAX: usize = 4;

/// Characters (bytes for type b) of one data element: what the longest length indicator can say.
pub const ELEMENT_MAX: usize = 9_999;

/// Room beyond the received bytes that a decoded message gets, so that adding the usual elements
/// of an answer (DE15, 37, 38, 39, 44, 54: 90 characters) does not reallocate.
pub const MESSAGE_SLACK: usize = 96;

/// Problems that are reported of one dialect file: enough for every data element to have one and
/// some more, while a file of garbage can't fill a screen for ever.
pub const PROBLEMS_MAX: usize = 200;

const _: () = assert!(ELEMENT_MAX + 64 < BE2_FRAME_MAX);
const _: () = assert!(ELEMENT_MAX + 1 == 10usize.pow(LENGTH_DIGITS_MAX as u32));
const _: () = assert!(MESSAGE_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(PROBLEMS_MAX > DE_COUNT);

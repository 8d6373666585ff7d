//! Limits, each with its reason.

use scheme::limits::{PAN_MAX, SEALED_MAX};

/// Bytes of a MAC on the wire: leftmost 8 of the CMAC (DE64 and DE128 are b 64).
pub const MAC_LEN: usize = 8;
/// Card keys that a ring holds: the current one and those that sealed what is still kept.
pub const RING_MAX: usize = 16;
/// Bytes of a key file: far more than a ring and its comments need.
pub const KEY_FILE_MAX: usize = 16 * 1024;
/// Bytes of the key id in front of sealed card data.
pub const KEY_ID_LEN: usize = 2;
/// Bytes of the AEAD's tag (RFC 8452).
pub const TAG_LEN: usize = 16;
/// Bytes sealed at most: PAN length, PAN as BCD, expiry as BCD.
pub const PLAIN_MAX: usize = 1 + PAN_MAX.div_ceil(2) + 2;

const _: () = assert!(KEY_ID_LEN + PLAIN_MAX + TAG_LEN <= SEALED_MAX);

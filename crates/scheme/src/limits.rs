//! Limits of the vocabulary, each with its reason.

/// Longest primary account number (ISO/IEC 7812: 19 digits).
pub const PAN_MAX: usize = 19;
/// Shortest number that we route: an 8-digit IIN, one account digit, the check digit.
pub const PAN_MIN: usize = 10;
/// DE4 is n12: the largest amount that a message can carry, in minor units.
pub const AMOUNT_MAX: u64 = 999_999_999_999;
/// DE32 is n..11.
pub const INSTITUTION_MAX: u64 = 99_999_999_999;
/// Sealed card data: PAN length, PAN as BCD, expiry, and the AEAD's tag and key id, rounded up.
pub const SEALED_MAX: usize = 40;

const _: () = assert!(PAN_MIN < PAN_MAX);
const _: () = assert!(1 + PAN_MAX.div_ceil(2) + 2 + 16 + 2 <= SEALED_MAX);

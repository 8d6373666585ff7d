//! Payment ids (`docs/formats/ids.md`): 32 bits of local seconds, then 96 bits of SHA-256, of which
//! the last four are masked and name the leg, so that ids sort by time and a payment's transfers
//! stand together.

use core::fmt;

use sha2::{Digest, Sha256};

use crate::digits::digits;
use crate::ident::{ParticipantId, Stan, TerminalId};
use crate::time::{CivilDateTime, LocalTime, seconds_since_2000};

/// A payment's identity for ever, assigned once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PaymentId(u128);

/// What one transfer of a payment does: the low four bits of its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Leg {
    /// The payment itself.
    Payment = 0,
    /// Reserve.
    Hold = 1,
    /// Post what was reserved.
    Post = 2,
    /// Release what was reserved.
    Void = 3,
    /// Return what was posted.
    Reverse = 4,
    /// Return what was posted, through the overcap account.
    ReverseByOvercap = 5,
    /// Complete beyond the cap, through the overcap account.
    CompleteByOvercap = 6,
    /// Move between position and escrow.
    Escrow = 7,
    /// Move between overcap and escrow.
    EscrowByOvercap = 8,
    /// Fee.
    Fee = 9,
}

/// What a payment id is made of, as first received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PaymentSeed {
    /// DE32.
    pub acquirer: ParticipantId,
    /// DE41.
    pub terminal: TerminalId,
    /// DE11.
    pub stan: Stan,
    /// DE13 and DE12.
    pub local: LocalTime,
}

/// Bytes that an id is hashed of: DE32, 41, 11, 13 and 12, each behind its length.
const HASHED_MAX: usize = (1 + 11) + (1 + 8) + (1 + 6) + (1 + 4) + (1 + 6);

impl PaymentSeed {
    /// The id; `clock` is the hub's local date and time, which decides the year.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "HASHED_MAX bounds the lengths and their sum"
    )]
    pub fn id(&self, clock: CivilDateTime) -> PaymentId {
        let seconds = seconds_since_2000(self.local, clock);
        let acquirer = digits::<11>(self.acquirer.get());
        let zeros = acquirer.iter().take_while(|digit| **digit == b'0').count();
        let parts: [&[u8]; 5] = [
            &acquirer[zeros..],
            self.terminal.bytes(),
            &digits::<6>(self.stan.get().into()),
            &digits::<4>(self.local.date().into()),
            &digits::<6>(self.local.time().into()),
        ];
        let (mut hashed, mut length) = ([0; HASHED_MAX], 0);
        for part in parts {
            // Every part is at most 11 bytes long, so its length is one byte.
            hashed[length] = part.len() as u8;
            hashed[length + 1..][..part.len()].copy_from_slice(part);
            length += 1 + part.len();
        }
        let digest = Sha256::digest(&hashed[..length]);
        let tail = digest[..12].iter().fold(0u128, |n, b| (n << 8) | u128::from(*b));
        PaymentId(((u128::from(seconds) << 96) | tail) & !0xf)
    }
}

impl PaymentId {
    /// `None` when the leg bits are not zero.
    pub const fn new(id: u128) -> Option<Self> {
        if id & 0xf == 0 { Some(Self(id)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The ledger id of one of its transfers.
    pub const fn leg(self, leg: Leg) -> u128 {
        self.0 | leg as u128
    }

    /// The payment that a transfer id belongs to.
    pub const fn of_transfer(id: u128) -> Self {
        Self(id & !0xf)
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The ledger id of a transfer that belongs to no payment (a cap, an overcap repayment, a netting):
/// 128 bits of SHA-256 over the record's kind and its number in the journal.
pub fn transfer_id_of_record(kind: u8, record: u64) -> u128 {
    let mut hash = Sha256::new();
    hash.update([kind]);
    hash.update(record.to_le_bytes());
    let digest = hash.finalize();
    digest[..16].iter().fold(0u128, |n, b| (n << 8) | u128::from(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden values of `docs/formats/ids.md`, computed by another program (Python's hashlib).
    #[test]
    fn golden_ids() {
        let clock = CivilDateTime::from_seconds(1_795_000_000);
        let seed = PaymentSeed {
            acquirer: ParticipantId::new(100_001).unwrap(),
            terminal: TerminalId::new(b"PYO00001").unwrap(),
            stan: Stan::new(1).unwrap(),
            local: LocalTime::new(1_122_171_500).unwrap(),
        };
        let id = seed.id(clock);
        assert_eq!(id.get(), 0x3295_df94_2c8d_198e_750a_abc1_4ca3_d9d0);
        assert_eq!(transfer_id_of_record(6, 7), 0x77a5_4f86_f9b2_2d60_5e0e_41fe_fc0f_ddcb);
        assert_eq!(PaymentId::of_transfer(id.leg(Leg::Reverse)), id);
    }
}

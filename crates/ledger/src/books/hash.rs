//! The state hash: a sum over hashes of accounts and open pending transfers, so that the order in
//! which rows came does not matter.
//!
//! It finds faults, it does not resist an attacker. It is our own function, so that the same books
//! have the same hash on every machine and in every release.

use super::memory::{Entry, UserData};
use crate::Account;

/// Odd constants without a pattern: the fractional bits of the square roots of 2, 3, 5 and 7.
const KEYS: [u64; 4] =
    [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1];

/// Two lanes of 64 bits; each step is a bijection of its lane, so no word is ever lost.
struct Lanes(u64, u64);

impl Lanes {
    const fn new(kind: u64) -> Self {
        Self(KEYS[0] ^ kind, KEYS[1] ^ kind)
    }

    fn word(&mut self, word: u64) {
        let step = |lane: u64, key: u64| {
            let mixed = (lane ^ word).wrapping_mul(key);
            mixed ^ (mixed >> 29)
        };
        self.0 = step(self.0, KEYS[2]).wrapping_add(KEYS[1]);
        self.1 = step(self.1.rotate_left(23), KEYS[3]).wrapping_add(KEYS[0]);
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a wide word")]
    fn wide(&mut self, word: u128) {
        self.word(word as u64);
        self.word((word >> 64) as u64);
    }

    fn finish(mut self) -> u128 {
        self.word(KEYS[2]);
        self.word(KEYS[3]);
        (u128::from(self.0) << 64) | u128::from(self.1)
    }
}

/// An account as it stands, without its time of creation.
pub(super) fn account(account: &Account) -> u128 {
    let mut lanes = Lanes::new(1);
    lanes.wide(account.id);
    lanes.wide(account.debits_pending);
    lanes.wide(account.debits_posted);
    lanes.wide(account.credits_pending);
    lanes.wide(account.credits_posted);
    lanes.wide(account.user_data_128);
    lanes.word(account.user_data_64);
    lanes.word(u64::from(account.user_data_32) << 32 | u64::from(account.ledger));
    lanes.word(u64::from(account.code) << 16 | u64::from(account.flags.bits()));
    lanes.finish()
}

/// An open pending transfer, with when it expires, if ever. Accounts go in by id: rows are not
/// part of what the books say.
pub(super) fn pending(
    entry: &Entry,
    user: UserData,
    debit_id: u128,
    credit_id: u128,
    expires_at: Option<u64>,
) -> u128 {
    let mut lanes = Lanes::new(2);
    lanes.wide(entry.id);
    lanes.wide(entry.amount);
    lanes.wide(debit_id);
    lanes.wide(credit_id);
    lanes.wide(user.wide);
    lanes.word(user.long);
    lanes.word(u64::from(user.short) << 32 | u64::from(entry.code) << 16);
    lanes.word(u64::from(entry.flags.bits()));
    lanes.word(expires_at.unwrap_or(0));
    lanes.finish()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::AccountFlags;

    const ACCOUNT: Account = Account {
        id: 1 << 70,
        debits_pending: 2,
        debits_posted: 3,
        credits_pending: 4,
        credits_posted: 5,
        user_data_128: 6,
        user_data_64: 7,
        user_data_32: 8,
        ledger: 408,
        code: 1,
        flags: AccountFlags::CLOSED,
        timestamp: 9,
    };

    /// Every field counts, each bit of it, and sums that trade places are another account; the time
    /// of creation does not count.
    #[test]
    fn every_field_counts() {
        let mut others: Vec<Account> = Vec::new();
        for bit in 0..128 {
            let wide = 1u128 << bit;
            others.push(Account { id: ACCOUNT.id ^ wide, ..ACCOUNT });
            others.push(Account { debits_pending: ACCOUNT.debits_pending ^ wide, ..ACCOUNT });
            others.push(Account { debits_posted: ACCOUNT.debits_posted ^ wide, ..ACCOUNT });
            others.push(Account { credits_pending: ACCOUNT.credits_pending ^ wide, ..ACCOUNT });
            others.push(Account { credits_posted: ACCOUNT.credits_posted ^ wide, ..ACCOUNT });
            others.push(Account { user_data_128: ACCOUNT.user_data_128 ^ wide, ..ACCOUNT });
        }
        for bit in 0..16 {
            let flags = AccountFlags::from_bits(ACCOUNT.flags.bits() ^ 1 << bit);
            others.push(Account { flags, ..ACCOUNT });
            others.push(Account { code: ACCOUNT.code ^ 1 << bit, ..ACCOUNT });
            others.push(Account { ledger: ACCOUNT.ledger ^ 1 << bit, ..ACCOUNT });
            others.push(Account { user_data_32: ACCOUNT.user_data_32 ^ 1 << bit, ..ACCOUNT });
            others.push(Account { user_data_64: ACCOUNT.user_data_64 ^ 1 << bit, ..ACCOUNT });
        }
        let mut hashes: Vec<u128> = others.iter().map(account).collect();
        hashes.push(account(&ACCOUNT));
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
        let later = Account { timestamp: 10, ..ACCOUNT };
        assert_eq!(account(&later), account(&ACCOUNT));
    }
}

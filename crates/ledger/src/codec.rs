//! Accounts and transfers as 128 bytes each, laid out as TigerBeetle lays them out, little-endian
//! (`docs/formats/ledger.md`).

use alloc::vec::Vec;

use crate::{Account, AccountFlags, Transfer, TransferFlags};

/// Bytes of an account.
pub(crate) const ACCOUNT_BYTES: usize = 128;
/// Bytes of a transfer.
pub(crate) const TRANSFER_BYTES: usize = 128;

impl Account {
    /// Appends it as TigerBeetle lays it out: 128 bytes, little-endian.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_account(out, self);
    }

    /// Reads what `encode` writes; `None` where the reserved field is set.
    pub fn decode(bytes: &[u8; ACCOUNT_BYTES]) -> Option<Self> {
        get_account(&mut Bytes(bytes))
    }
}

impl Transfer {
    /// Appends it as TigerBeetle lays it out: 128 bytes, little-endian.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_transfer(out, self);
    }

    /// Reads what `encode` writes.
    pub fn decode(bytes: &[u8; TRANSFER_BYTES]) -> Self {
        get_transfer(&mut Bytes(bytes))
    }
}

/// Appends an account as TigerBeetle lays it out, little-endian.
pub(crate) fn put_account(out: &mut Vec<u8>, account: &Account) {
    for word in [
        account.id,
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
        account.user_data_128,
    ] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&account.user_data_64.to_le_bytes());
    out.extend_from_slice(&account.user_data_32.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&account.ledger.to_le_bytes());
    out.extend_from_slice(&account.code.to_le_bytes());
    out.extend_from_slice(&account.flags.bits().to_le_bytes());
    out.extend_from_slice(&account.timestamp.to_le_bytes());
}

/// Reads an account; `None` where a reserved field is set.
pub(crate) fn get_account(bytes: &mut Bytes<'_>) -> Option<Account> {
    let account = Account {
        id: bytes.u128(),
        debits_pending: bytes.u128(),
        debits_posted: bytes.u128(),
        credits_pending: bytes.u128(),
        credits_posted: bytes.u128(),
        user_data_128: bytes.u128(),
        user_data_64: bytes.u64(),
        user_data_32: bytes.u32(),
        ..Account::default()
    };
    (bytes.u32() == 0).then(|| Account {
        ledger: bytes.u32(),
        code: bytes.u16(),
        flags: AccountFlags::from_bits(bytes.u16()),
        timestamp: bytes.u64(),
        ..account
    })
}

/// Appends a transfer as TigerBeetle lays it out, little-endian.
pub(crate) fn put_transfer(out: &mut Vec<u8>, transfer: &Transfer) {
    for word in [
        transfer.id,
        transfer.debit_account_id,
        transfer.credit_account_id,
        transfer.amount,
        transfer.pending_id,
        transfer.user_data_128,
    ] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&transfer.user_data_64.to_le_bytes());
    for word in [transfer.user_data_32, transfer.timeout, transfer.ledger] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&transfer.code.to_le_bytes());
    out.extend_from_slice(&transfer.flags.bits().to_le_bytes());
    out.extend_from_slice(&transfer.timestamp.to_le_bytes());
}

/// Reads a transfer.
pub(crate) fn get_transfer(bytes: &mut Bytes<'_>) -> Transfer {
    Transfer {
        id: bytes.u128(),
        debit_account_id: bytes.u128(),
        credit_account_id: bytes.u128(),
        amount: bytes.u128(),
        pending_id: bytes.u128(),
        user_data_128: bytes.u128(),
        user_data_64: bytes.u64(),
        user_data_32: bytes.u32(),
        timeout: bytes.u32(),
        ledger: bytes.u32(),
        code: bytes.u16(),
        flags: TransferFlags::from_bits(bytes.u16()),
        timestamp: bytes.u64(),
    }
}

/// Bytes still to be read. Beyond the end all is zero: readers compare the length first.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take().unwrap_or_default())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take().unwrap_or_default())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take().unwrap_or_default())
    }

    pub(crate) fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.take().unwrap_or_default())
    }
}

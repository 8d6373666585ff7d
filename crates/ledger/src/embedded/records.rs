//! The records of an embedded ledger's journal, and what each is found by in the index of its
//! segment (`docs/formats/ledger.md`).

use alloc::format;
use alloc::string::String;

use journal::RecordView;
use journal::index::{Keys, KeysOf};
use scheme::Timestamp;
use scheme::key_hash;

use crate::codec::{ACCOUNT_BYTES, Bytes, TRANSFER_BYTES, get_account, get_transfer};
use crate::{Account, Transfer, TransferFlags};

/// The kinds of records in an embedded ledger's journal; numbers are never reused.
pub(super) const ACCOUNT: u8 = 1;
pub(super) const TRANSFER: u8 = 2;
pub(super) const FAILED: u8 = 3;
pub(super) const EXPIRE: u8 = 4;
/// The version of all of them.
pub(super) const VERSION: u8 = 1;

/// The version of the keys below.
pub(super) const KEYS_VERSION: u16 = 1;
/// The kinds of keys: a transfer or failed id by its id, a post or void by its pending transfer's.
const BY_ID: u8 = 1;
const BY_PENDING_ID: u8 = 2;

/// What a record says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entered {
    /// An account was created.
    Account(Account),
    /// A transfer happened.
    Transfer(Transfer),
    /// An id failed.
    Failed(u128),
    /// Pending transfers expired up to here.
    Expired(Timestamp),
}

/// Reads a record.
pub(super) fn read(record: &RecordView<'_>) -> Result<Entered, String> {
    let mut bytes = Bytes(record.payload);
    match (record.kind, record.version, record.payload.len()) {
        (ACCOUNT, VERSION, ACCOUNT_BYTES) => {
            let account = get_account(&mut bytes).ok_or("an account with a reserved field set")?;
            Ok(Entered::Account(account))
        }
        (TRANSFER, VERSION, TRANSFER_BYTES) => Ok(Entered::Transfer(get_transfer(&mut bytes))),
        (FAILED, VERSION, 16) => Ok(Entered::Failed(bytes.u128())),
        (EXPIRE, VERSION, 8) => Ok(Entered::Expired(Timestamp(bytes.u64()))),
        (kind, version, length) => {
            Err(format!("kind {kind}, version {version}, {length} bytes: not a record of a ledger"))
        }
    }
}

/// The hold that a transfer is the post or void of.
pub(super) fn resolved_by(transfer: &Transfer) -> Option<u128> {
    let ends = TransferFlags::POST_PENDING | TransferFlags::VOID_PENDING;
    transfer.flags.intersects(ends).then_some(transfer.pending_id)
}

/// The upper half of an id: what an index keeps the lowest and the highest of.
pub(super) fn upper(id: u128) -> u64 {
    (id >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a wide word")]
fn key(kind: u8, id: u128) -> u64 {
    key_hash(kind, &[id as u64, upper(id)])
}

/// The key of the transfer or failed id of an id.
pub(super) fn by_id(id: u128) -> u64 {
    key(BY_ID, id)
}

/// The key of the post or void of a pending transfer.
pub(super) fn by_pending_id(id: u128) -> u64 {
    key(BY_PENDING_ID, id)
}

/// What the records are found by.
pub(super) struct LedgerKeys;

impl KeysOf for LedgerKeys {
    fn version(&self) -> u16 {
        KEYS_VERSION
    }

    fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys) {
        let id = match read(record) {
            Ok(Entered::Transfer(transfer)) => {
                if let Some(hold) = resolved_by(&transfer) {
                    keys.key(by_pending_id(hold));
                    keys.span(1, upper(hold));
                }
                transfer.id
            }
            Ok(Entered::Failed(id)) => id,
            // What can't be read is found by nothing; a replay names it.
            Ok(Entered::Account(_) | Entered::Expired(_)) | Err(_) => return,
        };
        keys.key(by_id(id));
        keys.span(0, upper(id));
    }
}

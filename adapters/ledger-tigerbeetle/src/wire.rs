//! What goes to a cluster and what comes back: events and rows of 128 bytes, and for each event
//! that was refused its place and its status. Numbers are those of `ledger`.

use ledger::{Account, AccountFlags, AccountStatus, Transfer, TransferFlags, TransferStatus};

/// Bytes of an event, of an account and of a transfer.
pub const ROW_BYTES: usize = 128;
/// Bytes of a refusal: place and status, 32 bits each.
const REFUSAL_BYTES: usize = 8;

/// The statuses of a batch that imports, each event of which is refused.
pub struct ImportStatuses<S> {
    chain_failed: S,
    chain_open: S,
    expected: S,
    refused: S,
}

/// An event of a batch.
pub trait Event {
    /// What becomes of it.
    type Status: Copy + 'static;
    /// That it took effect.
    const OK: Self::Status;
    /// What batches that import are answered.
    const IMPORTS: ImportStatuses<Self::Status>;
    /// Whether the next event belongs to its chain.
    fn is_linked(&self) -> bool;
    /// Whether it brings its own timestamp.
    fn is_imported(&self) -> bool;
    /// Appends it as the wire has it.
    fn encode(&self, out: &mut Vec<u8>);
    /// The status of a number.
    fn status(number: u32) -> Option<Self::Status>;
}

impl Event for Account {
    type Status = AccountStatus;
    const OK: AccountStatus = AccountStatus::Ok;
    const IMPORTS: ImportStatuses<AccountStatus> = ImportStatuses {
        chain_failed: AccountStatus::LinkedEventFailed,
        chain_open: AccountStatus::LinkedEventChainOpen,
        expected: AccountStatus::ImportedEventExpected,
        refused: AccountStatus::ImportedEventNotExpected,
    };

    fn is_linked(&self) -> bool {
        self.flags.contains(AccountFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.flags.contains(AccountFlags::IMPORTED)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        Account::encode(self, out);
    }

    fn status(number: u32) -> Option<AccountStatus> {
        AccountStatus::from_number(number)
    }
}

impl Event for Transfer {
    type Status = TransferStatus;
    const OK: TransferStatus = TransferStatus::Ok;
    const IMPORTS: ImportStatuses<TransferStatus> = ImportStatuses {
        chain_failed: TransferStatus::LinkedEventFailed,
        chain_open: TransferStatus::LinkedEventChainOpen,
        expected: TransferStatus::ImportedEventExpected,
        refused: TransferStatus::ImportedEventNotExpected,
    };

    fn is_linked(&self) -> bool {
        self.flags.contains(TransferFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.flags.contains(TransferFlags::IMPORTED)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        Transfer::encode(self, out);
    }

    fn status(number: u32) -> Option<TransferStatus> {
        TransferStatus::from_number(number)
    }
}

/// A batch as the wire has it.
pub fn encode<E: Event>(events: &[E]) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.len().saturating_mul(ROW_BYTES));
    for event in events {
        event.encode(&mut out);
    }
    out
}

/// Ids to look up, as the wire has them.
pub fn encode_ids(ids: &[u128]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

/// What a batch that imports is answered without asking the cluster; `None` for any other. In such
/// a batch, which is one whose first event imports, nothing succeeds and no id is used up.
pub fn refuse_imports<E: Event>(events: &[E]) -> Option<Vec<E::Status>> {
    let imports = events.first().is_some_and(Event::is_imported);
    if !imports {
        return None;
    }
    let mut statuses = Vec::with_capacity(events.len());
    let mut chain_failed = false;
    for (place, event) in events.iter().enumerate() {
        let is_last = place + 1 == events.len();
        statuses.push(if event.is_linked() && is_last {
            E::IMPORTS.chain_open
        } else if chain_failed {
            E::IMPORTS.chain_failed
        } else if event.is_imported() {
            E::IMPORTS.refused
        } else {
            E::IMPORTS.expected
        });
        chain_failed = event.is_linked();
    }
    Some(statuses)
}

/// One status per event, from the refusals that the cluster answered.
pub fn statuses<E: Event>(events: usize, answer: &[u8]) -> Result<Vec<E::Status>, &'static str> {
    let mut statuses = vec![E::OK; events];
    let (refusals, rest) = answer.as_chunks::<REFUSAL_BYTES>();
    if !rest.is_empty() {
        return Err("is cut short");
    }
    for refusal in refusals {
        let [a, b, c, d, e, f, g, h] = *refusal;
        let place = u32::from_le_bytes([a, b, c, d]);
        let status = E::status(u32::from_le_bytes([e, f, g, h]));
        let place = usize::try_from(place).ok().and_then(|place| statuses.get_mut(place));
        *place.ok_or("names an event that was not sent")? =
            status.ok_or("has an unknown status")?;
    }
    Ok(statuses)
}

/// Accounts that were looked up.
pub fn accounts(answer: &[u8]) -> Result<Vec<Account>, &'static str> {
    let (rows, rest) = answer.as_chunks::<ROW_BYTES>();
    let accounts: Option<Vec<Account>> = rows.iter().map(Account::decode).collect();
    match accounts {
        Some(accounts) if rest.is_empty() => Ok(accounts),
        Some(_) => Err("is cut short"),
        None => Err("has an account with a reserved field set"),
    }
}

/// Transfers that were looked up.
pub fn transfers(answer: &[u8]) -> Result<Vec<Transfer>, &'static str> {
    let (rows, rest) = answer.as_chunks::<ROW_BYTES>();
    if !rest.is_empty() {
        return Err("is cut short");
    }
    Ok(rows.iter().map(Transfer::decode).collect())
}

#[cfg(test)]
mod tests {
    use ledger::Books;
    use scheme::Timestamp;

    use super::*;

    #[test]
    fn refusals_find_their_events() {
        let refusals: Vec<u8> =
            [1u32, 46, 2, 68].iter().flat_map(|word| word.to_le_bytes()).collect();
        let found = statuses::<Transfer>(4, &refusals).unwrap();
        let expected = [
            TransferStatus::Ok,
            TransferStatus::Exists,
            TransferStatus::IdAlreadyFailed,
            TransferStatus::Ok,
        ];
        assert_eq!(found, expected);
        assert_eq!(statuses::<Transfer>(2, &refusals), Err("names an event that was not sent"));
        assert_eq!(statuses::<Transfer>(4, &refusals[..9]), Err("is cut short"));
        assert_eq!(statuses::<Account>(4, &refusals), Err("has an unknown status"));
    }

    #[test]
    fn rows_are_read_as_they_are_written() {
        let account = Account {
            id: 1,
            debits_pending: 2,
            debits_posted: 3,
            credits_pending: 4,
            credits_posted: 5,
            user_data_128: 6,
            user_data_64: 7,
            user_data_32: 8,
            ledger: 9,
            code: 10,
            flags: AccountFlags::CLOSED,
            timestamp: 11,
        };
        let mut bytes = encode(&[account, Account { id: 2, ..account }]);
        assert_eq!(accounts(&bytes).unwrap(), [account, Account { id: 2, ..account }]);
        assert_eq!(accounts(&bytes[1..]), Err("has an account with a reserved field set"));
        assert_eq!(accounts(&bytes[..200]), Err("is cut short"));
        bytes[108] = 1;
        assert_eq!(accounts(&bytes), Err("has an account with a reserved field set"));
        let transfer = Transfer { id: 1, timeout: 2, timestamp: 3, ..Transfer::default() };
        assert_eq!(transfers(&encode(&[transfer])).unwrap(), [transfer]);
        assert_eq!(transfers(&[0; 127]), Err("is cut short"));
        assert_eq!(encode_ids(&[1, 256])[..18].iter().rposition(|byte| *byte == 1), Some(17));
    }

    /// Every batch of up to five events, linked and importing in every way: as `Books` answers.
    #[test]
    fn imports_are_refused_as_books_refuse_them() {
        let mut asked = 0;
        for length in 1..=5u32 {
            for bits in 0..4u32.pow(length) {
                let flags = |place: u32| bits >> (2 * place) & 3;
                let transfers: Vec<Transfer> = (0..length)
                    .map(|place| Transfer {
                        id: u128::from(place) + 1,
                        flags: TransferFlags::from_bits(
                            [0, 1, 1 << 8, 1 | 1 << 8][flags(place) as usize],
                        ),
                        ..Transfer::default()
                    })
                    .collect();
                let Some(answer) = refuse_imports(&transfers) else {
                    assert!(!transfers[0].flags.contains(TransferFlags::IMPORTED));
                    continue;
                };
                asked += 1;
                let mut expected = Vec::new();
                Books::new().create_transfers(Timestamp(1), &transfers, &mut expected);
                assert_eq!(answer, expected, "{transfers:?}");
                let accounts: Vec<Account> = transfers
                    .iter()
                    .map(|t| {
                        let imported = (t.flags.bits() >> 8) << 4;
                        let flags = AccountFlags::from_bits(t.flags.bits() & 1 | imported);
                        Account { id: t.id, flags, ..Account::default() }
                    })
                    .collect();
                let mut expected = Vec::new();
                Books::new().create_accounts(Timestamp(1), &accounts, &mut expected);
                assert_eq!(refuse_imports(&accounts), Some(expected), "{accounts:?}");
            }
        }
        assert_eq!(asked, (4 + 16 + 64 + 256 + 1024) / 2);
        assert_eq!(refuse_imports::<Transfer>(&[]), None);
    }
}

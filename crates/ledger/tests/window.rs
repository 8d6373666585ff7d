//! Books with a window answer as books that forget nothing, for ids inside it and for all that is
//! open, however long ago that was; and they do not grow.

use ledger::{Account, AccountStatus, Books, Transfer, TransferFlags, TransferStatus};
use scheme::Timestamp;

const PIECE: usize = ledger::limits::ROWS_OF_PIECE;
const STEPS: u64 = 30_000;

fn books() -> Books {
    let mut books = Books::new();
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    let mut statuses = Vec::new();
    let accounts = [account(1), account(2), account(3)];
    books.create_accounts(Timestamp(1), &accounts, &mut statuses);
    assert_eq!(statuses, [AccountStatus::Ok; 3]);
    books
}

fn hold(id: u128, timeout: u32) -> Transfer {
    Transfer {
        id,
        debit_account_id: 1 + id % 3,
        credit_account_id: 1 + (id + 1) % 3,
        amount: 1 + id % 9,
        ledger: 1,
        code: 1,
        timeout,
        flags: TransferFlags::PENDING,
        ..Transfer::default()
    }
}

fn end(id: u128, of: u128, posts: bool) -> Transfer {
    let flags = if posts { TransferFlags::POST_PENDING } else { TransferFlags::VOID_PENDING };
    let amount = if posts { u128::MAX } else { 0 };
    Transfer { id, pending_id: of, amount, flags, ..Transfer::default() }
}

#[test]
fn a_window_forgets_what_is_over_and_nothing_else() {
    let (mut all, mut few) = (books(), books());
    few.set_window(2 * PIECE);
    let mut dice = 7u64;
    let (mut open, mut odd): (Vec<u128>, Vec<u128>) = (Vec::new(), Vec::new());
    let (mut oldest, mut expired, mut again) = (0, 0, 0);
    for step in 1..=STEPS {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = Timestamp(step * 1_000_000_000);
        let id = u128::from(step) << 8;
        let transfer = match dice >> 61 {
            // Most holds end soon, some stay for long, some expire.
            0..=2 => {
                open.push(id);
                hold(id, if dice >> 50 & 3 == 0 { 3_000 } else { 0 })
            }
            3..=5 if !open.is_empty() => {
                let long = dice >> 40 & 31 == 0;
                let place = if long { 0 } else { open.len() - 1 };
                let of = open.remove(place);
                oldest = oldest.max(u128::from(step) - (of >> 8));
                end(id, of, dice >> 39 & 1 == 0)
            }
            // An id again, of the last ones.
            6 if step > 200 && !odd.contains(&(u128::from(step - (dice >> 30) % 200) << 8)) => {
                again += 1;
                hold(u128::from(step - (dice >> 30) % 200) << 8, 0)
            }
            // One that fails.
            _ => Transfer { debit_account_id: 77, ..hold(id, 0) },
        };
        let (mut one, mut two) = (Vec::new(), Vec::new());
        all.create_transfers(at, &[transfer], &mut one);
        few.create_transfers(at, &[transfer], &mut two);
        if one == [TransferStatus::PendingTransferExpired] {
            expired += 1;
            odd.push(transfer.id);
            // One that is over and older than the window is not known any more.
            assert!(two == one || two == [TransferStatus::PendingTransferNotFound]);
            continue;
        }
        assert_eq!(one, two, "step {step}: {transfer:?}");
        if step % 100 == 0 {
            assert_eq!(all.state_hash(), few.state_hash(), "step {step}");
        }
        let most = 4 * PIECE + open.len();
        assert!(few.remembered() < most, "{} remembered, {} open", few.remembered(), open.len());
    }
    assert!(
        oldest > 5 * PIECE as u128 && expired > 3 && again > 1_000,
        "{oldest} {expired} {again}"
    );
    assert!(all.remembered() > 4 * few.remembered());
    let pending = |books: &Books| books.pending().map(|p| p.id).collect::<Vec<_>>();
    assert_eq!(pending(&all), pending(&few));

    // As bytes, whole and with what is open alone: rows are numbered anew.
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    few.encode(&mut whole);
    few.encode_open(&mut bare);
    for (bytes, name) in [(whole, "whole"), (bare, "open")] {
        let mut back = Books::decode(&bytes).unwrap();
        assert_eq!(back.state_hash(), all.state_hash(), "{name}");
        let mut statuses = Vec::new();
        let at = Timestamp((STEPS + 1) * 1_000_000_000);
        let ends: Vec<_> = pending(&back).iter().map(|of| end(of | 1, *of, true)).collect();
        back.create_transfers(at, &ends, &mut statuses);
        assert!(statuses.iter().all(|status| *status == TransferStatus::Ok), "{name}");
        assert_eq!(back.open_pending(), 0);
    }
}

/// A hold that is older than the window stays as long as it is open, and goes once it has expired.
#[test]
fn what_expires_beyond_the_window_goes() {
    let mut books = books();
    books.set_window(10);
    let mut statuses = Vec::new();
    let at = |s: u64| Timestamp(s * 1_000_000_000);
    for id in 1..=500 {
        books.create_transfers(at(1), &[hold(id, 60)], &mut statuses);
    }
    assert_eq!((books.remembered(), books.open_pending()), (500, 500));
    let last = Transfer { timeout: 0, flags: TransferFlags::NONE, ..hold(1_000, 0) };
    books.create_transfers(at(100), &[last], &mut statuses);
    assert_eq!(statuses, [TransferStatus::Ok]);
    assert_eq!((books.remembered(), books.open_pending()), (10, 0));
}

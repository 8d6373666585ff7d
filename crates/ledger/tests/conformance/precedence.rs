//! Rule before rule. Each table is a sound event and, in TigerBeetle's order of precedence, one row
//! per rule: the smallest change that breaks it. A row alone must give its own status; any two
//! rows together, where both can hold at once, must give the earlier one's.

use ledger::{Account, AccountFlags as A, Engine, Transfer, TransferFlags as T};
use scheme::Timestamp;

use crate::script::{Clock, Seen};

type Row<E> = (&'static str, fn(&mut E));

/// An event, what it must be answered, and which rules it breaks.
struct Question<E> {
    event: E,
    answer: &'static str,
    broken: String,
}

/// Checks every rule, and every pair of rules, of every table. Each event has a world of its own;
/// `at_once` of them are made before the time passes that lets holds 103 and 104 expire.
pub(crate) fn check<E: Engine>(
    mut new: impl FnMut() -> E,
    at_once: usize,
    clock: Clock,
    seen: &mut Seen,
) {
    let tables = [moving(), holding(), repeating(), balancing(), posting(), voiding(), reposting()];
    let (mut transfers, mut pairs) = (Vec::new(), 0);
    for (sound, status, rows) in tables {
        pairs += questions(sound, status, &rows, &mut transfers);
    }
    let (mut accounts, mut account_pairs) = (Vec::new(), 0);
    for (sound, status, rows) in account_tables() {
        account_pairs += questions(sound, status, &rows, &mut accounts);
    }
    assert!(pairs > 900 && account_pairs > 90, "{pairs} and {account_pairs} pairs");
    let mut worlds = |count: usize| {
        let mut worlds: Vec<E> = (0..count).map(|_| new()).collect();
        worlds.iter_mut().for_each(world);
        clock.wait(3);
        worlds
    };
    for questions in transfers.chunks(at_once) {
        for (question, mut engine) in questions.iter().zip(worlds(questions.len())) {
            let mut out = Vec::new();
            // One nanosecond before 104 expires, so that it does within the batch.
            let now = Timestamp(8_000_000_000);
            engine.create_transfers(now, &[question.event], &mut out).unwrap();
            seen.note_transfers(&out);
            assert_eq!(out[0].name(), question.answer, "{}", question.broken);
        }
    }
    for questions in accounts.chunks(at_once) {
        for (question, mut engine) in questions.iter().zip(worlds(questions.len())) {
            let mut out = Vec::new();
            engine.create_accounts(Timestamp::from_s(7), &[question.event], &mut out).unwrap();
            seen.note_accounts(&out);
            assert_eq!(out[0].name(), question.answer, "{}", question.broken);
        }
    }
}

/// The questions of a table; how many pairs of its rows can hold at once.
fn questions<E: Copy + PartialEq>(
    sound: E,
    status: &'static str,
    rows: &[Row<E>],
    out: &mut Vec<Question<E>>,
) -> usize {
    let changed = |mut event: E, rows: &[&Row<E>]| {
        rows.iter().for_each(|row| (row.1)(&mut event));
        event
    };
    out.push(Question { event: sound, answer: status, broken: "the sound event".into() });
    let mut pairs = 0;
    for (n, early) in rows.iter().enumerate() {
        let event = changed(sound, &[early]);
        out.push(Question { event, answer: early.0, broken: format!("row {n} alone") });
        for late in &rows[n + 1..] {
            let event = changed(sound, &[early, late]);
            // Two rows that want the same field cannot both hold.
            if event == changed(sound, &[late, early]) {
                let broken = format!("{} before {}", early.0, late.0);
                out.push(Question { event, answer: early.0, broken });
                pairs += 1;
            }
        }
    }
    pairs
}

/// What is there before each event: free accounts 1 and 2; 3 and 4 with limits; 5 and 14 closed; 6
/// of another ledger; 7 and 8 nearly full (7 on both sides posted, 8 on both sides held), 10 to 13
/// for their other sides; holds 100 (open), 101 (posted by 201), 102 (voided), 103 (expired), 104
/// (about to expire), 105 of account 5, 107 of 14, 108 of both; plain transfer 110, balancing 111;
/// failed id 120.
fn world<E: Engine>(engine: &mut E) {
    let account = |id: u128| Account {
        id,
        ledger: 408,
        code: 1,
        user_data_128: 1,
        user_data_64: 1,
        user_data_32: 1,
        ..Account::default()
    };
    let mut accounts: Vec<Account> = (1..15).map(account).collect();
    accounts[2].flags = A::DEBITS_MUST_NOT_EXCEED_CREDITS;
    accounts[3].flags = A::CREDITS_MUST_NOT_EXCEED_DEBITS;
    accounts[5].ledger = 840;
    accounts.remove(8);
    engine.create_accounts(Timestamp(1), &accounts, &mut Vec::new()).unwrap();
    fill(engine);
}

/// The transfers of `world`.
fn fill<E: Engine>(engine: &mut E) {
    let plain = |id: u128, debit: u128, credit: u128, amount: u128| Transfer {
        id,
        debit_account_id: debit,
        credit_account_id: credit,
        amount,
        ledger: 408,
        code: 1,
        user_data_128: 1,
        user_data_64: 1,
        user_data_32: 1,
        ..Transfer::default()
    };
    let flagged = |transfer: Transfer, flags: T| Transfer { flags, ..transfer };
    let hold =
        |id: u128, timeout: u32| Transfer { timeout, ..flagged(plain(id, 1, 2, 10), T::PENDING) };
    let end = |id: u128, of: u128, flags: T| Transfer {
        id,
        pending_id: of,
        amount: 10,
        flags,
        ..Transfer::default()
    };
    let closing = T::PENDING | T::CLOSING_DEBIT | T::CLOSING_CREDIT;
    let most = u128::MAX - 100;
    let steps = [
        hold(103, 1),
        hold(100, 0),
        hold(101, 0),
        hold(102, 0),
        end(201, 101, T::POST_PENDING),
        end(202, 102, T::VOID_PENDING),
        plain(110, 1, 2, 10),
        flagged(plain(111, 2, 1, 10), T::BALANCING_DEBIT),
        plain(120, 3, 1, 1),
        flagged(plain(105, 5, 2, 10), T::PENDING),
        flagged(plain(107, 1, 14, 10), T::PENDING),
        flagged(plain(108, 5, 14, 10), T::PENDING),
        flagged(plain(106, 5, 14, 0), closing),
        plain(130, 7, 10, most),
        plain(131, 11, 7, most),
        flagged(plain(132, 8, 12, most), T::PENDING),
        flagged(plain(133, 13, 8, most), T::PENDING),
    ];
    let mut out = Vec::new();
    engine.create_transfers(Timestamp(2), &steps, &mut out).unwrap();
    let refused: Vec<usize> = (0..out.len()).filter(|n| !out[*n].is_ok()).collect();
    assert_eq!(refused, [8], "only 120 fails: {out:?}");
    engine.create_transfers(Timestamp::from_s(7), &[hold(104, 1)], &mut out).unwrap();
}

/// A new account, and one that is there.
fn account_tables() -> [(Account, &'static str, Vec<Row<Account>>); 2] {
    let sound = Account { id: 9, ledger: 408, code: 1, ..Account::default() };
    let rows: Vec<Row<Account>> = vec![
        ("linked_event_chain_open", |a| a.flags = a.flags | A::LINKED),
        ("imported_event_not_expected", |a| a.flags = a.flags | A::IMPORTED),
        ("timestamp_must_be_zero", |a| a.timestamp = 1),
        ("reserved_flag", |a| a.flags = a.flags | A::from_bits(1 << 6)),
        ("id_must_not_be_zero", |a| a.id = 0),
        ("id_must_not_be_int_max", |a| a.id = u128::MAX),
        ("exists_with_different_flags", |a| {
            a.id = 3;
            a.user_data_128 = 7;
        }),
        ("flags_are_mutually_exclusive", |a| {
            a.flags =
                a.flags | A::DEBITS_MUST_NOT_EXCEED_CREDITS | A::CREDITS_MUST_NOT_EXCEED_DEBITS;
        }),
        ("debits_pending_must_be_zero", |a| a.debits_pending = 1),
        ("debits_posted_must_be_zero", |a| a.debits_posted = 1),
        ("credits_pending_must_be_zero", |a| a.credits_pending = 1),
        ("credits_posted_must_be_zero", |a| a.credits_posted = 1),
        ("ledger_must_not_be_zero", |a| a.ledger = 0),
        ("code_must_not_be_zero", |a| a.code = 0),
    ];
    let there = Account { id: 1, user_data_128: 1, user_data_64: 1, user_data_32: 1, ..sound };
    let differences: Vec<Row<Account>> = vec![
        ("exists_with_different_flags", |a| a.flags = A::HISTORY),
        ("exists_with_different_user_data_128", |a| a.user_data_128 = 0),
        ("exists_with_different_user_data_64", |a| a.user_data_64 = 0),
        ("exists_with_different_user_data_32", |a| a.user_data_32 = 0),
        ("exists_with_different_ledger", |a| a.ledger = 0),
        ("exists_with_different_code", |a| a.code = 0),
    ];
    [(sound, "ok", rows), (there, "exists", differences)]
}

type Table = (Transfer, &'static str, Vec<Row<Transfer>>);

const SOUND: Transfer = Transfer {
    id: 9,
    debit_account_id: 1,
    credit_account_id: 2,
    amount: 5,
    pending_id: 0,
    user_data_128: 0,
    user_data_64: 0,
    user_data_32: 0,
    timeout: 0,
    ledger: 408,
    code: 1,
    flags: T::NONE,
    timestamp: 0,
};

/// What every transfer is asked first.
fn common() -> Vec<Row<Transfer>> {
    vec![
        ("linked_event_chain_open", |t| t.flags = t.flags | T::LINKED),
        ("imported_event_not_expected", |t| t.flags = t.flags | T::IMPORTED),
        ("timestamp_must_be_zero", |t| t.timestamp = 1),
        ("reserved_flag", |t| t.flags = t.flags | T::from_bits(1 << 9)),
        ("id_must_not_be_zero", |t| t.id = 0),
        ("id_must_not_be_int_max", |t| t.id = u128::MAX),
    ]
}

/// A transfer that moves money at once.
fn moving() -> Table {
    let mut rows = common();
    let own: [Row<Transfer>; 24] = [
        ("id_already_failed", |t| t.id = 120),
        ("debit_account_id_must_not_be_zero", |t| t.debit_account_id = 0),
        ("debit_account_id_must_not_be_int_max", |t| t.debit_account_id = u128::MAX),
        ("credit_account_id_must_not_be_zero", |t| t.credit_account_id = 0),
        ("credit_account_id_must_not_be_int_max", |t| t.credit_account_id = u128::MAX),
        ("accounts_must_be_different", |t| t.credit_account_id = t.debit_account_id),
        ("pending_id_must_be_zero", |t| t.pending_id = 100),
        ("timeout_reserved_for_pending_transfer", |t| t.timeout = 1),
        ("closing_transfer_must_be_pending", |t| t.flags = t.flags | T::CLOSING_DEBIT),
        ("closing_transfer_must_be_pending", |t| t.flags = t.flags | T::CLOSING_CREDIT),
        ("ledger_must_not_be_zero", |t| t.ledger = 0),
        ("code_must_not_be_zero", |t| t.code = 0),
        ("debit_account_not_found", |t| t.debit_account_id = 99),
        ("credit_account_not_found", |t| t.credit_account_id = 98),
        ("accounts_must_have_the_same_ledger", |t| t.debit_account_id = 6),
        ("transfer_must_have_the_same_ledger_as_accounts", |t| t.ledger = 7),
        ("debit_account_already_closed", |t| t.debit_account_id = 5),
        ("credit_account_already_closed", |t| t.credit_account_id = 14),
        ("overflows_debits_posted", |t| {
            t.debit_account_id = 7;
            t.amount = u128::MAX;
        }),
        ("overflows_credits_posted", |t| {
            t.debit_account_id = 3;
            t.credit_account_id = 7;
            t.amount = u128::MAX;
        }),
        ("overflows_debits", |t| {
            t.debit_account_id = 8;
            t.credit_account_id = 4;
            t.amount = 101;
        }),
        ("overflows_credits", |t| {
            t.debit_account_id = 3;
            t.credit_account_id = 8;
            t.amount = 101;
        }),
        ("exceeds_credits", |t| t.debit_account_id = 3),
        ("exceeds_debits", |t| t.credit_account_id = 4),
    ];
    rows.extend(own);
    (SOUND, "ok", rows)
}

/// A transfer that holds money.
fn holding() -> Table {
    let mut rows = common();
    let own: [Row<Transfer>; 13] = [
        ("id_already_failed", |t| t.id = 120),
        ("accounts_must_be_different", |t| t.credit_account_id = t.debit_account_id),
        ("pending_id_must_be_zero", |t| t.pending_id = 100),
        ("ledger_must_not_be_zero", |t| t.ledger = 0),
        ("code_must_not_be_zero", |t| t.code = 0),
        ("debit_account_not_found", |t| t.debit_account_id = 99),
        ("credit_account_not_found", |t| t.credit_account_id = 98),
        ("debit_account_already_closed", |t| t.debit_account_id = 5),
        ("credit_account_already_closed", |t| t.credit_account_id = 14),
        ("overflows_debits_pending", |t| {
            t.debit_account_id = 8;
            t.amount = 101;
        }),
        ("overflows_credits_pending", |t| {
            t.debit_account_id = 3;
            t.credit_account_id = 8;
            t.amount = 101;
        }),
        ("exceeds_credits", |t| t.debit_account_id = 3),
        ("exceeds_debits", |t| t.credit_account_id = 4),
    ];
    rows.extend(own);
    (Transfer { flags: T::PENDING, timeout: 3, ..SOUND }, "ok", rows)
}

/// A plain transfer that is there.
fn repeating() -> Table {
    let mut rows = common();
    rows.truncate(4);
    let own: [Row<Transfer>; 11] = [
        ("exists_with_different_flags", |t| t.flags = t.flags | T::PENDING),
        ("exists_with_different_pending_id", |t| t.pending_id = 100),
        ("exists_with_different_timeout", |t| t.timeout = 1),
        ("exists_with_different_debit_account_id", |t| t.debit_account_id = 0),
        ("exists_with_different_credit_account_id", |t| t.credit_account_id = 0),
        ("exists_with_different_amount", |t| t.amount = 11),
        ("exists_with_different_user_data_128", |t| t.user_data_128 = 0),
        ("exists_with_different_user_data_64", |t| t.user_data_64 = 0),
        ("exists_with_different_user_data_32", |t| t.user_data_32 = 0),
        ("exists_with_different_ledger", |t| t.ledger = 0),
        ("exists_with_different_code", |t| t.code = 0),
    ];
    rows.extend(own);
    let there = Transfer {
        id: 110,
        amount: 10,
        user_data_128: 1,
        user_data_64: 1,
        user_data_32: 1,
        ..SOUND
    };
    (there, "exists", rows)
}

/// A balancing transfer that is there: asked for 10, moved 10.
fn balancing() -> Table {
    let rows: Vec<Row<Transfer>> = vec![
        ("exists_with_different_flags", |t| t.flags = T::NONE),
        ("exists_with_different_debit_account_id", |t| t.debit_account_id = 3),
        ("exists_with_different_amount", |t| t.amount = 9),
        ("exists_with_different_user_data_128", |t| t.user_data_128 = 0),
        ("exists", |t| t.amount = 11),
        ("exists", |t| t.amount = u128::MAX),
    ];
    let there = Transfer {
        id: 111,
        debit_account_id: 2,
        credit_account_id: 1,
        amount: 10,
        user_data_128: 1,
        user_data_64: 1,
        user_data_32: 1,
        flags: T::BALANCING_DEBIT,
        ..SOUND
    };
    (there, "exists", rows)
}

/// What posts and voids are asked alike.
fn resolving() -> Vec<Row<Transfer>> {
    let mut rows = common();
    let own: [Row<Transfer>; 21] = [
        ("id_already_failed", |t| t.id = 120),
        ("flags_are_mutually_exclusive", |t| t.flags = t.flags | T::POST_PENDING | T::VOID_PENDING),
        ("flags_are_mutually_exclusive", |t| t.flags = t.flags | T::PENDING),
        ("flags_are_mutually_exclusive", |t| t.flags = t.flags | T::BALANCING_DEBIT),
        ("flags_are_mutually_exclusive", |t| t.flags = t.flags | T::BALANCING_CREDIT),
        ("flags_are_mutually_exclusive", |t| t.flags = t.flags | T::CLOSING_DEBIT),
        ("flags_are_mutually_exclusive", |t| t.flags = t.flags | T::CLOSING_CREDIT),
        ("pending_id_must_not_be_zero", |t| t.pending_id = 0),
        ("pending_id_must_not_be_int_max", |t| t.pending_id = u128::MAX),
        ("pending_id_must_be_different", |t| t.pending_id = t.id),
        ("timeout_reserved_for_pending_transfer", |t| t.timeout = 1),
        ("pending_transfer_not_found", |t| t.pending_id = 99),
        ("pending_transfer_not_found", |t| t.pending_id = 120),
        ("pending_transfer_not_pending", |t| t.pending_id = 110),
        ("pending_transfer_not_pending", |t| t.pending_id = 201),
        ("pending_transfer_has_different_debit_account_id", |t| t.debit_account_id = 3),
        ("pending_transfer_has_different_credit_account_id", |t| t.credit_account_id = 3),
        ("pending_transfer_has_different_ledger", |t| t.ledger = 7),
        ("pending_transfer_has_different_code", |t| t.code = 7),
        ("exceeds_pending_transfer_amount", |t| t.amount = 11),
        ("exceeds_pending_transfer_amount", |t| t.amount = u128::MAX - 1),
    ];
    rows.extend(own);
    rows
}

fn ended() -> [Row<Transfer>; 4] {
    [
        ("pending_transfer_already_posted", |t| t.pending_id = 101),
        ("pending_transfer_already_voided", |t| t.pending_id = 102),
        ("pending_transfer_expired", |t| t.pending_id = 103),
        ("pending_transfer_expired", |t| t.pending_id = 104),
    ]
}

fn posting() -> Table {
    let mut rows = resolving();
    rows.extend(ended());
    rows.push(("debit_account_already_closed", |t| t.pending_id = 105));
    rows.push(("debit_account_already_closed", |t| t.pending_id = 108));
    rows.push(("credit_account_already_closed", |t| t.pending_id = 107));
    let post = Transfer {
        id: 9,
        pending_id: 100,
        amount: 10,
        flags: T::POST_PENDING,
        ..Transfer::default()
    };
    (post, "ok", rows)
}

fn voiding() -> Table {
    let mut rows = resolving();
    rows.push(("pending_transfer_has_different_amount", |t| t.amount = 9));
    rows.extend(ended());
    // A closed account takes a void.
    let closed: [Row<Transfer>; 2] =
        [("ok", |t| t.pending_id = 107), ("ok", |t| t.pending_id = 108)];
    rows.extend(closed);
    let void = Transfer { id: 9, pending_id: 100, flags: T::VOID_PENDING, ..Transfer::default() };
    (void, "ok", rows)
}

/// A post that is there.
fn reposting() -> Table {
    let mut rows = common();
    rows.truncate(4);
    let own: [Row<Transfer>; 13] = [
        ("exists_with_different_flags", |t| t.flags = t.flags | T::VOID_PENDING),
        ("exists_with_different_pending_id", |t| t.pending_id = 0),
        ("exists_with_different_timeout", |t| t.timeout = 1),
        ("exists_with_different_debit_account_id", |t| t.debit_account_id = 3),
        ("exists_with_different_credit_account_id", |t| t.credit_account_id = 3),
        ("exists_with_different_amount", |t| t.amount = 9),
        ("exists_with_different_amount", |t| t.amount = 0),
        ("exists_with_different_user_data_128", |t| t.user_data_128 = 2),
        ("exists_with_different_user_data_64", |t| t.user_data_64 = 2),
        ("exists_with_different_user_data_32", |t| t.user_data_32 = 2),
        ("exists_with_different_ledger", |t| t.ledger = 7),
        ("exists_with_different_code", |t| t.code = 7),
        ("exists", |t| t.amount = u128::MAX),
    ];
    rows.extend(own);
    let there = Transfer {
        id: 201,
        pending_id: 101,
        amount: 10,
        flags: T::POST_PENDING,
        ..Transfer::default()
    };
    (there, "exists", rows)
}

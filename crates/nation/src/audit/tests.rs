//! The auditor on books made by hand: silent on right ones, and each wrong one named.

use host::view::{AccountView, PaymentView};
use parties::bank::{Entry, EntryKind};
use parties::shop::{Outcome, Seen};
use scheme::{
    Amount, ApprovalCode, Iin, MonthTime, ParticipantId, ResponseCode, Rrn, Stan, TerminalId,
    Timestamp,
};

use super::*;

const ISSUER: u64 = 100_002;
const ACQUIRER: u64 = 100_001;

fn bank(id: u64) -> ParticipantId {
    ParticipantId::new(id).unwrap()
}

fn terminal() -> TerminalId {
    TerminalId::new(b"PYO00011").unwrap()
}

fn rrn(stan: u32) -> Rrn {
    Rrn::new(format!("6265PY{stan:06}").as_bytes()).unwrap()
}

fn account(owner: u64, kind: &str, credits: i64, debits: i64) -> AccountView {
    let show = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
    let balance = credits - debits;
    let sign = if balance < 0 { "-" } else { "" };
    AccountView {
        id: String::new(),
        owner: owner.to_string(),
        kind: kind.to_owned(),
        currency: "KPW".to_owned(),
        debits_pending: "0.00".to_owned(),
        debits_posted: show(debits),
        credits_pending: "0.00".to_owned(),
        credits_posted: show(credits),
        balance: format!("{sign}{}", show(balance.abs())),
    }
}

fn payment(stan: u32, status: &'static str) -> PaymentView {
    PaymentView {
        rrn: rrn(stan).to_string(),
        status,
        kind: "purchase",
        amount: "12.50".to_owned(),
        currency: "KPW".to_owned(),
        response_code: "00".to_owned(),
        text: None,
        approval_code: Some("000007".to_owned()),
        stan: format!("{stan:06}"),
        station: None,
        terminal: "PYO00011".to_owned(),
        retailer: "PYO-SHOP-000001".to_owned(),
        acquirer: ACQUIRER.to_string(),
        issuer: Some(ISSUER.to_string()),
        card: None,
        business_date: "2026-09-22".to_owned(),
        cycle: 1,
        stand_in: false,
        returned: if status == "reversed" { "12.50" } else { "0.00" }.to_owned(),
        reversal_acknowledged: false,
        at: Timestamp::default(),
        id: String::new(),
    }
}

fn entry(stan: u32, kind: EntryKind) -> Entry {
    Entry {
        stan: Stan::new(stan + 500).unwrap(),
        sent_at: 922_120_000,
        rrn: rrn(stan),
        acquirer: Some(bank(ACQUIRER)),
        terminal: terminal(),
        effect: if kind == EntryKind::Purchase { -1_250 } else { 1_250 },
        kind,
        at: Timestamp::default(),
    }
}

fn seen(stan: u32, outcome: Outcome) -> Seen {
    Seen {
        stan: Stan::new(stan).unwrap(),
        local: MonthTime::new(922_120_000).unwrap(),
        terminal: terminal(),
        rrn: rrn(stan),
        approval: ApprovalCode::new(b"000007").unwrap(),
        amount: Amount::new(1_250).unwrap(),
        issuer: Iin::new("940802").unwrap(),
        account: 21,
        sent: Timestamp::default(),
        at: Timestamp::default(),
        approved: outcome == Outcome::Approved,
        outcome,
    }
}

fn code(text: &[u8; 2]) -> ResponseCode {
    ResponseCode::of(text)
}

/// 1 approved, 2 reversed, 3 declined, 4 walked away from and posted, 5 the same and voided.
fn right() -> Evidence {
    let issuer = BankEvidence {
        id: bank(ISSUER),
        iin: Iin::new("940802").unwrap(),
        cap: Amount::new(100_000).unwrap(),
        entries: vec![
            entry(1, EntryKind::Purchase),
            entry(2, EntryKind::Purchase),
            entry(2, EntryKind::Reversal),
            entry(4, EntryKind::Purchase),
            entry(5, EntryKind::Purchase),
            entry(5, EntryKind::Reversal),
        ],
    };
    let acquirer = BankEvidence {
        id: bank(ACQUIRER),
        iin: Iin::new("940801").unwrap(),
        entries: Vec::new(),
        ..issuer.clone()
    };
    let mut declined = payment(3, "declined");
    declined.approval_code = None;
    Evidence {
        accounts: vec![
            account(ISSUER, "cap", 0, 100_000),
            account(ISSUER, "position", 100_000 + 1_250, 3_750),
            account(ACQUIRER, "cap", 0, 100_000),
            account(ACQUIRER, "position", 100_000 + 3_750, 1_250),
        ],
        payments: vec![
            payment(1, "posted"),
            payment(2, "reversed"),
            declined,
            payment(4, "posted"),
            payment(5, "voided"),
        ],
        banks: vec![acquirer, issuer],
        shops: vec![ShopEvidence {
            acquirer: bank(ACQUIRER),
            seen: vec![
                seen(1, Outcome::Approved),
                seen(2, Outcome::Reversed(code(b"00"))),
                seen(3, Outcome::Declined(code(b"51"))),
                seen(4, Outcome::Unknown),
                seen(5, Outcome::Unknown),
            ],
            owed: Vec::new(),
            unanswered: 0,
        }],
        ..Evidence::default()
    }
}

#[test]
fn right_books_are_right() {
    assert_eq!(judge(&right()), []);
}

/// What a change makes of right books: the kinds of violations, each once, in order.
fn check(change: impl FnOnce(&mut Evidence), expected: &[&str]) {
    let mut evidence = right();
    change(&mut evidence);
    let mut kinds: Vec<&str> = judge(&evidence).iter().map(Violation::name).collect();
    kinds.dedup();
    assert_eq!(kinds, expected, "{:#?}", judge(&evidence));
}

#[test]
fn what_is_not_over_is_named() {
    check(|e| e.hub.in_flight = 1, &["not drained"]);
    check(|e| e.hub.saf_depth = 1, &["not drained"]);
    check(|e| e.stations.push(Overview { saf_depth: 2, ..Overview::default() }), &["not drained"]);
    check(|e| e.shops[0].unanswered = 1, &["not drained"]);
    check(|e| e.shops[0].owed.push(seen(4, Outcome::ReversalOwed)), &["not drained"]);
    check(|e| e.accounts[1].debits_pending = "0.01".to_owned(), &["not zero-sum", "not drained"]);
    // The issuer has debited what the hub still holds.
    check(|e| e.payments[3].status = "pending", &["not drained", "bank's book differs"]);
}

#[test]
fn accounts_that_do_not_add_up_are_named() {
    let wrong = |e: &mut Evidence| e.accounts[1] = account(ISSUER, "position", 101_251, 3_750);
    check(wrong, &["not zero-sum", "positions differ"]);
    check(|e| e.accounts[0].balance = "0.00".to_owned(), &["not zero-sum", "positions differ"]);
    let past_cap = |e: &mut Evidence| {
        e.accounts[0] = account(ISSUER, "cap", 0, 2_000);
        e.accounts[1] = account(ISSUER, "position", 2_000 + 1_250, 3_750);
    };
    check(past_cap, &["cap passed"]);
    // Money moved in the ledger that no bank's book knows, zero-sum all the same.
    let moved = |e: &mut Evidence| {
        e.accounts[1] = account(ISSUER, "position", 101_250, 3_850);
        e.accounts[3] = account(ACQUIRER, "position", 103_850, 1_250);
    };
    check(moved, &["positions differ"]);
}

#[test]
fn an_approval_is_posted_once_as_it_was_seen() {
    check(
        |e| e.payments[0].status = "voided",
        &["approval not posted once", "bank's book differs"],
    );
    check(|e| drop(e.payments.remove(0)), &["approval not posted once", "bank's book differs"]);
    check(
        |e| e.payments.push(payment(1, "posted")),
        &["approval not posted once", "invented payment", "bank's book differs"],
    );
    check(|e| e.payments[0].approval_code = None, &["approval not posted once"]);
    check(|e| e.shops[0].seen[0].rrn = rrn(9), &["approval not posted once"]);
    check(
        |e| e.payments[0].amount = "12.51".to_owned(),
        &["approval not posted once", "bank's book differs"],
    );
}

#[test]
fn what_was_refused_or_reversed_is_not_posted() {
    let posted = |at: usize| {
        move |e: &mut Evidence| {
            e.payments[at].status = "posted";
            e.payments[at].returned = "0.00".to_owned();
        }
    };
    check(posted(1), &["refused or reversed, yet posted", "bank's book differs"]);
    check(posted(2), &["refused or reversed, yet posted", "bank's book differs"]);
    let refused = |e: &mut Evidence| e.shops[0].seen[1].outcome = Outcome::Reversed(code(b"12"));
    check(refused, &["reversal refused"]);
}

#[test]
fn a_banks_book_is_the_ledgers() {
    // A reversal that was acknowledged and not undone.
    check(
        |e| e.banks[1].entries.retain(|entry| entry.kind != EntryKind::Reversal),
        &["positions differ", "bank's book differs"],
    );
    // Debited twice, returned once: the sum alone would not tell in whose favour.
    check(
        |e| e.banks[1].entries.push(entry(1, EntryKind::Purchase)),
        &["positions differ", "bank's book differs", "bank's book is wrong in itself"],
    );
    // Debited and returned once too often: the sum is right.
    let twice = |e: &mut Evidence| {
        e.banks[1].entries.push(entry(1, EntryKind::Purchase));
        e.banks[1].entries.push(entry(1, EntryKind::Reversal));
    };
    check(twice, &["bank's book is wrong in itself"]);
    // A debit of another shop's reference.
    check(
        |e| e.banks[1].entries[0].terminal = TerminalId::new(b"PYO00012").unwrap(),
        &["bank's book differs"],
    );
}

#[test]
fn a_payment_that_nobody_made_is_named() {
    let invented = |e: &mut Evidence| e.shops[0].seen.retain(|seen| seen.stan.get() != 4);
    check(invented, &["invented payment"]);
    let same_reference = |e: &mut Evidence| e.payments[4].rrn = e.payments[1].rrn.clone();
    check(same_reference, &["invented payment", "bank's book differs"]);
}

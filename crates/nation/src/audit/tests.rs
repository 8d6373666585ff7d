//! The auditor on books made by hand: silent on right ones, and each wrong one named.

use host::view::{AccountView, Overview, PaymentView};
use scheme::{Amount, ApprovalCode, Iin, ParticipantId, Rrn, Stan, TerminalId, Timestamp};

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

fn show(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

fn payment(stan: u32, kind: &'static str, status: &'static str, amount: u64) -> PaymentView {
    PaymentView {
        rrn: rrn(stan).to_string(),
        status,
        kind,
        amount: show(amount),
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
        synthetic: false,
        returned: show(if status == "reversed" { amount } else { 0 }),
        reversal_acknowledged: false,
        at: Timestamp::default(),
        id: String::new(),
    }
}

/// A payment of which so much went back.
fn less(payment: PaymentView, returned: u64) -> PaymentView {
    PaymentView { returned: show(returned), ..payment }
}

fn line(stan: u32, effect: i64) -> Line {
    Line { acquirer: ACQUIRER, terminal: terminal(), rrn: rrn(stan), effect, back: false }
}

fn back(stan: u32, effect: i64) -> Line {
    Line { back: true, ..line(stan, effect) }
}

fn claim(stan: u32, ask: Ask, amount: u64, end: End) -> Claim {
    Claim {
        acquirer: bank(ACQUIRER),
        terminal: terminal(),
        stan: Stan::new(stan).unwrap(),
        ask,
        of: None,
        rrn: rrn(stan),
        approval: ApprovalCode::new(b"000007").unwrap(),
        amount: Amount::new(amount).unwrap(),
        issuer: Iin::new("940802").unwrap(),
        approved: matches!(end, End::Approved | End::Kept(_)),
        end,
    }
}

fn of(stan: u32, claim: Claim) -> Claim {
    Claim { of: Some((terminal(), Stan::new(stan).unwrap())), ..claim }
}

/// Every flow, each as it should be. By trace number: 1 approved, 2 reversed, 3 declined, 4 walked
/// away from and posted, 5 the same and voided, 6 refunded in part by 7, 8 reversed in part, 9 held
/// and completed for less by 10, 11 held, 12 a balance, 13 a refund of nothing, 14 refunded by 15
/// and then reversed, 16 held and completed for too much by 17, 18 held and reversed, 19 a
/// completion of nothing known.
fn right() -> Evidence {
    Evidence {
        accounts: accounts(),
        payments: payments(),
        banks: books(),
        askers: vec![Asker {
            name: "a shop".to_owned(),
            claims: claims(),
            owed: Vec::new(),
            unanswered: 0,
        }],
        rules: Rules { holds_stand: true, refund_max: 100, refund_day_max: 150 },
        ..Evidence::default()
    }
}

/// The issuer paid 1,250 + 1,250 + 750 + 400 + 1,500 and 500 that 15 gave back before 14 was
/// reversed, and got 100 and 500.
fn accounts() -> Vec<AccountView> {
    let mut issuer = account(ISSUER, "position", 100_000 + 1_250, 6_300);
    let mut acquirer = account(ACQUIRER, "position", 100_000 + 6_300, 1_250);
    // 11 and 16 still stand.
    issuer.debits_pending = show(300 + 2_000);
    acquirer.credits_pending = show(300 + 2_000);
    vec![account(ISSUER, "cap", 0, 100_000), issuer, account(ACQUIRER, "cap", 0, 100_000), acquirer]
}

fn payments() -> Vec<PaymentView> {
    let mut declined = payment(3, "purchase", "declined", 1_250);
    declined.approval_code = None;
    vec![
        payment(1, "purchase", "posted", 1_250),
        payment(2, "purchase", "reversed", 1_250),
        declined,
        payment(4, "purchase", "posted", 1_250),
        payment(5, "purchase", "voided", 1_250),
        less(payment(6, "purchase", "posted", 1_250), 500),
        payment(7, "refund", "posted", 500),
        less(payment(8, "cash", "posted", 1_250), 850),
        payment(9, "preauth", "posted", 1_500),
        payment(11, "preauth", "pending", 300),
        payment(13, "refund", "posted", 100),
        payment(14, "purchase", "reversed", 1_250),
        payment(15, "refund", "posted", 500),
        payment(16, "preauth", "pending", 2_000),
        payment(18, "preauth", "reversed", 700),
    ]
}

fn books() -> Vec<BankEvidence> {
    let issuer = BankEvidence {
        id: bank(ISSUER),
        iin: Iin::new("940802").unwrap(),
        cap: Amount::new(100_000).unwrap(),
        lines: vec![
            line(1, -1_250),
            line(2, -1_250),
            back(2, 1_250),
            line(4, -1_250),
            line(5, -1_250),
            back(5, 1_250),
            line(6, -1_250),
            line(7, 500),
            line(8, -1_250),
            back(8, 850),
            line(9, -1_500),
            line(13, 100),
            line(14, -1_250),
            line(15, 500),
            back(14, 750),
        ],
    };
    let own = Iin::new("940801").unwrap();
    let acquirer = BankEvidence { id: bank(ACQUIRER), iin: own, lines: vec![], ..issuer.clone() };
    vec![acquirer, issuer]
}

fn claims() -> Vec<Claim> {
    let kept = End::Kept(Amount::new(400).unwrap());
    vec![
        claim(1, Ask::Purchase, 1_250, End::Approved),
        claim(2, Ask::Purchase, 1_250, End::Reversed),
        claim(3, Ask::Purchase, 1_250, End::Declined),
        claim(4, Ask::Purchase, 1_250, End::Unknown),
        claim(5, Ask::Purchase, 1_250, End::Unknown),
        claim(6, Ask::Purchase, 1_250, End::Approved),
        of(6, claim(7, Ask::Refund, 500, End::Approved)),
        claim(8, Ask::Cash, 1_250, kept),
        claim(9, Ask::Hold, 2_000, End::Approved),
        of(9, claim(10, Ask::Completion, 1_500, End::Approved)),
        claim(11, Ask::Hold, 300, End::Approved),
        claim(12, Ask::Balance, 0, End::Approved),
        claim(13, Ask::Refund, 100, End::Approved),
        claim(14, Ask::Purchase, 1_250, End::Reversed),
        of(14, claim(15, Ask::Refund, 500, End::Approved)),
        claim(16, Ask::Hold, 2_000, End::Approved),
        of(16, claim(17, Ask::Completion, 2_001, End::Declined)),
        claim(18, Ask::Hold, 700, End::Reversed),
        of(20, claim(19, Ask::Completion, 700, End::Approved)),
    ]
}

#[test]
fn right_books_are_right() {
    assert_eq!(judge(&right()), []);
}

impl Evidence {
    fn payment(&mut self, stan: u32) -> &mut PaymentView {
        let stan = format!("{stan:06}");
        self.payments.iter_mut().find(|payment| payment.stan == stan).unwrap()
    }

    fn claim(&mut self, stan: u32) -> &mut Claim {
        let claims = &mut self.askers[0].claims;
        claims.iter_mut().find(|claim| claim.stan.get() == stan).unwrap()
    }

    fn lines(&mut self) -> &mut Vec<Line> {
        &mut self.banks[1].lines
    }

    fn forget_lines(&mut self, gone: impl Fn(&Line) -> bool) {
        self.lines().retain(|line| !gone(line));
    }
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
    check(|e| e.askers[0].unanswered = 1, &["not drained"]);
    check(|e| e.askers[0].owed.push(claim(4, Ask::Purchase, 1_250, End::Owed)), &["not drained"]);
    let pending = |e: &mut Evidence| e.accounts[1].debits_pending = "23.01".to_owned();
    check(pending, &["not zero-sum", "not drained"]);
    // The issuer has debited what the hub still holds.
    check(|e| e.payment(4).status = "pending", &["not drained", "bank's book differs"]);
    // A hold whose time has come.
    check(|e| e.rules.holds_stand = false, &["not drained"]);
}

#[test]
fn accounts_that_do_not_add_up_are_named() {
    let wrong = |e: &mut Evidence| e.accounts[1].balance = "949.51".to_owned();
    check(wrong, &["not zero-sum", "positions differ"]);
    check(|e| e.accounts[0].balance = "0.00".to_owned(), &["not zero-sum", "positions differ"]);
    let past_cap = |e: &mut Evidence| {
        e.accounts[0] = account(ISSUER, "cap", 0, 7_300);
        e.accounts[1].credits_posted = "85.50".to_owned();
        e.accounts[1].balance = "22.50".to_owned();
    };
    check(past_cap, &["cap passed"]);
    // Money moved in the ledger that no bank's book knows, zero-sum all the same.
    let moved = |e: &mut Evidence| {
        e.accounts[1].debits_posted = "64.00".to_owned();
        e.accounts[1].balance = "948.50".to_owned();
        e.accounts[3].credits_posted = "1064.00".to_owned();
        e.accounts[3].balance = "1051.50".to_owned();
    };
    check(moved, &["positions differ"]);
}

#[test]
fn an_approval_is_posted_once_as_it_was_seen() {
    let unposted = ["approval not posted once", "bank's book differs"];
    check(|e| e.payment(1).status = "voided", &unposted);
    check(|e| drop(e.payments.remove(0)), &unposted);
    check(
        |e| e.payments.push(payment(1, "purchase", "posted", 1_250)),
        &["approval not posted once", "invented payment", "bank's book differs"],
    );
    check(|e| e.payment(1).approval_code = None, &["approval not posted once"]);
    check(|e| e.payment(1).kind = "cash", &["approval not posted once"]);
    check(|e| e.claim(1).rrn = rrn(90), &["approval not posted once"]);
    check(|e| e.payment(1).amount = show(1_251), &unposted);
}

#[test]
fn what_was_refused_or_reversed_is_not_posted() {
    let posted = |stan: u32| move |e: &mut Evidence| e.payment(stan).status = "posted";
    check(posted(2), &["refused or reversed, yet posted"]);
    check(posted(3), &["refused or reversed, yet posted", "bank's book differs"]);
    check(posted(18), &["refused or reversed, yet posted"]);
    check(|e| e.claim(2).end = End::ReversalRefused, &["reversal refused"]);
}

#[test]
fn a_banks_book_is_the_ledgers() {
    // A reversal that was acknowledged and not undone.
    check(|e| e.forget_lines(|line| line.back), &["positions differ", "bank's book differs"]);
    // Debited twice, returned once: the sum alone would not tell in whose favour.
    check(
        |e| e.lines().push(line(1, -1_250)),
        &["positions differ", "bank's book differs", "bank's book is wrong in itself"],
    );
    // Debited and returned once too often: the sum is right.
    let twice = |e: &mut Evidence| e.lines().extend([line(1, -1_250), back(1, 1_250)]);
    check(twice, &["bank's book is wrong in itself"]);
    // A debit of another shop's reference, or of another acquirer's.
    let other = TerminalId::new(b"PYO00012").unwrap();
    check(|e| e.lines()[0].terminal = other, &["bank's book differs"]);
    check(|e| e.lines()[0].acquirer = ISSUER, &["positions differ", "bank's book differs"]);
}

#[test]
fn a_payment_that_nobody_made_is_named() {
    let gone = |stan: u32| {
        move |e: &mut Evidence| e.askers[0].claims.retain(|claim| claim.stan.get() != stan)
    };
    check(gone(4), &["invented payment"]);
    let same_reference = |e: &mut Evidence| e.payment(5).rrn = rrn(2).to_string();
    check(same_reference, &["invented payment", "bank's book differs"]);
    let foreign = |e: &mut Evidence| e.payment(4).acquirer = ISSUER.to_string();
    check(foreign, &["invented payment", "bank's book differs"]);
    let enquiry = |e: &mut Evidence| e.payments.push(payment(12, "balance", "posted", 0));
    check(enquiry, &["invented payment"]);
}

#[test]
fn what_went_back_is_what_was_asked() {
    let credited = ["positions differ", "bank's book differs", "bank's book is wrong in itself"];
    // A refund credited twice by the issuer, or posted twice by the hub.
    check(|e| e.lines().push(line(7, 500)), &credited);
    check(
        |e| e.payments.push(payment(7, "refund", "posted", 500)),
        &[
            "wrong return",
            "approval not posted once",
            "invented payment",
            "wrong return",
            "bank's book differs",
        ],
    );
    // A refund that the issuer never heard of.
    check(
        |e| e.forget_lines(|line| line.rrn == rrn(7)),
        &["positions differ", "bank's book differs"],
    );
    // A refund that its payment does not know of: it could be made again.
    check(|e| e.payment(6).returned = show(0), &["wrong return", "bank's book differs"]);
    // More refunded than was paid.
    let over = |e: &mut Evidence| {
        e.payment(7).amount = show(1_300);
        e.claim(7).amount = Amount::new(1_300).unwrap();
        e.lines()[7].effect = 1_300;
    };
    check(over, &["positions differ", "wrong return", "bank's book differs"]);
    // Refunds of what was never paid.
    let unpaid = |e: &mut Evidence| e.claim(7).of = e.claim(15).of.and(e.claim(10).of);
    check(unpaid, &["wrong return", "bank's book differs"]);
    // Refunds of nothing: above one's limit, above the day's.
    check(|e| e.rules.refund_max = 99, &["wrong return"]);
    check(|e| e.rules.refund_day_max = 99, &["wrong return"]);
}

#[test]
fn a_reversal_in_part_returns_its_part() {
    // Taken as a whole one.
    let whole = |e: &mut Evidence| {
        *e.payment(8) = payment(8, "cash", "reversed", 1_250);
        e.lines()[9].effect = 1_250;
    };
    check(whole, &["positions differ", "approval not posted once"]);
    // Taken for none.
    let none = |e: &mut Evidence| {
        e.payment(8).returned = show(0);
        e.lines().remove(9);
    };
    check(none, &["positions differ", "wrong return"]);
    // What stays and what goes back exchanged.
    let exchanged = |e: &mut Evidence| {
        e.payment(8).returned = show(400);
        e.lines()[9].effect = 400;
    };
    check(exchanged, &["positions differ", "wrong return"]);
    // Returned twice.
    check(
        |e| e.lines().push(back(8, 850)),
        &["positions differ", "bank's book differs", "bank's book is wrong in itself"],
    );
    // More than was paid.
    let over = |e: &mut Evidence| e.payment(14).returned = show(1_300);
    check(over, &["wrong return"]);
}

#[test]
fn a_hold_ends_once() {
    // Its completion was acknowledged and not posted; the issuer has debited.
    check(|e| e.payment(9).status = "voided", &["wrong completion", "bank's book differs"]);
    // Released and posted: in the issuer's book it is both.
    check(|e| e.lines().push(back(9, 1_500)), &["positions differ", "bank's book differs"]);
    // Posted twice.
    check(
        |e| e.payments.push(payment(9, "preauth", "posted", 1_500)),
        &["approval not posted once", "invented payment", "bank's book differs"],
    );
    check(
        |e| e.lines().push(line(9, -1_500)),
        &["positions differ", "bank's book differs", "bank's book is wrong in itself"],
    );
    // Posted as held, not as completed.
    let whole = |e: &mut Evidence| {
        e.payment(9).amount = show(2_000);
        e.lines()[10].effect = -2_000;
    };
    check(whole, &["positions differ", "wrong completion"]);
    // Posted though nobody completed it, or for more than was held.
    check(
        |e| e.payment(11).status = "posted",
        &["not drained", "wrong completion", "bank's book differs"],
    );
    let over = |e: &mut Evidence| {
        *e.payment(16) = payment(16, "preauth", "posted", 2_001);
        e.claim(17).end = End::Approved;
        e.lines().push(line(16, -2_001));
    };
    check(over, &["not drained", "positions differ", "wrong completion"]);
    // Ended without a word: a completion would have been refused.
    let gone = |e: &mut Evidence| e.accounts[1].debits_pending = show(300);
    check(gone, &["not zero-sum", "not drained"]);
    // A completion that became a payment of its own.
    let forced = |e: &mut Evidence| e.payments.push(payment(19, "purchase", "posted", 700));
    check(forced, &["wrong completion", "bank's book differs"]);
}

/// R-FIRES: no shop knows of it, its issuer booked it and took it back.
#[test]
fn a_synthetic_payment_is_no_shops_and_does_not_stand() {
    let synthetic = |status| PaymentView { synthetic: true, ..payment(20, "purchase", status, 1) };
    let undone = |e: &mut Evidence| {
        e.payments.push(synthetic("reversed"));
        e.lines().extend([line(20, -1), back(20, 1)]);
    };
    check(undone, &[]);
    let stands = |e: &mut Evidence| {
        e.payments.push(synthetic("posted"));
        e.lines().push(line(20, -1));
    };
    check(stands, &["positions differ", "refused or reversed, yet posted"]);
}

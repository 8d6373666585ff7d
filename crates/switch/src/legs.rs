//! What a record does to the ledger. One function serves the live machine, which asks the engine
//! first and records afterwards, and recovery, which only has the record.
//!
//! Ids follow R-MATCH: a payment's transfers differ in their low four bits. Some records imply a
//! transfer that the engine *refused* (a cap that was met): it is implied too, because a refused
//! id is never used again, and replay must leave the engine knowing that.

use alloc::vec::Vec;

use ledger::{Account, Transfer, TransferFlags, chart};
use scheme::{Amount, Currency, Leg, ParticipantId, PaymentId};

use crate::hub::State;
use crate::record::{Closed, Completed, Declined, Fact, Opened, Outcome, Reversed, Seen};

/// A transfer that a record implies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Implied {
    /// The transfer.
    pub transfer: Transfer,
    /// Whether the engine refused it (`exceeds_credits`), which the record then says.
    pub refused: bool,
}

/// `code` of transfers, by what they are for; payments use their leg's number.
pub mod code {
    /// A net debit cap.
    pub const CAP: u16 = 101;
    /// Repayment of an overcap.
    pub const OVERCAP_REPAID: u16 = 102;
    /// Netting at a cutover.
    pub const NETTED: u16 = 103;
}

/// Where a payment's money comes from and goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// Account that is debited.
    pub from: u128,
    /// Account that is credited.
    pub to: u128,
}

impl Route {
    /// The way back.
    pub fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

/// The accounts of a payment by `issuer`'s card (R-ACCOUNTS): a refund goes the other way.
pub fn route(seen: &Seen, issuer: ParticipantId, currency: Currency) -> Route {
    let acquirer = seen.acquirer;
    let there = if issuer == acquirer {
        Route {
            from: chart::onus_issued(issuer, currency),
            to: chart::onus_acquired(acquirer, currency),
        }
    } else {
        Route { from: chart::position(issuer, currency), to: chart::position(acquirer, currency) }
    };
    if seen.is_refund() { there.back() } else { there }
}

/// Whether a record implies accounts.
pub fn has_accounts(fact: &Fact) -> bool {
    matches!(fact, Fact::Nation { .. } | Fact::Participant { .. })
}

/// Accounts that a record implies.
pub fn accounts(state: &State, fact: &Fact, out: &mut Vec<Account>) {
    match fact {
        Fact::Nation { currency, .. } => {
            out.extend(chart::account(chart::settlement(*currency)));
        }
        Fact::Participant { id, .. } => {
            let currency = state.directory().currency;
            out.extend(
                [
                    chart::position(*id, currency),
                    chart::cap(*id, currency),
                    chart::overcap(*id, currency),
                    chart::onus_issued(*id, currency),
                    chart::onus_acquired(*id, currency),
                ]
                .into_iter()
                .filter_map(chart::account),
            );
        }
        Fact::Station { .. }
        | Fact::Route { .. }
        | Fact::Terminal { .. }
        | Fact::Cap { .. }
        | Fact::HotCard { .. }
        | Fact::Changed { .. }
        | Fact::Removed(_)
        | Fact::Epoch { .. }
        | Fact::Opened(_)
        | Fact::Declined(_)
        | Fact::Closed(_)
        | Fact::Reversed(_)
        | Fact::Completed(_)
        | Fact::Retailer { .. }
        | Fact::Tombstone(_)
        | Fact::Discharged { .. }
        | Fact::Finding(_)
        | Fact::OvercapRepaid { .. }
        | Fact::Proposed(_)
        | Fact::Dropped
        | Fact::Covered { .. }
        | Fact::Recalled(_)
        | Fact::Retired(_)
        | Fact::Cutover { .. }
        | Fact::Netted { .. } => {}
    }
}

/// Transfers that a record implies, in order, given the state just before the record.
pub fn transfers(state: &State, fact: &Fact, out: &mut Vec<Implied>) {
    let currency = state.directory().currency;
    match fact {
        Fact::Opened(Opened { id, seen, issuer, .. }) => {
            out.push(done(hold(*id, seen, *issuer, currency)));
        }
        Fact::Declined(Declined { id, seen, reason: scheme::Reason::Cap, issuer, .. }) => {
            if let Some(issuer) = issuer {
                let transfer = hold(*id, seen, *issuer, currency);
                out.push(Implied { transfer, refused: true });
            }
        }
        Fact::Closed(Closed { id, outcome }) => match outcome {
            Outcome::Posted { .. } => out.push(done(post(*id, u128::MAX))),
            Outcome::Declined { .. } | Outcome::Voided { .. } => out.push(done(void(*id))),
            Outcome::Held { .. } => {}
        },
        Fact::Reversed(reversed) => reversal(state, reversed, currency, out),
        Fact::Completed(completed) => completion(state, completed, currency, out),
        Fact::Cap { participant, amount, transfer } => {
            let before = state.directory().caps.get(participant).copied().unwrap_or_default();
            out.extend(cap(*participant, before, *amount, *transfer, currency).map(done));
        }
        Fact::OvercapRepaid { participant, amount, transfer } => out.push(done(plain(
            *transfer,
            Route {
                from: chart::position(*participant, currency),
                to: chart::overcap(*participant, currency),
            },
            *amount,
            currency,
            code::OVERCAP_REPAID,
        ))),
        Fact::Netted { participant, amount, paid_out, transfer } => {
            let position = chart::position(*participant, currency);
            let settlement = chart::settlement(currency);
            let (from, to) =
                if *paid_out { (position, settlement) } else { (settlement, position) };
            let route = Route { from, to };
            out.push(done(plain(*transfer, route, *amount, currency, code::NETTED)));
        }
        Fact::Declined(_)
        | Fact::Nation { .. }
        | Fact::Station { .. }
        | Fact::Participant { .. }
        | Fact::Route { .. }
        | Fact::Terminal { .. }
        | Fact::HotCard { .. }
        | Fact::Changed { .. }
        | Fact::Removed(_)
        | Fact::Retailer { .. }
        | Fact::Epoch { .. }
        | Fact::Tombstone(_)
        | Fact::Discharged { .. }
        | Fact::Finding(_)
        | Fact::Proposed(_)
        | Fact::Dropped
        | Fact::Covered { .. }
        | Fact::Recalled(_)
        | Fact::Retired(_)
        | Fact::Cutover { .. } => {}
    }
}

fn reversal(state: &State, reversed: &Reversed, currency: Currency, out: &mut Vec<Implied>) {
    if reversed.in_flight {
        out.push(done(void(reversed.id)));
        return;
    }
    // A reversal record always follows its payment's; without it there is nothing to return.
    let Some(payment) = state.payments().get(reversed.id) else {
        return;
    };
    let Some(issuer) = payment.issuer else { return };
    let back = route(&payment.seen, issuer, currency).back();
    let amount = reversed.returned;
    let code = Leg::Reverse as u16;
    let first = plain(reversed.id.leg(Leg::Reverse), back, amount, currency, code);
    out.push(Implied { transfer: first, refused: reversed.overcap });
    if reversed.overcap {
        let payee = payment.seen.payee(issuer);
        let by_overcap = Route { from: chart::overcap(payee, currency), to: back.to };
        let id = reversed.id.leg(Leg::ReverseByOvercap);
        out.push(done(plain(id, by_overcap, amount, currency, Leg::ReverseByOvercap as u16)));
    }
}

/// The hold is posted as far as the completion goes, which releases the rest. One that has expired
/// moves the money without it.
fn completion(state: &State, completed: &Completed, currency: Currency, out: &mut Vec<Implied>) {
    let Completed { id, amount, late, overcap, .. } = *completed;
    if !late {
        out.push(done(post(id, u128::from(amount.minor()))));
        return;
    }
    // A completion's record always follows its pre-authorisation's.
    let Some(payment) = state.payments().get(id) else {
        return;
    };
    let Some(issuer) = payment.issuer else { return };
    let there = route(&payment.seen, issuer, currency);
    let first = plain(id.leg(Leg::Post), there, amount, currency, Leg::Post as u16);
    out.push(Implied { transfer: first, refused: overcap });
    if overcap {
        let by_overcap = Route { from: chart::overcap(issuer, currency), to: there.to };
        let leg = Leg::CompleteByOvercap;
        out.push(done(plain(id.leg(leg), by_overcap, amount, currency, leg as u16)));
    }
}

fn done(transfer: Transfer) -> Implied {
    Implied { transfer, refused: false }
}

fn hold(id: PaymentId, seen: &Seen, issuer: ParticipantId, currency: Currency) -> Transfer {
    let route = route(seen, issuer, currency);
    Transfer {
        flags: TransferFlags::PENDING,
        ..plain(id.leg(Leg::Hold), route, seen.amount, currency, Leg::Hold as u16)
    }
}

/// `amount`: `u128::MAX` for all that is held.
fn post(id: PaymentId, amount: u128) -> Transfer {
    Transfer {
        id: id.leg(Leg::Post),
        pending_id: id.leg(Leg::Hold),
        amount,
        flags: TransferFlags::POST_PENDING,
        ..Transfer::default()
    }
}

fn void(id: PaymentId) -> Transfer {
    Transfer {
        id: id.leg(Leg::Void),
        pending_id: id.leg(Leg::Hold),
        flags: TransferFlags::VOID_PENDING,
        ..Transfer::default()
    }
}

fn cap(
    participant: ParticipantId,
    before: Amount,
    after: Amount,
    id: u128,
    currency: Currency,
) -> Option<Transfer> {
    let cap = chart::cap(participant, currency);
    let position = chart::position(participant, currency);
    let (route, amount) = match (after.checked_sub(before), before.checked_sub(after)) {
        (Some(rise), _) if !rise.is_zero() => (Route { from: cap, to: position }, rise),
        (_, Some(fall)) if !fall.is_zero() => (Route { from: position, to: cap }, fall),
        _ => return None,
    };
    Some(plain(id, route, amount, currency, code::CAP))
}

fn plain(id: u128, route: Route, amount: Amount, currency: Currency, code: u16) -> Transfer {
    Transfer {
        id,
        debit_account_id: route.from,
        credit_account_id: route.to,
        amount: u128::from(amount.minor()),
        ledger: chart::ledger(currency),
        code,
        ..Transfer::default()
    }
}

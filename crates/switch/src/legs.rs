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
use crate::record::{Closed, Declined, Fact, Opened, Outcome, Reversed};

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

/// The accounts of a payment by `issuer`'s card at `acquirer`'s terminal (R-ACCOUNTS).
pub fn route(issuer: ParticipantId, acquirer: ParticipantId, currency: Currency) -> Route {
    if issuer == acquirer {
        Route {
            from: chart::onus_issued(issuer, currency),
            to: chart::onus_acquired(acquirer, currency),
        }
    } else {
        Route { from: chart::position(issuer, currency), to: chart::position(acquirer, currency) }
    }
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
        | Fact::Tombstone(_)
        | Fact::Discharged { .. }
        | Fact::Finding(_)
        | Fact::OvercapRepaid { .. }
        | Fact::Cutover { .. }
        | Fact::Netted { .. } => {}
    }
}

/// Transfers that a record implies, in order, given the state just before the record.
pub fn transfers(state: &State, fact: &Fact, out: &mut Vec<Implied>) {
    let currency = state.directory().currency;
    match fact {
        Fact::Opened(Opened { id, seen, issuer, .. }) => {
            out.push(done(hold(*id, *issuer, seen.acquirer, currency, seen.amount)));
        }
        Fact::Declined(Declined { id, seen, reason: scheme::Reason::Cap, issuer, .. }) => {
            if let Some(issuer) = issuer {
                let transfer = hold(*id, *issuer, seen.acquirer, currency, seen.amount);
                out.push(Implied { transfer, refused: true });
            }
        }
        Fact::Closed(Closed { id, outcome }) => out.push(done(match outcome {
            Outcome::Posted { .. } => post(*id),
            Outcome::Declined { .. } | Outcome::Voided { .. } => void(*id),
        })),
        Fact::Reversed(reversed) => reversal(state, reversed, currency, out),
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
        | Fact::Epoch { .. }
        | Fact::Tombstone(_)
        | Fact::Discharged { .. }
        | Fact::Finding(_)
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
    let acquirer = payment.seen.acquirer;
    let there = route(issuer, acquirer, currency);
    let back = Route { from: there.to, to: there.from };
    let amount = reversed.returned;
    let code = Leg::Reverse as u16;
    let first = plain(reversed.id.leg(Leg::Reverse), back, amount, currency, code);
    out.push(Implied { transfer: first, refused: reversed.overcap });
    if reversed.overcap {
        let by_overcap = Route { from: chart::overcap(acquirer, currency), to: back.to };
        let id = reversed.id.leg(Leg::ReverseByOvercap);
        out.push(done(plain(id, by_overcap, amount, currency, Leg::ReverseByOvercap as u16)));
    }
}

fn done(transfer: Transfer) -> Implied {
    Implied { transfer, refused: false }
}

fn hold(
    id: PaymentId,
    issuer: ParticipantId,
    acquirer: ParticipantId,
    currency: Currency,
    amount: Amount,
) -> Transfer {
    let route = route(issuer, acquirer, currency);
    Transfer {
        flags: TransferFlags::PENDING,
        ..plain(id.leg(Leg::Hold), route, amount, currency, Leg::Hold as u16)
    }
}

fn post(id: PaymentId) -> Transfer {
    Transfer {
        id: id.leg(Leg::Post),
        pending_id: id.leg(Leg::Hold),
        amount: u128::MAX,
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

//! Sums over the hub's accounts, and what the banks' books say that they should be.

use std::collections::BTreeMap;

use host::view::AccountView;

use super::{Evidence, Violation, holds, minor};

/// Zero-sum, caps, nothing pending, positions.
pub(super) fn judge(evidence: &Evidence, found: &mut Vec<Violation>) {
    sums(&evidence.accounts, found);
    for account in &evidence.accounts {
        // The other side of a hold is the acquirer's position, or the bank itself.
        let stands = holds::stands(&evidence.payments, &account.owner, &account.kind);
        let held = [&account.debits_pending, &account.credits_pending];
        if held.map(|held| minor(held)) != stands.map(Some) {
            let what = format!("{}:{} holds {held:?}, not {stands:?}", account.kind, account.owner);
            found.push(Violation::Pending(what));
        }
    }
    caps(&evidence.accounts, found);
    // A demo nets positions at its cutover; what they were is in no account afterwards.
    if evidence.hub.cycle <= 1 {
        positions(evidence, found);
    }
}

/// Credits and debits over all accounts are equal, posted and pending.
pub(crate) fn sums(accounts: &[AccountView], found: &mut Vec<Violation>) {
    let mut sums: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    for account in accounts {
        let parts = [
            ("posted", &account.credits_posted, &account.debits_posted),
            ("pending", &account.credits_pending, &account.debits_pending),
        ];
        for (which, credits, debits) in parts {
            let (Some(credits), Some(debits)) = (minor(credits), minor(debits)) else {
                let what = format!("{}:{} shows no amounts", account.kind, account.owner);
                found.push(Violation::NotZeroSum(what));
                continue;
            };
            *sums.entry((&account.currency, which)).or_default() += credits - debits;
        }
        let shown = minor(&account.credits_posted)
            .zip(minor(&account.debits_posted))
            .map(|(credits, debits)| credits - debits);
        if shown != minor(&account.balance) {
            let what = format!("balance of {}:{} is no balance", account.kind, account.owner);
            found.push(Violation::NotZeroSum(what));
        }
    }
    for ((currency, which), sum) in sums {
        if sum != 0 {
            found.push(Violation::NotZeroSum(format!("{which} {currency} sums to {sum}")));
        }
    }
}

/// A position's debits, pending ones too, are covered by what was posted to it. A reversal that
/// does not fit goes to `overcap`, so a position itself is never below zero.
pub(crate) fn caps(accounts: &[AccountView], found: &mut Vec<Violation>) {
    for account in accounts.iter().filter(|account| account.kind == "position") {
        let room = minor(&account.balance)
            .zip(minor(&account.debits_pending))
            .map(|(balance, pending)| balance - pending);
        if room.is_none_or(|room| room < 0) {
            let what = format!("position of {} has room {room:?}", account.owner);
            found.push(Violation::CapPassed(what));
        }
    }
}

/// How far the net position furthest from zero is from it, minor units.
pub(crate) fn furthest(accounts: &[AccountView]) -> u64 {
    let net = net(accounts);
    let positions = net.iter().filter(|((_, kind), _)| *kind == "net");
    let far = positions.map(|(_, minor)| u64::try_from(minor.unsigned_abs()).unwrap_or(u64::MAX));
    far.max().unwrap_or(0)
}

/// Net positions and what is on us, by owner.
fn net(accounts: &[AccountView]) -> BTreeMap<(u64, &str), i128> {
    let mut ledger: BTreeMap<(u64, &str), i128> = BTreeMap::new();
    for account in accounts {
        let owner = account.owner.split('@').next().and_then(|owner| owner.parse().ok());
        let kind = match account.kind.as_str() {
            "position" | "cap" | "overcap" | "escrow" => "net",
            "onus_issued" | "onus_acquired" => account.kind.as_str(),
            _ => continue,
        };
        if let Some(owner) = owner {
            *ledger.entry((owner, kind)).or_default() += minor(&account.balance).unwrap_or(0);
        }
    }
    ledger
}

/// Net position = position + cap + overcap + escrow: what a bank's cards paid at others' shops,
/// against what others' cards paid at its own. On-us payments stand beside.
fn positions(evidence: &Evidence, found: &mut Vec<Violation>) {
    let ledger = net(&evidence.accounts);
    let mut books: BTreeMap<(u64, &str), i128> = BTreeMap::new();
    for bank in &evidence.banks {
        let issuer = bank.id.get();
        for line in &bank.lines {
            let effect = i128::from(line.effect);
            let acquirer = line.acquirer;
            let (from, to) =
                if acquirer == issuer { ("onus_issued", "onus_acquired") } else { ("net", "net") };
            *books.entry((issuer, from)).or_default() += effect;
            *books.entry((acquirer, to)).or_default() -= effect;
        }
    }
    let owners: std::collections::BTreeSet<_> = ledger.keys().chain(books.keys()).collect();
    for key in owners {
        let (ours, theirs) = (ledger.get(key).unwrap_or(&0), books.get(key).unwrap_or(&0));
        if ours != theirs {
            let (owner, kind) = key;
            let what = format!("{kind} of {owner}: ledger {ours}, banks' books {theirs}");
            found.push(Violation::Positions(what));
        }
    }
}

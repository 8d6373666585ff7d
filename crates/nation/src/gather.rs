//! What shops and banks publish, in the auditor's words.

use host::view::PaymentView;
use parties::bank::{Entry, EntryKind};
use parties::shop::{Kind, Outcome, Seen};
use scheme::{Amount, ParticipantId};

use crate::actor::Actor;
use crate::audit::{Ask, Asker, BankEvidence, Claim, End, Line, Rules};
use crate::scenario::{Lie, Place};
use crate::world::World;

/// The banks' books.
pub(crate) fn banks(world: &World) -> Vec<BankEvidence> {
    let mut banks = Vec::new();
    for (section, number) in world.config.participants.iter().zip(1..) {
        let machine = world.machines.get(&Place::Bank(number));
        let Some(Actor::Bank(bank)) = machine.and_then(|machine| machine.actor.as_ref()) else {
            continue;
        };
        let Some(iin) = section.iins.first().copied() else { continue };
        let accounts = bank.book().accounts();
        let lines = accounts.flat_map(|(_, account)| &account.entries).filter_map(line).collect();
        banks.push(BankEvidence { id: section.id, iin, cap: section.cap, lines });
    }
    banks
}

/// A line of a book; what a bank gives of its own accord is none.
fn line(entry: &Entry) -> Option<Line> {
    let back = match entry.kind {
        EntryKind::Purchase | EntryKind::Cash | EntryKind::Cashback | EntryKind::Refund => false,
        EntryKind::Completion => false,
        EntryKind::Reversal => true,
        EntryKind::Refill => return None,
    };
    Some(Line {
        acquirer: entry.acquirer.map_or(0, ParticipantId::get),
        terminal: entry.terminal,
        rrn: entry.rrn,
        effect: entry.effect,
        back,
    })
}

/// What was seen at counters.
pub(crate) fn askers(world: &World) -> Vec<Asker> {
    let mut askers = Vec::new();
    for (place, machine) in &world.machines {
        let (owed, unanswered): (Vec<Seen>, usize) = match &machine.actor {
            Some(Actor::Shop(shop)) => (shop.owed().collect(), shop.unanswered()),
            Some(Actor::Bank(bank)) => (bank.owed().collect(), bank.unanswered()),
            Some(Actor::Role(_)) | None => continue,
        };
        askers.push(Asker {
            name: place.to_string(),
            claims: world.seen.get(place).into_iter().flatten().map(claim).collect(),
            owed: owed.iter().map(claim).collect(),
            unanswered,
        });
    }
    askers
}

fn claim(seen: &Seen) -> Claim {
    Claim {
        acquirer: seen.acquirer,
        terminal: seen.terminal,
        stan: seen.stan,
        ask: match seen.kind {
            Kind::Purchase => Ask::Purchase,
            Kind::Cash => Ask::Cash,
            Kind::Refund => Ask::Refund,
            Kind::Balance => Ask::Balance,
            Kind::Preauth => Ask::Hold,
            Kind::Completion => Ask::Completion,
        },
        of: seen.original,
        rrn: seen.rrn,
        approval: seen.approval,
        amount: seen.amount,
        issuer: seen.issuer,
        approved: seen.approved,
        end: match seen.outcome {
            Outcome::Approved => End::Approved,
            Outcome::Declined(_) => End::Declined,
            Outcome::Unknown => End::Unknown,
            Outcome::Reversed(code) if code.is_approved() => End::Reversed,
            Outcome::Reversed(_) => End::ReversalRefused,
            Outcome::ReversedInPart(code) if code.is_approved() => End::Kept(seen.kept),
            Outcome::ReversedInPart(_) => End::ReversalRefused,
            Outcome::ReversalOwed => End::Owed,
        },
    }
}

/// The scheme's numbers.
pub(crate) fn rules(world: &World) -> Rules {
    let limits = world.config.retailers.iter();
    let minor = |amount: Option<Amount>| amount.map_or(0, Amount::minor);
    Rules {
        holds_stand: world.scenario.hold_ms.is_none(),
        refund_max: minor(limits.clone().map(|limit| limit.refund_max).max()),
        refund_day_max: minor(limits.map(|limit| limit.refund_day_max).max()),
    }
}

/// Tells a lie of the first payment that it is of.
pub(crate) fn lie(lie: Lie, payments: &mut Vec<PaymentView>) {
    let nothing = |payment: &PaymentView| payment.returned == "0.00";
    let fits = |payment: &&mut PaymentView| {
        let posted = payment.status == "posted";
        match lie {
            Lie::PostedTwice => posted,
            Lie::RefundForgotten => posted && payment.kind == "refund",
            Lie::ReturnForgotten | Lie::WholeForPart => posted && !nothing(payment),
            Lie::CompletionForgotten => posted && payment.kind == "preauth",
            Lie::HoldPosted => payment.kind == "preauth" && payment.status == "pending",
        }
    };
    let Some(payment) = payments.iter_mut().find(fits) else { return };
    match lie {
        Lie::PostedTwice => {
            let again = payment.clone();
            payments.push(again);
        }
        Lie::RefundForgotten | Lie::CompletionForgotten => payment.status = "voided",
        Lie::ReturnForgotten => payment.returned = "0.00".to_owned(),
        Lie::WholeForPart => {
            payment.status = "reversed";
            payment.returned.clone_from(&payment.amount);
        }
        Lie::HoldPosted => payment.status = "posted",
    }
}

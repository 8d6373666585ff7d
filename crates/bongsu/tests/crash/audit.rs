//! Three books held against each other: the clients', the hub's and the banks', by the auditor that
//! judges simulated nations too.

use std::collections::BTreeMap;

use ::nation::audit::{Ask, Asker, BankEvidence, Claim, End, Evidence, Line, Rules, judge};
use host::config::Config;
use host::view::{Overview, PaymentView};

use crate::nation::HubBooks;

pub(crate) fn check(claims: Vec<Claim>, hub: HubBooks, books: &BTreeMap<String, Vec<Line>>) {
    tell(&claims, &hub.payments);
    let config = Config::example();
    let bank = |section: &host::config::ParticipantSection| BankEvidence {
        id: section.id,
        iin: section.iins[0],
        cap: section.cap,
        lines: books[&section.id.to_string()].clone(),
    };
    let cycle = hub.payments.iter().map(|payment| payment.cycle).max().unwrap_or(0);
    let asker = Asker { name: "the clients".to_owned(), claims, owed: Vec::new(), unanswered: 0 };
    let evidence = Evidence {
        hub: Overview { cycle, ..Overview::default() },
        stations: Vec::new(),
        banks: config.participants.iter().map(bank).collect(),
        accounts: hub.accounts,
        payments: hub.payments,
        askers: vec![asker],
        rules: Rules { holds_stand: true, refund_max: 10_000, refund_day_max: 100_000 },
    };
    let wrong: Vec<String> = judge(&evidence).iter().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn tell(claims: &[Claim], payments: &[PaymentView]) {
    let mut ends: BTreeMap<(Ask, &str), u64> = BTreeMap::new();
    for claim in claims {
        let end = match claim.end {
            End::Approved => "approved",
            End::Declined => "declined",
            End::Unknown => "unknown",
            End::Reversed => "reversed",
            End::Kept(_) => "reversed in part",
            End::ReversalRefused => "reversal refused",
            End::Owed => "owed",
        };
        *ends.entry((claim.ask, end)).or_default() += 1;
    }
    eprintln!("{} requests, {} payments in the hub's books:", claims.len(), payments.len());
    for ((ask, end), count) in ends {
        eprintln!("  {ask:?} {end}: {count}");
    }
    let mut refusals: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for payment in payments.iter().filter(|p| matches!(p.status, "declined" | "voided")) {
        let text = payment.text.as_deref().unwrap_or_default();
        *refusals.entry((payment.kind, &payment.response_code, text)).or_default() += 1;
    }
    for ((kind, code, text), count) in refusals {
        eprintln!("  the hub's books: {kind} refused {code} {text}: {count}");
    }
}

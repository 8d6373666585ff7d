//! Banks that acquire on their own links, of every kind, while the hub dies and comes back.

use std::collections::BTreeSet;

use parties::bank::{BankConfig, BankFaults, EntryKind};
use parties::shop::{Kind, Manners, Outcome, Seen, ShopConfig};
use scheme::{Iin, ParticipantId, StationId, Zone};

use crate::world::{World, field};

const BANKS: [&str; 4] = ["100001", "100002", "100003", "100004"];

/// A bank with terminals of its own, which no register has, and with every vice.
fn with_counter(bank: &mut BankConfig) {
    let issuers = (1..=4).map(|at| Iin::new(&format!("94080{at}")).unwrap()).collect();
    let zone = Zone::fixed(9 * 3600);
    let mut counter =
        ShopConfig::example(StationId(0), "HST", bank.id, issuers, zone, bank.id.get()).unwrap();
    counter.rate_per_1000_s = 20_000;
    counter.times.answer_wait_ms = 4_000;
    counter.times.reversal_wait_ms = 4_000;
    counter.times.complete_within_ms = 3_000;
    counter.manners = Manners {
        refund: 150,
        preauth: 150,
        cancel: 50,
        cancel_part: 50,
        refund_over: 100,
        complete_over: 100,
        complete_twice: 50,
        reverse_twice: 100,
        ..Manners::everyday()
    };
    bank.connections = 2;
    bank.counter = Some(Box::new(counter));
}

/// What a bank's position must be, from the banks' own books alone.
fn from_books(world: &World, bank: usize) -> i64 {
    let id = |at: usize| ParticipantId::new(BANKS[at - 1].parse().unwrap());
    let mut position = 0;
    for issuer in 1..=4 {
        let accounts = world.book(issuer).accounts();
        let entries = accounts.flat_map(|(_, account)| &account.entries);
        for entry in entries.filter(|entry| entry.kind != EntryKind::Refill) {
            match (issuer == bank, entry.acquirer == id(bank)) {
                (true, false) => position += entry.effect,
                (false, true) => position -= entry.effect,
                (true, true) | (false, false) => {}
            }
        }
    }
    position
}

#[test]
fn r_crash_acquirers_repeat_and_reverse_and_all_books_agree() {
    let mut world = World::with_banks(with_counter);
    for _ in 0..2 {
        world.pass(6_000);
        world.restart_hub();
    }
    world.pass(6_000);
    for bank in 1..=4 {
        world.bank(bank).stop();
    }
    world.pass(25_000);
    let mut seen: Vec<Seen> = Vec::new();
    for (at, id) in BANKS.iter().enumerate() {
        let bank = world.bank(at + 1);
        assert!(bank.is_idle(), "{id}: {} unanswered", bank.unanswered());
        seen.extend(bank.drain_seen());
    }
    assert_eq!(world.owed(), 0);
    let count = |kind| seen.iter().filter(|one| one.kind == kind && one.approved).count();
    for kind in [Kind::Purchase, Kind::Cash, Kind::Refund, Kind::Balance, Kind::Preauth] {
        assert!(count(kind) > 20, "{kind:?} {}", count(kind));
    }
    assert!(count(Kind::Completion) > 20);
    let reversed = |one: &&Seen| matches!(one.outcome, Outcome::Reversed(_));
    assert!(seen.iter().filter(reversed).count() > 20);
    refunds_are_found(&seen);
    for (at, id) in BANKS.iter().enumerate() {
        let minor = world.balance(id, "position").replace('.', "").parse::<i64>().unwrap();
        assert_eq!(minor, from_books(&world, at + 1), "{id}");
    }
    let mut references = BTreeSet::new();
    for one in seen.iter().filter(|one| one.kind == Kind::Purchase && one.approved) {
        let new = references.insert((one.acquirer, one.rrn));
        assert!(new, "DE37 {} of {} twice", one.rrn, one.acquirer);
    }
    world.audit();
}

/// A refund names its payment from any till of the shop (R-ACCOUNTS), though no register knows
/// these (R-LINK): none within what is left is refused for that.
fn refunds_are_found(seen: &[Seen]) {
    let mut elsewhere = 0;
    for refund in seen.iter().filter(|one| one.kind == Kind::Refund) {
        let Some((terminal, stan)) = refund.original else { continue };
        let of = |one: &&Seen| {
            (one.acquirer, one.terminal, one.stan) == (refund.acquirer, terminal, stan)
        };
        let bought = seen.iter().find(of).unwrap();
        let returned: u64 = seen
            .iter()
            .filter(|one| one.kind == Kind::Refund && one.original == refund.original)
            .filter(|one| (one.acquirer, one.account) == (refund.acquirer, refund.account))
            .map(|one| one.amount.minor())
            .sum();
        if matches!(bought.outcome, Outcome::Approved) && returned <= bought.amount.minor() {
            elsewhere += usize::from(terminal != refund.terminal);
            let refused =
                matches!(refund.outcome, Outcome::Declined(code) if code.bytes() == *b"57");
            assert!(!refused, "{refund:?} of {bought:?}");
        }
    }
    assert!(elsewhere > 20, "{elsewhere}");
}

#[test]
fn r_link_a_signed_off_bank_is_down_and_hears_what_it_is_owed_when_it_is_back() {
    let mut world = World::start();
    let terminal = world.terminal();
    let card = world.card(2, 1);
    let purchase = world.purchase("000801", &card, "000000000700");
    assert_eq!(field(&world.ask(terminal, &purchase), 39), "00");
    world.bank(2).set_faults(BankFaults { signed_off: true, ..BankFaults::default() });
    world.pass(1000);
    assert_eq!(world.overview().banks[1].connections, 0);
    let refused = world.ask(terminal, &world.purchase("000802", &card, "000000000800"));
    assert_eq!((field(&refused, 39), field(&refused, 44)), ("91", "ISSUER DOWN"));
    // A reversal may not be refused: it is owed until the bank is back.
    let undone = world.ask(terminal, &world.reversal_of(&purchase, "000803"));
    assert_eq!((undone.mti().number(), field(&undone, 39)), (430, "00"));
    world.pass(20_000);
    assert_eq!(world.owed(), 1);
    world.bank(2).set_faults(BankFaults::default());
    world.pass(1000);
    assert_eq!(world.owed(), 0, "every sign-on sends at once all that is due");
    let kinds: Vec<_> =
        world.book(2).account(1).unwrap().entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Purchase, EntryKind::Reversal]);
    world.audit();
}

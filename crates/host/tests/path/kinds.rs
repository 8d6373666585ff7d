//! Every everyday payment, from a terminal's bytes to the issuer's own book.

use std::collections::BTreeMap;

use host::offline::Offline;
use host::table::{Cell, FINDINGS, PAYMENTS, finding_row, payment_row};
use journal::Disk;
use journal::sim_disk::SimDisk;
use parties::bank::EntryKind;
use scheme::Mti;
use wire::iso8583::Message;

use crate::world::{World, field};

/// A card of Harbour Bank, 100002, account 1.
const CARD: &str = "9408020000000015";

fn with(mut message: Message, fields: &[(u8, &str)]) -> Message {
    for (de, value) in fields {
        message.set(*de, value.as_bytes());
    }
    message
}

fn typed(mut message: Message, mti: u16) -> Message {
    message.set_mti(Mti::new(mti).unwrap());
    message
}

/// DE90 that names a message of the terminal.
fn named(original: &Message) -> String {
    let (mti, stan, sent) = (original.mti(), field(original, 11), field(original, 7));
    format!("{mti}{stan}{sent}{:0>11}{:011}", field(original, 32), 0)
}

/// What account 1 of Harbour Bank has been through.
fn entries(world: &World) -> Vec<(EntryKind, i64)> {
    let entries = &world.book(2).account(1).unwrap().entries;
    entries.iter().map(|entry| (entry.kind, entry.effect)).collect()
}

fn settled(world: &mut World) {
    world.pass(2000);
    assert_eq!(world.owed(), 0);
    world.audit();
}

#[test]
fn r_accounts_a_refund_names_its_purchase_by_de90_or_de37() {
    let mut world = World::start();
    let terminal = world.terminal();
    let purchase = world.purchase("000701", CARD, "000000001250");
    let bought = world.ask(terminal, &purchase);
    let refund =
        |world: &World, stan, amount| with(world.purchase(stan, CARD, amount), &[(3, "200000")]);
    // Another till of the shop, by DE90.
    let first = with(
        refund(&world, "000702", "000000000400"),
        &[(41, "PYO00002"), (90, &named(&purchase))],
    );
    let given = world.ask(terminal, &first);
    assert_eq!((given.mti().number(), field(&given, 39)), (210, "00"), "{given:?}");
    assert_eq!(world.balance("100001", "position"), "8.50");
    // By DE37, which is echoed.
    let second = with(refund(&world, "000703", "000000000850"), &[(37, field(&bought, 37))]);
    let given = world.ask(terminal, &second);
    assert_eq!((field(&given, 39), field(&given, 37)), ("00", field(&bought, 37)));
    assert_eq!(world.balance("100001", "position"), "0.00");
    let expected =
        [(EntryKind::Purchase, -1250), (EntryKind::Refund, 400), (EntryKind::Refund, 850)];
    assert_eq!(entries(&world), expected);
    // Nothing is left, and a refund of nothing has no limit at this shop.
    let third = with(refund(&world, "000704", "000000000001"), &[(37, field(&bought, 37))]);
    assert_eq!(field(&world.ask(terminal, &third), 39), "57");
    // A repeat gets its first answer again.
    let again = world.ask(terminal, &typed(second, 201));
    assert_eq!((field(&again, 39), entries(&world).len()), ("00", 3));
    settled(&mut world);
}

/// R-FIELDS: DE90 is rewritten to the issuer's link; a payment's issuer knows it by the hub's own
/// DE11 and DE7.
#[test]
fn r_fields_a_refund_names_its_purchase_to_the_issuer_in_its_own_values() {
    let mut world = World::start();
    let terminal = world.terminal();
    world.cut_bank(2);
    let line = world.signed_on("100002");
    let ask = |world: &mut World, message: &Message| {
        world.send(terminal, message);
        world.settle();
        let asked = world.next(line).unwrap();
        let mut answer = typed(asked.clone(), 210);
        answer.remove(14);
        world.send(line, &with(answer, &[(39, "00"), (38, "000001")]));
        world.settle();
        assert_eq!(field(&world.next(terminal).unwrap(), 39), "00");
        asked
    };
    let purchase = world.purchase("000708", CARD, "000000001250");
    let bought = ask(&mut world, &purchase);
    assert!(!bought.has(90));
    let refund = with(
        world.purchase("000709", CARD, "000000000400"),
        &[(3, "200000"), (90, &named(&purchase))],
    );
    let asked = ask(&mut world, &refund);
    assert_eq!(field(&asked, 90), named(&bought));
    assert_ne!(field(&asked, 90), named(&purchase));
}

#[test]
fn r_accounts_a_preauthorisation_is_completed_for_a_part() {
    let mut world = World::start();
    let terminal = world.terminal();
    let asked = typed(world.purchase("000711", CARD, "000000010000"), 100);
    let held = world.ask(terminal, &asked);
    assert_eq!((held.mti().number(), field(&held, 39)), (110, "00"), "{held:?}");
    assert!(held.has(38) && held.has(15) && !held.has(54), "{held:?}");
    assert_eq!(world.pending("100002"), "100.00");
    assert_eq!(world.book(2).account(1).unwrap().held, 10_000);

    let complete = |world: &World, stan, amount| {
        let message = typed(world.purchase(stan, CARD, amount), 220);
        with(message, &[(90, &named(&asked))])
    };
    // Above the hold: 13, the hold stays.
    let over = world.ask(terminal, &complete(&world, "000712", "000000010001"));
    assert_eq!((over.mti().number(), field(&over, 39)), (230, "13"));
    assert_eq!(world.pending("100002"), "100.00");
    let done = complete(&world, "000713", "000000008000");
    let answer = world.ask(terminal, &done);
    assert_eq!((answer.mti().number(), field(&answer, 39)), (230, "00"));
    assert_eq!(world.pending("100002"), "0.00");
    assert_eq!(world.balance("100002", "position"), "-80.00");
    world.pass(1000);
    assert_eq!(entries(&world), [(EntryKind::Completion, -8000)]);
    assert_eq!(world.book(2).account(1).unwrap().held, 0);
    // 0221 is acknowledged again and completes nothing more.
    let again = world.ask(terminal, &typed(done.clone(), 221));
    assert_eq!((again.mti().number(), field(&again, 39)), (230, "00"));
    assert_eq!(world.balance("100002", "position"), "-80.00");

    // A completion can be reversed: DE90 names the 0220.
    let reversal =
        with(world.reversal_of(&done, "000714"), &[(90, &named(&done)), (4, "000000008000")]);
    let undone = world.ask(terminal, &reversal);
    assert_eq!((undone.mti().number(), field(&undone, 39)), (430, "00"));
    world.pass(1000);
    assert_eq!(world.balance("100002", "position"), "0.00");
    assert_eq!(entries(&world)[1], (EntryKind::Reversal, 8000));
    settled(&mut world);
}

/// R-ACCOUNTS: DE90, else DE37, else DE38 and the card; it need not show the card otherwise.
#[test]
fn r_accounts_a_completion_names_its_hold_in_three_ways() {
    let mut world = World::start();
    let terminal = world.terminal();
    for (at, stan) in ["000721", "000722", "000723"].iter().enumerate() {
        let amount = format!("{:012}", 2000 + at);
        let asked = typed(world.purchase(stan, CARD, &amount), 100);
        let held = world.ask(terminal, &asked);
        assert_eq!(field(&held, 39), "00");
        let own = format!("00073{at}");
        let mut message = typed(world.purchase(&own, CARD, "000000001000"), 220);
        match at {
            0 => message.set(90, named(&asked).as_bytes()),
            1 => message.set(37, field(&held, 37).as_bytes()),
            _ => message.set(38, field(&held, 38).as_bytes()),
        }
        if at < 2 {
            message.remove(2);
        }
        let answer = world.ask(terminal, &message);
        assert_eq!((answer.mti().number(), field(&answer, 39)), (230, "00"), "{answer:?}");
        world.pass(500);
    }
    assert_eq!(entries(&world), [(EntryKind::Completion, -1000); 3]);
    assert_eq!((world.pending("100002").as_str(), world.findings()), ("0.00", 0));
    settled(&mut world);
}

/// What the issuer answered, before anything is posted; and what is to be looked at, whatever
/// happened to the hub since.
#[test]
fn a_hold_says_its_answer_and_findings_survive_a_restart() {
    let mut world = World::start();
    let terminal = world.terminal();
    let state = |world: &mut World| {
        let payment = world.payments().remove(0);
        (payment.status, payment.response_code, payment.approval_code.is_some())
    };
    let asked = typed(world.purchase("000732", CARD, "000000003000"), 100);
    assert_eq!(field(&world.ask(terminal, &asked), 39), "00");
    assert_eq!(state(&mut world), ("pending", "00".to_owned(), true));
    let over = typed(world.purchase("000733", CARD, "000000003001"), 220);
    let over = with(over, &[(90, &named(&asked))]);
    assert_eq!(field(&world.ask(terminal, &over), 39), "13");
    let shown = world.overview().latest_findings;
    assert_eq!(shown[0].kind, "over_completion", "{shown:?}");
    assert_eq!(shown[0].payment, Some(world.payments()[0].id.clone()));
    world.restart_hub();
    assert_eq!(world.overview().latest_findings, shown);
    world.mute_banks(true);
    let terminal = world.terminal();
    let asked = typed(world.purchase("000731", CARD, "000000002000"), 100);
    world.send(terminal, &asked);
    world.pass(100);
    assert_eq!(state(&mut world), ("pending", String::new(), false));
}

/// What auditors are given of findings: each with what its payment was, or with the trace number
/// that the message named.
#[test]
fn findings_are_listed_with_what_their_payments_were() {
    let mut world = World::start();
    let terminal = world.terminal();
    let asked = typed(world.purchase("000734", CARD, "000000003000"), 100);
    assert_eq!(field(&world.ask(terminal, &asked), 39), "00");
    let over = typed(world.purchase("000735", CARD, "000000003001"), 220);
    let over = with(over, &[(90, &named(&asked))]);
    assert_eq!(field(&world.ask(terminal, &over), 39), "13");
    let never_sent = world.purchase("000736", CARD, "000000000900");
    let reversal = world.reversal_of(&never_sent, "000737");
    assert_eq!(field(&world.ask(terminal, &reversal), 39), "00");
    let payment = world.payments().remove(0);
    let shown = world.overview().latest_findings;
    let number = |kind: &str| {
        let found = shown.iter().find(|found| found.kind == kind).unwrap();
        (found.record.to_string(), found.at)
    };

    let (mut disk, _) = world.take_hub(true);
    let (mut rows, mut others) = (Vec::new(), 0);
    Offline::read_steps(&world.config, &mut disk, false, &mut |step| {
        match step.finding() {
            Some(row) => {
                let cells = finding_row(&row);
                assert_eq!(cells.len(), FINDINGS.len());
                let filled = FINDINGS.iter().zip(&cells).filter(|(_, cell)| **cell != Cell::Empty);
                let filled = filled.map(|(column, cell)| (column.name, cell.text())).collect();
                rows.push((row.at, filled));
            }
            None => others += 1,
        }
        Ok(())
    })
    .unwrap();
    assert!(others > 20, "a record that is no finding is no row");
    let row = |kind: &str, more: &[(&'static str, &str)]| {
        let (record, at) = number(kind);
        let time = Cell::Time(at).text();
        let day = ("business_date", "2026-11-22");
        let first = [("record", record.as_str()), ("at", &time), ("kind", kind)];
        let cells = [&first, more, &[day]].concat();
        let cells: Vec<_> = cells.iter().map(|(name, cell)| (*name, (*cell).to_owned())).collect();
        (at, cells)
    };
    let of_payment = [
        ("participant", "100001"),
        ("payment", payment.id.as_str()),
        ("rrn", payment.rrn.as_str()),
        ("terminal", "PYO00001"),
        ("amount", "30.00"),
        ("currency", "KPW"),
    ];
    let of_message = [("participant", "100001"), ("original_stan", "000736")];
    let expected = [row("over_completion", &of_payment), row("unknown_original", &of_message)];
    assert_eq!(rows, expected);
}

/// What auditors are given of payments: the amount of each row is what the posted transfers have
/// moved, also of a hold that was completed for a part; and so is a finding's about it.
#[test]
fn payments_are_listed_with_what_was_posted_of_them() {
    let mut world = World::start();
    let terminal = world.terminal();
    let purchase = world.purchase("000738", CARD, "000000001250");
    let asked = typed(world.purchase("000739", CARD, "000000008000"), 100);
    let complete = typed(world.purchase("000740", CARD, "000000006430"), 220);
    let complete = with(complete, &[(90, &named(&asked))]);
    // Of another amount than was completed: a finding, and nothing moves.
    let other = with(world.reversal_of(&complete, "000741"), &[(90, &named(&complete))]);
    let reversal = with(world.reversal_of(&complete, "000742"), &[(90, &named(&complete))]);
    let other = with(other, &[(4, "000000008000")]);
    for message in [&purchase, &asked, &complete, &other, &reversal] {
        assert_eq!(field(&world.ask(terminal, message), 39), "00", "{message:?}");
    }
    let told = world.logged("finding");
    assert!(matches!(&*told, [one] if one.contains(&("amount", "64.30".to_owned()))), "{told:?}");
    let (mut disk, _) = world.take_hub(true);
    let (mut rows, mut found, mut moved) = (Vec::new(), Vec::new(), BTreeMap::new());
    let amount = PAYMENTS.iter().position(|column| column.name == "amount").unwrap();
    Offline::read_steps(&world.config, &mut disk, false, &mut |step| {
        for transfer in step.transfers() {
            if let (Some(id), "posted", "post") = (transfer.payment, transfer.state, transfer.leg) {
                *moved.entry(id).or_insert(0) += transfer.amount;
            }
        }
        if let Some(row) = step.payment() {
            let shown = payment_row(&row)[amount].text();
            assert_eq!(shown, row.view.amount);
            if let Some(moved) = moved.get(&row.view.id) {
                assert_eq!(u128::from(row.amount.minor()), *moved, "{row:?}");
            }
            rows.push((row.view.kind, row.view.status, shown));
        }
        found.extend(step.finding().map(|row| (row.kind, row.amount.minor())));
        Ok(())
    })
    .unwrap();
    assert_eq!(moved.len(), 2);
    let rows: Vec<_> =
        rows.iter().map(|(kind, status, shown)| (*kind, *status, &**shown)).collect();
    let expected = [
        ("purchase", "posted", "12.50"),
        ("preauth", "pending", "80.00"),
        ("preauth", "posted", "64.30"),
        ("preauth", "reversed", "64.30"),
    ];
    assert_eq!(rows, expected);
    assert_eq!(found, [("amount_mismatch", 6430)]);
}

/// The caps of a new nation stand before its first business date and belong to it: a day's list has
/// all that moved on it, also where the head is lost.
#[test]
fn what_moves_before_the_first_business_date_belongs_to_it() {
    let mut world = World::start();
    let terminal = world.terminal();
    let purchase = world.purchase("000745", CARD, "000000001250");
    assert_eq!(field(&world.ask(terminal, &purchase), 39), "00");
    let date = world.payments()[0].business_date.clone();
    let (mut disk, _) = world.take_hub(true);
    let list = |disk: &mut SimDisk| {
        let mut list = Vec::new();
        Offline::read_steps(&world.config, disk, false, &mut |step| {
            let days = step.transfers().map(|transfer| {
                let day = transfer.business_date.map(|day| day.to_string());
                (transfer.leg, transfer.cycle, day)
            });
            list.extend(days);
            Ok(())
        })
        .unwrap();
        list
    };
    let moved = list(&mut disk);
    let caps = moved.iter().filter(|(leg, cycle, _)| (*leg, *cycle) == ("cap", 0)).count();
    assert_eq!(caps, world.config.participants.len());
    assert_eq!(moved.len(), caps + 2, "{moved:?}");
    for (leg, cycle, day) in &moved {
        assert_eq!((day.as_ref(), *cycle), (Some(&date), u32::from(*leg != "cap")));
    }
    disk.remove("head").unwrap();
    assert_eq!(list(&mut disk), moved);
}

#[test]
fn r_fields_a_balance_enquiry_brings_de54_and_moves_nothing() {
    let mut world = World::start();
    let terminal = world.terminal();
    let mut asked = with(world.purchase("000741", CARD, "000000000000"), &[(3, "310000")]);
    asked.remove(4);
    let answer = world.ask(terminal, &asked);
    assert_eq!((answer.mti().number(), field(&answer, 39)), (210, "00"), "{answer:?}");
    assert_eq!(field(&answer, 54), "0002408C000010000000");
    assert_eq!(entries(&world), []);
    assert_eq!(world.balance("100002", "position"), "0.00");
    settled(&mut world);
}

#[test]
fn r_reversal_a_part_goes_back_and_the_issuer_hears_de95() {
    let mut world = World::start();
    let terminal = world.terminal();
    let cash = with(world.purchase("000751", CARD, "000000002000"), &[(3, "010000")]);
    assert_eq!(field(&world.ask(terminal, &cash), 39), "00");
    let reversal = with(
        world.reversal_of(&cash, "000752"),
        &[(39, "32"), (95, "000000000700000000000000C00000000C00000000")],
    );
    let answer = world.ask(terminal, &reversal);
    assert_eq!((answer.mti().number(), field(&answer, 39)), (430, "00"));
    world.pass(1000);
    assert_eq!(world.balance("100002", "position"), "-7.00");
    assert_eq!(entries(&world), [(EntryKind::Cash, -2000), (EntryKind::Reversal, 1300)]);
    settled(&mut world);
}

/// R-LINK: the same on a bank's link, one kind after the other.
#[test]
fn r_link_an_acquirers_host_does_every_kind() {
    let mut world = World::start();
    let line = world.signed_on("100001");
    let own = |message: Message| with(message, &[(41, "HOST0001"), (42, "HOST-SHOP-00001")]);
    let purchase = own(world.purchase("000761", CARD, "000000003000"));
    assert_eq!(field(&world.ask(line, &purchase), 39), "00");
    let refund = with(purchase.clone(), &[(3, "200000"), (4, "000000001000"), (11, "000762")]);
    let refund = with(refund, &[(90, &named(&purchase))]);
    assert_eq!(field(&world.ask(line, &refund), 39), "00");
    let asked = typed(own(world.purchase("000763", CARD, "000000000500")), 100);
    let held = world.ask(line, &asked);
    assert_eq!((held.mti().number(), field(&held, 39)), (110, "00"));
    let complete = with(typed(asked.clone(), 220), &[(11, "000764"), (90, &named(&asked))]);
    let done = world.ask(line, &complete);
    assert_eq!((done.mti().number(), field(&done, 39)), (230, "00"));
    let balance = with(own(world.purchase("000765", CARD, "000000000000")), &[(3, "310000")]);
    assert!(world.ask(line, &balance).has(54));
    let reversal = typed(world.reversal_of(&purchase, "000766"), 400);
    let undone = world.ask(line, &reversal);
    assert_eq!((undone.mti().number(), field(&undone, 39)), (410, "00"));
    world.pass(1000);
    // 30.00 less 10.00 refunded, the rest reversed; 5.00 completed.
    assert_eq!(world.balance("100002", "position"), "-5.00");
    let book: i64 = entries(&world).iter().map(|(_, effect)| effect).sum();
    assert_eq!(book, -500, "{:?}", entries(&world));
    settled(&mut world);
}

//! R-TIME, R-ACCOUNTS: business dates, cutover, netting.

use ledger::chart;
use scheme::{BusinessDate, Currency, Timestamp};
use switch::Request;
use switch::hub::{Input, Status};
use switch::record::Fact;

use crate::rig::{A, B, CAP, DAY, HOUR, MINUTE, Rig, SECOND, amount, bank, card};

const TODAY: BusinessDate = BusinessDate(20_779);

#[test]
fn r_time_the_first_date_depends_on_the_cutover() {
    let at = |hour: u64, second: u64| {
        let midnight = 20_779 * 86_400 - 9 * 3600;
        let rig = Rig::begun(Timestamp::from_s(midnight + hour * 3600 + second));
        (rig.date(), rig.hub.state().cycle())
    };
    assert_eq!(at(0, 0), (TODAY, 1));
    assert_eq!(at(21, 3599), (TODAY, 1));
    assert_eq!(at(22, 0), (TODAY.next(), 1));
    assert_eq!(at(23, 3599), (TODAY.next(), 1));
}

#[test]
fn r_time_cutover_at_22_nets_to_zero() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    let second = Request { card: Some(card(crate::rig::C, 1)), ..rig.purchase() };
    rig.pay(&second);
    assert_eq!(rig.nets(), [2000, -1000, -1000]);
    rig.pass(12 * HOUR - 1);
    assert_eq!((rig.date(), rig.nets()), (TODAY, [2000, -1000, -1000]));
    rig.pass(1);
    assert_eq!((rig.date(), rig.hub.state().cycle()), (TODAY.next(), 2));
    assert_eq!(rig.nets(), [0, 0, 0]);
    assert_eq!(rig.balance(chart::settlement(Currency::KPW)), 0);
    // A reversal belongs to the cycle in which it is posted; the payment keeps its own.
    let undo = rig.reversal(&first);
    rig.send(undo);
    assert_eq!((rig.payment(id).business_date, rig.payment(id).cycle), (TODAY, 1));
    assert_eq!(rig.nets(), [-1000, 1000, 0]);
    rig.pass(DAY);
    assert_eq!((rig.nets(), rig.hub.state().cycle()), ([0, 0, 0], 3));
}

#[test]
fn r_time_holds_stay_over_the_cut() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    rig.pass(12 * HOUR - 5 * SECOND);
    let held = rig.purchase();
    let ticket = rig.send(held.clone());
    let asked = rig.asks.last().unwrap().clone();
    rig.pass(6 * SECOND);
    assert_eq!((rig.date(), rig.nets()), (TODAY.next(), [0, 0, 0]));
    assert_eq!(rig.status(asked.id), Status::Pending);
    let late = rig.purchase();
    rig.pay(&late);
    let answer = rig.answer_to(&asked, "00");
    rig.drive(Input::IssuerAnswer(answer));
    assert_eq!(rig.said(ticket), "00");
    let dates: Vec<_> = rig.answers.iter().map(|(_, answer)| answer.business_date).collect();
    assert_eq!(dates, [Some(TODAY), Some(TODAY.next()), Some(TODAY)]);
    assert_eq!(rig.nets(), [2000, -2000, 0]);
}

/// What a bank is owed cannot be paid out while its own cards hold it: then nobody is netted.
#[test]
fn r_accounts_netting_is_all_or_none() {
    let mut rig = Rig::new();
    let first = Request { amount: amount(CAP), ..rig.purchase() };
    rig.pay(&first);
    rig.pass(12 * HOUR - 5 * SECOND);
    let by_a = Request {
        acquirer: bank(B),
        terminal: crate::rig::terminal("NAM00001"),
        retailer: crate::rig::shop(B),
        card: Some(card(A, 1)),
        amount: amount(CAP + 1),
        ..rig.purchase()
    };
    rig.send(by_a);
    rig.pass(6 * SECOND);
    assert_eq!((rig.date(), rig.nets()), (TODAY.next(), [1_000_000, -1_000_000, 0]));
    rig.pass(DAY);
    assert_eq!(rig.nets(), [0, 0, 0]);
}

#[test]
fn r_time_several_days_without_power() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    rig.jump(3 * DAY + HOUR);
    rig.crash();
    assert_eq!((rig.date(), rig.hub.state().cycle()), (BusinessDate(TODAY.0 + 3), 2));
    // The cutovers that were missed are one.
    assert_eq!(rig.nets(), [0, 0, 0]);
    assert_eq!(rig.hub.next_timeout(), Some(rig.now.plus_ms(11 * HOUR)));
    // A process that slept for days catches up as well.
    rig.jump(5 * DAY);
    rig.drive(Input::Timeout);
    assert_eq!((rig.date(), rig.hub.state().cycle()), (BusinessDate(TODAY.0 + 8), 3));
}

#[test]
fn r_time_cutovers_in_the_turn_of_many_deadlines() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    rig.pass(12 * HOUR - 10 * SECOND);
    for _ in 0..5 {
        let held = rig.purchase();
        rig.send(held);
    }
    rig.jump(MINUTE);
    rig.drive(Input::Timeout);
    assert_eq!((rig.date(), rig.nets()), (TODAY.next(), [0, 0, 0]));
    let cutovers =
        rig.records.iter().filter(|record| matches!(record.fact, Fact::Cutover { .. })).count();
    assert_eq!(cutovers, 2);
    assert_eq!(rig.hub.state().advice_count(), 5);
}

//! A bank's pre-authorisations: held, completed, undone, too old; and a bank that signs off.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod rig;

use parties::bank::{EntryKind, Hold, Oddity};
use rig::{Rig, build, elements, mti, purchase, reversal, with};
use wire::iso8583::Message;

const OPENING: i64 = 10_000_000;

/// 0100 for 12.50.
fn authorisation(stan: u32, account: u32) -> Message {
    let mut message = purchase(stan, account);
    message.set_mti(mti(100));
    message
}

/// DE90 of the hub's own message with this MTI and trace number, sent at 10:00:00.
fn named(number: u16, stan: u32) -> String {
    format!("{number:04}{stan:06}0921100000{:011}{:011}", 100_001, 0)
}

/// 0220 that completes the 0100 with this trace number.
fn completion(stan: u32, of: u32, minor: u64) -> Message {
    let mut message = purchase(of, 1);
    message.set_mti(mti(220));
    message.remove(14);
    let (own, amount) = (format!("{stan:06}"), format!("{minor:012}"));
    with(message, &[(4, &amount), (11, &own), (38, "000001"), (90, &named(100, of))])
}

fn undone(number: u16, stan: u32, minor: u64) -> Message {
    let amount = format!("{minor:012}");
    with(reversal(&purchase(stan, 1), 900 + stan), &[(4, &amount), (90, &named(number, stan))])
}

fn held(rig: &Rig) -> i64 {
    rig.host().book().account(1).unwrap().held
}

fn available(rig: &mut Rig) -> String {
    let asked = with(purchase(800, 1), &[(3, "310000"), (4, "000000000000")]);
    rig.ask(&asked)[0].text(54).unwrap().to_owned()
}

#[test]
fn a_hold_is_no_entry_and_a_completion_for_a_part_is_one() {
    let mut rig = Rig::bank(|_| {});
    let answers = rig.ask(&authorisation(1, 1));
    assert_eq!((answers[0].mti(), answers[0].text(39)), (mti(110), Some("00")));
    assert_eq!(answers[0].text(38), Some("000001"));
    assert_eq!((rig.balance(1), held(&rig)), (OPENING, 1250));
    assert_eq!(available(&mut rig), "0002408C000009998750");
    // Its repeat holds nothing more.
    let mut again = authorisation(1, 1);
    again.set_mti(mti(101));
    assert_eq!(rig.code(&again), "00");
    assert_eq!(held(&rig), 1250);

    let advice = completion(2, 1, 1000);
    let answers = rig.ask(&advice);
    assert_eq!((answers[0].mti(), answers[0].text(39)), (mti(230), Some("00")));
    assert_eq!(elements(&answers[0]), [2, 3, 4, 7, 11, 12, 13, 32, 37, 39, 41, 42, 49]);
    assert_eq!((rig.balance(1), held(&rig)), (OPENING - 1000, 0));
    let entry = *rig.host().book().account(1).unwrap().entries.back().unwrap();
    assert_eq!((entry.kind, entry.effect), (EntryKind::Completion, -1000));
    assert_eq!(entry.rrn.as_str(), "R00000000001", "the pre-authorisation's");

    // 0221 is acknowledged again; another completion of the same hold is refused.
    let mut repeat = advice;
    repeat.set_mti(mti(221));
    assert_eq!(rig.code(&repeat), "00");
    assert_eq!(rig.code(&completion(3, 1, 250)), "94");
    assert_eq!(rig.host().counts().oddities[&Oddity::SecondCompletion], 1);
    assert_eq!(rig.balance(1), OPENING - 1000);

    // The reversal of a completion names the 0220; in part, and once.
    let part = with(undone(220, 2, 1000), &[(95, "000000000400000000000000C00000000C00000000")]);
    assert_eq!(rig.code(&part), "00");
    assert_eq!(rig.balance(1), OPENING - 400);
    assert_eq!(rig.code(&undone(220, 2, 1000)), "00");
    assert_eq!(rig.balance(1), OPENING - 400);
}

#[test]
fn a_completion_above_its_hold_or_of_nothing_moves_nothing() {
    let mut rig = Rig::bank(|_| {});
    rig.ask(&authorisation(1, 1));
    assert_eq!(rig.code(&completion(2, 1, 1251)), "13");
    assert_eq!((rig.balance(1), held(&rig)), (OPENING, 1250), "the hold stands");
    assert_eq!(rig.code(&completion(3, 77, 1000)), "25");
    let mut nameless = completion(4, 1, 1000);
    nameless.remove(90);
    assert_eq!(rig.code(&nameless), "30");
    // What is held cannot be spent.
    let rest = purchase(5, 1);
    let all = format!("{:012}", OPENING - 1249);
    assert_eq!(rig.code(&with(rest.clone(), &[(4, &all)])), "51");
    let cash = with(authorisation(6, 1), &[(3, "010000")]);
    assert_eq!(rig.code(&cash), "12", "only a purchase can be held");
    assert_eq!(rig.code(&completion(7, 1, 1250)), "00");
    assert_eq!((rig.balance(1), held(&rig)), (OPENING - 1250, 0));
}

#[test]
fn r_reversal_a_hold_that_is_undone_is_given_back_and_can_still_be_completed() {
    let mut rig = Rig::bank(|_| {});
    rig.ask(&authorisation(1, 1));
    assert_eq!(rig.code(&undone(100, 1, 1250)), "00");
    assert_eq!((rig.balance(1), held(&rig)), (OPENING, 0));
    assert_eq!(rig.code(&undone(100, 1, 1250)), "00");
    assert_eq!(held(&rig), 0);
    // R-ACCOUNTS: the hub posts a completion that comes within a day of the hold's end.
    assert_eq!(rig.code(&completion(2, 1, 1250)), "00");
    assert_eq!((rig.balance(1), held(&rig)), (OPENING - 1250, 0));
}

#[test]
fn r_tomb_a_completion_that_its_reversal_overtook_moves_nothing_and_ends_the_hold() {
    let mut rig = Rig::bank(|_| {});
    rig.ask(&authorisation(1, 1));
    assert_eq!(rig.code(&undone(220, 2, 1000)), "00");
    assert_eq!(rig.code(&completion(2, 1, 1000)), "00");
    assert_eq!((rig.balance(1), held(&rig)), (OPENING, 0));
    // And an 0100 after its reversal is refused.
    assert_eq!(rig.code(&undone(100, 9, 1250)), "00");
    assert_eq!(rig.code(&authorisation(9, 1)), "94");
    assert_eq!(held(&rig), 0);
}

#[test]
fn a_hold_ends_by_itself_and_a_replay_has_the_same_book() {
    let mut rig = Rig::bank(|config| config.times.hold_ms = 3_600_000);
    rig.ask(&authorisation(1, 1));
    rig.advance(600_000);
    rig.ask(&authorisation(2, 1));
    rig.ask(&completion(3, 2, 500));
    rig.ask(&authorisation(4, 1));
    assert_eq!(held(&rig), 2 * 1250);
    rig.advance(2_999_000);
    assert_eq!(held(&rig), 2 * 1250);
    rig.advance(2_000);
    assert_eq!(held(&rig), 1250, "the first one's hour is over");
    rig.advance(600_000);
    assert_eq!(held(&rig), 0);
    let again = rig.crashed();
    assert_eq!(again.host().book().state_hash(), rig.host().book().state_hash());
    assert_eq!(again.host().book().oldest_hold(), None);
    assert_eq!(rig.balance(1), OPENING - 500);
    // A completion that is later still is booked: the hub has decided.
    assert_eq!(rig.code(&completion(5, 1, 1250)), "00");
    assert_eq!(rig.balance(1), OPENING - 1750);
}

#[test]
fn refunds_cash_and_balances_are_what_they_are_called() {
    let mut rig = Rig::bank(|_| {});
    for (stan, code) in [(1, "010000"), (2, "200000"), (3, "000000")] {
        assert_eq!(rig.code(&with(purchase(stan, 1), &[(3, code)])), "00");
    }
    let entries = &rig.host().book().account(1).unwrap().entries;
    let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.effect)).collect();
    let expected =
        [(EntryKind::Cash, -1250), (EntryKind::Refund, 1250), (EntryKind::Purchase, -1250)];
    assert_eq!(kinds, expected);
    // A refund that is reversed is a debit.
    let mut back = reversal(&purchase(2, 1), 9);
    back.set(3, b"200000");
    assert_eq!(rig.code(&back), "00");
    assert_eq!(rig.balance(1), OPENING - 2500);
    let kept = rig.host().book().request(parties::bank::RequestKey {
        class: 2,
        stan: scheme::Stan::new(2).unwrap(),
        sent_at: 921_100_000,
    });
    assert_eq!(
        kept.map(|kept| (kept.kind, kept.hold)),
        Some((Some(EntryKind::Refund), Hold::None))
    );
    let asked = build(200, &[(3, "310000"), (7, "0921100000"), (11, "000099"), (41, "PYO00001")]);
    let mut asked = with(asked, &[(32, "100001"), (49, "408")]);
    asked.set(2, purchase(1, 1).get(2).unwrap());
    let answer = rig.ask(&asked).remove(0);
    assert_eq!((answer.text(39), answer.text(54)), (Some("00"), Some("0002408C000009997500")));
}

#[test]
fn r_link_a_bank_that_signs_off_says_so_and_comes_back() {
    let mut rig = Rig::bank(|_| {});
    let mut faults = rig.host().config().faults;
    faults.signed_off = true;
    rig.host_mut().set_faults(faults);
    rig.advance(1);
    let said: Vec<_> = rig.taken().iter().map(|m| m.text(70).unwrap().to_owned()).collect();
    assert_eq!(said, ["002", "002"]);
    assert_eq!(rig.host().signed_on(), 0);
    // Echoes go on, and no sign-on.
    rig.advance(100_000);
    assert!(rig.taken().iter().all(|message| message.text(70) == Some("301")));
    assert_eq!((rig.host().signed_on(), rig.closed.len()), (0, 0));
    faults.signed_off = false;
    rig.host_mut().set_faults(faults);
    rig.advance(1);
    assert_eq!(rig.taken().iter().filter(|m| m.text(70) == Some("001")).count(), 2);
    assert_eq!(rig.host().signed_on(), 2);
    assert_eq!(rig.code(&purchase(1, 1)), "00");
}

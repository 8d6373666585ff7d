//! R-FIRES line by line, its order of precedence and its order in lists.

use super::*;

fn well() -> Facts {
    Facts {
        banks_down: Known::Is(0),
        answered: 1000,
        unavailable: 9,
        p99_ms: 2000,
        saf_oldest_ms: 60_000,
        certificate_days: Known::Is(30),
        disk_free_percent: Known::Is(20),
        clock_off_ms: Known::Is(500),
        succeeded_ms: Some(59_999),
        silent_ms: 9_999,
        ..Facts::default()
    }
}

/// Every line of the rule at its bound: the facts, how many fires, the reason.
fn lines() -> Vec<(Facts, u8, Reason)> {
    vec![
        (Facts { silent_ms: 10_000, ..well() }, 0, Reason::Silent),
        (Facts { refuses_all: true, ..well() }, 5, Reason::RefusesAll),
        (Facts { fenced: true, ..well() }, 5, Reason::Fenced),
        (Facts { journal_unwritable: true, ..well() }, 5, Reason::JournalUnwritable),
        (Facts { trunk_cut: true, ..well() }, 4, Reason::TrunkCut),
        (Facts { banks_down: Known::Is(1), ..well() }, 3, Reason::BankDown),
        (Facts { unavailable: 10, ..well() }, 3, Reason::Unavailable),
        (Facts { p99_ms: 2001, ..well() }, 3, Reason::Slow),
        (Facts { saf_oldest_ms: 60_001, ..well() }, 2, Reason::SafOld),
        (Facts { certificate_days: Known::Is(29), ..well() }, 2, Reason::Certificate),
        (Facts { certificate_days: Known::Is(-1), ..well() }, 2, Reason::Certificate),
        (Facts { disk_free_percent: Known::Is(19), ..well() }, 2, Reason::Disk),
        (Facts { clock_off_ms: Known::Is(501), ..well() }, 2, Reason::Clock),
        (Facts { certificate_days: Known::NotKnown, ..well() }, 2, Reason::CertificateNotKnown),
        (Facts { disk_free_percent: Known::NotKnown, ..well() }, 2, Reason::DiskNotKnown),
        (Facts { clock_off_ms: Known::NotKnown, ..well() }, 2, Reason::ClockNotKnown),
        (Facts { succeeded_ms: Some(60_000), ..well() }, 2, Reason::NoPayment),
        (Facts { succeeded_ms: None, ..well() }, 2, Reason::NoPayment),
        (well(), 1, Reason::Payment),
    ]
}

#[test]
fn r_fires_every_line_at_its_bound() {
    for (facts, number, reason) in lines() {
        let fires = judge(&facts);
        assert_eq!((fires.number, fires.all().next()), (number, Some(reason)), "{facts:?}");
        assert_eq!(reason.fires(), number);
    }
}

#[test]
fn r_fires_one_answer_in_a_hundred_is_enough_and_none_is_no_share() {
    let few = Facts { answered: 1, unavailable: 1, ..well() };
    assert_eq!(judge(&few).number, 3);
    assert_eq!(judge(&Facts { answered: 0, unavailable: 0, ..well() }).number, 1);
    assert_eq!(judge(&Facts { answered: 101, unavailable: 1, ..well() }).number, 1);
    assert_eq!(judge(&Facts { answered: 100, unavailable: 1, ..well() }).number, 3);
}

/// Each line holds together with every one: the one that the rule names first decides, and both
/// are said.
#[test]
fn r_fires_the_first_that_holds_decides() {
    let order = [0, 5, 4, 3, 2, 1];
    let place = |fires: u8| order.iter().position(|number| *number == fires);
    for (_, one, first) in lines() {
        for (_, other, second) in lines() {
            let both = Fires::of(first.bit() | second.bit());
            let expected = if place(one) <= place(other) { one } else { other };
            assert_eq!(both.number, expected, "{first:?} and {second:?}");
            assert!(both.all().any(|reason| reason == first));
            assert!(both.all().any(|reason| reason == second));
            assert_eq!(Fires::of(first.bit()).with(second.bit()), both);
        }
    }
}

#[test]
fn r_fires_lists_sort_0_5_4_3_2_1() {
    let mut list: Vec<u8> = (0..=5).collect();
    list.sort_by_key(|fires| urgency(*fires));
    assert_eq!(list, [0, 5, 4, 3, 2, 1]);
    let words = list.iter().map(|fires| state(*fires)).collect::<Vec<_>>();
    assert_eq!(words, ["dark", "down", "isolated", "impaired", "watch", "well"]);
}

/// What nobody has said is never well, and what a role does not have is no fault.
#[test]
fn r_fires_a_fact_that_is_not_known_is_not_well() {
    assert_eq!(judge(&Facts { succeeded_ms: Some(0), ..Facts::default() }).number, 2);
    let none = Facts { certificate_days: Known::NotHere, banks_down: Known::NotHere, ..well() };
    assert_eq!(judge(&none).number, 1);
    assert_eq!(Fires::of(0).number, 0, "a report without reasons says nothing");
}

#[test]
fn bits_are_the_numbers_and_all_different() {
    let bits: u32 = Reason::ALL.iter().map(|reason| reason.bit()).sum();
    assert_eq!(bits, (1 << Reason::ALL.len()) - 1);
    let sorted = Reason::ALL.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(sorted, "the order of the rule is the order of the numbers");
}

//! Properties of a bank's book: order, repetition and crashes change nothing in its net effect.

mod rig;

use proptest::prelude::*;
use rig::{Rig, mti, purchase, reversal, with};
use wire::iso8583::Message;

const ACCOUNTS: [u32; 4] = [1, 2, 30, 97];

/// Request number `n` of a set: its account, amount and kind follow from the number.
fn request(n: u32) -> Message {
    let account = ACCOUNTS[n as usize % ACCOUNTS.len()];
    let amount = format!("{:012}", 100 + u64::from(n) * 37);
    let kind = if n % 5 == 4 { "200000" } else { "000000" };
    with(purchase(n + 1, account), &[(4, &amount), (3, kind)])
}

fn effect(n: u32) -> i64 {
    let amount = 100 + i64::from(n) * 37;
    if n % 5 == 4 { amount } else { -amount }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Request(u32),
    Repeat(u32),
    Reversal(u32),
    ReversalRepeat(u32),
    Crash,
}

/// Every request of a set at least once, every reversal of its reversed part at least once,
/// anything of these again, and crashes, all shuffled.
fn steps() -> impl Strategy<Value = (u32, Vec<bool>, Vec<Step>)> {
    prop::collection::vec(any::<bool>(), 1..10).prop_flat_map(|reversed| {
        let requests = reversed.len() as u32;
        let once: Vec<Step> = (0..requests)
            .flat_map(|n| {
                let back = reversed[n as usize].then_some(Step::Reversal(n));
                [Some(Step::Request(n)), back].into_iter().flatten()
            })
            .collect();
        let is_reversed = reversed.clone();
        let again = (0..requests, 0u8..9).prop_map(move |(n, what)| match what {
            0 => Step::Crash,
            1..=3 => Step::Request(n),
            4..=5 => Step::Repeat(n),
            6..=7 if is_reversed[n as usize] => Step::Reversal(n),
            8 if is_reversed[n as usize] => Step::ReversalRepeat(n),
            _ => Step::Request(n),
        });
        let more = prop::collection::vec(again, 0..25);
        let all = more.prop_flat_map(move |more| {
            let mut all = once.clone();
            all.extend(more);
            Just(all).prop_shuffle()
        });
        (Just(requests), Just(reversed), all)
    })
}

fn run(rig: &mut Rig, step: Step) {
    let as_repeat = |mut message: Message| {
        let repeated = message.mti().repeat();
        message.set_mti(repeated);
        message
    };
    match step {
        Step::Request(n) => rig.receive(&request(n)),
        Step::Repeat(n) => rig.receive(&as_repeat(request(n))),
        Step::Reversal(n) => rig.receive(&reversal(&request(n), 500 + n)),
        Step::ReversalRepeat(n) => rig.receive(&as_repeat(reversal(&request(n), 500 + n))),
        Step::Crash => *rig = rig.crashed(),
    }
    rig.advance(7);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..Default::default()
    })]

    /// R-TOMB, R-REVERSAL: a request and its reversal net to zero in whichever order and however
    /// often they come; a request alone counts once.
    #[test]
    fn r_reversal_each_original_and_its_reversal_net_to_zero(
        (requests, reversed, steps) in steps()
    ) {
        let mut rig = Rig::bank(|c| c.refill = None);
        let before = ACCOUNTS.map(|account| rig.balance(account));
        for step in &steps {
            run(&mut rig, *step);
        }
        for (place, account) in ACCOUNTS.into_iter().enumerate() {
            let expected: i64 = (0..requests)
                .filter(|n| *n as usize % ACCOUNTS.len() == place && !reversed[*n as usize])
                .map(effect)
                .sum();
            prop_assert_eq!(rig.balance(account) - before[place], expected);
            let book = rig.host().book();
            let entries = &book.account(account).unwrap().entries;
            let sum: i64 = entries.iter().map(|e| e.effect).sum();
            prop_assert_eq!(sum, expected, "the entries explain the balance");
        }
    }

    /// The same question has one answer, unless its payment was reversed in between.
    #[test]
    fn r_match_every_repeat_has_the_first_answer(
        steps in prop::collection::vec((0u32..6, any::<bool>()), 1..40)
    ) {
        let mut rig = Rig::bank(|c| c.faults.decline_per_mille = 300);
        let mut first: Vec<Option<Message>> = vec![None; 6];
        for (n, crash) in steps {
            if crash {
                rig = rig.crashed();
            }
            let answers = rig.ask(&request(n));
            prop_assert_eq!(answers.len(), 1);
            prop_assert_eq!(answers[0].mti(), mti(210));
            let known = first[n as usize].get_or_insert(answers[0].clone());
            prop_assert_eq!(&*known, &answers[0]);
        }
    }

    /// R-CRASH: the live book and the replayed one are the same at any point.
    #[test]
    fn r_crash_the_live_hash_is_the_replayed_hash((_, _, steps) in steps()) {
        let mut rig = Rig::bank(|_| {});
        for step in &steps {
            run(&mut rig, *step);
            let live = rig.host().book().state_hash();
            prop_assert_eq!(rig.crashed().host().book().state_hash(), live);
        }
    }
}

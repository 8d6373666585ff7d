//! The rules again, on a hub that keeps next to nothing in memory: whatever is over is let go at
//! once, and read back when a message means it. Every answer is the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use switch::hub::Answers;

/// When the engine answers.
pub(crate) const ENGINE: Answers = Answers::AtOnce;
/// Payments that the hub keeps in memory once history has them.
pub(crate) const WINDOW: Option<usize> = Some(1);

#[path = "../rules/mod.rs"]
mod rules;

use rules::rig::{self, A, B, C, Rig};
use switch::history::Indexed;
use switch::hub::Input;

/// A start that could not read what its indexes have must ask of each payment whether it is there,
/// and stops asking once it has heard.
#[test]
fn r_match_a_hub_looks_everything_up_only_until_it_has_heard_what_history_has() {
    let mut rig = Rig::new();
    let pay = |rig: &mut Rig| {
        let before = rig.looked_up;
        let purchase = rig.purchase();
        rig.pay(&purchase);
        rig.looked_up - before
    };
    for _ in 0..9 {
        assert_eq!(pay(&mut rig), 0);
    }
    assert!(rig.hub.state().payments().covered() > 0);
    rig.crash();
    for bank in [A, B, C] {
        rig.sign_on(bank);
    }
    for _ in 0..4 {
        assert_eq!(pay(&mut rig), 1, "what is told of younger payments says nothing of the old");
    }
    let told = Indexed { whole: true, ..Indexed::default() };
    rig.drive(Input::Indexed(told));
    for _ in 0..9 {
        assert_eq!(pay(&mut rig), 0);
    }
}

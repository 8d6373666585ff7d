//! The ledger's conformance suite on a real server.

use ledger::TransferStatus;

use crate::lane::Lane;
use crate::script::{Clock, Seen};
use crate::{cluster, precedence, script};

const CASES: &str = include_str!("../../../../crates/ledger/tests/conformance/cases.txt");
const EXPIRY: &str = include_str!("../../../../crates/ledger/tests/conformance/expiry.txt");

#[test]
fn tigerbeetle_conforms() {
    let new = || Lane::new(cluster());
    let mut seen = Seen::default();
    script::check(new, Clock::Theirs, CASES, &mut seen);
    script::check(new, Clock::Theirs, EXPIRY, &mut seen);
    precedence::check(new, usize::MAX, Clock::Theirs, &mut seen);
    // The longest timeout is 136 years and the last timestamp is in 2262: until 2126 no server's
    // clock lets one overflow.
    seen.all_but(&[TransferStatus::OverflowsTimeout]);
}

//! kill -9 of real processes under load, and an audit from outside: what every client saw against
//! the hub's journal, item by item, and both against the banks' own books. One kill more is of a
//! hub with history on disk, which must go on.
//!
//! `BONGSU_CRASH_ROUNDS` sets how often each victim is killed (3 in a plain run),
//! `BONGSU_CRASH_RATE` the payments a second (200), and `BONGSU_BINARY` an optimised program.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a long run has a progress line")]

mod audit;
mod clients;
mod history;
mod nation;

use std::time::{Duration, Instant};

use clients::{Clients, Load};
use nation::Nation;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn killed_processes_lose_and_double_nothing() {
    let rounds = setting("BONGSU_CRASH_ROUNDS", 3);
    let rate = setting("BONGSU_CRASH_RATE", Load::ORDINARY.rate);
    let mut nation = Nation::start("crash", host::config::EXAMPLE);
    let clients = Clients::start(nation.terminals(), Load { rate, ..Load::ORDINARY });
    for round in 1..=rounds {
        for victim in ["hub", "station-pyongyang", "bank-100002", "up"] {
            std::thread::sleep(Duration::from_millis(700));
            let before = clients.approved();
            let killed = Instant::now();
            if victim == "up" {
                nation.kill_everything();
                nation.restart();
            } else {
                nation.kill(victim);
            }
            clients.wait_for_approvals(before + 20, Duration::from_secs(120));
            eprintln!(
                "round {round}/{rounds}: killed {victim}, 20 payments later after {:.1?}, \
                 {} approved so far",
                killed.elapsed(),
                clients.approved()
            );
        }
    }
    let claims = clients.stop();
    let waited = nation.wait_until_nothing_is_owed(Duration::from_secs(240));
    eprintln!("nothing is owed {waited:.1?} after the last payment");
    let books = nation.bank_books();
    let hub = nation.stop_and_read();
    audit::check(claims, hub, &books);
}

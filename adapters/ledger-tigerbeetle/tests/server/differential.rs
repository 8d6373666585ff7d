//! A real server and the engines of `ledger`, side by side: every status, every balance, every
//! transfer, over seeds that differ in what they do (`rivals::script`).
//!
//! `DIFFERENTIAL_TRANSFERS` is how many transfers at least, `DIFFERENTIAL_FROM` the first seed;
//! `DIFFERENTIAL_SEED` runs one seed alone, as a failure tells it.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ledger::{AccountStatus, TransferStatus};

use crate::lane::Lane;
use crate::rivals::{Rival, Seen, ours, run};
use crate::{cluster, expiry};

/// Transfers of a run, unless said otherwise.
const TRANSFERS: usize = 50_000;
/// Seeds under way at once: the session packs what waits together into one request.
const AT_ONCE: usize = 8;
/// Seeds of holds that expire.
const EXPIRING: u64 = 100;
/// How often the run says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// A run under way.
struct Run {
    next: u64,
    transfers: usize,
    seen: Seen,
    /// Of the lowest seed that has one.
    difference: Option<(u64, String)>,
    told: Instant,
}

/// The server, which is right, and ours.
fn rivals(widest: usize) -> Vec<Box<dyn Rival>> {
    let mut rivals: Vec<Box<dyn Rival>> = vec![Box::new(Lane::new(cluster()))];
    rivals.extend(ours(widest));
    rivals
}

/// Holds expire alike; a server does that by its own clock.
#[test]
fn all_engines_let_holds_expire_as_tigerbeetle_does() {
    let mut seen = Seen::default();
    if let Err(difference) = expiry::run(0..EXPIRING, &rivals, std::thread::sleep, &mut seen) {
        panic!("{difference}");
    }
    let expired = seen[1].get(&TransferStatus::PendingTransferExpired.number());
    assert!(expired.is_some_and(|count| *count > 100), "{expired:?} posts and voids came too late");
}

#[test]
fn all_engines_agree_with_tigerbeetle() {
    if let Some(seed) = asked("DIFFERENTIAL_SEED") {
        match run(seed, &rivals, &mut Seen::default()) {
            Ok(transfers) => println!("seed {seed}: {transfers} transfers, no difference"),
            Err(difference) => panic!("{difference}"),
        }
        return;
    }
    let wanted = asked("DIFFERENTIAL_TRANSFERS").unwrap_or(TRANSFERS);
    let from = asked("DIFFERENTIAL_FROM").unwrap_or(0);
    let began = Instant::now();
    let (seen, difference) = (Seen::default(), None);
    let shared = Mutex::new(Run { next: from, transfers: 0, seen, difference, told: began });
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| work(&shared, wanted, began));
        }
    });
    let Run { next, transfers, seen, difference, .. } = shared.into_inner().unwrap();
    if let Some((_, difference)) = difference {
        panic!("{difference}");
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "differential: seeds {from} to {}, {transfers} transfers through TigerBeetle, naive \
         model, books and embedded in {seconds:.0} s: 0 differences",
        next - 1
    );
    tell(&seen);
    if transfers >= TRANSFERS {
        covers(&seen);
    }
}

fn asked<N: FromStr>(variable: &str) -> Option<N> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}: a number, not {value}")))
}

/// Runs seeds until there are enough transfers, or a difference.
fn work(shared: &Mutex<Run>, wanted: usize, began: Instant) {
    loop {
        let seed = {
            let mut run = shared.lock().unwrap();
            if run.transfers >= wanted || run.difference.is_some() {
                return;
            }
            run.next += 1;
            run.next - 1
        };
        let mut seen = Seen::default();
        let outcome = run(seed, &rivals, &mut seen);
        let mut run = shared.lock().unwrap();
        match outcome {
            Ok(transfers) => run.transfers += transfers,
            Err(difference) => {
                let first = run.difference.as_ref().is_none_or(|(lowest, _)| seed < *lowest);
                if first {
                    run.difference = Some((seed, difference));
                }
            }
        }
        for (all, seen) in run.seen.iter_mut().zip(seen) {
            seen.into_iter().for_each(|(status, count)| *all.entry(status).or_default() += count);
        }
        if run.told.elapsed() > PROGRESS_EVERY {
            run.told = Instant::now();
            let seconds = began.elapsed().as_secs();
            eprintln!("differential: {} of {wanted} transfers, {seconds} s", run.transfers);
        }
    }
}

/// How often each status was answered.
fn tell(seen: &Seen) {
    let names = |number: &u32| AccountStatus::from_number(*number).map_or("?", |s| s.name());
    let said: Vec<String> = seen[0].iter().map(|(n, c)| format!("{} {c}", names(n))).collect();
    println!("accounts: {}", said.join(", "));
    let names = |number: &u32| TransferStatus::from_number(*number).map_or("?", |s| s.name());
    let said: Vec<String> = seen[1].iter().map(|(n, c)| format!("{} {c}", names(n))).collect();
    println!("transfers: {}", said.join(", "));
}

/// Every status that a server can give was given: but for imports, which are refused, and
/// what needs time to pass.
fn covers(seen: &Seen) {
    for status in AccountStatus::ALL {
        let absent = status.name().starts_with("imported_event_time")
            || *status == AccountStatus::ReservedField;
        assert_eq!(seen[0].contains_key(&status.number()), !absent, "an account: {status}");
    }
    for status in TransferStatus::ALL {
        let absent = status.name().starts_with("imported_event_time")
            || matches!(
                status,
                TransferStatus::Deprecated18
                    | TransferStatus::PendingTransferExpired
                    | TransferStatus::OverflowsTimeout
            );
        assert_eq!(seen[1].contains_key(&status.number()), !absent, "a transfer: {status}");
    }
}

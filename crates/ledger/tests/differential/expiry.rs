//! Holds that expire, in all engines at once. First come holds alone, of which a third have a
//! second to live, on accounts without limits: whatever a hold does by expiring, no status before
//! the wait shows it, so that nothing depends on how fast they come. Then three seconds pass for
//! everybody, and from there on a seed is as any other.

use std::time::{Duration, Instant};

use ledger::{AccountFlags, TransferFlags};
use scheme::Timestamp;

use crate::rivals::{Game, Rival, Seen, patient};
use crate::swarm::{Batch, Swarm};

/// How long an engine with a clock of its own may take to release what has expired.
const RELEASED_WITHIN: Duration = Duration::from_secs(60);
/// Batches before the wait, and after it.
const BEFORE: usize = 12;
const AFTER: usize = 24;
/// Holds of one amount at most, so that no sum overflows.
const AMOUNT_MAX: u128 = 10_000;

/// Runs these seeds together; `wait` lets three seconds pass.
pub(crate) fn run(
    seeds: core::ops::Range<u64>,
    new: &dyn Fn(usize) -> Vec<Box<dyn Rival>>,
    wait: impl FnOnce(Duration),
    seen: &mut Seen,
) -> Result<(), String> {
    let start = 1_800_000_000_000_000_000;
    let mut games = Vec::new();
    for seed in seeds {
        let mut swarm = Swarm::new(seed);
        (swarm.now, swarm.habits.step_ns) = (start, 1_000);
        let mut game = Game::new(new(swarm.habits.batch));
        for n in 0..=BEFORE {
            let now = Timestamp(swarm.now(core::iter::empty()));
            let mut batch = swarm.batch(n == 0);
            hold_only(&mut batch, n == BEFORE);
            let played = game.statuses(&(now, batch), seen);
            played.map_err(|what| format!("seed {seed}, batch {n} before the wait: {what}"))?;
        }
        games.push((seed, swarm, game));
    }
    let three_seconds = Duration::from_secs(3);
    wait(three_seconds);
    for (seed, mut swarm, mut game) in games {
        swarm.now = start + 3_000_000_000 + 1_000_000;
        swarm.habits.resolve = 60;
        for n in 0..AFTER {
            let now = Timestamp(swarm.now(core::iter::empty()));
            let mut batch = swarm.batch(false);
            patient(&mut batch);
            let context = |what| format!("seed {seed}, batch {n} after the wait: {what}");
            if n == 0 {
                released(&mut game, now, seen).map_err(context)?;
            }
            game.statuses(&(now, batch), seen).map_err(context)?;
            game.accounts().map_err(context)?;
        }
        game.transfers().map_err(|what| format!("seed {seed}, after all: {what}"))?;
    }
    Ok(())
}

/// Waits until all have released what has expired: those in this process by a batch.
fn released(game: &mut Game, now: Timestamp, seen: &mut Seen) -> Result<(), String> {
    let nothing = Batch::Transfers(vec![ledger::Transfer::default()]);
    game.statuses(&(now, nothing), seen)?;
    let since = Instant::now();
    loop {
        match game.accounts() {
            Err(_) if since.elapsed() < RELEASED_WITHIN => {
                std::thread::sleep(Duration::from_millis(20));
            }
            same => return same,
        }
    }
}

/// Makes of a batch what no expiry can show in. Only the last one closes accounts.
fn hold_only(batch: &mut Batch, last: bool) {
    let both =
        AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS | AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS;
    let closing = TransferFlags::CLOSING_DEBIT | TransferFlags::CLOSING_CREDIT;
    match batch {
        Batch::Accounts(events) => {
            events.iter_mut().for_each(|event| event.flags = event.flags.without(both));
        }
        Batch::Transfers(events) => {
            let ends = TransferFlags::POST_PENDING | TransferFlags::VOID_PENDING;
            events.retain(|event| !event.flags.intersects(ends));
            for (n, event) in events.iter_mut().enumerate() {
                let kept =
                    if last { closing | TransferFlags::LINKED } else { TransferFlags::LINKED };
                let flags = event.flags.bits() & kept.bits();
                event.flags = TransferFlags::from_bits(flags) | TransferFlags::PENDING;
                event.amount %= AMOUNT_MAX;
                event.timeout = [0, 1, 3_600][n % 3];
            }
        }
    }
}

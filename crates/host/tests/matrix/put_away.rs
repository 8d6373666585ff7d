//! Segments of a hub that stands still are put away: the power is cut at every operation of that,
//! and every call of the disk fails. The hub starts again as what it was, from its snapshots or
//! from what stands for what went, and goes on.

use host::Config;
use host::offline::Offline;
use journal::sim_disk::{CutDisk, Sample, SimDisk};
use journal::{Disk, DiskErrorKind, RetireError};

use crate::hub::{Hashes, Hub, Write};
use crate::outside::Outside;
use crate::{Script, live_on, power_or_process_ends, run};

const PAYMENTS: usize = 240;

/// A hub that has stopped.
struct Stopped {
    disk: SimDisk,
    outside: Outside,
    durable: u64,
    hash: u128,
    /// What goes: all up to this segment, with this state behind it.
    through: u64,
    /// The last record of it.
    last: u64,
    state: Vec<u8>,
}

fn stopped(config: &Config) -> Stopped {
    let mut outside = Outside::new(config, PAYMENTS);
    let mut hub = Hub::open(SimDisk::new(5), config, outside.now).unwrap();
    run(&mut hub, &mut outside, &mut Hashes::new(), &mut |_, _, _| {}).unwrap();
    let (durable, hash) = (hub.durable(), hub.state_hash());
    let mut disk = hub.stop(outside.now).unwrap();
    disk.sync_dir().unwrap();
    let sealed = journal::index::sealed(&mut disk).unwrap();
    let middle = &sealed[sealed.len() / 2];
    let (through, last) = (middle.number, middle.last_record);
    let mut state = Vec::new();
    Offline::read_steps(config, disk.clone(), false, &mut |step| {
        if step.number() == last {
            state = step.state();
        }
        Ok(())
    })
    .unwrap();
    Stopped { disk, outside, durable, hash, through, last, state }
}

fn put_away(disk: &mut impl Disk, stopped: &Stopped) -> Result<u64, RetireError> {
    journal::anchor(disk, stopped.through, &stopped.state)?;
    journal::retire(disk, stopped.through)
}

#[test]
fn r_crash_a_power_cut_at_any_operation_of_putting_segments_away() {
    let mut script = Script::new(16 * 1024);
    let hub = stopped(&script.config);
    let (mut disk, cuts) = CutDisk::new(hub.disk.clone(), Sample::ALL);
    assert!(put_away(&mut disk, &hub).unwrap() > 2);
    let hashes = Hashes::from([(hub.durable, hub.hash)]);
    let write = Write { durable: hub.durable, tried: hub.durable };
    script.judge(&cuts, &hashes, write, &hub.outside);
    let figures = &script.figures;
    eprintln!("segments put away: {} operations: {figures:?}", cuts.changes());
    assert!(cuts.changes() > 15 && figures.recoveries > 60, "{figures:?}");

    // Without a snapshot the hub begins with what stands for the segments that went.
    let mut bare = disk.into_disk();
    for name in bare.names().into_iter().filter(|name| name.ends_with(".snap")) {
        bare.remove(&name).unwrap();
    }
    let opened = Hub::open(bare, &script.config, hub.outside.now).unwrap();
    script.check(&opened, (&hashes, write), "from the anchor");
    assert_eq!(opened.recovery.snapshot_used, Some(hub.last), "the anchor's");
    live_on(opened, hub.outside.clone(), "from the anchor");
}

#[test]
fn r_crash_an_error_of_any_call_while_segments_are_put_away() {
    let mut script = Script::new(16 * 1024);
    let hub = stopped(&script.config);
    let mut whole = hub.disk.clone();
    put_away(&mut whole, &hub).unwrap();
    let calls = whole.ops() - hub.disk.ops();
    let hashes = Hashes::from([(hub.durable, hub.hash)]);
    let write = Write { durable: hub.durable, tried: hub.durable };
    let mut told = 0;
    for number in 0..calls * 2 {
        let even = number.is_multiple_of(2);
        let kind = if even { DiskErrorKind::Io } else { DiskErrorKind::NoSpace };
        let case = format!("{kind:?} at call {}", number / 2);
        let mut disk = hub.disk.clone();
        disk.reseed(number);
        disk.plan.fail_at = Some(disk.ops() + number / 2);
        disk.plan.fail_kind = Some(kind);
        let done = put_away(&mut disk, &hub);
        assert!(done.is_err(), "{case}: passed over");
        told += 1;
        power_or_process_ends(&mut disk, number);
        let opened = Hub::open(disk, &script.config, hub.outside.now + 200_000_000);
        let opened = opened.unwrap_or_else(|error| panic!("{case}: {error}"));
        script.check(&opened, (&hashes, write), &case);
        live_on(opened, hub.outside.clone(), &case);
    }
    eprintln!("segments put away: {calls} calls, {told} errors");
    assert!(told > 60, "{told}");
}

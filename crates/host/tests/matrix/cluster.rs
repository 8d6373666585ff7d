//! The same with a ledger that is not the hub's own and answers a turn later: the power is cut
//! between question and answer too, when the cluster has done what nobody has heard of.

use journal::sim_disk::{CutDisk, SimDisk};
use ledger::Books;

use crate::hub::{Hashes, Hub, Write};
use crate::outside::Outside;
use crate::{Script, run};

const PAYMENTS: usize = 400;

#[test]
fn r_crash_a_power_cut_at_any_operation_of_a_hub_on_a_cluster() {
    let mut script = Script::new(32 * 1024);
    let (disk, cuts) = CutDisk::new(SimDisk::new(5), script.extent.cuts);
    let mut outside = Outside::new(&script.config, PAYMENTS);
    outside.cluster = Some(Books::new());
    let mut hub = Hub::open_in(disk, &script.config, &outside).unwrap();
    let mut hashes = Hashes::from([(0, hub.state_hash())]);
    script.judge(&cuts, &hashes, Write { durable: 0, tried: 0 }, &outside);
    run(&mut hub, &mut outside, &mut hashes, &mut |hashes, write, outside| {
        script.judge(&cuts, hashes, write, outside);
    })
    .unwrap();
    hub.audit(&mut outside, "at the end");
    let (durable, hash) = (hub.durable(), hub.state_hash());
    let disk = hub.stop(outside.now).unwrap();
    script.judge(&cuts, &hashes, Write { durable, tried: durable }, &outside);
    let hub = Hub::open_in(disk.into_disk(), &script.config, &outside).unwrap();
    assert_eq!((hub.durable(), hub.state_hash()), (durable, hash));
    let figures = &script.figures;
    eprintln!(
        "on a cluster: {PAYMENTS} payments, {durable} records, {} operations: {figures:?}",
        cuts.changes()
    );
    assert!(cuts.changes() > 1_200 && figures.kept > 0, "{} {figures:?}", cuts.changes());
}

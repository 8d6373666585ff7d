//! A hub's journal that comes from a backup: whatever was acknowledged after it is not in it, so
//! it goes on in a higher epoch, and nobody takes the hub that was for the hub that is.

use journal::{Batch, Disk, Replay};
use ledger::Books;
use scheme::Timestamp;
use switch::Hub;
use switch::hub::Status;
use switch::record::{self, Fact};

use crate::config::Config;
use crate::hub::{machine_config, replay};
use crate::opening::{HostError, options};

/// Who is named as the author of the epoch's change.
const AUTHOR: &str = "bongsu restore";

/// What a restored hub begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The epoch of the backup.
    pub epoch_before: u64,
    /// The epoch from now on.
    pub epoch: u64,
    /// Payments in flight: the start voids each and owes its issuer a reversal advice (R-CRASH).
    pub in_flight: u64,
    /// Advices that are owed already.
    pub owed: u64,
}

/// Raises the epoch of a hub's journal, durably. Nothing else may use it meanwhile.
pub fn raise_epoch<D: Disk>(
    config: &Config,
    disk: D,
    now: Timestamp,
) -> Result<Restored, HostError> {
    let fresh = machine_config(config);
    let (mut hub, mut books) = (Hub::new(fresh.clone()), Books::new());
    let options = options(config, "hub", config.journal.hub_segment_bytes);
    let (mut writer, _) = journal::open(disk, options, now.0, &mut |item| {
        match item {
            Replay::Snapshot { bytes, .. } => {
                (hub, books) = (Hub::new(fresh.clone()), Books::new());
                replay::restore(&mut hub, &mut books, bytes)?;
            }
            Replay::Record(taken) => {
                let mut replay = replay::Replay::new(&mut hub, &mut books);
                replay.record(&taken).map_err(|broken| broken.what)?;
            }
            Replay::End => {}
        }
        Ok(())
    })
    .map_err(HostError::Journal)?;
    let before = hub.state().epoch().max(writer.mark().epoch);
    let epoch = before.saturating_add(1);
    // A record's time is whole microseconds, and never earlier than the one before.
    let now = now.0.max(writer.mark().time_ns);
    let now = now.saturating_sub(now.checked_rem(1000).unwrap_or(0));
    writer.start_epoch(epoch, now).map_err(HostError::Epoch)?;
    let mut batch = Batch::new(now);
    for fact in [Fact::Changed { author: AUTHOR.to_owned(), records: 1 }, Fact::Epoch { epoch }] {
        let mut payload = Vec::new();
        let (kind, version) = record::encode(&fact, &mut payload);
        // Two records of a few bytes fit every batch.
        let pushed = batch.push(kind, version, now, &payload);
        assert!(pushed.is_ok(), "two short records fit a batch: {pushed:?}");
    }
    writer.append(&mut batch).map_err(HostError::Epoch)?;
    writer.stop(now).map_err(HostError::Epoch)?;
    // A hold that its issuer has approved waits for its completion and stays.
    let standing = |id| hub.state().flows().preauth(id).is_some();
    let pending = hub.state().payments().iter().filter(|p| p.status == Status::Pending);
    let under_way = pending.filter(|payment| !standing(payment.id));
    Ok(Restored {
        epoch_before: before,
        epoch,
        in_flight: under_way.count() as u64,
        owed: hub.state().advice_count() as u64,
    })
}

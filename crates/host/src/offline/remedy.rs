//! What to do about what `ledger verify` finds.

use journal::Flaw;

use super::check::Check;

const JOURNAL: &str = "delete nothing, and leave the hub as it is: all before can be read. Restore \
    the last backup elsewhere (`bongsu restore`), and hold what came after it against the banks' \
    books; see \"The journal is damaged\" in the manual";

const SEGMENT: &str = "delete nothing. A segment that others follow never changes again: copy this \
    one back from a backup or an archive while the hub stands still, and verify again, which \
    proves that it is whole. Without one, restore the last backup elsewhere (`bongsu restore`)";

const HEAD: &str = "delete nothing: all records that are left can be read, and nobody knows \
    whether more were acknowledged. Restore the last backup elsewhere (`bongsu restore`), and \
    compare";

const SNAPSHOT: &str = "no record is lost, and nothing needs to be done: a start passes this \
    snapshot over, and the hub's next two take its place. Check the disk";

const ANCHOR: &str = "copy the anchor back from the archive's newest part, or a backup, while the \
    hub stands still, and verify again; `--archive DIR` reads the records that it stands for";

const STATE: &str = "delete nothing: the hub has begun with a state that its records do not make. \
    Keep a copy of the directory, hold the books against the banks', and report it";

const RECORDS: &str = "delete nothing: every file is as it was written, and what it says is wrong. \
    Keep a copy of the directory, hold the books against the banks', and report it";

const ARCHIVE: &str = "take these files from another copy of the archive, and verify again";

/// Of a file of the journal; whether others follow what is wrong.
pub(super) fn of_flaw(flaw: Flaw, is_followed: bool) -> &'static str {
    match flaw {
        Flaw::FrameBroken
        | Flaw::FrameOutOfPlace
        | Flaw::ChainBroken
        | Flaw::EpochBack
        | Flaw::FramesMissing
        | Flaw::HeadDisagrees
        | Flaw::UnwrittenNotZero
        | Flaw::SnapshotAhead
        | Flaw::HistoryMissing => JOURNAL,
        Flaw::SegmentHeader
        | Flaw::SegmentOutOfPlace
        | Flaw::SegmentForeign
        | Flaw::SegmentOf { .. }
        | Flaw::SegmentMissing
        | Flaw::SegmentsMissing { .. }
        | Flaw::SegmentNoFile
        | Flaw::SegmentLength
        | Flaw::SegmentBytes { .. } => {
            if is_followed {
                SEGMENT
            } else {
                JOURNAL
            }
        }
        Flaw::HeadLost | Flaw::HeadSlot => HEAD,
        Flaw::Snapshot => SNAPSHOT,
        Flaw::AnchorLost => ANCHOR,
    }
}

/// Of what the records say, or of what is beside the journal. An index says it itself.
pub(super) fn of_check(check: Check) -> Option<&'static str> {
    match check {
        Check::Chain => Some(JOURNAL),
        Check::Snapshots => Some(STATE),
        Check::Records | Check::Conservation | Check::Limits | Check::Pairing | Check::Payments => {
            Some(RECORDS)
        }
        Check::Indexes => None,
        Check::Archive => Some(ARCHIVE),
    }
}

//! Reading a whole journal without changing it, naming everything that is wrong.
use crate::anchor::{Anchor, Place, anchor_name, anchors};
use crate::damage::{Cut, Damage, Flaw};
use crate::disk::{Disk, DiskError};
use crate::format::{FORMAT_VERSION, HEAD_FILE, HeadSlot, HeaderRead, RecordView};
use crate::open::head_slot_broken;
use crate::snapshot::{Snapshot, newest_first, snapshot_name};
use crate::tail::{Tail, damage_at, judge, resume};
use crate::walk::{
    HeadRead, Position, SegmentFile, Step, Walk, contradicts, load_segments, read_head, written,
};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use standing::Standing;

mod standing;

/// How far to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Beside a running writer: up to the frame that the head names, all of it durable.
    UpToHead,
    /// To the end: no writer is running.
    All,
}

/// What was read and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that hold, also those behind damage.
    pub records: u64,
    /// Frames that hold.
    pub frames: u64,
    /// The first record that is kept, or should be; 0 = none was ever to be.
    pub first_record: u64,
    /// The last record that was read, 0 = none.
    pub last_record: u64,
    /// Whether the head says that the journal was stopped cleanly.
    pub stopped: bool,
    /// Whether a slot of a running journal's head is torn: no damage, the other one holds.
    pub head_slot_torn: bool,
    /// What a write in flight left behind the last frame: no damage, the next opening cuts it.
    pub cut: Option<Cut>,
    /// Everything that is wrong, in the order of the journal.
    pub damage: Vec<Damage>,
}

/// Why a journal could not be read to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// The disk failed.
    Disk(DiskError),
    /// There is no journal.
    Absent,
    /// Written by a newer version of the format.
    Newer {
        /// The file.
        file: String,
        /// Its version.
        version: u16,
    },
    /// The caller did not want to go on.
    Refused {
        /// At which record.
        record: u64,
        /// The caller's words.
        why: String,
    },
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "{error}"),
            Self::Absent => f.write_str("there is no journal here"),
            Self::Newer { file, version } => {
                write!(
                    f,
                    "{file} has format version {version}, this program reads up to {FORMAT_VERSION}"
                )
            }
            Self::Refused { record, why } => write!(f, "record {record}: {why}"),
        }
    }
}

impl core::error::Error for VerifyError {}

impl From<DiskError> for VerifyError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// What a verification gives to its caller, in the order of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified<'a> {
    /// The state before the first record that is read: what an anchor holds. Not given where the
    /// first record is 1.
    Base {
        /// The last record that the state holds.
        record: u64,
        /// The file.
        file: &'a str,
        /// The caller's bytes.
        bytes: &'a [u8],
    },
    /// The next record.
    Record(RecordView<'a>),
    /// A state that was kept when `record` was the last: a snapshot's or an anchor's.
    State {
        /// The last record that the state holds, which is the one that was given last.
        record: u64,
        /// The file.
        file: &'a str,
        /// The caller's bytes.
        bytes: &'a [u8],
    },
}

/// Reads everything, from the oldest segment on, and gives each record to `visit` up to the first
/// damage. Behind damage it reads on to find more, but gives no more records. Writes nothing.
pub fn verify<D: Disk>(
    disk: D,
    extent: Extent,
    visit: &mut dyn FnMut(RecordView<'_>) -> Result<(), String>,
) -> Result<Report, VerifyError> {
    verify_states(disk, extent, &mut |verified| match verified {
        Verified::Record(record) => visit(record),
        Verified::Base { .. } | Verified::State { .. } => Ok(()),
    })
}

/// The same, with the states that are kept beside the records.
pub fn verify_states<D: Disk>(
    mut disk: D,
    extent: Extent,
    visit: &mut dyn FnMut(Verified<'_>) -> Result<(), String>,
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    // The head before the list: segments made later are not needed to reach its frame.
    let head = verify_head(&mut disk, &mut report)?;
    let mut names = disk.list()?;
    names.sort_unstable();
    let segments = load_segments(&mut disk, &names)?;
    if segments.is_empty() && head.is_none() && newest_first(&names).is_empty() {
        return Err(VerifyError::Absent);
    }
    newest_version(&segments)?;
    let standing = Standing::new(&mut disk, segments, head.as_ref())?;
    let slot = head.unwrap_or_else(|| headless(&names, &standing.segments));
    let states = states(&names);
    let mut verifier =
        Verifier { extent, has_head: head.is_some(), head: slot, report, states, visit };
    verifier.segments(&mut disk, &standing, &names)?;
    verifier.snapshots(&mut disk, &names)?;
    verifier.anchors(&mut disk, &names, &standing.segments)?;
    let mut report = verifier.report;
    if head.is_none() {
        report.damage.push(Damage {
            file: HEAD_FILE.into(),
            offset: 0,
            frame: 0,
            from_record: report.last_record.saturating_add(1),
            to_record: None,
            flaw: Flaw::HeadLost,
        });
    }
    Ok(report)
}

/// Reads the head; `None` if it is lost.
fn verify_head<D: Disk>(
    disk: &mut D,
    report: &mut Report,
) -> Result<Option<HeadSlot>, VerifyError> {
    let head = match read_head(disk)? {
        HeadRead::Found(head) => head,
        HeadRead::Absent | HeadRead::Broken => return Ok(None),
        HeadRead::Newer(version) => {
            return Err(VerifyError::Newer { file: HEAD_FILE.into(), version });
        }
    };
    report.stopped = head.newest.stopped;
    report.head_slot_torn = head.broken_slot.is_some();
    if let (true, Some(offset)) = (head.newest.stopped, head.broken_slot) {
        report.damage.push(head_slot_broken(&head.newest, offset));
    }
    Ok(Some(head.newest))
}

fn newest_version(segments: &[SegmentFile]) -> Result<(), VerifyError> {
    for file in segments {
        if let HeaderRead::Newer(version) = file.header {
            return Err(VerifyError::Newer { file: file.name.clone(), version });
        }
    }
    Ok(())
}

/// What is known without a head: whose journal it is, and, where an anchor stands for some, which
/// segments were put away.
fn headless(names: &[String], segments: &[SegmentFile]) -> HeadSlot {
    let first = segments.iter().find_map(SegmentFile::valid);
    let is_anchored = !anchors(names).is_empty();
    let oldest = first.filter(|_| is_anchored).map_or(1, |header| header.number);
    let node = first.map_or(HeadSlot::default().node, |header| header.node);
    HeadSlot { node, oldest, ..HeadSlot::default() }
}

/// The walk of one verification.
struct Verifier<'v> {
    extent: Extent,
    has_head: bool,
    head: HeadSlot,
    report: Report,
    /// Records after which a state was kept, the first of them last.
    states: Vec<(u64, Kept)>,
    visit: &'v mut dyn FnMut(Verified<'_>) -> Result<(), String>,
}

/// What holds a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Snapshot,
    Anchor,
}

fn states(names: &[String]) -> Vec<(u64, Kept)> {
    let snapshots = newest_first(names).into_iter().map(|record| (record, Kept::Snapshot));
    let anchors = anchors(names).into_iter().map(|record| (record, Kept::Anchor));
    let mut states: Vec<_> = snapshots.chain(anchors).collect();
    states.sort_unstable_by(|a, b| b.cmp(a));
    states
}

impl Verifier<'_> {
    fn segments<D: Disk>(
        &mut self,
        disk: &mut D,
        standing: &Standing,
        names: &[String],
    ) -> Result<(), VerifyError> {
        let segments = &standing.segments;
        let Some(start) = self.start(disk, standing, names)? else {
            return Ok(());
        };
        let mut walk = Walk::new(segments, start);
        loop {
            if self.extent == Extent::UpToHead && walk.at.sequence > self.head.frame {
                return self.behind(disk, standing, walk.at, None).map(|_| ());
            }
            let before = walk.at;
            let step = walk.next(disk)?;
            match step {
                Step::Frame(frame) => {
                    let flaw = contradicts(&self.head, segments, &frame, &walk.at);
                    self.report.damage.extend(match flaw {
                        Some(flaw) => Some(damage_at(disk, segments, &self.head, before, flaw)?),
                        None => None,
                    });
                    self.frame(disk, &walk, &frame)?;
                    continue;
                }
                Step::Newer(version) => {
                    let file = segments.get(walk.at.index).map(|file| file.name.clone());
                    return Err(VerifyError::Newer { file: file.unwrap_or_default(), version });
                }
                Step::Broken(_) | Step::End => {}
            }
            match self.stop(disk, standing, walk.at, step)? {
                Some(position) => walk.at = position,
                None => return Ok(()),
            }
        }
    }

    /// Where reading begins: at the first segment of all, or behind the oldest anchor that holds.
    /// Gives the anchor's state.
    fn start<D: Disk>(
        &mut self,
        disk: &mut D,
        standing: &Standing,
        names: &[String],
    ) -> Result<Option<Position>, VerifyError> {
        let mut first = None;
        for (index, file) in standing.segments.iter().enumerate() {
            let Some(header) = file.valid() else { continue };
            let start = Position::start(index, header);
            if header.first_record == 1 {
                self.report.first_record = 1;
                return Ok(Some(start));
            }
            if let Some(anchor) = Anchor::of(disk, header)? {
                self.report.first_record = header.first_record;
                // What else there is before it: an archive's, or what a removal left.
                let from = standing.segments.first().map_or(file.number, |first| first.number);
                let wrong = standing.wrong(disk, from, file.number)?;
                self.lost(wrong, Position { sequence: 1, record: 1, ..start }, Some(start));
                self.base(&anchor)?;
                return Ok(Some(start));
            }
            first = first.or(Some(start));
            if file.number >= self.head.oldest {
                break;
            }
        }
        self.without_first(disk, standing, names, first)?;
        Ok(first)
    }

    fn base(&mut self, anchor: &Anchor) -> Result<(), VerifyError> {
        let record = anchor.place.record;
        let file = anchor_name(record);
        self.states.retain(|(of, _)| *of >= record);
        let base = Verified::Base { record, file: &file, bytes: anchor.payload() };
        (self.visit)(base).map_err(|why| VerifyError::Refused { record, why })
    }

    /// Says what is lost before the first segment that holds, or where none does.
    fn without_first<D: Disk>(
        &mut self,
        disk: &mut D,
        standing: &Standing,
        names: &[String],
        first: Option<Position>,
    ) -> Result<(), VerifyError> {
        let header =
            first.and_then(|at| standing.segments.get(at.index)).and_then(SegmentFile::valid);
        let oldest = self.head.oldest.max(1);
        let next = header.map_or(self.head.segment.saturating_add(1), |header| header.number);
        let wrong = standing.wrong(disk, oldest, next)?;
        if let (Some(header), true) = (header, wrong.is_empty()) {
            // What is kept begins behind something of which nothing is known any more.
            self.report.first_record = header.first_record;
            let place = Place::before(header);
            self.add(Damage {
                file: anchor_name(place.record),
                offset: 0,
                frame: place.frame,
                from_record: 1,
                to_record: Some(place.record),
                flaw: Flaw::AnchorLost,
            });
            return Ok(());
        }
        let mut at = Position { sequence: 1, record: 1, ..Position::default() };
        for record in anchors(names) {
            let anchor = Anchor::read(disk, record)?;
            if let Some(anchor) =
                anchor.filter(|found| found.place.segment.saturating_add(1) == oldest)
            {
                at.sequence = anchor.place.frame.saturating_add(1);
                at.record = record.saturating_add(1);
                self.base(&anchor)?;
            }
        }
        self.report.first_record = at.record;
        self.lost(wrong, at, first);
        Ok(())
    }

    /// Whole segments that are lost behind `at`, up to `next`.
    fn lost(&mut self, wrong: Vec<(String, Flaw)>, at: Position, next: Option<Position>) {
        let before = at.record.saturating_sub(1);
        let to_record = match next {
            Some(next) => Some(next.record.saturating_sub(1)),
            None => self.has_head.then_some(self.head.record.max(before)),
        };
        for (file, flaw) in wrong {
            let (from_record, frame) = (at.record, at.sequence);
            self.add(Damage { file, offset: 0, frame, from_record, to_record, flaw });
        }
    }

    /// Says which segments are lost between that of `at` and that of `next`, or the one that the
    /// head names; whether any is.
    fn behind<D: Disk>(
        &mut self,
        disk: &mut D,
        standing: &Standing,
        at: Position,
        next: Option<Position>,
    ) -> Result<bool, VerifyError> {
        let number = |index: usize| standing.segments.get(index).map(|file| file.number);
        let Some(own) = number(at.index) else { return Ok(false) };
        let next_number = next.and_then(|next| number(next.index));
        let to = next_number.unwrap_or(self.head.segment.saturating_add(1));
        let wrong = standing.wrong(disk, own.saturating_add(1), to)?;
        let is_lost = !wrong.is_empty();
        self.lost(wrong, at, next);
        Ok(is_lost)
    }

    /// Gives the states that were kept after this record, which was given last.
    fn kept<D: Disk>(&mut self, disk: &mut D, record: u64) -> Result<(), VerifyError> {
        while let Some((of, kept)) = self.states.last().copied().filter(|(of, _)| *of <= record) {
            self.states.pop();
            if of != record {
                continue;
            }
            let (file, bytes) = match kept {
                Kept::Snapshot => {
                    let node = self.head.node;
                    // A running writer may have removed it since the list was made.
                    let name = snapshot_name(record);
                    if disk.len(&name)?.is_none() {
                        continue;
                    }
                    let found = Snapshot::read(disk, node, record)?;
                    (name, found.map(|found| found.payload().to_vec()))
                }
                Kept::Anchor => {
                    let found = Anchor::read(disk, record)?;
                    (anchor_name(record), found.map(|found| found.payload().to_vec()))
                }
            };
            // One that does not hold is named when all of them are looked at.
            let Some(bytes) = bytes else { continue };
            let state = Verified::State { record, file: &file, bytes: &bytes };
            (self.visit)(state).map_err(|why| VerifyError::Refused { record, why })?;
        }
        Ok(())
    }

    /// Every anchor must hold, and stand where the chain is as it says.
    fn anchors<D: Disk>(
        &mut self,
        disk: &mut D,
        names: &[String],
        segments: &[SegmentFile],
    ) -> Result<(), VerifyError> {
        let headers = || segments.iter().filter_map(SegmentFile::valid);
        for record in anchors(names) {
            let found = Anchor::read(disk, record)?;
            let next = record.saturating_add(1);
            let behind = headers().find(|header| header.first_record == next);
            // Without the segment behind it there is a gap, which has been named, or a removal was
            // cut short.
            let stands = found.is_some_and(|found| {
                behind.is_none_or(|header| Place::before(header) == found.place)
            });
            if !stands {
                self.add(Damage {
                    file: anchor_name(record),
                    offset: 0,
                    frame: 0,
                    from_record: record.saturating_add(1),
                    to_record: Some(record),
                    flaw: Flaw::AnchorLost,
                });
            }
        }
        Ok(())
    }

    /// Takes note of a frame that holds.
    fn frame<D: Disk>(
        &mut self,
        disk: &mut D,
        walk: &Walk<'_>,
        frame: &crate::format::FrameHeader,
    ) -> Result<(), VerifyError> {
        self.report.frames = self.report.frames.saturating_add(1);
        self.report.records = self.report.records.saturating_add(u64::from(frame.records));
        self.report.last_record = frame.last_record();
        if self.report.damage.iter().any(|damage| damage.from_record <= frame.last_record()) {
            return Ok(());
        }
        for record in walk.records(frame) {
            let number = record.number;
            (self.visit)(Verified::Record(record))
                .map_err(|why| VerifyError::Refused { record: number, why })?;
            if self.states.last().is_some_and(|(of, _)| *of <= number) {
                self.kept(disk, number)?;
            }
        }
        Ok(())
    }

    /// Judges a place where the walk stopped; `Some` = where it goes on.
    fn stop<D: Disk>(
        &mut self,
        disk: &mut D,
        standing: &Standing,
        at: Position,
        step: Step,
    ) -> Result<Option<Position>, VerifyError> {
        let segments = &standing.segments;
        let next = resume(disk, segments, at)?;
        let is_left = next.is_none_or(|next| next.index != at.index);
        let known = self.report.damage.len();
        let is_lost = is_left && self.behind(disk, standing, at, next)?;
        let lost = self.report.damage.split_off(known);
        let flaw = match step {
            Step::Broken(Flaw::SegmentOutOfPlace) | Step::End if is_lost => {
                rest_flaw(disk, segments, at)?
            }
            Step::Broken(flaw) => Some(flaw),
            Step::End | Step::Frame(_) | Step::Newer(_) if is_lost => None,
            Step::End | Step::Frame(_) | Step::Newer(_) => Some(Flaw::FramesMissing),
        };
        if !is_lost && next.is_none() && at.sequence > self.head.frame {
            match judge(disk, segments, &self.head, at, step)? {
                Tail::Clean => {}
                Tail::Torn(cut) => self.report.cut = Some(cut),
                Tail::Damaged(damage) => self.add(exact(segments, damage, at, is_left)),
            }
        } else if let Some(flaw) = flaw {
            let damage = damage_at(disk, segments, &self.head, at, flaw)?;
            self.add(exact(segments, damage, at, is_left));
        }
        for damage in lost {
            self.add(damage);
        }
        Ok(next)
    }

    fn add(&mut self, damage: Damage) {
        if !self.report.damage.contains(&damage) {
            self.report.damage.push(damage);
        }
    }

    fn snapshots<D: Disk>(&mut self, disk: &mut D, names: &[String]) -> Result<(), VerifyError> {
        for record in newest_first(names) {
            let name = snapshot_name(record);
            let held = self.report.last_record;
            let known = &self.report.damage;
            let is_ahead = self.extent == Extent::All && record > held;
            // Their loss was named where they stood.
            let is_lost = known.iter().any(|lost| {
                lost.from_record <= record && lost.to_record.is_none_or(|to| record <= to)
            });
            let read = Snapshot::read(disk, self.head.node, record);
            let (flaw, from_record) = match read {
                Ok(Some(_)) if is_ahead && !is_lost => {
                    (Flaw::SnapshotAhead, held.saturating_add(1))
                }
                Ok(Some(_)) => continue,
                Ok(None) => (Flaw::Snapshot, record.saturating_add(1)),
                Err(error) => {
                    // A running writer may have removed it since the list was made.
                    if disk.len(&name)?.is_some() {
                        return Err(error.into());
                    }
                    continue;
                }
            };
            if disk.len(&name)?.is_some() {
                let to_record = Some(record);
                self.add(Damage { file: name, offset: 0, frame: 0, from_record, to_record, flaw });
            }
        }
        Ok(())
    }
}

/// What is wrong behind the last frame of a segment that others followed.
fn rest_flaw<D: Disk>(
    disk: &mut D,
    segments: &[SegmentFile],
    at: Position,
) -> Result<Option<Flaw>, DiskError> {
    let Some(file) = segments.get(at.index) else { return Ok(None) };
    if file.valid().is_some_and(|header| header.segment_bytes != file.len) {
        return Ok(Some(Flaw::SegmentLength));
    }
    let written = written(disk, &file.name, at.offset, file.len)?;
    Ok(written.map(|_| Flaw::UnwrittenNotZero))
}

/// The damage where the walk stopped, in the words that fit: a file that is short is no broken
/// frame, and where the next segment is believed it is this one that lost its end.
fn exact(segments: &[SegmentFile], damage: Damage, at: Position, is_left: bool) -> Damage {
    let Some(file) = segments.get(at.index).filter(|file| file.name == damage.file) else {
        return damage;
    };
    let of = file.valid().map_or(file.len, |header| header.segment_bytes);
    let next = segments.get(at.index.saturating_add(1));
    let is_before = next.and_then(SegmentFile::valid).is_some_and(|n| n.first_frame > at.sequence);
    let bytes = file.len;
    let flaw = match damage.flaw {
        Flaw::SegmentLength => Flaw::SegmentBytes { bytes, of },
        Flaw::FrameBroken | Flaw::FramesMissing if is_left && bytes < of => {
            Flaw::SegmentBytes { bytes, of }
        }
        Flaw::SegmentOutOfPlace if is_before => Flaw::FramesMissing,
        flaw => flaw,
    };
    Damage { flaw, ..damage }
}

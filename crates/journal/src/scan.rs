//! Reading what is durable from a moment on, beside a running writer, without judging it.
use crate::disk::{Disk, DiskError};
use crate::format::{HeadSlot, RecordView};
use crate::walk::{HeadRead, Position, Step, Walk, load_segments, read_head};

/// What a visitor says to each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Give me the next one.
    More,
    /// That was all I wanted.
    Enough,
}

/// Gives every durable record from about `time_ns` on to `visit`, in order: it starts with the
/// segment that was begun last before that time, so some earlier ones come first. Ends where the
/// head ends, at anything that does not hold ([`crate::verify`] says what that is), or when the
/// visitor has enough. Returns the last record that it gave; writes nothing.
pub fn scan<D: Disk>(
    mut disk: D,
    time_ns: u64,
    visit: &mut dyn FnMut(RecordView<'_>) -> Next,
) -> Result<u64, DiskError> {
    let head = match read_head(&mut disk)? {
        HeadRead::Found(head) => head.newest,
        HeadRead::Absent | HeadRead::Broken | HeadRead::Newer(_) => HeadSlot::default(),
    };
    let names = disk.list()?;
    let segments = load_segments(&mut disk, &names)?;
    let starts = segments.iter().enumerate();
    let starts = starts.filter_map(|(index, file)| Some((index, file.valid()?)));
    let start = starts.take_while(|(index, header)| *index == 0 || header.time_ns <= time_ns);
    let Some((index, header)) = start.last() else {
        return Ok(0);
    };
    let mut walk = Walk::new(&segments, Position::start(index, header));
    let mut last = 0;
    while walk.at.sequence <= head.frame {
        let Step::Frame(frame) = walk.next(&mut disk)? else {
            return Ok(last);
        };
        for record in walk.records(&frame) {
            last = record.number;
            if visit(record) == Next::Enough {
                return Ok(last);
            }
        }
    }
    Ok(last)
}

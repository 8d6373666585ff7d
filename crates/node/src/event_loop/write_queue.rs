//! Bytes on their way to one peer.

use std::io::{ErrorKind, Result, Write};

use crate::limits::WRITE_QUEUE_KEPT;

/// What is to be sent, gathered over a turn and written at once.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    bytes: Vec<u8>,
    sent: usize,
}

/// How far a write came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flushed {
    /// Everything has been handed to the system.
    All,
    /// The system takes no more now.
    Blocked,
}

impl WriteQueue {
    /// Moves bytes behind the others.
    pub(super) fn push(&mut self, bytes: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            std::mem::swap(&mut self.bytes, bytes);
        } else {
            self.bytes.append(bytes);
        }
    }

    /// Where bytes are added in place, behind the others.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes that have not been handed to the system.
    pub(super) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Writes until everything is written or the system takes no more; `written` counts the bytes.
    pub(super) fn flush(&mut self, to: &mut impl Write, written: &mut usize) -> Result<Flushed> {
        while self.unsent() > 0 {
            match to.write(&self.bytes[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.sent += count;
                    *written += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.compact();
                    return Ok(Flushed::Blocked);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sent = 0;
        self.bytes.clear();
        self.bytes.shrink_to(WRITE_QUEUE_KEPT);
        Ok(Flushed::All)
    }

    /// Lets go of what was sent once it is the larger part, so that a queue that is never empty
    /// stays bounded by its unsent bytes.
    fn compact(&mut self) {
        if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes at a time and then blocks.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.room).min(3);
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_leave_in_order_whatever_the_system_takes_at_once() {
        let mut queue = WriteQueue::default();
        let mut narrow = Narrow { taken: Vec::new(), room: 0 };
        let mut expected = Vec::new();
        let mut written = 0;
        for round in 0..50u8 {
            let mut piece = vec![round; usize::from(round % 7)];
            expected.extend_from_slice(&piece);
            queue.push(&mut piece);
            narrow.room = usize::from(round % 5);
            let flushed = queue.flush(&mut narrow, &mut written).unwrap();
            assert_eq!(flushed == Flushed::All, queue.unsent() == 0);
            assert_eq!(written, narrow.taken.len());
        }
        narrow.room = 1000;
        assert_eq!(queue.flush(&mut narrow, &mut written).unwrap(), Flushed::All);
        assert_eq!(narrow.taken, expected);
    }
}

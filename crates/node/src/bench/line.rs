//! One connection of the generator: whole buffers in, one write out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

/// What one read takes at most: some 300 messages.
const INPUT_BYTES: usize = 64 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: TcpStream,
    input: Vec<u8>,
    begin: usize,
    end: usize,
    /// Frames that wait for the end of the turn.
    pub(super) output: Vec<u8>,
    written: usize,
    /// Whether it is on the list of those that have something to send.
    pub(super) dirty: bool,
}

impl Line {
    /// Connects, waiting for it.
    pub(super) fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            input: vec![0; INPUT_BYTES],
            begin: 0,
            end: 0,
            output: Vec::with_capacity(INPUT_BYTES),
            written: 0,
            dirty: false,
        })
    }

    /// Reads once. `false`: there is no more for now.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        self.input.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        let room = self.input.len() - self.end;
        loop {
            match self.stream.read(&mut self.input[self.end..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.end += count;
                    // A short read has emptied the socket; what comes later is a new event.
                    return Ok(count == room);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where the next whole message of what was read stands, without its length.
    pub(super) fn next(&mut self) -> Option<std::ops::Range<usize>> {
        let head = self.input.get(self.begin..self.end)?.first_chunk::<2>()?;
        let from = self.begin + 2;
        let to = from + usize::from(u16::from_be_bytes(*head));
        if to > self.end {
            return None;
        }
        self.begin = to;
        Some(from..to)
    }

    /// That message, and where to put what answers it.
    pub(super) fn parts(&mut self, message: std::ops::Range<usize>) -> (&[u8], &mut Vec<u8>) {
        (&self.input[message], &mut self.output)
    }

    /// Writes what waits; what the system does not take waits for the next event.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }
}

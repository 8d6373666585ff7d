//! One connection of the generator: whole buffers in, one write out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;

use keys::LinkMac;
use mio::net::TcpStream;

use crate::tls::{Channel, ClientSide, Opened};

/// What one read takes at most: some 300 messages.
const INPUT_BYTES: usize = 64 * 1024;

/// What a bank's connection is protected with.
#[derive(Debug)]
pub(super) struct Protection {
    pub(super) tls: ClientSide,
    pub(super) mac: LinkMac,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: TcpStream,
    channel: Option<Channel>,
    mac: Option<LinkMac>,
    /// Messages from `begin` to `end`.
    input: Vec<u8>,
    begin: usize,
    end: usize,
    /// What TLS has not opened yet.
    raw: Vec<u8>,
    /// Frames that wait for the end of the turn.
    pub(super) output: Vec<u8>,
    /// What the system is given.
    outgoing: Vec<u8>,
    written: usize,
    /// Whether it is on the list of those that have something to send.
    pub(super) dirty: bool,
}

impl Line {
    /// Connects, waiting for it.
    pub(super) fn connect(to: SocketAddr, protection: Option<&Protection>) -> io::Result<Self> {
        let (stream, channel) = match protection {
            Some(protection) => {
                let (stream, channel) = protection.tls.connect(to)?;
                (stream, Some(channel))
            }
            None => (std::net::TcpStream::connect(to)?, None),
        };
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (input, raw) = (vec![0; INPUT_BYTES], Vec::new());
        let (input, raw) = if channel.is_some() { (raw, input) } else { (input, raw) };
        let mut line = Self {
            stream: TcpStream::from_std(stream),
            channel,
            mac: protection.map(|protection| protection.mac.clone()),
            input,
            begin: 0,
            end: 0,
            raw,
            output: Vec::with_capacity(INPUT_BYTES),
            outgoing: Vec::with_capacity(INPUT_BYTES),
            written: 0,
            dirty: false,
        };
        // What came behind the handshake.
        line.open(0)?;
        Ok(line)
    }

    /// The keys of its messages.
    pub(super) fn mac(&self) -> Option<&LinkMac> {
        self.mac.as_ref()
    }

    /// Reads once. `false`: there is no more for now.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        self.input.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        loop {
            let room = match self.channel {
                Some(_) => &mut self.raw[..],
                None => &mut self.input[self.end..],
            };
            let wanted = room.len();
            match self.stream.read(room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    match self.channel {
                        Some(_) => self.open(count)?,
                        None => self.end += count,
                    }
                    // A short read has emptied the socket; what comes later is a new event.
                    return Ok(count == wanted);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes what TLS has brought.
    fn open(&mut self, count: usize) -> io::Result<()> {
        let Some(channel) = &mut self.channel else { return Ok(()) };
        self.input.truncate(self.end);
        let opened = channel.open(&self.raw[..count], &mut self.input).map_err(io::Error::other)?;
        self.end = self.input.len();
        match opened {
            Opened::Open => Ok(()),
            Opened::Ended => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Where the next whole message of what was read stands, without its length.
    pub(super) fn next(&mut self) -> Option<Range<usize>> {
        let head = self.input.get(self.begin..self.end)?.first_chunk::<2>()?;
        let from = self.begin + 2;
        let to = from + usize::from(u16::from_be_bytes(*head));
        if to > self.end {
            return None;
        }
        self.begin = to;
        Some(from..to)
    }

    /// That message, its keys, and where to put what answers it.
    pub(super) fn parts(
        &mut self,
        message: Range<usize>,
    ) -> (&[u8], Option<&LinkMac>, &mut Vec<u8>) {
        (&self.input[message], self.mac.as_ref(), &mut self.output)
    }

    /// Whether anything waits to be written.
    pub(super) fn has_unsent(&self) -> bool {
        self.written < self.outgoing.len() || !self.output.is_empty()
    }

    /// Writes what waits; what the system does not take waits for the next event.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.has_unsent() {
            if self.written == self.outgoing.len() {
                self.outgoing.clear();
                self.written = 0;
                match &mut self.channel {
                    Some(channel) => channel.seal(&self.output, &mut self.outgoing),
                    None => std::mem::swap(&mut self.output, &mut self.outgoing),
                }
                self.output.clear();
            }
            match self.stream.write(&self.outgoing[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

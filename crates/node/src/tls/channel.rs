//! An established connection's cipher: bytes of the wire to plaintext and back.

use std::io::{Read, Write};

use rustls::{Connection, Error};

/// One connection after its handshake. Knows no socket: whoever has one reads and writes.
#[derive(Debug)]
pub struct Channel {
    tls: Connection,
}

/// How a connection stands after bytes were opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opened {
    /// More may come.
    Open,
    /// The peer has said that nothing more comes (close_notify).
    Ended,
}

impl Channel {
    /// A connection whose handshake is over.
    pub(super) fn new(mut tls: Connection) -> Self {
        // Whoever writes bounds what waits: what is sealed leaves rustls in the same call.
        tls.set_buffer_limit(None);
        Self { tls }
    }

    /// Takes bytes as they came and appends their plaintext, as far as records are whole. An error
    /// is final; [`Self::seal`] of nothing then has the alert that tells the peer.
    pub fn open(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<Opened, Error> {
        loop {
            let taken = self.tls.read_tls(&mut bytes).unwrap_or(0);
            let state = self.tls.process_new_packets()?;
            let waiting = state.plaintext_bytes_to_read();
            if waiting > 0 {
                let start = plain.len();
                plain.resize(start + waiting, 0);
                let read = self.tls.reader().read(&mut plain[start..]).unwrap_or(0);
                plain.truncate(start + read);
            }
            if state.peer_has_closed() {
                return Ok(Opened::Ended);
            }
            // Nothing is taken of bytes behind the peer's end alone.
            if bytes.is_empty() || (taken == 0 && waiting == 0) {
                return Ok(Opened::Open);
            }
        }
    }

    /// Appends everything that is to be sent: `plain` in as few records as can be, behind what TLS
    /// itself has to say.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        // Writing to memory does not fail, and without a buffer limit everything is taken.
        let _ = self.tls.writer().write_all(plain);
        while self.tls.wants_write() {
            if self.tls.write_tls(out).is_err() {
                return;
            }
        }
    }

    /// Whether TLS itself has something to send.
    pub fn has_to_send(&self) -> bool {
        self.tls.wants_write()
    }

    /// Says that nothing more comes; [`Self::seal`] has the bytes.
    pub fn end(&mut self) {
        self.tls.send_close_notify();
    }
}

//! Inputs that a role died of, and the peers that sent them.
//!
//! A role that dies of a broken invariant tells its shell what it had in hand ([`InHand`]). The
//! shell keeps that beside the journal, and gives it back at the next start ([`Poisons`]): the same
//! input of the same peer is then refused (96), and so is all that a peer sends which the role died
//! of too often. An input that it died of while it read it is not read again, whoever sends it:
//! it has no answer. Only whom a certificate names is refused as a whole; what a message says of
//! itself anybody can write. Nothing of an input is kept but its hash and its shape.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::event::ConnId;
use crate::limits::SHAPE_CHARS_MAX;

/// SHA-256 of an input: a message without its frame, or what a trunk's frame holds.
pub type InputHash = [u8; 32];

/// What a role was working on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InHand {
    /// Who sent it: `terminal PYO00001`, `bank 100001`, `station 2`, or `unknown`.
    pub peer: String,
    /// Its hash.
    pub hash: InputHash,
    /// Its shape: every digit a 0, every letter an a, everything else a dot.
    pub shape: String,
    /// Whether it had been read; if not, reading it is what the role died of.
    pub is_read: bool,
    /// Whether a certificate says who the peer is, and not the message alone.
    pub is_certified: bool,
}

/// The connection whose input a role works on, and how far it is with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hand {
    /// Not known yet what it says.
    Reading(ConnId),
    /// It is a message.
    Acting(ConnId),
}

impl Hand {
    pub(crate) fn conn(self) -> ConnId {
        let (Self::Reading(conn) | Self::Acting(conn)) = self;
        conn
    }

    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Acting(_))
    }
}

impl InHand {
    /// These bytes of that peer, which a certificate names, read and acted upon.
    pub fn new(peer: String, bytes: &[u8]) -> Self {
        let shape = bytes.iter().take(SHAPE_CHARS_MAX).map(|byte| match byte {
            b'0'..=b'9' => '0',
            b'a'..=b'z' | b'A'..=b'Z' => 'a',
            _ => '.',
        });
        let shape = shape.collect();
        Self { peer, hash: hash(bytes), shape, is_read: true, is_certified: true }
    }
}

/// What is refused because the role died of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Poisons {
    /// Inputs, by peer and hash.
    pub inputs: BTreeSet<(String, InputHash)>,
    /// Inputs that are not read, whoever sends them.
    pub unread: BTreeSet<InputHash>,
    /// Peers of whose inputs it died too often: all that they send is refused.
    pub fenced: BTreeSet<String>,
}

impl Poisons {
    /// Whether there is nothing, as nearly always.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.fenced.is_empty() && self.unread.is_empty()
    }

    /// Whether these bytes are not read.
    pub(crate) fn is_deadly(&self, bytes: &[u8]) -> bool {
        !self.unread.is_empty() && self.unread.contains(&hash(bytes))
    }

    /// Whether this peer's bytes are refused.
    pub(crate) fn refuses(&self, peer: &str, bytes: &[u8]) -> bool {
        self.fenced.contains(peer) || self.inputs.contains(&(peer.to_owned(), hash(bytes)))
    }
}

fn hash(bytes: &[u8]) -> InputHash {
    Sha256::digest(bytes).into()
}

/// Whose message it is, where nothing better is known than what it says.
pub(crate) fn terminal_of(message: Option<&wire::iso8583::Message>) -> String {
    let terminal = message.and_then(|message| message.text(41)).map(str::trim_end);
    terminal.map_or_else(|| "unknown".to_owned(), |terminal| format!("terminal {terminal}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_input_is_kept_but_hash_and_shape() {
        let hand = InHand::new("bank 100001".to_owned(), b"0200 9408020000000015=3112 Ab\xff");
        assert_eq!(hand.shape, "0000.0000000000000000.0000.aa.");
        let mut poisons = Poisons::default();
        assert!(poisons.is_empty() && !poisons.refuses("bank 100001", b"a"));
        poisons.inputs.insert(("bank 100001".to_owned(), InHand::new(String::new(), b"a").hash));
        assert!(poisons.refuses("bank 100001", b"a"));
        assert!(!poisons.refuses("bank 100001", b"b") && !poisons.refuses("bank 100002", b"a"));
        poisons.fenced.insert("bank 100002".to_owned());
        assert!(poisons.refuses("bank 100002", b"anything"));
    }
}

//! What is read back of payments that the hub no longer keeps in memory: by which keys a record is
//! found, and how a payment is put together out of its records.
//!
//! A payment is what its last `recalled` or `retired` record says; without one it is what its
//! `opened` and `closed`, or its `declined`, say: any other that changed did not become cold before
//! it was retired (`hub::payments`). The shell reads; this decides nothing and knows no disk.

use alloc::vec::Vec;

use scheme::{
    CivilDateTime, ParticipantId, PaymentId, RetailerId, Rrn, Stan, TerminalId, Timestamp, Token,
    key_hash,
};

use crate::hub::{Kept, Payment};
use crate::record::{self, Closed, Fact, Part, Record, Seen};

/// The version of these keys: an index of another one is built again. Until 1 the card of every
/// payment was a key without its trace number.
pub const KEYS_VERSION: u16 = 2;

/// By what a payment is looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HistoryKey {
    /// Its id.
    Id(PaymentId),
    /// Acquirer, DE41, DE11: its own, or that of its completion.
    Stan(ParticipantId, TerminalId, Stan),
    /// Acquirer, DE37: its own, or that of its completion.
    Rrn(ParticipantId, Rrn),
    /// Acquirer, DE42, card, DE11: its own, or that of its completion. Of a card at a shop there
    /// may be thousands of payments, and a refund names one of them, from any till.
    Card(ParticipantId, RetailerId, Token, Stan),
    /// A pre-authorisation's acquirer, DE42, card: a completion may name it by its approval code.
    Hold(ParticipantId, RetailerId, Token),
}

impl HistoryKey {
    /// Its hash, as indexes have it.
    pub fn hash(&self) -> u64 {
        match self {
            Self::Id(id) => key_hash(1, &halves(id.get())),
            Self::Stan(acquirer, terminal, stan) => {
                let [a, b] = words(terminal.bytes());
                key_hash(2, &[acquirer.get(), a, b, u64::from(stan.get())])
            }
            Self::Rrn(acquirer, rrn) => {
                let [a, b] = words(rrn.bytes());
                key_hash(3, &[acquirer.get(), a, b])
            }
            Self::Card(acquirer, retailer, token, stan) => {
                let ([a, b], [c, d]) = (words(retailer.bytes()), halves(token.0));
                key_hash(4, &[acquirer.get(), a, b, c, d, u64::from(stan.get())])
            }
            Self::Hold(acquirer, retailer, token) => {
                let ([a, b], [c, d]) = (words(retailer.bytes()), halves(token.0));
                key_hash(5, &[acquirer.get(), a, b, c, d])
            }
        }
    }

    /// Whether a payment is to be found by it.
    pub fn is_of(&self, kept: &Kept) -> bool {
        let seen = &kept.payment.seen;
        let done = kept.preauth.and_then(|preauth| preauth.completion);
        match *self {
            Self::Id(id) => kept.payment.id == id,
            Self::Stan(acquirer, terminal, stan) => {
                (seen.acquirer, seen.terminal) == (acquirer, terminal)
                    && (seen.stan == stan || done.is_some_and(|done| done.stan == stan))
            }
            Self::Rrn(acquirer, rrn) => {
                seen.acquirer == acquirer
                    && (seen.rrn == rrn || done.is_some_and(|done| done.rrn == rrn))
            }
            Self::Card(acquirer, retailer, token, stan) => {
                (seen.acquirer, seen.retailer) == (acquirer, retailer)
                    && seen.card.is_some_and(|card| card.token == token)
                    && (seen.stan == stan || done.is_some_and(|done| done.stan == stan))
            }
            Self::Hold(acquirer, retailer, token) => {
                seen.is_preauth()
                    && (seen.acquirer, seen.retailer) == (acquirer, retailer)
                    && seen.card.is_some_and(|card| card.token == token)
            }
        }
    }
}

fn halves(wide: u128) -> [u64; 2] {
    let low = u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0);
    [u64::try_from(wide >> 64).unwrap_or(0), low]
}

/// At most sixteen bytes of text.
fn words(text: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().zip(text) {
        *place = *byte;
    }
    halves(u128::from_le_bytes(bytes))
}

/// The latest of the times that the messages of some payments say, in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Latest {
    /// First receipt at our first hop, since 1970.
    pub received: u64,
    /// DE13 and DE12, since 1970 as if local were UTC.
    pub local: u64,
}

impl Latest {
    /// Of all times.
    pub const EVER: Self = Self { received: u64::MAX, local: u64::MAX };

    /// The later of each.
    pub fn and(self, other: Self) -> Self {
        Self { received: self.received.max(other.received), local: self.local.max(other.local) }
    }
}

/// What one record is found by.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// A key.
    Key(HistoryKey),
    /// A key by which a new payment could be mistaken for an old one.
    Recent(HistoryKey),
    /// What its message says of time.
    At(Latest),
    /// A participant whose money it may move.
    Participant(ParticipantId),
}

/// Says what a record is to be found by. `local` makes the local time of an instant.
pub fn marks(fact: &Fact, local: impl Fn(Timestamp) -> CivilDateTime, mark: &mut dyn FnMut(Mark)) {
    let mut request = |id: PaymentId, seen: &Seen, issuer: Option<ParticipantId>| {
        mark(Mark::Key(HistoryKey::Id(id)));
        mark(Mark::Recent(HistoryKey::Stan(seen.acquirer, seen.terminal, seen.stan)));
        mark(Mark::Key(HistoryKey::Rrn(seen.acquirer, seen.rrn)));
        if let Some(card) = seen.card {
            let (acquirer, retailer, token) = (seen.acquirer, seen.retailer, card.token);
            mark(Mark::Key(HistoryKey::Card(acquirer, retailer, token, seen.stan)));
            if seen.is_preauth() {
                mark(Mark::Key(HistoryKey::Hold(acquirer, retailer, token)));
            }
        }
        mark(Mark::At(latest_of(seen, &local)));
        mark(Mark::Participant(seen.acquirer));
        if let Some(issuer) = issuer {
            mark(Mark::Participant(issuer));
        }
    };
    match fact {
        Fact::Opened(opened) => {
            request(opened.id, &opened.seen, Some(opened.issuer));
            if let Some(original) = opened.original {
                mark(Mark::Key(HistoryKey::Id(original)));
            }
        }
        Fact::Declined(declined) => request(declined.id, &declined.seen, declined.issuer),
        Fact::Recalled(kept) | Fact::Retired(kept) => {
            let Payment { id, seen, issuer, .. } = &kept.payment;
            request(*id, seen, *issuer);
            if let Some(done) = kept.preauth.and_then(|preauth| preauth.completion) {
                mark(Mark::Recent(HistoryKey::Stan(seen.acquirer, seen.terminal, done.stan)));
                mark(Mark::Key(HistoryKey::Rrn(seen.acquirer, done.rrn)));
                if let Some(card) = seen.card {
                    let of_card =
                        HistoryKey::Card(seen.acquirer, seen.retailer, card.token, done.stan);
                    mark(Mark::Key(of_card));
                }
            }
        }
        Fact::Closed(closed) => mark(Mark::Key(HistoryKey::Id(closed.id))),
        Fact::Reversed(reversed) => mark(Mark::Key(HistoryKey::Id(reversed.id))),
        Fact::Completed(completed) => mark(Mark::Key(HistoryKey::Id(completed.id))),
        Fact::Finding(finding) => {
            if let Some(id) = finding.payment {
                mark(Mark::Key(HistoryKey::Id(id)));
            }
        }
        Fact::Cap { participant, .. }
        | Fact::OvercapRepaid { participant, .. }
        | Fact::Netted { participant, .. } => mark(Mark::Participant(*participant)),
        Fact::Nation { .. }
        | Fact::Station { .. }
        | Fact::Participant { .. }
        | Fact::Route { .. }
        | Fact::Terminal { .. }
        | Fact::HotCard { .. }
        | Fact::Changed { .. }
        | Fact::Removed(_)
        | Fact::Retailer { .. }
        | Fact::Epoch { .. }
        | Fact::Tombstone(_)
        | Fact::Discharged { .. }
        | Fact::Cutover { .. }
        | Fact::Proposed(_)
        | Fact::Dropped
        | Fact::Covered { .. } => {}
    }
}

/// What a message says of time.
pub(crate) fn latest_of(seen: &Seen, local: impl Fn(Timestamp) -> CivilDateTime) -> Latest {
    let said = seen.local.nearest_seconds(local(seen.first_received));
    Latest { received: seen.first_received.seconds(), local: said }
}

/// Whether a record of this kind and payload is one of this payment that [`Gather`] wants, without
/// reading all of it: each that is begins with its id.
pub fn speaks_of(kind: u8, payload: &[u8], id: PaymentId) -> bool {
    record::is_of_payment(kind) && payload.starts_with(&id.get().to_le_bytes())
}

/// The payment of a record that is found by its id alone, without reading the rest: half of all
/// records are such.
pub fn id_alone(kind: u8, payload: &[u8]) -> Option<PaymentId> {
    let id = payload.first_chunk().filter(|_| record::says_id_alone(kind))?;
    PaymentId::new(u128::from_le_bytes(*id))
}

/// Whether a record of this kind says other keys than an id.
pub fn says_keys(kind: u8) -> bool {
    record::says_request(kind)
}

/// The payment of a record that is found by this key.
pub fn named_by(fact: &Fact, key: &HistoryKey) -> Option<PaymentId> {
    let id = match fact.part()? {
        part @ (Part::Opened(_) | Part::Declined(_) | Part::Whole(_)) => part.id(),
        Part::Closed(_) | Part::Reversed(_) | Part::Completed(_) => return None,
    };
    let mut named = false;
    // Times are of no interest here, and neither is the zone.
    marks(fact, |at| CivilDateTime::from_seconds(at.seconds()), &mut |mark| {
        if let Mark::Key(said) | Mark::Recent(said) = mark {
            named |= said == *key;
        }
    });
    named.then_some(id)
}

/// Puts a payment together out of its records, the newest first.
#[derive(Debug, Default)]
pub struct Gather {
    closed: Option<(u64, Closed)>,
    found: Option<Kept>,
}

impl Gather {
    /// Takes a record of the payment, each older than the one before; whether that was
    /// the last that is needed.
    pub fn take(&mut self, number: u64, record: Record) -> bool {
        if self.found.is_some() {
            return true;
        }
        let last = self.closed.as_ref().map_or(number, |(number, _)| *number);
        let plain =
            |payment, original| Kept { payment, preauth: None, original, opened: number, last };
        match record.fact.part() {
            Some(Part::Whole(kept)) => self.found = Some(Kept { last: number, ..kept.clone() }),
            Some(Part::Declined(declined)) => {
                self.found = Some(plain(Payment::declined(declined, record.at), None));
            }
            Some(Part::Opened(opened)) => {
                let mut payment = Payment::opened(opened, record.at);
                if let Some((_, closed)) = &self.closed {
                    payment.close(closed);
                }
                self.found = Some(plain(payment, opened.original));
            }
            Some(Part::Closed(closed)) => self.closed = Some((number, closed.clone())),
            // Of these a later record says the whole.
            Some(Part::Reversed(_) | Part::Completed(_)) | None => {}
        }
        self.found.is_some()
    }

    /// The payment, if its beginning was found.
    pub fn finish(self) -> Option<Kept> {
        self.found
    }
}

/// What a segment adds to what the hub knows of its history.
#[derive(Clone, Debug, Default)]
pub struct Indexed {
    /// Everything up to this record can be found.
    pub record: u64,
    /// The latest times in what was indexed.
    pub latest: Latest,
    /// Hashes of the keys by which a new payment could be mistaken for one of it.
    pub keys: Vec<u64>,
    /// Whether the hub has been told the keys of everything that can be found, these included.
    pub whole: bool,
}

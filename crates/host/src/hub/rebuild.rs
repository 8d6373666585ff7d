//! A hub and its books out of a journal, on two threads where there are two.
//!
//! How it flows: records are decoded and gathered; a handful goes aside, where the hub applies them
//! and says what each moves; meanwhile the next handful is gathered, and the books book what the
//! last one moved. Who runs what is aside is the shell's ([`Aside`]); the order is the journal's
//! either way, and so is the end.
//! What bounds it: [`REPLAY_RECORDS`] in each of three places.

use std::mem;

use journal::{OpenError, RecordView};
use ledger::limits::WINDOW_TRANSFERS;
use ledger::{Account, Books, TransferStatus};
use scheme::Timestamp;
use switch::hub::Recovering;
use switch::legs::Implied;
use switch::{Hub, Record, legs, record};

use super::replay::{self, book_accounts, book_leg};
use crate::limits::REPLAY_RECORDS;

/// A hub, and records to be applied to it.
#[derive(Debug)]
pub struct Applying {
    hub: Recovering,
    records: Vec<(u64, Record)>,
    moves: Vec<Move>,
    accounts: Vec<Account>,
}

/// What a record moves in the books.
#[derive(Debug)]
struct Move {
    record: u64,
    at: Timestamp,
    what: Moved,
}

#[derive(Debug)]
enum Moved {
    Accounts(Vec<Account>),
    Leg(Implied),
}

impl Applying {
    fn new(hub: Hub) -> Self {
        let (records, moves) = (Vec::with_capacity(REPLAY_RECORDS), Vec::new());
        Self { hub: Recovering::new(hub), records, moves, accounts: Vec::new() }
    }

    /// Applies the records: what is to be done aside.
    pub fn run(&mut self) {
        for (number, record) in self.records.drain(..) {
            let moved = |what| Move { record: number, at: record.at, what };
            legs::accounts(self.hub.state(), &record.fact, &mut self.accounts);
            if !self.accounts.is_empty() {
                self.moves.push(moved(Moved::Accounts(mem::take(&mut self.accounts))));
            }
            let legs = self.hub.apply(&record);
            self.moves.extend(legs.iter().map(|leg| moved(Moved::Leg(*leg))));
        }
    }
}

/// Who applies records aside. One thing is aside at a time.
pub trait Aside {
    /// Takes it and runs it, now or beside the caller.
    fn begin(&mut self, work: Box<Applying>);

    /// Gives back, run, what was taken last.
    fn finish(&mut self) -> Box<Applying>;
}

/// Runs at once: for those who have no threads, or no need of them.
#[derive(Debug, Default)]
pub struct AtOnce {
    done: Option<Box<Applying>>,
}

impl Aside for AtOnce {
    fn begin(&mut self, mut work: Box<Applying>) {
        work.run();
        self.done = Some(work);
    }

    fn finish(&mut self) -> Box<Applying> {
        self.done.take().expect("`finish` follows `begin`")
    }
}

/// A hub and its books on their way back.
pub(crate) struct Rebuild<'a> {
    aside: &'a mut dyn Aside,
    /// While nothing is aside.
    home: Option<Box<Applying>>,
    /// Payments to have memory for, those that come back among them.
    room: usize,
    gathered: Vec<(u64, Record)>,
    /// What the last handful moved, while it is booked.
    moved: Vec<Move>,
    books: Books,
    statuses: Vec<TransferStatus>,
    /// The record that cannot be booked, which is not always the one that was given last.
    refused: Option<u64>,
}

impl<'a> Rebuild<'a> {
    /// From nothing; in the end there is memory for so many payments.
    pub(crate) fn new(aside: &'a mut dyn Aside, hub: Hub, room: usize) -> Self {
        Self {
            aside,
            home: Some(Box::new(Applying::new(hub))),
            room,
            gathered: Vec::with_capacity(REPLAY_RECORDS),
            moved: Vec::new(),
            books: Books::with_window(WINDOW_TRANSFERS),
            statuses: Vec::new(),
            refused: None,
        }
    }

    /// From a snapshot, which comes before all records; `fresh` is a hub that knows nothing.
    pub(crate) fn restore(&mut self, mut fresh: Hub, body: &[u8]) -> Result<(), String> {
        replay::restore(&mut fresh, &mut self.books, body)?;
        self.books.set_window(WINDOW_TRANSFERS);
        self.home = Some(Box::new(Applying::new(fresh)));
        Ok(())
    }

    /// Takes one record. An error says why it cannot be, or why one before it cannot.
    pub(crate) fn record(&mut self, view: &RecordView<'_>) -> Result<(), String> {
        let fact = match record::decode(view.kind, view.version, view.payload) {
            Ok(fact) => fact,
            Err(error) => {
                // If one before it is wrong, that is the news.
                self.end()?;
                return Err(error.to_string());
            }
        };
        self.gathered.push((view.number, Record { at: Timestamp(view.time_ns), fact }));
        if self.gathered.len() >= REPLAY_RECORDS { self.hand_over() } else { Ok(()) }
    }

    /// No more records: all are applied and booked, or one of them cannot be.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        self.hand_over()?;
        let mut work = self.fetch();
        mem::swap(&mut work.moves, &mut self.moved);
        self.home = Some(work);
        self.book()
    }

    /// The hub and its books, after [`Self::end`].
    pub(crate) fn into_parts(mut self) -> (Hub, Books) {
        let work = self.fetch();
        let (mut hub, mut books) = (work.hub.end(), self.books);
        let more = self.room.saturating_sub(hub.state().payments().len());
        if more > 0 {
            hub.make_room(more);
            books.make_room(transfers_of(more));
        }
        (hub, books)
    }

    /// An error of the journal's that names the record which is to blame.
    pub(crate) fn named(&self, error: OpenError) -> OpenError {
        match (error, self.refused) {
            (OpenError::Refused { why, .. }, Some(record)) => OpenError::Refused { record, why },
            (error, _) => error,
        }
    }

    fn hand_over(&mut self) -> Result<(), String> {
        let mut work = self.fetch();
        mem::swap(&mut work.moves, &mut self.moved);
        mem::swap(&mut work.records, &mut self.gathered);
        self.aside.begin(work);
        self.book()
    }

    fn fetch(&mut self) -> Box<Applying> {
        self.home.take().unwrap_or_else(|| self.aside.finish())
    }

    fn book(&mut self) -> Result<(), String> {
        for Move { record, at, what } in self.moved.drain(..) {
            let booked = match &what {
                Moved::Accounts(accounts) => book_accounts(&mut self.books, at, accounts),
                Moved::Leg(leg) => book_leg(&mut self.books, at, leg, &mut self.statuses),
            };
            if booked.is_err() {
                self.refused = Some(record);
                return booked;
            }
        }
        Ok(())
    }
}

/// A payment is a hold and its post; the books remember no more than their window.
fn transfers_of(payments: usize) -> usize {
    payments.saturating_mul(2).min(WINDOW_TRANSFERS)
}

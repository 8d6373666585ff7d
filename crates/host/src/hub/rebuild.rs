//! A hub and its books out of a journal, on two threads where there are two.
//!
//! How it flows: records are decoded and gathered; handfuls go aside, where the hub applies them
//! and says what each moves; as they come back, the books book what they moved. Who works aside is
//! the shell's ([`Aside`]); the order is the journal's either way, and so is the end.
//! What bounds it: [`REPLAY_RECORDS`] in each of [`REPLAY_HANDFULS`] and in the one gathered.

use std::collections::VecDeque;
use std::mem;

use journal::{OpenError, RecordView};
use ledger::limits::WINDOW_TRANSFERS;
use ledger::{Account, Books, TransferStatus};
use scheme::Timestamp;
use switch::hub::{Chaining, Gone, Recovering};
use switch::legs::Implied;
use switch::{Hub, Record, legs, record};

use super::replay::{self, book_accounts, book_leg};
use crate::history::History;
use crate::limits::{REPLAY_HANDFULS, REPLAY_RECORDS};

/// What is done aside, and comes back done.
#[derive(Debug)]
pub enum Task {
    /// The hub changes hands: the one that the worker has, if any, comes back.
    Hub(Option<Box<Recovering>>),
    /// Records to be applied; empty when it comes back, but for what they move.
    Records(Handful),
    /// Chains that were left for later.
    Chains(Chaining),
}

/// Records, and what they move.
#[derive(Debug, Default)]
pub struct Handful {
    records: Vec<(u64, Record)>,
    moves: Vec<Move>,
}

/// Who does what is aside.
#[derive(Debug, Default)]
pub struct Worker {
    hub: Option<Box<Recovering>>,
    accounts: Vec<Account>,
}

impl Worker {
    /// Does it.
    pub fn run(&mut self, mut task: Task) -> Task {
        match &mut task {
            Task::Hub(hub) => mem::swap(hub, &mut self.hub),
            Task::Records(handful) => self.apply(handful),
            Task::Chains(chains) => chains.run(),
        }
        task
    }

    fn apply(&mut self, Handful { records, moves }: &mut Handful) {
        let hub = self.hub.as_mut().expect("the hub is given before the records");
        for (number, record) in records.drain(..) {
            let moved = |what| Move { record: number, at: record.at, what };
            legs::accounts(hub.state(), &record.fact, &mut self.accounts);
            if !self.accounts.is_empty() {
                moves.push(moved(Moved::Accounts(mem::take(&mut self.accounts))));
            }
            moves.extend(hub.apply(&record).iter().map(|leg| moved(Moved::Leg(*leg))));
        }
    }
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

/// Who has a [`Worker`]: it does what it is given in that order. At most [`REPLAY_HANDFULS`] tasks
/// are given and not taken back.
pub trait Aside {
    /// Gives a task, to be done now or beside the caller.
    fn give(&mut self, task: Task);

    /// Takes back, done, the first of those that were given.
    fn take(&mut self) -> Task;

    /// The filter of a hub that takes everything up to this record to be readable, from who read
    /// its history meanwhile ([`crate::history::Start`]). None where nobody did, or could: then it
    /// is read now. The history goes on from there, on another disk.
    fn remembered(&mut self, covered: u64) -> Option<(Gone, History<()>)>;
}

/// Works at once: for those who have no threads, or no need of them.
#[derive(Debug, Default)]
pub struct AtOnce {
    worker: Worker,
    done: VecDeque<Task>,
}

impl Aside for AtOnce {
    fn give(&mut self, task: Task) {
        self.done.push_back(self.worker.run(task));
    }

    fn take(&mut self) -> Task {
        self.done.pop_front().expect("what is taken was given")
    }

    fn remembered(&mut self, _: u64) -> Option<(Gone, History<()>)> {
        None
    }
}

/// A hub and its books on their way back.
pub(crate) struct Rebuild<'a> {
    aside: &'a mut dyn Aside,
    /// Until records come.
    hub: Option<Box<Recovering>>,
    /// Payments to have memory for, those that come back among them.
    room: usize,
    gathered: Handful,
    /// Handfuls that are aside.
    under_way: usize,
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
            hub: Some(Box::new(Recovering::new(hub))),
            room,
            gathered: Handful::default(),
            under_way: 0,
            books: Books::with_window(WINDOW_TRANSFERS),
            statuses: Vec::new(),
            refused: None,
        }
    }

    /// From a snapshot, which comes before all records; `fresh` is a hub that knows nothing.
    pub(crate) fn restore(&mut self, mut fresh: Hub, body: &[u8]) -> Result<(), String> {
        replay::restore(&mut fresh, &mut self.books, body)?;
        self.books.set_window(WINDOW_TRANSFERS);
        self.hub = Some(Box::new(Recovering::new(fresh)));
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
        self.gathered.records.push((view.number, Record { at: Timestamp(view.time_ns), fact }));
        if self.gathered.records.len() >= REPLAY_RECORDS { self.hand_over() } else { Ok(()) }
    }

    /// No more records: all are applied and booked, or one of them cannot be.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        self.hand_over()?;
        while self.under_way > 0 {
            self.gathered = self.fetch()?;
        }
        Ok(())
    }

    /// The hub and its books, after [`Self::end`], and what was read of its history aside.
    pub(crate) fn into_parts(mut self) -> (Hub, Books, Option<(Gone, History<()>)>) {
        let hub = self.hub.take().or_else(|| self.exchange(None));
        let mut hub = hub.expect("the hub is aside unless no record came");
        let [mut here, aside] = hub.chains();
        self.aside.give(Task::Chains(aside));
        here.run();
        let Task::Chains(aside) = self.aside.take() else { unreachable!("what was given") };
        let (mut hub, mut books) = (hub.end([here, aside]), self.books);
        let more = self.room.saturating_sub(hub.state().payments().len());
        if more > 0 {
            hub.make_room(more);
            books.make_room(transfers_of(more));
        }
        let read = self.aside.remembered(hub.state().payments().covered());
        (hub, books, read)
    }

    /// An error of the journal's that names the record which is to blame.
    pub(crate) fn named(&self, error: OpenError) -> OpenError {
        match (error, self.refused) {
            (OpenError::Refused { why, .. }, Some(record)) => OpenError::Refused { record, why },
            (error, _) => error,
        }
    }

    /// The worker has this hub now; gives the one that it had.
    fn exchange(&mut self, hub: Option<Box<Recovering>>) -> Option<Box<Recovering>> {
        self.aside.give(Task::Hub(hub));
        let Task::Hub(before) = self.aside.take() else { unreachable!("what was given") };
        before
    }

    /// What is gathered goes aside; where all places are taken, the first of them comes back.
    fn hand_over(&mut self) -> Result<(), String> {
        if self.hub.is_some() {
            let hub = self.hub.take();
            self.hub = self.exchange(hub);
        }
        let next =
            if self.under_way == REPLAY_HANDFULS { self.fetch()? } else { Handful::default() };
        let gathered = mem::replace(&mut self.gathered, next);
        self.aside.give(Task::Records(gathered));
        self.under_way = self.under_way.saturating_add(1);
        Ok(())
    }

    /// The first of those aside comes back and is booked.
    fn fetch(&mut self) -> Result<Handful, String> {
        let Task::Records(mut handful) = self.aside.take() else { unreachable!("what was given") };
        self.under_way = self.under_way.saturating_sub(1);
        self.book(&mut handful.moves)?;
        Ok(handful)
    }

    fn book(&mut self, moves: &mut Vec<Move>) -> Result<(), String> {
        for Move { record, at, what } in moves.drain(..) {
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

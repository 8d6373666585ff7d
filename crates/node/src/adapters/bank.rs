//! A simulated bank in the loop.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use host::{Clocks, ConnId};
use parties::bank::{Account, Entry};
use parties::{BankHost, ConnId as PartyConn};
use scheme::{Currency, Timestamp};

use super::party_clock::PartyClock;
use crate::driven::{Action, Answer, Driven, Event, Question};
use crate::json::{BankBook, BookAccount, BookEntry};

/// A bank, its calls to the hub and its stop.
#[derive(Debug)]
pub(crate) struct BankDriven {
    bank: BankHost,
    hub: SocketAddr,
    currency: Currency,
    clock: PartyClock,
    open: BTreeSet<ConnId>,
    wishes: Vec<parties::Action>,
    stopping: bool,
}

impl BankDriven {
    /// A bank whose journal has been replayed up to `journal`.
    pub(crate) fn new(bank: BankHost, hub: SocketAddr, clocks: Clocks, journal: Timestamp) -> Self {
        let currency = bank.config().currency;
        let clock = PartyClock::start(clocks, journal);
        let (open, wishes) = (BTreeSet::new(), Vec::new());
        Self { bank, hub, currency, clock, open, wishes, stopping: false }
    }

    fn tell(&mut self, now: Timestamp, event: parties::Event<'_>, out: &mut Vec<Action>) {
        self.bank.handle(now, event, &mut self.wishes);
        for wish in self.wishes.drain(..) {
            match wish {
                parties::Action::Dial(_) if self.stopping => {}
                parties::Action::Dial(_) => out.push(Action::Dial { call: 0, to: self.hub }),
                parties::Action::Send { conn, bytes } => {
                    out.push(Action::Send { conn: conn.0, bytes });
                }
                parties::Action::Close { conn } => {
                    self.open.remove(&conn.0);
                    out.push(Action::Close { conn: conn.0, why: "bank" });
                }
                parties::Action::Commit(batch) => out.push(Action::Commit(batch)),
            }
        }
        if self.stopping && self.bank.is_durable() {
            out.push(Action::Stopped);
        }
    }

    fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Book => Answer::Book(self.book()),
            Question::Ready => Answer::Ready(self.bank.signed_on() > 0),
            Question::Host(_) | Question::Shops => Answer::NotHere,
        }
    }

    fn book(&self) -> BankBook {
        let accounts = self.bank.book().accounts();
        let accounts = accounts.map(|(number, account)| self.account(number, account));
        BankBook { accounts: accounts.collect() }
    }

    fn account(&self, number: u32, account: &Account) -> BookAccount {
        BookAccount {
            account: format!("{number:09}"),
            balance: self.currency.format(i128::from(account.balance)),
            entries: account.entries.iter().map(|entry| self.entry(entry)).collect(),
        }
    }

    fn entry(&self, entry: &Entry) -> BookEntry {
        BookEntry {
            stan: entry.stan.to_string(),
            rrn: entry.rrn.to_string(),
            acquirer: entry.acquirer.map(|id| id.to_string()),
            terminal: entry.terminal.to_string(),
            amount: self.currency.format(i128::from(entry.effect)),
            kind: entry.kind.name(),
            at: entry.at.to_string(),
        }
    }
}

impl Driven for BankDriven {
    fn handle(&mut self, clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        let now = self.clock.read(clocks);
        match event {
            Event::Started | Event::Timeout => self.tell(now, parties::Event::Timeout, out),
            // A bank has no door.
            Event::Accepted { conn, .. } => out.push(Action::Close { conn, why: "bank" }),
            Event::Dialled { conn, .. } => {
                self.open.insert(conn);
                let conn = PartyConn(conn);
                self.tell(now, parties::Event::Connected { conn }, out);
            }
            // The loop's numbers begin with 1: this one was never connected.
            Event::DialFailed { .. } => {
                self.tell(now, parties::Event::Closed { conn: PartyConn(0) }, out);
            }
            Event::Received { conn, bytes } => {
                let conn = PartyConn(conn);
                self.tell(now, parties::Event::Received { conn, bytes }, out);
            }
            Event::Closed { conn } => {
                // What the bank has closed itself it does not await any more.
                if self.open.remove(&conn) {
                    let conn = PartyConn(conn);
                    self.tell(now, parties::Event::Closed { conn }, out);
                }
            }
            Event::Committed { .. } => self.tell(now, parties::Event::Committed, out),
            Event::DiskFailed { what } => {
                self.tell(now, parties::Event::DiskFailed, out);
                out.push(Action::Halt { what });
            }
            Event::Asked { ticket, question } => {
                out.push(Action::Reply { ticket, answer: self.answer(&question) });
            }
            Event::Stop => {
                self.stopping = true;
                let open = std::mem::take(&mut self.open);
                out.extend(open.into_iter().map(|conn| Action::Close { conn, why: "stop" }));
                self.tell(now, parties::Event::Timeout, out);
            }
        }
    }

    fn next_timeout(&self) -> Option<u64> {
        let timeout = self.bank.next_timeout().filter(|_| !self.stopping);
        timeout.map(|timeout| self.clock.boot_of(timeout))
    }

    fn is_ready(&mut self, _clocks: Clocks, _out: &mut Vec<Action>) -> bool {
        self.bank.signed_on() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::bank_config;

    /// However long the hub is away, its banks are back within a second of its return.
    #[test]
    fn a_bank_dials_at_least_once_a_second() {
        let config = host::Config::example();
        let bank = BankHost::new(bank_config(&config, &config.participants[0]).unwrap());
        let at = |boot: u64| Clocks { wall: Timestamp(1_795_305_600_000_000_000 + boot), boot };
        let mut driven = BankDriven::new(bank, config.hub.banks, at(0), Timestamp::default());
        let (mut now, mut dials) = (0, Vec::new());
        while now < 20_000_000_000 {
            let mut out = Vec::new();
            let event = if dials.is_empty() { Event::Started } else { Event::Timeout };
            driven.handle(at(now), event, &mut out);
            for action in out {
                if let Action::Dial { call, .. } = action {
                    dials.push(now);
                    driven.handle(at(now), Event::DialFailed { call }, &mut Vec::new());
                }
            }
            now = driven.next_timeout().unwrap().max(now + 1_000_000);
        }
        dials.dedup();
        let longest = dials.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest <= 1_000_000_000, "{longest} ns");
        // And it does not storm: from 20 s of absence come a few dials a second.
        assert!(dials.len() < 60, "{}", dials.len());
    }
}

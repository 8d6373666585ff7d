//! Hub and stations in the loop.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use host::poison::InHand;
use host::view::{Overview, Query, Reply};
use host::{Clocks, Door, Health, Host, Peer, Role};

use crate::clock;
use crate::driven::{Action, Answer, Driven, Event, Question};
use crate::history::{Historian, Told};
use crate::limits::{HISTORY_PART, HISTORY_PARTS_MAX};
use crate::machine::Machine;

/// The ticket of this adapter's own question; the loop counts from 1 and never comes here.
const OWN_TICKET: u64 = u64::MAX;

/// A host, its doors by number, and whether it does its work.
#[derive(Debug)]
pub(crate) struct HostDriven {
    host: Host,
    role: Role,
    doors: Vec<Door>,
    hub_trunk: SocketAddr,
    wishes: Vec<host::Action>,
    /// Questions for [`Question::Ready`], whose overview is on its way.
    ready_tickets: Vec<u64>,
    ready: bool,
    machine: Arc<Machine>,
    /// A hub's reader of its history.
    historian: Option<Historian>,
    /// Whether it has told more than was heard in this turn.
    untold: bool,
    /// When it was heard last, as CLOCK_BOOTTIME in ns.
    heard_at: u64,
    /// Questions that it could not take.
    not_asked: VecDeque<(u64, String)>,
    /// What the host was last told of the machine.
    health: Option<Health>,
}

impl HostDriven {
    /// An opened host; `doors` in the order in which the loop has them.
    pub(crate) fn new(
        host: Host,
        role: Role,
        doors: Vec<Door>,
        hub_trunk: SocketAddr,
        machine: Arc<Machine>,
    ) -> Self {
        let (wishes, ready_tickets) = (Vec::new(), Vec::new());
        let (ready, health) = (false, None);
        let historian = None;
        Self {
            host,
            role,
            doors,
            hub_trunk,
            wishes,
            ready_tickets,
            ready,
            machine,
            historian,
            untold: false,
            heard_at: 0,
            not_asked: VecDeque::new(),
            health,
        }
    }

    /// This thread reads its history.
    pub(crate) fn reading(mut self, historian: Option<Historian>) -> Self {
        self.historian = historian;
        self
    }

    /// What the reader of history has told meanwhile: answers, and parts of an index.
    fn hear_history(&mut self, out: &mut Vec<Action>) {
        if self.historian.is_none() {
            return;
        }
        let boot = clock::boot();
        let mut parts = parts_of(boot.saturating_sub(std::mem::replace(&mut self.heard_at, boot)));
        self.untold = false;
        while !self.untold
            && let Some(told) = self.historian.as_ref().and_then(Historian::told)
        {
            parts = parts.saturating_sub(usize::from(matches!(told, Told::Indexed(_))));
            self.untold = parts == 0;
            let event = match told {
                Told::Found { number, found } => host::Event::Found { number, found },
                Told::Indexed(indexed) => host::Event::Indexed(indexed),
            };
            self.tell(clock::read(), event, out);
        }
        while let Some((number, why)) = self.not_asked.pop_front() {
            let found = Err(why);
            self.tell(clock::read(), host::Event::Found { number, found }, out);
        }
    }

    /// Tells the host what has changed of the machine that it runs on.
    fn tell_health(&mut self, clocks: Clocks, out: &mut Vec<Action>) {
        let health = self.machine.health();
        if self.health != Some(health) {
            self.health = Some(health);
            self.tell(clocks, host::Event::Health(health), out);
        }
    }

    fn tell(&mut self, clocks: Clocks, event: host::Event<'_>, out: &mut Vec<Action>) {
        let mut wishes = std::mem::take(&mut self.wishes);
        self.host.handle(clocks, event, &mut wishes);
        for wish in wishes.drain(..) {
            self.pass_on(wish, out);
        }
        self.wishes = wishes;
    }

    fn pass_on(&mut self, wish: host::Action, out: &mut Vec<Action>) {
        out.push(match wish {
            host::Action::Find(ask) => {
                let number = ask.number;
                let asked = match &self.historian {
                    Some(historian) => historian.ask(ask),
                    None => Err("nothing reads this role's history".to_owned()),
                };
                if let Err(why) = asked {
                    self.not_asked.push_back((number, why));
                }
                return;
            }
            host::Action::Dial(Peer::HubTrunk) => Action::Dial { call: 0, to: self.hub_trunk },
            host::Action::Send { conn, bytes } => Action::Send { conn, bytes },
            host::Action::Close { conn, why } => Action::Close { conn, why: why.name() },
            host::Action::Listen { conn, on } => Action::Listen { conn, on },
            host::Action::Commit(batch) => Action::Commit(batch),
            host::Action::Snapshot { record, body } => Action::Snapshot { record, body },
            host::Action::Stopped => Action::Stopped,
            host::Action::Log(line) => Action::Log(line),
            host::Action::Halt { what } => Action::Halt { what },
            // Nothing opens a role for a cluster yet.
            host::Action::Book { .. } => Action::Halt {
                what: "the role asks for a ledger's cluster, and has none".to_owned(),
            },
            host::Action::Reply { ticket, reply } => {
                let own = ticket == OWN_TICKET;
                let asked = self.ready_tickets.iter().position(|ready| *ready == ticket);
                if !own && asked.is_none() {
                    let answer = Answer::Host(reply);
                    return out.push(Action::Reply { ticket, answer });
                }
                self.ready = self.does_its_work(&reply);
                if own {
                    return;
                }
                self.ready_tickets.retain(|ready| *ready != ticket);
                Action::Reply { ticket, answer: Answer::Ready(self.ready) }
            }
        });
    }

    /// A hub does its work once it listens; a station once its trunk is up.
    fn does_its_work(&self, reply: &Reply) -> bool {
        match (self.role, reply) {
            (Role::Hub, Reply::Overview(_)) => true,
            (Role::Station(_), Reply::Overview(Overview { peers, .. })) => {
                peers.iter().any(|peer| peer.state == "up")
            }
            (
                Role::Hub | Role::Station(_),
                Reply::Accounts(_)
                | Reply::Payments(_)
                | Reply::Metrics(_)
                | Reply::Change(_)
                | Reply::NotHere,
            ) => false,
        }
    }

    fn asked(&mut self, clocks: Clocks, ticket: u64, question: Question, out: &mut Vec<Action>) {
        let query = match question {
            Question::Host(query) => query,
            Question::Ready => {
                self.ready_tickets.push(ticket);
                Query::Overview
            }
            Question::Book | Question::Shops => {
                return out.push(Action::Reply { ticket, answer: Answer::NotHere });
            }
        };
        self.tell(clocks, host::Event::Query { ticket, query }, out);
    }
}

impl Driven for HostDriven {
    fn handle(&mut self, clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        if matches!(event, Event::Asked { .. } | Event::Timeout) {
            self.tell_health(clocks, out);
        }
        let event = match event {
            Event::Started => host::Event::Started,
            Event::Accepted { conn, door, identity } => {
                // The loop was given these doors, in this order.
                let Some(door) = self.doors.get(door).copied() else {
                    return out.push(Action::Close { conn, why: "no_door" });
                };
                host::Event::Accepted { conn, door, identity }
            }
            Event::Dialled { conn, identity, .. } => {
                host::Event::Dialled { conn, peer: Peer::HubTrunk, identity }
            }
            Event::DialFailed { .. } => host::Event::DialFailed { peer: Peer::HubTrunk },
            Event::Received { conn, bytes } => host::Event::Received { conn, bytes },
            Event::Closed { conn } => host::Event::Closed { conn },
            Event::Committed { batch, room_ahead } => host::Event::Committed { batch, room_ahead },
            Event::DiskFailed { what } => host::Event::DiskFailed { what },
            Event::Asked { ticket, question } => return self.asked(clocks, ticket, question, out),
            Event::Timeout => host::Event::Timeout,
            Event::Stop => host::Event::Stop,
        };
        self.tell(clocks, event, out);
    }

    fn end_turn(&mut self, out: &mut Vec<Action>) {
        self.hear_history(out);
        let mut wishes = std::mem::take(&mut self.wishes);
        self.host.end_turn(&mut wishes);
        for wish in wishes.drain(..) {
            self.pass_on(wish, out);
        }
        self.wishes = wishes;
    }

    fn take_back(&mut self, memory: Vec<u8>) {
        self.host.take_back(memory);
    }

    fn next_timeout(&self) -> Option<u64> {
        if self.untold { Some(0) } else { self.host.next_timeout() }
    }

    fn in_hand(&self) -> Option<InHand> {
        self.host.in_hand()
    }

    fn is_ready(&mut self, clocks: Clocks, out: &mut Vec<Action>) -> bool {
        let query = Query::Overview;
        self.tell(clocks, host::Event::Query { ticket: OWN_TICKET, query }, out);
        self.ready
    }
}

/// How many parts of an index are heard in a turn, so long after the turn before: a busy loop,
/// whose turns are few and long, hears as many a second as one whose turns are short.
fn parts_of(elapsed_ns: u64) -> usize {
    let parts = elapsed_ns / u64::try_from(HISTORY_PART.as_nanos()).unwrap_or(u64::MAX);
    usize::try_from(parts).unwrap_or(usize::MAX).clamp(1, HISTORY_PARTS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_turns_hear_as_much_of_an_index_as_short_ones() {
        let parts = |ms: u64| parts_of(ms * 1_000_000);
        // A hundred turns of 10 ms and fifty of 20 ms: a second, and as many parts of it.
        assert_eq!(100 * parts(10), 50 * parts(20));
        assert!(100 * parts(10) >= 1_000, "several segments' worth");
        assert_eq!((parts(0), parts(1)), (1, 1), "each turn goes on with it");
        assert_eq!(parts(600_000), HISTORY_PARTS_MAX, "and none is long for it");
    }
}

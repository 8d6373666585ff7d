//! A hub whose ledger is a cluster: what that may say to a batch, what stops the hub, and what
//! nobody waits for.

use host::booking::{Booked, Booking};
use host::{Action, Clocks, Config, Event, Host, HostKeys, LinkMacs, Opened};
use journal::Writer;
use journal::sim_disk::SimDisk;
use ledger::{AccountStatus, Books, TransferStatus};
use scheme::Timestamp;

use crate::world::vault;

const CLOCKS: Clocks = Clocks { wall: Timestamp(1_795_330_800_000_000_000), boot: 1 };

/// A hub that founds its nation, each step of which is a batch, and nobody else.
struct Hub {
    host: Host,
    writer: Writer<SimDisk>,
    asked: Vec<(u64, Booking)>,
    halted: Option<String>,
    cluster: Books,
}

impl Hub {
    /// The first batch is asked for: accounts.
    fn founding() -> Self {
        let keys = HostKeys { vault: vault(), macs: LinkMacs::Off };
        let opened = Host::open_on_cluster(&Config::example(), keys, SimDisk::new(1), CLOCKS);
        let Opened { host, writer, .. } = opened.unwrap();
        let cluster = Books::new();
        let mut hub = Self { host, writer, asked: Vec::new(), halted: None, cluster };
        hub.event(Event::Started);
        hub
    }

    /// The same when a batch is asked for that makes the accounts of a bank.
    fn at_accounts() -> (Self, usize) {
        let mut hub = Self::founding();
        loop {
            match &hub.asked.last().unwrap().1 {
                Booking::Accounts(accounts) if accounts.len() > 1 => {
                    let count = accounts.len();
                    return (hub, count);
                }
                Booking::Accounts(_) | Booking::Transfers(_) => assert!(hub.goes_on()),
            }
        }
    }

    /// The same at a batch of transfers.
    fn at_transfers() -> (Self, usize) {
        let mut hub = Self::founding();
        loop {
            match &hub.asked.last().unwrap().1 {
                Booking::Transfers(transfers) => {
                    let count = transfers.len();
                    return (hub, count);
                }
                Booking::Accounts(_) => assert!(hub.goes_on()),
            }
        }
    }

    fn event(&mut self, event: Event<'_>) {
        let mut actions = Vec::new();
        self.host.handle(CLOCKS, event, &mut actions);
        self.host.end_turn(&mut actions);
        for action in actions {
            match action {
                Action::Commit(mut batch) => {
                    self.writer.append(&mut batch).unwrap();
                    self.event(Event::Committed { batch, room_ahead: true });
                }
                Action::Book { number, booking } => self.asked.push((number, booking)),
                Action::Halt { what } => self.halted = Some(what),
                Action::Log(_) | Action::Snapshot { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn hears(&mut self, number: u64, booked: Booked) {
        self.event(Event::Booked { number, booked });
    }

    /// The cluster does what it is asked, and says so; whether there is more to do.
    fn goes_on(&mut self) -> bool {
        let (number, booking) = self.asked.last().unwrap().clone();
        let booked = match booking {
            Booking::Accounts(accounts) => {
                let mut said = Vec::new();
                self.cluster.create_accounts(CLOCKS.wall, &accounts, &mut said);
                Booked::Accounts(said)
            }
            Booking::Transfers(transfers) => {
                let mut said = Vec::new();
                self.cluster.create_transfers(CLOCKS.wall, &transfers, &mut said);
                Booked::Transfers(said)
            }
        };
        let asked = self.asked.len();
        self.hears(number, booked);
        assert_eq!(self.halted, None);
        self.asked.len() > asked
    }

    /// Records that are durable, and batches that were asked for.
    fn progress(&self) -> (u64, usize) {
        (self.writer.mark().record, self.asked.len())
    }
}

/// The hub takes this answer to its batch, or stops because of it.
fn check(mut hub: Hub, said: Booked, fits: bool) {
    let before = hub.progress();
    let (number, booking) = hub.asked.last().unwrap().clone();
    let case = format!("{said:?} to {booking:?}");
    hub.hears(number, said);
    let (records, asked) = hub.progress();
    if fits {
        assert_eq!(hub.halted, None, "{case}");
        assert!(records > before.0 && asked == before.1 + 1, "{case}");
    } else {
        let what = hub.halted.expect(&case);
        assert!(what.contains("the ledger's cluster and the journal part ways"), "{what}");
        assert_eq!((records, asked), before, "{case}");
    }
}

#[test]
fn accounts_are_there_at_the_cluster_or_the_hub_stops() {
    use AccountStatus::{Exists, ExistsWithDifferentFlags, LinkedEventFailed, Ok};
    let (_, count) = Hub::at_accounts();
    let all = |status| vec![status; count];
    let but_last = |status| [&vec![Ok; count - 1][..], &[status]].concat();
    for (said, fits) in [
        (all(Ok), true),
        // A hub that died had asked for them.
        (all(Exists), true),
        (but_last(Exists), true),
        (but_last(ExistsWithDifferentFlags), false),
        (but_last(LinkedEventFailed), false),
        (vec![Ok; count - 1], false),
        (vec![Ok; count + 1], false),
        (vec![], false),
    ] {
        check(Hub::at_accounts().0, Booked::Accounts(said), fits);
    }
    let others = Booked::Transfers(vec![TransferStatus::Ok; count]);
    check(Hub::at_accounts().0, others, false);
}

#[test]
fn transfers_end_at_the_cluster_as_in_the_books_or_the_hub_stops() {
    use TransferStatus::{ExceedsCredits, Exists, IdAlreadyFailed, Ok};
    let (_, count) = Hub::at_transfers();
    let all = |status| vec![status; count];
    for (said, fits) in [
        (all(Ok), true),
        (all(Exists), true),
        (all(ExceedsCredits), false),
        (all(IdAlreadyFailed), false),
        ([all(Ok), vec![Ok]].concat(), false),
        (vec![], false),
    ] {
        check(Hub::at_transfers().0, Booked::Transfers(said), fits);
    }
    let others = Booked::Accounts(vec![AccountStatus::Ok; count]);
    check(Hub::at_transfers().0, others, false);
}

#[test]
fn an_answer_that_nobody_waits_for_is_passed_over() {
    let mut hub = Hub::founding();
    // Of the batch before, which may come late from a client that was given up.
    let said = |booking: &Booking| match booking {
        Booking::Accounts(accounts) => Booked::Accounts(vec![AccountStatus::Ok; accounts.len()]),
        Booking::Transfers(transfers) => {
            Booked::Transfers(vec![TransferStatus::Ok; transfers.len()])
        }
    };
    loop {
        let (number, booking) = hub.asked.last().unwrap().clone();
        let before = hub.progress();
        for other in [number - 1, number + 1] {
            hub.hears(other, said(&booking));
            assert_eq!((hub.progress(), &hub.halted), (before, &None), "{other} for {number}");
        }
        let more = hub.goes_on();
        let after = hub.progress();
        assert!(after.0 > before.0);
        // Heard twice, it is done once.
        let hash = hub.host.state_hash();
        hub.hears(number, said(&booking));
        assert_eq!((hub.progress(), &hub.halted), (after, &None), "{number} again");
        assert_eq!(hub.host.state_hash(), hash);
        if !more {
            break;
        }
    }
    assert!(hub.asked.iter().map(|(number, _)| *number).eq(1..=hub.asked.len() as u64));
    assert!(hub.asked.len() > 5, "{}", hub.asked.len());
    assert!(matches!(hub.asked.last(), Some((_, Booking::Transfers(_)))), "what is said twice");
}

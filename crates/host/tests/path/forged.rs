//! Journals that are well made and wrong: every frame holds, every hash follows, every record can
//! be read, and what the records say cannot have happened. `ledger verify` refuses each by the
//! name of what it breaks.

use host::HostError;
use host::offline::{Check, VerifyReport};
use journal::sim_disk::SimDisk;
use journal::{Batch, Extent, NodeId, OpenError, Options};
use scheme::{Amount, PaymentId, Reason, Timestamp};
use switch::record::{self, Closed, Declined, Fact, Opened, Outcome, Reversed};

use crate::world::{World, field};

/// A card of Harbour Bank, 100002.
const CARD: &str = "9408020000000015";

/// A hub's records, to be changed and written again.
#[derive(Clone)]
pub(crate) struct Tale(pub(crate) Vec<(Timestamp, Fact)>);

impl Tale {
    pub(crate) fn of(disk: &SimDisk) -> Self {
        let mut facts = Vec::new();
        journal::verify(disk.clone(), Extent::All, &mut |view| {
            let fact = record::decode(view.kind, view.version, view.payload).unwrap();
            facts.push((Timestamp(view.time_ns), fact));
            Ok(())
        })
        .unwrap();
        Self(facts)
    }

    /// A journal of these records as a hub writes one, in frames of seven; and after so many of
    /// them a snapshot that holds this.
    fn written(&self, snapshot: Option<(u64, &[u8])>) -> SimDisk {
        self.in_segments(64 * 1024, snapshot)
    }

    pub(crate) fn in_segments(
        &self,
        segment_bytes: u64,
        snapshot: Option<(u64, &[u8])>,
    ) -> SimDisk {
        let node = NodeId::from_name("hub").unwrap();
        let options = Options { segment_bytes, ..Options::new(node) };
        let (mut writer, _) = journal::open(SimDisk::new(3), options, 0, &mut |_| Ok(())).unwrap();
        writer.start_epoch(1, 0).unwrap();
        for frame in self.0.chunks(7) {
            let mut batch = Batch::new(frame[0].0.0);
            for (at, fact) in frame {
                let mut payload = Vec::new();
                let (kind, version) = record::encode(fact, &mut payload);
                batch.push(kind, version, at.0, &payload).unwrap();
            }
            writer.append(&mut batch).unwrap();
        }
        if let Some((record, state)) = snapshot {
            writer.write_snapshot(record, 0, state.to_vec()).unwrap();
        }
        writer.stop(0).unwrap()
    }

    pub(crate) fn place(&self, of: impl Fn(&Fact) -> bool) -> usize {
        self.0.iter().position(|(_, fact)| of(fact)).unwrap()
    }

    /// Where a payment of this amount was opened.
    pub(crate) fn opened(&self, minor: u64) -> usize {
        self.place(|fact| matches!(fact, Fact::Opened(o) if o.seen.amount.minor() == minor))
    }

    pub(crate) fn open(&mut self, place: usize) -> &mut Opened {
        match &mut self.0[place].1 {
            Fact::Opened(opened) => opened,
            other => panic!("{other:?}"),
        }
    }

    /// The end of the payment that was opened there.
    pub(crate) fn close(&mut self, opened: usize) -> (usize, &mut Closed) {
        let id = self.open(opened).id;
        let place = self.place(|fact| matches!(fact, Fact::Closed(closed) if closed.id == id));
        match &mut self.0[place].1 {
            Fact::Closed(closed) => (place, closed),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn reversal(&mut self) -> (usize, &mut Reversed) {
        let place = self.place(|fact| matches!(fact, Fact::Reversed(_)));
        match &mut self.0[place].1 {
            Fact::Reversed(reversed) => (place, reversed),
            other => panic!("{other:?}"),
        }
    }

    /// What was written at one place comes at another too.
    fn again(&mut self, from: usize, to: usize) {
        let at = self.0[to - 1].0;
        let fact = self.0[from].1.clone();
        self.0.insert(to, (at, fact));
    }
}

/// A day: a purchase of 10.00 that was reversed, one of 20.00 of which 5.00 were refunded, one of
/// 0.30 that was declined, a pre-authorisation of 100.00 that was completed with 80.00, one of
/// 40.00 that stands, and a purchase of 7.00 and nothing more.
pub(crate) fn day() -> (World, Tale) {
    let mut world = World::start();
    let terminal = world.terminal();
    let mut ask = |stan: &str, mti: u16, amount: &str, more: &[(u8, &str)]| {
        let mut message = world.purchase(stan, CARD, amount);
        message.set_mti(scheme::Mti::new(mti).unwrap());
        for (de, value) in more {
            message.set(*de, value.as_bytes());
        }
        let answer = world.ask(terminal, &message);
        (message, answer)
    };
    let (first, _) = ask("000101", 200, "000000001000", &[]);
    let (_, second) = ask("000102", 200, "000000002000", &[]);
    let rrn = field(&second, 37).to_owned();
    let (_, refund) = ask("000103", 200, "000000000500", &[(3, "200000"), (37, &rrn)]);
    assert_eq!(field(&refund, 39), "00");
    let (_, wrong) = ask("000104", 200, "000000000030", &[(2, "9408020000000981")]);
    assert_eq!(field(&wrong, 39), "51", "{wrong:?}");
    let (_, held) = ask("000105", 100, "000000010000", &[]);
    let held = field(&held, 38).to_owned();
    let (_, done) = ask("000106", 220, "000000008000", &[(38, &held)]);
    assert_eq!(field(&done, 39), "00");
    ask("000107", 100, "000000004000", &[]);
    ask("000109", 200, "000000000700", &[]);
    let reversal = world.reversal_of(&first, "000108");
    assert_eq!(field(&world.ask(terminal, &reversal), 39), "00");
    world.pass(1000);
    let (mut disk, _) = world.take_hub(true);
    let report = world.verify(&mut disk);
    assert!(report.ok, "{report:?}");
    let tale = Tale::of(&disk);
    assert_eq!(tale.0.len() as u64, report.records);
    // Written again as it was, nothing is wrong with it.
    let report = world.verify(&mut tale.written(None));
    assert!(report.ok, "{report:?}");
    (world, tale)
}

/// The one thing that is wrong, and the record that is wrong.
pub(crate) fn refused(world: &World, tale: &Tale, check: Check, record: usize, what: &str) {
    let report = world.verify(&mut tale.written(None));
    only(&report, check, record as u64 + 1, what);
}

pub(crate) fn only(report: &VerifyReport, check: Check, record: u64, what: &str) {
    let [damage] = report.damage.as_slice() else { panic!("{what}: {report:?}") };
    assert!(damage.what.contains(what), "{what:?} is not in {:?}", damage.what);
    assert_eq!((damage.check, damage.from_record), (check, record), "{}", damage.what);
    assert!(!report.ok && report.of(check).0 == 1);
}

#[test]
fn money_that_comes_from_nowhere_is_refused() {
    let (world, mut tale) = day();
    let bank = |fact: &Fact| matches!(fact, Fact::Participant { id, .. } if id.get() == 100_002);
    let place = tale.place(bank);
    tale.0.remove(place);
    let cap =
        |fact: &Fact| matches!(fact, Fact::Cap { participant, .. } if participant.get() == 100_002);
    let record = tale.place(cap);
    refused(&world, &tale, Check::Conservation, record, "that nobody opened");
}

#[test]
fn an_account_beyond_its_limit_is_refused_at_the_step_that_takes_it_there() {
    let (world, tale) = day();
    // 5,000,000.00 is the cap, of which some is used; it is given back at once.
    let mut over = tale.clone();
    let place = over.opened(30);
    over.open(place).seen.amount = Amount::new(500_000_000).unwrap();
    refused(&world, &over, Check::Limits, place, "position:100002 is ");
    // A payment that the cap is said to have stopped, and that had room.
    let mut idle = tale.clone();
    let place = idle.opened(30);
    let (end, _) = idle.close(place);
    let Opened { id, seen, issuer, business_date, cycle, .. } = idle.open(place).clone();
    let (reason, issuer) = (Reason::Cap, Some(issuer));
    let declined = Declined { id, seen, reason, issuer, business_date, cycle };
    idle.0[place].1 = Fact::Declined(declined);
    idle.0.remove(end);
    refused(&world, &idle, Check::Limits, place, "there was room");
}

#[test]
fn an_end_without_a_hold_is_refused() {
    let (world, tale) = day();
    let mut twice = tale.clone();
    let place = twice.opened(2000);
    let (end, _) = twice.close(place);
    twice.again(end, end + 1);
    refused(&world, &twice, Check::Pairing, end + 1, "ends as posted, and is posted");

    let mut never = tale.clone();
    let place = never.opened(30);
    let (end, _) = never.close(place);
    never.0.remove(place);
    refused(&world, &never, Check::Pairing, end - 1, "was never opened");

    let mut held = tale.clone();
    let place = held.opened(4000);
    let (end, closed) = held.close(place);
    let Outcome::Held { approval, text } = closed.outcome else { panic!("{closed:?}") };
    closed.outcome = Outcome::Posted { approval, text };
    refused(&world, &held, Check::Pairing, end, "ends as posted, and is under way");

    let mut completed = tale.clone();
    let place = completed.place(|fact| matches!(fact, Fact::Completed(_)));
    completed.again(place, place + 1);
    refused(&world, &completed, Check::Pairing, place + 1, "is completed, and is posted");

    let mut in_flight = tale;
    let (place, reversed) = in_flight.reversal();
    reversed.in_flight = true;
    refused(&world, &in_flight, Check::Pairing, place, "is reversed in flight, and is posted");
}

#[test]
fn a_payment_that_comes_to_what_it_cannot_is_refused() {
    let (world, tale) = day();
    let mut twice = tale.clone();
    let (place, _) = twice.reversal();
    twice.again(place, place + 1);
    refused(&world, &twice, Check::Payments, place + 1, "is reversed a second time");

    let mut more = tale.clone();
    let (place, reversed) = more.reversal();
    reversed.returned = Amount::new(1001).unwrap();
    refused(&world, &more, Check::Payments, place, "returns more than was posted");

    let mut declined = tale.clone();
    let spoilt = declined.opened(30);
    let id = declined.open(spoilt).id;
    let (place, reversed) = declined.reversal();
    reversed.id = id;
    refused(&world, &declined, Check::Payments, place, "is reversed, and is declined");

    let mut refund = tale.clone();
    let place = refund.opened(500);
    refund.open(place).seen.amount = Amount::new(2001).unwrap();
    refused(&world, &refund, Check::Payments, place, "refunds more than is left");

    let mut unposted = tale.clone();
    let of = unposted.opened(500);
    let spoilt = unposted.opened(1000);
    let (end, closed) = unposted.close(spoilt);
    let Outcome::Posted { text, .. } = closed.outcome else { panic!("{closed:?}") };
    closed.outcome = Outcome::Declined { code: scheme::ResponseCode::of(b"51"), text };
    assert!(end < of);
    let id = unposted.open(spoilt).id;
    unposted.open(of).original = Some(id);
    refused(&world, &unposted, Check::Payments, of, "refunds a payment that is not posted");

    let mut beyond = tale.clone();
    let place = beyond.place(|fact| matches!(fact, Fact::Completed(_)));
    if let Fact::Completed(completed) = &mut beyond.0[place].1 {
        completed.amount = Amount::new(10_001).unwrap();
    }
    refused(&world, &beyond, Check::Payments, place, "for more than was held");
}

#[test]
fn an_id_that_is_not_its_own_or_comes_twice_is_refused() {
    let (world, tale) = day();
    let mut other = tale.clone();
    let place = other.opened(30);
    let id = PaymentId::new(other.open(place).id.get() ^ (1 << 77)).unwrap();
    other.close(place).1.id = id;
    other.open(place).id = id;
    refused(&world, &other, Check::Payments, place, "another id than its keys make");

    let mut twice = tale.clone();
    let place = twice.opened(30);
    let (end, _) = twice.close(place);
    twice.again(place, end + 1);
    refused(&world, &twice, Check::Payments, end + 1, "comes a second time");

    // A refusal implies no transfer: nothing but its id can tell that it comes twice.
    let mut refusal = tale;
    let Opened { id, seen, issuer, business_date, cycle, .. } = refusal.open(place).clone();
    let (reason, issuer) = (Reason::Expired, Some(issuer));
    let declined = Declined { id, seen, reason, issuer, business_date, cycle };
    refusal.0[place].1 = Fact::Declined(declined);
    refusal.0.remove(end);
    refusal.again(place, end);
    refused(&world, &refusal, Check::Payments, end, "comes a second time");
}

#[test]
fn a_record_that_nobody_can_read_is_refused() {
    let (world, tale) = day();
    let mut payload = Vec::new();
    let (kind, version) = record::encode(&tale.0[0].1, &mut payload);
    let node = NodeId::from_name("hub").unwrap();
    let options = Options { segment_bytes: 64 * 1024, ..Options::new(node) };
    let (mut writer, _) = journal::open(SimDisk::new(3), options, 0, &mut |_| Ok(())).unwrap();
    let mut batch = Batch::new(tale.0[0].0.0);
    batch.push(kind, version, tale.0[0].0.0, &payload).unwrap();
    payload.push(7);
    batch.push(kind, version, tale.0[0].0.0, &payload).unwrap();
    writer.append(&mut batch).unwrap();
    let report = world.verify(&mut writer.stop(0).unwrap());
    only(&report, Check::Records, 2, "");
}

#[test]
fn a_snapshot_of_what_never_was_is_refused() {
    let (world, tale) = day();
    let mut plain = tale.written(None);
    let at = tale.opened(4000) as u64;
    let own = world.state_after(&mut plain, at);
    let report = world.verify(&mut tale.written(Some((at, &own))));
    assert!(report.ok && report.of(Check::Snapshots) == (0, 1), "{report:?}");

    // The snapshot of another nation's day, of an hour earlier, and half of one.
    let mut dearer = tale.clone();
    let place = dearer.opened(2000);
    dearer.open(place).seen.amount = Amount::new(2100).unwrap();
    let of_another = world.state_after(&mut dearer.written(None), at);
    let report = world.verify(&mut tale.written(Some((at, &of_another))));
    assert!(report.damage.iter().all(|damage| damage.check == Check::Snapshots), "{report:?}");
    assert!(report.damage[0].what.contains("position:100001 is at "), "{report:?}");
    let earlier = world.state_after(&mut plain, at - 1);
    let report = world.verify(&mut tale.written(Some((at, &earlier))));
    assert!(!report.ok && report.damage[0].file.ends_with(".snap"), "{report:?}");
    let report = world.verify(&mut tale.written(Some((at, &own[..own.len() / 2]))));
    only(&report, Check::Snapshots, at, "can't be read");

    // One in which a unit of money came to be: the books' bytes, which begin with their accounts.
    let books = own.windows(4).position(|bytes| bytes == b"BOOK").unwrap();
    let account = scheme::ParticipantId::new(100_001).unwrap();
    let id = ledger::chart::onus_acquired(account, scheme::Currency::KPW).to_le_bytes();
    let row = books + own[books..].windows(16).position(|bytes| bytes == id).unwrap();
    let changed = (16..128).find_map(|offset| {
        let mut forged = own.clone();
        forged[row + offset] ^= 1;
        let report = world.verify(&mut tale.written(Some((at, &forged))));
        let found = report.damage.iter().any(|damage| damage.check == Check::Conservation);
        found.then_some(report)
    });
    assert!(changed.unwrap().damage[0].what.contains("not conserved: posted "));
}

#[test]
fn a_start_names_the_record_that_cannot_be_though_it_has_read_on() {
    let (world, mut tale) = day();
    let place = tale.opened(2000);
    let (end, _) = tale.close(place);
    tale.again(end, end + 1);
    let terminal = tale.place(|fact| matches!(fact, Fact::Terminal { .. }));
    let (last, fine) = (tale.0[tale.0.len() - 1].0, tale.0[terminal].1.clone());
    let many = (host::limits::REPLAY_HANDFULS + 3) * host::limits::REPLAY_RECORDS;
    tale.0.extend(std::iter::repeat_n((last, fine), many));
    match world.reopen(tale.written(None)) {
        Err(HostError::Journal(OpenError::Refused { record, why })) => {
            assert_eq!(record, end as u64 + 2, "{why}");
            assert!(why.contains("must end as Ok"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

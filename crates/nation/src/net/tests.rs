//! Cables alone: order, cuts, stalls, and what a middlebox does to frames.
use super::*;
use crate::scenario::Rates;

const STATION: Place = Place::Station(1);
const BANK: Place = Place::Bank(1);
const MS: u64 = 1_000_000;

struct Rig {
    net: Net,
    queue: BTreeMap<(u64, u64), Wake>,
    count: u64,
    now: u64,
    told: Vec<(u64, End, Told)>,
}

impl Rig {
    fn new(from: Place, boxed: Option<Middlebox>) -> (Self, LinkId) {
        let latency = Latency { min: MS, max: 5 * MS };
        let mut net = Net::new(Dice::new(7, "net"), latency, 100 * MS);
        let link = LinkId::of(from).unwrap();
        net.lay(link, boxed);
        net.power_on(link.from);
        net.power_on(link.to);
        (Self { net, queue: BTreeMap::new(), count: 0, now: 0, told: Vec::new() }, link)
    }

    fn take(&mut self, wakes: Wakes) {
        for (at, wake) in wakes {
            self.count += 1;
            self.queue.insert((at.max(self.now), self.count), wake);
        }
    }

    fn run(&mut self, until: u64) {
        while let Some(((at, _), wake)) = self.queue.pop_first() {
            if at > until {
                self.queue.insert((at, 0), wake);
                break;
            }
            self.now = at;
            let mut wakes = Vec::new();
            if let Some(telling) = self.net.wake(at, wake, &mut wakes) {
                if let Told::Knocks { end, .. } = telling.told {
                    self.net.accept(at, end, 1, &mut wakes);
                }
                self.told.push((at, telling.end, telling.told));
            }
            self.take(wakes);
        }
        self.now = until;
    }

    fn connect(&mut self, link: LinkId) -> (End, End) {
        let mut wakes = Vec::new();
        let end = self.net.dial(self.now, link, 1, &mut wakes);
        self.take(wakes);
        self.run(self.now + 50 * MS);
        assert!(self.told.iter().any(|(_, e, told)| *e == end && *told == Told::Dialled));
        (end, end ^ 1)
    }

    fn send(&mut self, end: End, bytes: &[u8]) {
        let mut wakes = Vec::new();
        self.net.send(self.now, end, bytes, &mut wakes);
        self.take(wakes);
    }

    fn bytes(&self, end: End) -> Vec<u8> {
        let mut all = Vec::new();
        for (_, to, told) in &self.told {
            if let (true, Told::Bytes(bytes)) = (*to == end, told) {
                all.extend_from_slice(bytes);
            }
        }
        all
    }

    fn closed(&self, end: End) -> bool {
        self.told.iter().any(|(_, e, told)| *e == end && *told == Told::Closed)
    }
}

#[test]
fn a_stream_keeps_its_order_whatever_the_cuts_and_clogs() {
    let (mut rig, link) = Rig::new(STATION, None);
    let (near, far) = rig.connect(link);
    let sent: Vec<u8> = (0..=250).cycle().take(5_000).collect();
    for (turn, piece) in sent.chunks(97).enumerate() {
        rig.send(near, piece);
        let mut wakes = Vec::new();
        match turn % 10 {
            3 => rig.net.block(link, Way::Both),
            5 => rig.net.slow(link, 50),
            6 => rig.net.slow(link, 1),
            8 => rig.net.unblock(rig.now, link, Way::Both, &mut wakes),
            _ => {}
        }
        rig.take(wakes);
        rig.run(rig.now + MS);
    }
    let mut wakes = Vec::new();
    rig.net.heal(rig.now, &mut wakes);
    rig.take(wakes);
    rig.run(rig.now + 1_000 * MS);
    assert_eq!(rig.bytes(far), sent);
    let pieces = rig.told.iter().filter(|(_, end, _)| *end == far).count();
    assert!(pieces > 52, "{pieces} pieces of 52: the stream is cut anew");
}

#[test]
fn one_way_silence_holds_one_way() {
    let (mut rig, link) = Rig::new(STATION, None);
    let (near, far) = rig.connect(link);
    rig.net.block(link, Way::Forth);
    rig.send(near, b"up");
    rig.send(far, b"down");
    rig.run(rig.now + 500 * MS);
    assert_eq!((rig.bytes(far), rig.bytes(near)), (Vec::new(), b"down".to_vec()));
    let mut wakes = Vec::new();
    rig.net.unblock(rig.now, link, Way::Forth, &mut wakes);
    rig.take(wakes);
    rig.run(rig.now + MS);
    assert_eq!(rig.bytes(far), b"up");
}

#[test]
fn a_cut_loses_what_is_on_the_way_and_both_ends_learn_of_it() {
    let (mut rig, link) = Rig::new(STATION, None);
    let (near, far) = rig.connect(link);
    rig.send(near, b"lost");
    let mut wakes = Vec::new();
    rig.net.cut(rig.now, link, false, &mut wakes);
    rig.take(wakes);
    rig.run(rig.now + 100 * MS);
    assert!(rig.bytes(far).is_empty());
    assert!(rig.closed(near) && rig.closed(far));
}

#[test]
fn a_machine_that_died_resets_when_it_is_spoken_to_again() {
    let (mut rig, link) = Rig::new(STATION, None);
    let (near, far) = rig.connect(link);
    let mut wakes = Vec::new();
    rig.net.power_off(rig.now, Place::Hub, false, &mut wakes);
    rig.take(wakes);
    rig.send(near, b"hello?");
    rig.run(rig.now + 100 * MS);
    assert!(!rig.closed(near), "nobody is there to say so");
    rig.net.power_on(Place::Hub);
    rig.send(near, b"hello?");
    rig.run(rig.now + 100 * MS);
    assert!(rig.closed(near));
    assert!(rig.bytes(far).is_empty());
}

#[test]
fn a_killed_process_says_goodbye() {
    let (mut rig, link) = Rig::new(STATION, None);
    let (near, far) = rig.connect(link);
    rig.send(far, b"last words");
    let mut wakes = Vec::new();
    rig.net.power_off(rig.now, Place::Hub, true, &mut wakes);
    rig.take(wakes);
    rig.run(rig.now + 100 * MS);
    assert_eq!(rig.bytes(near), b"last words");
    assert!(rig.closed(near));
}

#[test]
fn a_dial_to_a_dead_machine_fails_and_into_silence_fails_late() {
    let (mut rig, link) = Rig::new(STATION, None);
    let mut wakes = Vec::new();
    rig.net.power_off(0, Place::Hub, true, &mut wakes);
    rig.net.dial(0, link, 1, &mut wakes);
    rig.take(wakes);
    rig.run(50 * MS);
    assert!(matches!(rig.told.as_slice(), [(at, 0, Told::DialFailed)] if *at < 10 * MS));
    rig.net.power_on(Place::Hub);
    rig.net.block(link, Way::Back);
    let mut wakes = Vec::new();
    rig.net.dial(rig.now, link, 1, &mut wakes);
    rig.take(wakes);
    rig.run(400 * MS);
    assert!(matches!(rig.told.last(), Some((at, 2, Told::DialFailed)) if *at > 150 * MS));
}

#[test]
fn a_middlebox_loses_doubles_and_delays_whole_frames() {
    let rates = Rates { lost: 200, twice: 200, late: 200, late_ms: 50 };
    let boxed = Middlebox::new(rates, 0, None);
    let (mut rig, link) = Rig::new(BANK, boxed);
    let (near, far) = rig.connect(link);
    for number in 0..500u16 {
        let mut framed = Vec::new();
        write_frame(Framing::Be2, &[number.to_be_bytes(); 4].concat(), &mut framed).unwrap();
        rig.send(near, &framed);
        rig.run(rig.now + MS);
    }
    rig.run(rig.now + 1_000 * MS);
    let mut frames = Deframer::new(Framing::Be2, FRAME_MAX);
    frames.push(&rig.bytes(far));
    let mut seen = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        assert_eq!(frame.len(), 8);
        seen.push(u16::from_be_bytes([frame[0], frame[1]]));
    }
    assert_eq!(frames.buffered(), 0);
    let mut once = seen.clone();
    once.sort_unstable();
    once.dedup();
    assert!((350..470).contains(&once.len()), "{} of 500 came", once.len());
    assert!(seen.len() > once.len() + 40, "some came twice");
    assert!(seen.windows(2).any(|two| two[0] > two[1]), "some were overtaken");
}

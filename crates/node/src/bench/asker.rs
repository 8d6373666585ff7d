//! The payments of one asking connection: prepared frames, and what their answers must say.

use keys::LinkMac;

use super::iso::{Fields, Table, put_digits, sign};

/// Accounts of each bank that pay, each with its own card.
pub(super) const ACCOUNTS: u64 = 10_000;
/// Smallest amount, and how many there are above it, minor units.
const AMOUNTS: (u64, u64) = (100, 5_900);
/// A prime that is no factor of the above, so that cards and amounts are mixed.
const MIX: u64 = 7_919;

/// One payment under way.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// When it was, or was to be, sent; ns.
    since: u64,
    /// The connection's number of it.
    sequence: u64,
    busy: bool,
}

/// What came of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Settled {
    /// The payment that was sent, or was to be sent, then; ns.
    Approved(u64),
    /// The same, refused with this DE39.
    Declined(u64, [u8; 2]),
    /// It answers nothing that was asked, or says something else.
    Wrong(&'static str),
}

/// The asking side of a connection.
#[derive(Debug)]
pub(super) struct Asker {
    frame: Vec<u8>,
    places: Places,
    /// Cards of every issuer, account by account.
    issuers: Vec<Vec<[u8; 16]>>,
    slots: Vec<Slot>,
    free: Vec<u16>,
    sequence: u64,
    first_terminal: u64,
    terminals: u64,
}

#[derive(Debug)]
struct Places {
    card: usize,
    amount: usize,
    sent: usize,
    stan: usize,
    time: usize,
    date: usize,
    rrn: usize,
    terminal: usize,
}

/// Times of day as messages have them.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// DE7: MMDDhhmmss, UTC.
    pub(super) utc: [u8; 10],
    /// DE13: MMDD, local.
    pub(super) date: [u8; 4],
    /// DE12: hhmmss, local.
    pub(super) time: [u8; 6],
}

impl Moment {
    /// The moment at these seconds after 1970.
    pub(super) fn at(unix_s: u64, utc_offset_s: i64) -> Self {
        let of = |s: u64| scheme::Timestamp(s.saturating_mul(1_000_000_000)).month_time();
        let local = of(unix_s.saturating_add_signed(utc_offset_s)).to_string();
        let mut moment = Self::default();
        // Both have ten digits.
        moment.utc.copy_from_slice(of(unix_s).to_string().as_bytes());
        moment.date.copy_from_slice(&local.as_bytes()[..4]);
        moment.time.copy_from_slice(&local.as_bytes()[4..]);
        moment
    }
}

/// Who asks.
pub(super) struct Who<'a> {
    pub(super) acquirer: u64,
    pub(super) retailer: &'a str,
    pub(super) currency: u16,
    pub(super) first_terminal: u64,
    pub(super) terminals: u64,
    pub(super) mac: Option<&'a LinkMac>,
}

impl Asker {
    /// At most `slots` payments are under way at once; the first is the one of that number.
    pub(super) fn new(
        table: &Table,
        who: &Who<'_>,
        issuers: Vec<Vec<[u8; 16]>>,
        (slots, first): (u16, u64),
    ) -> Self {
        let acquirer = who.acquirer.to_string();
        let retailer = format!("{:<15}", who.retailer);
        let currency = format!("{:03}", who.currency);
        let fields: [(usize, &[u8]); 18] = [
            (2, b"0000000000000000"),
            (3, b"000000"),
            (4, b"000000000000"),
            (7, b"0000000000"),
            (11, b"000000"),
            (12, b"000000"),
            (13, b"0000"),
            (14, b"3112"),
            (18, b"5411"),
            (19, currency.as_bytes()),
            (22, b"012"),
            (25, b"00"),
            (32, acquirer.as_bytes()),
            (37, b"000000000000"),
            (41, b"BEN00000"),
            (42, retailer.as_bytes()),
            (43, b"NATIONAL MARKET 1        PYONGYANG    KP"),
            (49, currency.as_bytes()),
        ];
        let mut frame = Vec::new();
        table.frame("0200", &fields, who.mac, &mut frame);
        let mut found = Fields::new();
        assert!(table.scan(&frame[2..], &mut found), "the frame above is a message");
        let place = |de| 2 + found.place(de);
        Self {
            places: Places {
                card: place(2),
                amount: place(4),
                sent: place(7),
                stan: place(11),
                time: place(12),
                date: place(13),
                rrn: place(37),
                terminal: place(41),
            },
            frame,
            issuers,
            slots: vec![Slot::default(); usize::from(slots)],
            free: (0..slots).rev().collect(),
            sequence: first,
            first_terminal: who.first_terminal,
            terminals: who.terminals,
        }
    }

    /// The number of the next payment.
    pub(super) fn next(&self) -> u64 {
        self.sequence
    }

    /// Appends the next payment; `false` if too many are under way.
    pub(super) fn ask(
        &mut self,
        since: u64,
        moment: &Moment,
        mac: Option<&LinkMac>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(slot) = self.free.pop() else { return false };
        let sequence = self.sequence;
        self.sequence += 1;
        self.slots[usize::from(slot)] = Slot { since, sequence, busy: true };
        let (stan, terminal) = self.trace(sequence);
        let issuer = &self.issuers[(sequence % self.issuers.len() as u64) as usize];
        let card = issuer[(sequence.wrapping_mul(MIX) % ACCOUNTS) as usize];
        let (frame, at) = (&mut self.frame, &self.places);
        frame[at.card..at.card + 16].copy_from_slice(&card);
        put_digits(&mut frame[at.amount..at.amount + 12], amount(sequence));
        frame[at.sent..at.sent + 10].copy_from_slice(&moment.utc);
        put_digits(&mut frame[at.stan..at.stan + 6], stan);
        frame[at.time..at.time + 6].copy_from_slice(&moment.time);
        frame[at.date..at.date + 4].copy_from_slice(&moment.date);
        put_digits(&mut frame[at.rrn..at.rrn + 4], u64::from(slot));
        put_digits(&mut frame[at.rrn + 4..at.rrn + 12], sequence);
        put_digits(&mut frame[at.terminal + 3..at.terminal + 8], terminal);
        let begin = out.len();
        out.extend_from_slice(frame);
        if let Some(mac) = mac {
            sign(out, begin, mac);
        }
        true
    }

    /// DE11 and the terminal's number: the connection's terminals take turns.
    fn trace(&self, sequence: u64) -> (u64, u64) {
        let (round, place) = (sequence / self.terminals, sequence % self.terminals);
        (round % 999_999 + 1, self.first_terminal + place)
    }

    /// Takes an answer and checks it.
    pub(super) fn settle(&mut self, message: &[u8], fields: &Fields) -> Settled {
        let Some(rrn) = fields.number(message, 37) else { return Settled::Wrong("no DE37") };
        let (place, low) = ((rrn / 100_000_000) as usize, rrn % 100_000_000);
        let Some(slot) = self.slots.get(place).copied().filter(|slot| slot.busy) else {
            return Settled::Wrong("answers nothing");
        };
        if slot.sequence % 100_000_000 != low {
            return Settled::Wrong("answers nothing");
        }
        let (stan, terminal) = self.trace(slot.sequence);
        if fields.number(message, 11) != Some(stan) {
            return Settled::Wrong("other DE11");
        }
        if fields.number(message, 4) != Some(amount(slot.sequence)) {
            return Settled::Wrong("other DE4");
        }
        let named = fields.value(message, 41).and_then(|name| super::iso::digits(name.get(3..)?));
        if named != Some(terminal) {
            return Settled::Wrong("other DE41");
        }
        self.slots[place].busy = false;
        // There are at most 2^16 of them.
        self.free.push(place as u16);
        match fields.value(message, 39).and_then(|code| <[u8; 2]>::try_from(code).ok()) {
            Some(code) if code == *b"00" => Settled::Approved(slot.since),
            Some(code) => Settled::Declined(slot.since, code),
            None => Settled::Wrong("no DE39"),
        }
    }
}

fn amount(sequence: u64) -> u64 {
    AMOUNTS.0 + sequence.wrapping_mul(MIX) % AMOUNTS.1
}

/// The cards of a bank: its prefix, account, check digit.
pub(super) fn cards(iin: &str) -> Vec<[u8; 16]> {
    let card = |account: u64| {
        let digits = format!("{iin}{account:0width$}", width = 15 - iin.len().min(14));
        let mut card = [b'0'; 16];
        card[..15].copy_from_slice(&digits.as_bytes()[..15]);
        card[15] = b'0' + luhn(&card[..15]);
        card
    };
    (1..=ACCOUNTS).map(card).collect()
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
        sum + value / 10 + value % 10
    });
    ((10 - sum % 10) % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::super::iso::approve;
    use super::*;

    fn asker() -> (Table, Asker) {
        let table = Table::new().unwrap();
        let who = Who {
            acquirer: 100_001,
            retailer: "SHOP",
            currency: 408,
            first_terminal: 7,
            terminals: 3,
            mac: None,
        };
        let asker = Asker::new(&table, &who, vec![cards("940802"), cards("940803")], (2, 0));
        (table, asker)
    }

    fn answer(table: &Table, frame: &[u8]) -> (Vec<u8>, Fields) {
        let mut fields = Fields::new();
        assert!(table.scan(&frame[2..], &mut fields));
        let mut out = Vec::new();
        approve(&frame[2..], &fields, None, &mut out);
        assert!(table.scan(&out[2..], &mut fields));
        (out.split_off(2), fields)
    }

    #[test]
    fn cards_have_check_digits_and_no_two_payments_share_their_keys() {
        assert_eq!(&cards("940801")[0], b"9408010000000016");
        let (table, mut asker) = asker();
        let mut seen = std::collections::BTreeSet::new();
        for sequence in 0..200 {
            let mut frame = Vec::new();
            assert!(asker.ask(sequence, &Moment::at(1_795_000_000, 32_400), None, &mut frame));
            let message = &frame[2..];
            let mut fields = Fields::new();
            assert!(table.scan(message, &mut fields));
            let pan = scheme::Pan::parse(fields.value(message, 2).unwrap()).unwrap();
            assert!(pan.check().is_ok());
            let key = |de| fields.value(message, de).unwrap().to_vec();
            assert!(seen.insert((key(41), key(11))), "{sequence}");
            let (out, fields) = answer(&table, &frame);
            assert_eq!(asker.settle(&out, &fields), Settled::Approved(sequence));
        }
    }

    #[test]
    fn a_wrong_answer_is_none() {
        let (table, mut asker) = asker();
        let mut frame = Vec::new();
        let moment = Moment::at(1_795_000_000, 32_400);
        assert!(asker.ask(5, &moment, None, &mut frame));
        assert!(asker.ask(6, &moment, None, &mut Vec::new()));
        assert!(!asker.ask(7, &moment, None, &mut Vec::new()), "both slots are taken");
        let (right, fields) = answer(&table, &frame);
        for (de, what) in [(37, "answers nothing"), (11, "other DE11"), (4, "other DE4")] {
            let mut wrong = right.clone();
            let last = fields.place(de) + fields.value(&right, de).unwrap().len() - 1;
            wrong[last] ^= 1;
            assert_eq!(asker.settle(&wrong, &fields), Settled::Wrong(what), "DE{de}");
        }
        let mut declined = right.clone();
        declined[fields.place(39)..fields.place(39) + 2].copy_from_slice(b"51");
        assert_eq!(asker.settle(&declined, &fields), Settled::Declined(5, *b"51"));
        assert_eq!(asker.settle(&right, &fields), Settled::Wrong("answers nothing"), "twice");
        assert_eq!(asker.free.len(), 1);
    }

    #[test]
    fn moments_are_local_and_utc() {
        // 2026-11-18 16:26:40 UTC.
        let moment = Moment::at(1_795_019_200, 32_400);
        assert_eq!(&moment.utc, b"1118162640");
        assert_eq!((&moment.date, &moment.time), (b"1119", b"012640"));
    }
}

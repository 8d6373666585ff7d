//! What sits in the way of frames on the links of banks and terminals: it loses, doubles and
//! delays them, plants secrets that nobody may keep, and (in tests of the harness) cheats.

use scheme::Mti;
use wire::iso8583::{Dialect, Message};

use crate::dice::Dice;
use crate::scenario::{Cheat, Rates};

/// What becomes of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Passed {
    /// It goes on, in order.
    On(Vec<u8>),
    /// It goes on after so many ns; others overtake it.
    Later(u64, Vec<u8>),
    /// It goes back to where the frame came from.
    Back(Vec<u8>),
}

/// What a bank has posted it undoes so many ns later.
const UNDONE_AFTER: u64 = 200_000_000;

/// The middlebox of one link.
#[derive(Debug)]
pub(crate) struct Middlebox {
    rates: Rates,
    /// Of 1000 requests from the dialling side: those that get DE35, DE52 or DE55 planted.
    secrets: u16,
    cheat: Option<Cheat>,
    dialect: &'static Dialect,
    /// Lost, doubled, delayed, with secrets, cheated.
    pub(crate) counts: [u64; 5],
}

/// A track and a PIN block that no file may hold: recognisable, and no card of the nation.
pub(crate) const TRACK_TAIL: &str = "=31121010000090909090";
/// DE52 as sixteen hexadecimal digits.
pub(crate) const PIN_BLOCK: [u8; 8] = [0xD1, 0xCE, 0xFA, 0xCE, 0x5E, 0xC2, 0xE7, 0x99];
/// DE55: a cryptogram (tag 9F26) of that value.
pub(crate) const CHIP: [u8; 11] =
    [0x9F, 0x26, 0x08, 0xC0, 0xDE, 0xD0, 0x0D, 0xFE, 0xED, 0x13, 0x37];

impl Middlebox {
    pub(crate) fn new(rates: Rates, secrets: u16, cheat: Option<Cheat>) -> Option<Self> {
        let dialect = Dialect::builtin("iso87-ascii")?;
        Some(Self { rates, secrets, cheat, dialect, counts: [0; 5] })
    }

    /// No more faults by chance; a cheat goes on.
    pub(crate) fn calm(&mut self) {
        self.rates = Rates::default();
    }

    /// Passes one frame; `forth` when it comes from the dialling side.
    pub(crate) fn pass(&mut self, dice: &mut Dice, forth: bool, frame: &[u8]) -> Vec<Passed> {
        if let Some(passed) = self.cheated(forth, frame) {
            self.counts[4] += 1;
            return passed;
        }
        let frame = match forth && dice.per_mille(self.secrets) {
            true => self.with_secrets(dice, frame).unwrap_or_else(|| frame.to_vec()),
            false => frame.to_vec(),
        };
        let mut passed = Vec::new();
        if dice.per_mille(self.rates.lost) {
            self.counts[0] += 1;
            return passed;
        }
        if dice.per_mille(self.rates.twice) {
            self.counts[1] += 1;
            passed.push(self.later(dice, frame.clone()));
        }
        if dice.per_mille(self.rates.late) {
            self.counts[2] += 1;
            passed.push(self.later(dice, frame));
        } else {
            passed.push(Passed::On(frame));
        }
        passed
    }

    fn later(&self, dice: &mut Dice, frame: Vec<u8>) -> Passed {
        Passed::Later(dice.between(0, self.rates.late_ms * 1_000_000), frame)
    }

    /// DE35 with the card's own number, DE55, and rarely DE52 (which is declined 58).
    fn with_secrets(&mut self, dice: &mut Dice, frame: &[u8]) -> Option<Vec<u8>> {
        let mut message = self.dialect.decode(frame).ok()?;
        if message.mti() != mti(200)? {
            return None;
        }
        let track = format!("{}{TRACK_TAIL}", message.text(2)?);
        message.set(35, track.as_bytes());
        message.set(55, &CHIP);
        if dice.per_mille(100) {
            message.set(52, &PIN_BLOCK);
        }
        self.counts[3] += 1;
        self.write(&message)
    }

    fn cheated(&self, forth: bool, frame: &[u8]) -> Option<Vec<Passed>> {
        // Banks dial, so the hub's requests come back.
        let cheat = self.cheat.filter(|_| !forth)?;
        let reversal = frame.starts_with(b"0420") || frame.starts_with(b"0421");
        let completion = frame.starts_with(b"0220") || frame.starts_with(b"0221");
        let message = || self.dialect.decode(frame).ok();
        match cheat {
            Cheat::SwallowReversals => reversal.then(Vec::new),
            Cheat::FalseAcknowledgement => self.acknowledge(&message().filter(|_| reversal)?),
            Cheat::FalseCompletion => self.acknowledge(&message().filter(|_| completion)?),
            Cheat::DoubleDebit => self.again(&message()?, frame, |kind| kind != "20"),
            Cheat::DoubleCredit => self.again(&message()?, frame, |kind| kind == "20"),
            Cheat::WholeForPart => {
                let mut whole = message().filter(|message| reversal && message.has(95))?;
                whole.remove(95);
                Some(vec![Passed::On(self.write(&whole)?)])
            }
            Cheat::ReleasedAndPosted => {
                let posted = message().filter(|_| completion)?;
                let undo = self.undo(&posted)?;
                Some(vec![Passed::On(frame.to_vec()), Passed::Later(UNDONE_AFTER, undo)])
            }
        }
    }

    /// Answers 00 in the bank's place.
    fn acknowledge(&self, request: &Message) -> Option<Vec<Passed>> {
        let mut answer = Message::new(request.mti().answer()?);
        copy(request, &mut answer);
        answer.set(39, b"00");
        Some(vec![Passed::Back(self.write(&answer)?)])
    }

    /// Sends a request once more, as another one.
    fn again(
        &self,
        message: &Message,
        frame: &[u8],
        which: impl Fn(&str) -> bool,
    ) -> Option<Vec<Passed>> {
        if message.mti() != mti(200)? || !which(message.text(3)?.get(..2)?) {
            return None;
        }
        let mut message = message.clone();
        let stan: u32 = message.text(11)?.parse().ok()?;
        let other = format!("{:06}", (stan + 499_999) % 999_999 + 1);
        message.set(11, other.as_bytes());
        Some(vec![Passed::On(frame.to_vec()), Passed::On(self.write(&message)?)])
    }

    /// A reversal of a completion that nobody asked for.
    fn undo(&self, posted: &Message) -> Option<Vec<u8>> {
        let mut undo = Message::new(mti(420)?);
        copy(posted, &mut undo);
        let stan: u32 = posted.text(11)?.parse().ok()?;
        let other = format!("{:06}", (stan + 499_999) % 999_999 + 1);
        undo.set(11, other.as_bytes());
        undo.set(39, b"68");
        let (stan, sent) = (posted.text(11)?, posted.text(7)?);
        let original = format!("0220{stan}{sent}{:0>11}{:011}", posted.text(32)?, 0);
        undo.set(90, original.as_bytes());
        self.write(&undo)
    }

    fn write(&self, message: &Message) -> Option<Vec<u8>> {
        let mut payload = Vec::new();
        self.dialect.encode(message, &mut payload).ok()?;
        Some(payload)
    }
}

/// What an answer, or a reversal, has from its request.
fn copy(from: &Message, to: &mut Message) {
    for de in [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49] {
        if let Some(value) = from.get(de) {
            let value = value.to_vec();
            to.set(de, &value);
        }
    }
}

fn mti(number: u16) -> Option<Mti> {
    Mti::new(number)
}

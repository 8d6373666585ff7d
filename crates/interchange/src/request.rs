//! A message to a request (R-FIELDS): what is mandatory is there, what the station can fill is
//! filled, the card becomes a reference, PINs are wiped, and everything else is carried.

use std::collections::BTreeMap;

use keys::{CardVault, Expiry};
use scheme::{
    Amount, LocalTime, MonthTime, MtiClass, MtiFunction, Pan, PanError, ParticipantId, PaymentSeed,
    Processing, Reason, ResponseCode, RetailerId, Stan, TerminalId, Timestamp, TransactionKind,
    Zone, digits,
};
use switch::{Carried, OriginalRef, Request};
use wire::iso8583::Message;

use crate::SEAL_KIND;
use crate::elements::Elements;

/// Terminals of a station, for what their messages leave out.
#[derive(Clone, Debug, Default)]
pub struct Register {
    by_terminal: BTreeMap<TerminalId, Vec<(ParticipantId, RetailerId)>>,
}

impl Register {
    /// A register of these terminals.
    pub fn new(
        terminals: impl IntoIterator<Item = (ParticipantId, TerminalId, RetailerId)>,
    ) -> Self {
        let mut by_terminal: BTreeMap<TerminalId, Vec<_>> = BTreeMap::new();
        for (acquirer, terminal, retailer) in terminals {
            by_terminal.entry(terminal).or_default().push((acquirer, retailer));
        }
        Self { by_terminal }
    }

    /// The acquirer and retailer of a terminal; without an acquirer it must be the only one of
    /// its name at this station.
    fn entry(
        &self,
        terminal: TerminalId,
        acquirer: Option<ParticipantId>,
    ) -> Option<(ParticipantId, RetailerId)> {
        let entries = self.by_terminal.get(&terminal)?;
        match acquirer {
            Some(acquirer) => entries.iter().copied().find(|(known, _)| *known == acquirer),
            None => entries.first().copied().filter(|_| entries.len() == 1),
        }
    }
}

/// Who sent the message.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A terminal of this station.
    Terminal(&'a Register),
    /// An acquirer's host, which vouches for its terminals (R-LINK).
    Bank(ParticipantId),
}

/// What the hop that first receives a message knows.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Now: the first receipt.
    pub now: Timestamp,
    /// The nation's local time.
    pub zone: &'a Zone,
    /// DE49 where the message has none.
    pub currency: u16,
    /// What turns cards into references.
    pub vault: &'a CardVault,
    /// Who sent it.
    pub source: Source<'a>,
}

/// DEs that have a place of their own in a request, or may not pass (R-FIELDS, R-SECRETS).
const NOT_CARRIED: Elements =
    Elements::of(&[1, 2, 3, 4, 7, 11, 12, 13, 15, 32, 37, 38, 41, 42, 49, 52, 64, 90, 95, 128]);

/// Reads a payment request, advice or reversal. `Format` and `Terminal` are the only refusals.
pub fn to_request(message: &Message, place: &Place<'_>) -> Result<Request, Reason> {
    let class = message.mti().class();
    let reversal = class == MtiClass::Reversal;
    let terminal = text::<8>(message, 41)?.ok_or(Reason::Format)?;
    let sent = number64(message, 32)?.and_then(ParticipantId::new);
    let sent_retailer = text::<15>(message, 42)?.filter(|retailer| !retailer.is_blank());
    let processing = number(message, 3, Processing::new)?.ok_or(Reason::Format)?;
    let balance = processing.kind() == Some(TransactionKind::Balance);
    let amount = match number64(message, 4)? {
        Some(minor) => Amount::new(minor).ok_or(Reason::Format)?,
        None if balance => Amount::ZERO,
        None => return Err(Reason::Format),
    };
    let transmitted = message.get(7).and_then(MonthTime::parse).ok_or(Reason::Format)?;
    let stan = number(message, 11, Stan::new)?.ok_or(Reason::Format)?;
    let local = local_time(message, place)?;
    let rrn = text::<12>(message, 37)?.filter(|rrn| !rrn.is_blank());
    let expiry = expiry(message)?;
    // An advice names its pre-authorisation by DE90, DE37 or DE38, a reversal its original.
    let card = card(message, reversal || message.mti().function() == MtiFunction::Advice)?;
    let (currency, forwarding) = (currency(message, place)?, number64(message, 33)?.unwrap_or(0));
    let (original, actual) = (original(message)?, actual(message)?);
    // Everything malformed (30) has been found by now; who sends it (58) comes after (R-DE39).
    let (acquirer, retailer) = place_of(terminal, sent, sent_retailer, place)?;
    let seed = PaymentSeed { acquirer, terminal, stan, local };
    let candidate = seed.id(place.zone.local(place.now));
    let (card, card_valid) = match card {
        Card::Absent => (None, false),
        Card::Bad(None) => (None, false),
        Card::Bad(Some(pan)) => (Some(pan), false),
        Card::Good(pan) => (Some(pan), true),
    };
    let card = card.map(|pan| place.vault.reference(&pan, expiry, candidate.get(), SEAL_KIND));
    Ok(Request {
        mti: message.mti(),
        acquirer,
        terminal,
        retailer,
        stan,
        transmitted,
        local,
        rrn: rrn.unwrap_or_default(),
        rrn_sent: rrn.is_some(),
        processing,
        amount,
        currency,
        card,
        card_valid,
        expiry: expiry.and_then(|digits| scheme::number(&digits)?.try_into().ok()),
        forwarding,
        has_pin: message.has(52),
        original,
        actual,
        approval: text::<6>(message, 38)?.unwrap_or_default(),
        reason: if reversal { message.get(39).and_then(ResponseCode::new) } else { None },
        first_received: place.now,
        age_ms: 0,
        candidate,
        carried: if reversal { Carried::NONE } else { carried(message) },
    })
}

/// Who acquires, and for which retailer: from the message, or from the register.
fn place_of(
    terminal: TerminalId,
    sent: Option<ParticipantId>,
    retailer: Option<RetailerId>,
    place: &Place<'_>,
) -> Result<(ParticipantId, RetailerId), Reason> {
    match place.source {
        Source::Terminal(register) => {
            let (acquirer, own) = register.entry(terminal, sent).ok_or(Reason::Terminal)?;
            Ok((acquirer, retailer.unwrap_or(own)))
        }
        // DE32 must be that bank (58 otherwise), which the hub checks.
        Source::Bank(bank) => Ok((sent.unwrap_or(bank), retailer.unwrap_or_default())),
    }
}

fn local_time(message: &Message, place: &Place<'_>) -> Result<LocalTime, Reason> {
    let (date, time) = match (message.get(13), message.get(12)) {
        (Some(date), Some(time)) => return LocalTime::from_parts(date, time).ok_or(Reason::Format),
        absent => absent,
    };
    let clock: [u8; 10] = digits(place.zone.local(place.now).month_time().number().into());
    let (today, now) = clock.split_at(4);
    LocalTime::from_parts(date.unwrap_or(today), time.unwrap_or(now)).ok_or(Reason::Format)
}

fn currency(message: &Message, place: &Place<'_>) -> Result<u16, Reason> {
    let code = number(message, 49, |code| u16::try_from(code).ok())?;
    Ok(code.unwrap_or(place.currency))
}

enum Card {
    Absent,
    Bad(Option<Pan>),
    Good(Pan),
}

/// DE2 wins over DE35. A request must have one of them.
fn card(message: &Message, optional: bool) -> Result<Card, Reason> {
    let track = message.get(35).map(|track| {
        let end = track.iter().position(|b| matches!(b, b'=' | b'D')).unwrap_or(track.len());
        &track[..end]
    });
    let Some(digits) = message.get(2).or(track) else {
        return if optional { Ok(Card::Absent) } else { Err(Reason::Format) };
    };
    match Pan::parse(digits) {
        Ok(pan) if pan.check().is_ok() => Ok(Card::Good(pan)),
        Ok(pan) => Ok(Card::Bad(Some(pan))),
        Err(PanError::NotDigits) => Err(Reason::Format),
        Err(PanError::Length | PanError::CheckDigit) => Ok(Card::Bad(None)),
    }
}

/// DE14, or the four digits after the track's separator; YYMM.
fn expiry(message: &Message) -> Result<Option<Expiry>, Reason> {
    if let Some(sent) = message.get(14) {
        return digits4(sent).map(Some).ok_or(Reason::Format);
    }
    let Some(track) = message.get(35) else {
        return Ok(None);
    };
    let separator = track.iter().position(|b| matches!(b, b'=' | b'D'));
    Ok(separator.and_then(|at| track.get(at + 1..at + 5)).and_then(digits4))
}

fn digits4(text: &[u8]) -> Option<Expiry> {
    text.try_into().ok().filter(|digits: &Expiry| digits.iter().all(u8::is_ascii_digit))
}

/// DE90: MTI 4 + DE11 6 + DE7 10 + DE32 11 + DE33 11, all digits.
fn original(message: &Message) -> Result<Option<OriginalRef>, Reason> {
    let Some(value) = message.get(90) else {
        return Ok(None);
    };
    if value.len() != 42 {
        return Err(Reason::Format);
    }
    let part = |from: usize, to: usize| scheme::number(&value[from..to]).ok_or(Reason::Format);
    let narrow = |n: u64| u32::try_from(n).map_err(|_| Reason::Format);
    let mti = u16::try_from(part(0, 4)?).map_err(|_| Reason::Format)?;
    Ok(Some(OriginalRef {
        mti,
        stan: narrow(part(4, 10)?)?,
        // Ten digits above 4294967295 are no date either.
        transmitted: narrow(part(10, 20)?)?,
        acquirer: part(20, 31)?,
        forwarding: part(31, 42)?,
    }))
}

/// DE95: the first twelve digits are what was really paid.
fn actual(message: &Message) -> Result<Option<Amount>, Reason> {
    let Some(value) = message.get(95) else {
        return Ok(None);
    };
    let minor = value.get(..12).and_then(scheme::number).ok_or(Reason::Format)?;
    Amount::new(minor).map(Some).ok_or(Reason::Format)
}

fn carried(message: &Message) -> Carried {
    let mut carried = Carried::NONE;
    for (de, value) in message.fields() {
        if !NOT_CARRIED.has(de) {
            carried.push(de, value);
        }
    }
    carried
}

fn text<const N: usize>(message: &Message, de: u8) -> Result<Option<scheme::FixedText<N>>, Reason> {
    message
        .get(de)
        .map(|value| scheme::FixedText::new(value).map_err(|_| Reason::Format))
        .transpose()
}

fn number64(message: &Message, de: u8) -> Result<Option<u64>, Reason> {
    message.get(de).map(|value| scheme::number(value).ok_or(Reason::Format)).transpose()
}

fn number<T>(
    message: &Message,
    de: u8,
    make: impl Fn(u32) -> Option<T>,
) -> Result<Option<T>, Reason> {
    let Some(value) = number64(message, de)? else {
        return Ok(None);
    };
    let narrow = u32::try_from(value).map_err(|_| Reason::Format)?;
    make(narrow).map(Some).ok_or(Reason::Format)
}

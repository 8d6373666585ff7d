//! What the hub and an issuer say to each other (R-LINK): the hub's own DE11 and DE7, everything
//! else as the acquirer sent it.

use keys::{CardVault, UnsealError};
use scheme::{Amount, MonthTime, Mti, ParticipantId, PaymentId, Processing, ResponseCode, Stan};
use switch::hub::IssuerAnswer;
use switch::record::Seen;
use switch::{Carried, Text25, Trace};
use wire::iso8583::Message;

use crate::SEAL_KIND;

/// An 0420 to an issuer, or its repeat.
#[derive(Clone, Copy, Debug)]
pub struct Advice<'a> {
    /// The payment.
    pub id: PaymentId,
    /// Its request, as the acquirer sent it.
    pub seen: &'a Seen,
    /// DE11 and DE7 of the 0200 that it undoes.
    pub original: Trace,
    /// DE11 and DE7 of the advice.
    pub trace: Trace,
    /// DE39.
    pub code: ResponseCode,
    /// DE95.
    pub actual: Option<Amount>,
    /// Whether it is an 0421.
    pub repeat: bool,
}

/// The 0200 to an issuer.
pub fn ask(
    vault: &CardVault,
    id: PaymentId,
    seen: &Seen,
    trace: Trace,
    carried: &Carried,
) -> Result<Message, UnsealError> {
    let mut message = Message::new(seen.mti);
    for (de, value) in carried.iter() {
        message.set(de, value);
    }
    put_common(&mut message, vault, id, seen, trace)?;
    Ok(message)
}

/// The 0420 or 0421 to an issuer.
pub fn advise(vault: &CardVault, advice: &Advice<'_>) -> Result<Message, UnsealError> {
    let Advice { id, seen, original, trace, code, actual, repeat } = *advice;
    let first = Mti::new(420).unwrap_or(seen.mti);
    let mut message = Message::new(if repeat { first.repeat() } else { first });
    put_common(&mut message, vault, id, seen, trace)?;
    message.set(39, &code.bytes());
    message.set(90, original_data(seen, original).as_bytes());
    if let Some(actual) = actual {
        // Actual amounts of the transaction and of settlement, and their fees: none.
        let value = format!("{:012}{:012}C{:08}C{:08}", actual.minor(), 0, 0, 0);
        message.set(95, value.as_bytes());
    }
    Ok(message)
}

fn put_common(
    message: &mut Message,
    vault: &CardVault,
    id: PaymentId,
    seen: &Seen,
    trace: Trace,
) -> Result<(), UnsealError> {
    if let Some(card) = &seen.card {
        let (pan, _) = vault.pan(card, id.get(), SEAL_KIND)?;
        message.set(2, pan.digits());
    }
    message.set(3, format!("{}", seen.processing).as_bytes());
    message.set(4, format!("{:012}", seen.amount.minor()).as_bytes());
    message.set(7, format!("{}", trace.transmitted).as_bytes());
    message.set(11, format!("{}", trace.stan).as_bytes());
    message.set(12, format!("{:06}", seen.local.time()).as_bytes());
    message.set(13, format!("{:04}", seen.local.date()).as_bytes());
    message.set(32, format!("{}", seen.acquirer).as_bytes());
    message.set(37, seen.rrn.bytes());
    message.set(41, seen.terminal.bytes());
    message.set(42, seen.retailer.bytes());
    message.set(49, format!("{:03}", seen.currency).as_bytes());
    Ok(())
}

/// DE90 of this link: the hub's own DE11 and DE7; parts that were absent stay zero.
fn original_data(seen: &Seen, original: Trace) -> String {
    format!(
        "{}{}{}{:011}{:011}",
        seen.mti,
        original.stan,
        original.transmitted,
        seen.acquirer.get(),
        seen.forwarding
    )
}

/// An issuer's 0210; `None` when something that names the payment is missing or unreadable, so
/// that it is no answer.
pub fn answer(bank: ParticipantId, message: &Message) -> Option<IssuerAnswer> {
    let number = |de: u8| message.text(de)?.parse::<u64>().ok();
    let mut carried = Carried::NONE;
    for (de, value) in message.fields() {
        if !matches!(de, 1 | 7 | 11 | 15 | 64 | 90 | 128 | 38 | 39 | 44) {
            carried.push(de, value);
        }
    }
    Some(IssuerAnswer {
        bank,
        trace: trace(message)?,
        processing: Processing::new(u32::try_from(number(3)?).ok()?)?,
        amount: Amount::new(number(4)?)?,
        terminal: scheme::FixedText::new(message.get(41)?).ok()?,
        code: ResponseCode::new(message.get(39)?)?,
        approval: message
            .get(38)
            .and_then(|code| scheme::FixedText::new(code).ok())
            .unwrap_or_default(),
        text: message.get(44).and_then(|text| Text25::new(text).ok()).unwrap_or_default(),
        carried,
    })
}

/// An issuer's 0430: which advice, and its DE39.
pub fn acknowledgement(message: &Message) -> Option<(Trace, ResponseCode)> {
    Some((trace(message)?, ResponseCode::new(message.get(39)?)?))
}

fn trace(message: &Message) -> Option<Trace> {
    Some(Trace {
        stan: Stan::new(message.text(11)?.parse().ok()?)?,
        transmitted: MonthTime::parse(message.get(7)?)?,
    })
}

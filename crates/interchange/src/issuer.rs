//! What the hub and an issuer say to each other (R-LINK): the hub's own DE11 and DE7, everything
//! else as the acquirer sent it.

use keys::{CardVault, UnsealError};
use scheme::{
    Amount, ApprovalCode, MonthTime, Mti, ParticipantId, PaymentId, Processing, ResponseCode, Stan,
    digits, number,
};
use switch::hub::IssuerAnswer;
use switch::record::Seen;
use switch::{Carried, Text25, Trace};
use wire::iso8583::Message;

use crate::SEAL_KIND;
use crate::digits::Institution;
use crate::elements::Elements;

/// What of an issuer's answer goes no further: the acquirer has its own of these, they belong to
/// this link, or they are the card's (R-SECRETS).
const NOT_CARRIED: Elements = Elements::of(&[
    1, 2, 3, 4, 7, 11, 12, 13, 14, 15, 32, 35, 36, 37, 38, 39, 41, 42, 44, 45, 49, 52, 64, 90, 128,
]);

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

/// An 0220 to an issuer, or its repeat.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'a> {
    /// What the card is sealed under: the pre-authorisation.
    pub id: PaymentId,
    /// The pre-authorisation's request, with the amount that was completed.
    pub seen: &'a Seen,
    /// DE11 and DE7 of its 0100.
    pub original: Trace,
    /// DE11 and DE7 of the advice.
    pub trace: Trace,
    /// DE38 of the pre-authorisation; blank when it had none.
    pub approval: ApprovalCode,
    /// Whether it is an 0221.
    pub repeat: bool,
}

/// The 0100 or 0200 to an issuer.
pub fn ask(
    vault: &CardVault,
    id: PaymentId,
    seen: &Seen,
    trace: Trace,
    carried: &Carried,
) -> Result<Message, UnsealError> {
    let mut message = Message::new(seen.mti);
    put_common(&mut message, vault, id, seen, trace, carried)?;
    Ok(message)
}

/// Puts DE90 into a refund: the payment that it returns, in this link's values (R-FIELDS).
pub fn name_original(message: &mut Message, seen: &Seen, original: Trace) {
    message.set(90, &original_data(seen, original));
}

/// The 0420 or 0421 to an issuer.
pub fn advise(vault: &CardVault, advice: &Advice<'_>) -> Result<Message, UnsealError> {
    let Advice { id, seen, original, trace, code, actual, repeat } = *advice;
    let first = Mti::new(420).unwrap_or(seen.mti);
    let mut message = Message::new(if repeat { first.repeat() } else { first });
    put_common(&mut message, vault, id, seen, trace, &Carried::NONE)?;
    message.set(39, &code.bytes());
    message.set(90, &original_data(seen, original));
    if let Some(actual) = actual {
        // Actual amounts of the transaction and of settlement, and their fees: none.
        let mut value = *b"000000000000000000000000C00000000C00000000";
        value[..12].copy_from_slice(&digits::<12>(actual.minor()));
        message.set(95, &value);
    }
    Ok(message)
}

/// The 0220 or 0221 to an issuer: a pre-authorisation of its was completed.
pub fn complete(vault: &CardVault, completion: &Completion<'_>) -> Result<Message, UnsealError> {
    let Completion { id, seen, original, trace, approval, repeat } = *completion;
    let first = Mti::new(220).unwrap_or(seen.mti);
    let mut message = Message::new(if repeat { first.repeat() } else { first });
    put_common(&mut message, vault, id, seen, trace, &Carried::NONE)?;
    if !approval.is_blank() {
        message.set(38, approval.bytes());
    }
    message.set(90, &original_data(seen, original));
    Ok(message)
}

/// What every message about a payment holds, between `carried`: in ascending order, in which a
/// message is made without moving anything.
fn put_common(
    message: &mut Message,
    vault: &CardVault,
    id: PaymentId,
    seen: &Seen,
    trace: Trace,
    carried: &Carried,
) -> Result<(), UnsealError> {
    let pan = seen.card.as_ref().map(|card| vault.pan(card, id.get(), SEAL_KIND)).transpose()?;
    let institution = Institution::of(seen.acquirer);
    let own: [(u8, &[u8]); 12] = [
        (2, pan.as_ref().map_or(&[], |(pan, _)| pan.digits())),
        (3, &digits::<6>(seen.processing.get().into())),
        (4, &digits::<12>(seen.amount.minor())),
        (7, &digits::<10>(trace.transmitted.number().into())),
        (11, &digits::<6>(trace.stan.get().into())),
        (12, &digits::<6>(seen.local.time().into())),
        (13, &digits::<4>(seen.local.date().into())),
        (32, institution.text()),
        (37, if seen.rrn.is_blank() { &[] } else { seen.rrn.bytes() }),
        (41, seen.terminal.bytes()),
        (42, if seen.retailer.is_blank() { &[] } else { seen.retailer.bytes() }),
        (49, &digits::<3>(seen.currency.into())),
    ];
    let mut own = own.iter().filter(|(_, value)| !value.is_empty()).peekable();
    for (de, value) in carried.iter() {
        while let Some((before, value)) = own.next_if(|(own, _)| *own < de) {
            message.set(*before, value);
        }
        message.set(de, value);
    }
    for (de, value) in own {
        message.set(*de, value);
    }
    Ok(())
}

/// DE90 of this link: MTI of what is named, the hub's own DE11 and DE7 of it, DE32 and DE33; parts
/// that were absent stay zero.
fn original_data(seen: &Seen, original: Trace) -> [u8; 42] {
    let mut data = [b'0'; 42];
    data[..4].copy_from_slice(&digits::<4>(seen.mti.number().into()));
    data[4..10].copy_from_slice(&digits::<6>(original.stan.get().into()));
    data[10..20].copy_from_slice(&digits::<10>(original.transmitted.number().into()));
    data[20..31].copy_from_slice(&digits::<11>(seen.acquirer.get()));
    data[31..].copy_from_slice(&digits::<11>(seen.forwarding));
    data
}

/// An issuer's 0210; `None` when something that names the payment is missing or unreadable, so
/// that it is no answer.
pub fn answer(bank: ParticipantId, message: &Message) -> Option<IssuerAnswer> {
    let element = |de: u8| number(message.get(de)?);
    let mut carried = Carried::NONE;
    for (de, value) in message.fields() {
        if !NOT_CARRIED.has(de) {
            carried.push(de, value);
        }
    }
    Some(IssuerAnswer {
        bank,
        trace: trace(message)?,
        processing: Processing::new(u32::try_from(element(3)?).ok()?)?,
        amount: Amount::new(element(4)?)?,
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
        stan: Stan::new(number(message.get(11)?)?.try_into().ok()?)?,
        transmitted: MonthTime::parse(message.get(7)?)?,
    })
}

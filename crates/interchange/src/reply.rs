//! Answers as messages (R-FIELDS): an answer echoes what the request brought and adds its own.

use scheme::{ResponseCode, digits};
use switch::{Answer, Request};
use wire::iso8583::Message;

use crate::digits::Institution;
use crate::elements::Elements;
use crate::session::answer_mti;

/// DEs that every answer to a payment or reversal echoes.
const ECHOED: [u8; 12] = [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49];
/// DEs that the answer to a network message echoes.
const ECHOED_NETWORK: [u8; 3] = [7, 11, 70];
/// DEs of an issuer's answer that do not pass through: what is echoed, what is ours (7, 11, 15, 38,
/// 39, 44), and what belongs to the issuer's link or is no answer's business.
const NOT_PASSED: Elements = Elements::of(&[
    2, 3, 4, 7, 11, 12, 13, 15, 32, 37, 38, 39, 41, 42, 44, 49, 52, 64, 90, 95, 128,
]);
/// DEs that we echo or make ourselves, in any message; everything else in it passes through.
const MADE_HERE: Elements =
    Elements::of(&[2, 3, 4, 7, 11, 12, 13, 15, 32, 37, 38, 39, 41, 42, 44, 49, 70, 90]);
/// DE54, additional amounts.
const BALANCES: u8 = 54;

/// What must be kept of a request until it is answered.
pub(crate) fn echo_of(request: &Message) -> Message {
    let mut echo = Message::new(request.mti());
    let network = request.mti().class() == scheme::MtiClass::Network;
    let echoed: &[u8] = if network { &ECHOED_NETWORK } else { &ECHOED };
    for de in echoed {
        if let Some(value) = request.get(*de) {
            echo.set(*de, value);
        }
    }
    echo
}

/// What is echoed of a payment request, with what the station filled in where the message had none
/// (R-MATCH).
pub(crate) fn filled(message: &Message, request: &Request) -> Message {
    let mut echo = echo_of(message);
    let mut fill = |de: u8, value: &[u8]| {
        if !echo.has(de) {
            echo.set(de, value);
        }
    };
    fill(12, &digits::<6>(request.local.time().into()));
    fill(13, &digits::<4>(request.local.date().into()));
    fill(32, Institution::of(request.acquirer).text());
    if !request.retailer.is_blank() {
        fill(42, request.retailer.bytes());
    }
    fill(49, &digits::<3>(request.currency.into()));
    echo
}

/// The message that answers a request, made of its echo; `None` when it may not be answered.
pub(crate) fn to_message(echo: Message, answer: &Answer) -> Option<Message> {
    let mti = answer_mti(&echo)?;
    let mut message = echo;
    message.set_mti(mti);
    for (de, value) in answer.carried.iter() {
        // Balances are in an 0210 alone.
        let passes = de != BALANCES || mti.number() == 210;
        if passes && !NOT_PASSED.has(de) {
            message.set(de, value);
        }
    }
    message.set(39, &answer.code.bytes());
    // DE37 as sent is echoed (R-MATCH).
    if !message.has(37) && !answer.rrn.is_blank() {
        message.set(37, answer.rrn.bytes());
    }
    if let Some(date) = answer.business_date {
        message.set(15, &digits::<4>(date.month_day().into()));
    }
    if answer.code == ResponseCode::APPROVED && !answer.approval.is_blank() {
        message.set(38, answer.approval.bytes());
    }
    if !answer.text.is_blank() {
        message.set(44, answer.text.as_str().as_bytes());
    }
    Some(message)
}

/// The message with nothing in it but what we made or echo.
pub(crate) fn without_passengers(message: &Message) -> Message {
    let mut own = Message::new(message.mti());
    for (de, value) in message.fields() {
        if MADE_HERE.has(de) {
            own.set(de, value);
        }
    }
    own
}

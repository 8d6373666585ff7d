//! Answers as messages (R-FIELDS): an answer echoes what the request brought and adds its own.

use scheme::{ResponseCode, digits};
use switch::{Answer, Request};
use wire::iso8583::Message;

use crate::digits::Institution;
use crate::elements::Elements;
use crate::session::answer_mti;

/// DEs that every answer to a payment or reversal echoes.
const ECHOED: Elements = Elements::of(&[2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49]);
/// DEs that the answer to a network message echoes.
const ECHOED_NETWORK: Elements = Elements::of(&[7, 11, 70]);
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
    let network = request.mti().class() == scheme::MtiClass::Network;
    let echoed = if network { &ECHOED_NETWORK } else { &ECHOED };
    request.only(|de| echoed.has(de))
}

/// What is echoed of a payment request, with what the station filled in where the message had none
/// (R-MATCH).
pub(crate) fn filled(message: &Message, request: &Request) -> Message {
    let mut echo = echo_of(message);
    if !echo.has(12) {
        echo.set(12, &digits::<6>(request.local.time().into()));
    }
    if !echo.has(13) {
        echo.set(13, &digits::<4>(request.local.date().into()));
    }
    if !echo.has(32) {
        echo.set(32, Institution::of(request.acquirer).text());
    }
    if !echo.has(42) && !request.retailer.is_blank() {
        echo.set(42, request.retailer.bytes());
    }
    if !echo.has(49) {
        echo.set(49, &digits::<3>(request.currency.into()));
    }
    echo
}

/// Makes an echo the message that answers its request; `None` when it may not be answered.
pub(crate) fn to_message<'m>(message: &'m mut Message, answer: &Answer) -> Option<&'m Message> {
    let mti = answer_mti(message)?;
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
    message.only(|de| MADE_HERE.has(de))
}

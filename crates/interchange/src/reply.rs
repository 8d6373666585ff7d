//! Answers as messages (R-FIELDS): an answer echoes what the request brought and adds its own.

use scheme::ResponseCode;
use switch::{Answer, Request};
use wire::iso8583::Message;

use crate::session::answer_mti;

/// DEs that every answer to a payment or reversal echoes.
const ECHOED: [u8; 12] = [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49];
/// DEs that the answer to a network message echoes.
const ECHOED_NETWORK: [u8; 3] = [7, 11, 70];
/// DEs of an answer that are ours; everything else in it passes through.
const OWN: [u8; 6] = [7, 11, 15, 38, 39, 44];

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
    let local = request.local;
    let values = [
        (12, format!("{:06}", local.time())),
        (13, format!("{:04}", local.date())),
        (32, request.acquirer.to_string()),
        (42, if request.retailer.is_blank() { String::new() } else { wide(&request.retailer) }),
        (49, format!("{:03}", request.currency)),
    ];
    for (de, value) in values {
        if !echo.has(de) && !value.is_empty() {
            echo.set(de, value.as_bytes());
        }
    }
    echo
}

/// All characters of a fixed field, its padding included.
fn wide(retailer: &scheme::RetailerId) -> String {
    retailer.bytes().iter().map(|byte| char::from(*byte)).collect()
}

/// The message that answers a request; `None` when it may not be answered.
pub(crate) fn to_message(echo: &Message, answer: &Answer) -> Option<Message> {
    let mut message = echo.clone();
    message.set_mti(answer_mti(echo)?);
    for (de, value) in answer.carried.iter() {
        if !ECHOED.contains(&de) && !OWN.contains(&de) {
            message.set(de, value);
        }
    }
    message.set(39, &answer.code.bytes());
    // DE37 as sent is echoed (R-MATCH).
    if !message.has(37) && !answer.rrn.is_blank() {
        message.set(37, answer.rrn.bytes());
    }
    if let Some(date) = answer.business_date {
        message.set(15, format!("{:04}", date.month_day()).as_bytes());
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
        if ECHOED.contains(&de) || OWN.contains(&de) || ECHOED_NETWORK.contains(&de) || de == 90 {
            own.set(de, value);
        }
    }
    own
}

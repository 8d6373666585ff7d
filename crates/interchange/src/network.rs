//! Network management, 0800 and 0810 (DE70).

use scheme::{
    MonthTime, Mti, ParticipantId, Reason, ResponseCode, Stan, Timestamp, digits, number,
};
use wire::iso8583::Message;

/// What an 0800 asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// 001.
    SignOn,
    /// 002.
    SignOff,
    /// 301.
    Echo,
    /// Any other.
    Unsupported,
}

/// A network message that can be read: it has DE7 and DE11.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkRequest {
    /// What it asks for.
    pub function: Function,
    /// DE32: who says so.
    pub institution: Option<ParticipantId>,
}

/// Reads an 0800; the refusal is 30.
pub fn request(message: &Message) -> Result<NetworkRequest, Reason> {
    let complete = message.has(11) && message.get(7).and_then(MonthTime::parse).is_some();
    let code = message.text(70).ok_or(Reason::Format)?;
    if !complete {
        return Err(Reason::Format);
    }
    let function = match code {
        "001" => Function::SignOn,
        "002" => Function::SignOff,
        "301" => Function::Echo,
        _ => Function::Unsupported,
    };
    let institution = message.get(32).and_then(number).and_then(ParticipantId::new);
    Ok(NetworkRequest { function, institution })
}

/// The 0810 to an 0800: echoes 7, 11, 70, adds 39.
pub fn answer(request: &Message, code: ResponseCode) -> Message {
    let mut message = Message::new(Mti::new(810).unwrap_or(request.mti()));
    for de in [7, 11, 70] {
        if let Some(value) = request.get(de) {
            message.set(de, value);
        }
    }
    message.set(39, &code.bytes());
    message
}

/// An echo of ours.
pub fn echo(now: Timestamp, stan: Stan) -> Option<Message> {
    let mut message = Message::new(Mti::new(800)?);
    message.set(7, &digits::<10>(now.month_time().number().into()));
    message.set(11, &digits::<6>(stan.get().into()));
    message.set(70, b"301");
    Some(message)
}

/// The trace number that an 0810 answers.
pub fn answered(message: &Message) -> Option<Stan> {
    Stan::new(number(message.get(11)?)?.try_into().ok()?)
}

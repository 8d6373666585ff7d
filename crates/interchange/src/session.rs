//! One connection that speaks ISO 8583: it cuts frames, fixes the dialect on the first of them
//! (R-LINK), verifies and signs where the link has MAC keys (R-MAC), and keeps what an answer will
//! have to echo.

use std::collections::BTreeMap;

use keys::LinkMac;
use scheme::{Mti, Reason};
use switch::{Answer, Request, Text25};
use wire::frame::{Deframer, Framing};
use wire::iso8583::{Dialect, EncodeError, Message, recognise};

use crate::limits::MESSAGE_MAX;
use crate::reply;

/// A limit that a message has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Which, at most 9 characters.
    pub name: &'static str,
    /// When to come again, seconds.
    pub retry_s: u64,
}

impl Limit {
    /// DE44 (R-DE39): `LIMIT <name> RETRY <s>`, s of at most three digits.
    pub fn text(self) -> Text25 {
        let text = format!("LIMIT {} RETRY {}", self.name, self.retry_s.clamp(1, 999));
        // At most 6 + 9 + 7 + 3 characters, all of them plain.
        Text25::new(text.as_bytes()).unwrap_or_default()
    }
}

/// What a connection brought.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message(Box<Message>),
    /// A request that cannot be parsed, whose type and trace number could be read: answer 30.
    Unreadable(Box<Message>),
    /// A message without a MAC, or with one that does not hold: it says nothing, is answered
    /// nothing, and is no answer (R-MAC).
    BadMac,
    /// A message that is not to be read: whoever takes it has died of it.
    Deadly,
    /// The connection must be closed.
    Close(Broken),
}

/// Why a connection must be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The first frame fits no dialect of the door.
    NoDialect,
    /// A frame without a readable message type and trace number.
    Malformed,
    /// A length that no frame may have.
    Frame,
}

/// What the answer to a request will echo.
#[derive(Debug)]
pub struct Echo(Box<Message>);

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    deframer: Deframer,
    allowed: Vec<&'static Dialect>,
    dialect: Option<&'static Dialect>,
    /// Boxed, because a map moves its neighbours whenever one comes or goes.
    waiting: BTreeMap<u64, Box<Message>>,
    waiting_max: usize,
    mac: Option<LinkMac>,
    /// The message taken last, as it came.
    last: Vec<u8>,
}

impl Session {
    /// A connection on which any of these dialects may be spoken, in this order of preference.
    /// At most `waiting_max` requests wait for their answers.
    pub fn new(allowed: Vec<&'static Dialect>, waiting_max: usize) -> Self {
        Self {
            deframer: Deframer::new(Framing::Be2, MESSAGE_MAX),
            allowed,
            dialect: None,
            waiting: BTreeMap::new(),
            waiting_max,
            mac: None,
            last: Vec::new(),
        }
    }

    /// From here on every message has a MAC, both ways.
    pub fn authenticate(&mut self, mac: LinkMac) {
        self.mac = Some(mac);
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.deframer.push(bytes);
    }

    /// The next thing that they say.
    pub fn take(&mut self) -> Option<Incoming> {
        self.take_unless(|_| false)
    }

    /// The same; of a message that is not to be read, by its bytes, nothing is looked at.
    pub fn take_unless(&mut self, deadly: impl FnOnce(&[u8]) -> bool) -> Option<Incoming> {
        self.last.clear();
        let frame = match self.deframer.next() {
            Ok(Some(frame)) => {
                self.last.extend_from_slice(frame);
                if deadly(frame) {
                    return Some(Incoming::Deadly);
                }
                frame
            }
            Ok(None) => return None,
            Err(_) => return Some(Incoming::Close(Broken::Frame)),
        };
        let Some(dialect) = self.dialect else {
            let Some((dialect, message)) = recognise(&self.allowed, frame) else {
                return Some(Incoming::Close(Broken::NoDialect));
            };
            self.dialect = Some(dialect);
            let believed = is_authentic(self.mac.as_ref(), dialect, frame);
            return Some(if believed && has_place(self.mac.as_ref(), &message) {
                Incoming::Message(Box::new(message))
            } else {
                Incoming::BadMac
            });
        };
        if !is_authentic(self.mac.as_ref(), dialect, frame) {
            return Some(Incoming::BadMac);
        }
        Some(match dialect.decode(frame) {
            Ok(message) if !has_place(self.mac.as_ref(), &message) => Incoming::BadMac,
            Ok(message) => Incoming::Message(Box::new(message)),
            Err(error) => match error.partial {
                Some(partial) if partial.mti().is_request() && partial.has(11) => {
                    Incoming::Unreadable(partial)
                }
                // An answer is never answered, and garbage cannot be.
                Some(_) | None => Incoming::Close(Broken::Malformed),
            },
        })
    }

    /// The bytes of what was taken last, without their frame; empty when that was no message.
    pub fn last_taken(&self) -> &[u8] {
        &self.last
    }

    /// Half a frame is waiting for its other half.
    pub fn is_half_read(&self) -> bool {
        self.deframer.buffered() > 0
    }

    /// Frames a message in the connection's dialect. A message of ours that the dialect cannot
    /// carry loses the fields that pass through, and is then sent with what we made ourselves.
    pub fn frame(&self, message: &Message, out: &mut Vec<u8>) {
        let Some(dialect) = self.dialect.or(self.allowed.first().copied()) else {
            return;
        };
        let start = out.len();
        // The length stands here once it is known.
        out.extend_from_slice(&[0; 2]);
        if self.encode(dialect, message, out).is_err() {
            let encoded = self.encode(dialect, &reply::without_passengers(message), out);
            // Everything that we put into a message ourselves is of the right type and length.
            assert!(encoded.is_ok(), "a message of our own cannot be encoded: {message:?}");
        }
        if let Some(mac) = &self.mac {
            let code = mac.sign.sign(&[&out[start + 2..]]);
            dialect.put_mac(&code, out);
        }
        let length = u16::try_from(out.len() - start - 2);
        // 128 elements of our own making are a few KiB.
        let length = length.expect("an encoded message is shorter than a frame may be");
        out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn encode(
        &self,
        dialect: &Dialect,
        message: &Message,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match &self.mac {
            Some(_) => dialect.encode_before_mac(message, out),
            None => dialect.encode(message, out),
        }
    }

    /// Remembers what the answer to a request will echo, under the host's number of it: what the
    /// message brought, and what was filled in for it. `false` when too many wait.
    #[must_use]
    pub fn expect_answer(&mut self, ticket: u64, message: &Message, request: &Request) -> bool {
        let room = self.waiting.len() < self.waiting_max;
        if room {
            self.waiting.insert(ticket, Box::new(reply::filled(message, request)));
        }
        room
    }

    /// Frames the answer to a request that waits; `false` when nothing waits under that number.
    pub fn answer(&mut self, ticket: u64, answer: &Answer, out: &mut Vec<u8>) -> bool {
        let Some(mut echo) = self.waiting.remove(&ticket) else {
            return false;
        };
        if let Some(message) = reply::to_message(&mut echo, answer) {
            self.frame(message, out);
        }
        true
    }

    /// Frames the answer to a request of another connection of the same peer, which took with it
    /// what the answer echoes.
    pub fn answer_for(&self, echo: &Echo, answer: &Answer, out: &mut Vec<u8>) {
        if let Some(message) = reply::to_message(&mut echo.0.clone(), answer) {
            self.frame(message, out);
        }
    }

    /// What waits for an answer when the connection is gone, by the host's numbers.
    pub fn into_waiting(self) -> impl Iterator<Item = (u64, Echo)> {
        self.waiting.into_iter().map(|(ticket, echo)| (ticket, Echo(echo)))
    }

    /// Frames a refusal of a message that never became a request.
    pub fn refuse(&self, request: &Message, reason: Reason, out: &mut Vec<u8>) {
        let answer = Answer::refusal(reason, scheme::Rrn::BLANK);
        if let Some(message) = reply::to_message(&mut reply::echo_of(request), &answer) {
            self.frame(message, out);
        }
    }

    /// Frames the refusal of a message that was one too many: 96, and when to come again.
    pub fn refuse_limit(&self, request: &Message, limit: Limit, out: &mut Vec<u8>) {
        let mut answer = Answer::refusal(Reason::Overload, scheme::Rrn::BLANK);
        answer.text = limit.text();
        if let Some(message) = reply::to_message(&mut reply::echo_of(request), &answer) {
            self.frame(message, out);
        }
    }

    /// How many requests wait for an answer.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The dialect, once the first frame has fixed it.
    pub fn dialect(&self) -> Option<&'static Dialect> {
        self.dialect
    }
}

/// Whether the last bytes of a frame are the MAC of those before; without keys any frame is taken.
/// Nothing of a frame is believed before.
fn is_authentic(mac: Option<&LinkMac>, dialect: &Dialect, frame: &[u8]) -> bool {
    let Some(mac) = mac else { return true };
    let parts = dialect.split_mac(frame);
    parts.is_some_and(|(covered, code)| mac.verify.verify(&[covered], &code))
}

/// Whether the bitmap, which the MAC covers, calls those bytes a MAC.
fn has_place(mac: Option<&LinkMac>, message: &Message) -> bool {
    mac.is_none() || message.has_mac_in_place()
}

/// The message type of the answer to a message, if it may be answered at all.
pub(crate) fn answer_mti(request: &Message) -> Option<Mti> {
    request.mti().answer()
}

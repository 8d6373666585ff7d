//! A terminal's line: one request, and the answer that belongs to it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use wire::frame::{Deframer, Framing, write_frame};
use wire::iso8583::{Dialect, Message};

use crate::error::Failure;
use crate::limits::ANSWER_MAX;
use crate::output;

/// An answer, and how long it took.
pub(crate) struct Answer {
    /// Decoded.
    pub(crate) message: Message,
    /// From the last byte sent to the last byte received, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

/// Sends the request to `to` and waits that long for its answer.
pub(crate) fn ask(
    to: &str,
    dialect: &Dialect,
    request: &Message,
    wait: Duration,
) -> Result<Answer, Failure> {
    let mut payload = Vec::new();
    dialect.encode(request, &mut payload).map_err(|error| {
        let place = format!("DE{} ({})", error.de, dialect.field(error.de).name);
        Failure::new("bad_field", error.to_string()).at(place).todo("give a value that fits")
    })?;
    let mut frame = Vec::with_capacity(payload.len() + 2);
    write_frame(Framing::Be2, &payload, &mut frame)
        .map_err(|error| Failure::new("bad_field", error.to_string()).at("the message"))?;
    let mut line = connect(to, wait)?;
    let started = Instant::now();
    // Part of it may have arrived, so from here on nobody knows.
    line.write_all(&frame).map_err(|error| lost(to, &error))?;
    let mut deframer = Deframer::new(Framing::Be2, ANSWER_MAX);
    loop {
        let payload = receive(&mut line, &mut deframer, to, started, wait)?;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let message = dialect.decode(&payload).map_err(|error| {
            Failure::new("bad_answer", format!("the answer can't be read: {error}")).at(to)
        })?;
        if belongs(request, &message) {
            return Ok(Answer { message, elapsed_ms });
        }
        let stan = message.text(11).unwrap_or("none");
        output::note(&format!(
            "note: passed over a {} with DE11 {stan}, which answers something else",
            message.mti()
        ));
    }
}

/// Whether it answers this request: its type, its trace number, its terminal.
fn belongs(request: &Message, answer: &Message) -> bool {
    let same = |de| request.get(de) == answer.get(de);
    request.mti().answer() == Some(answer.mti()) && same(11) && (!answer.has(41) || same(41))
}

fn connect(to: &str, wait: Duration) -> Result<TcpStream, Failure> {
    let unreachable = |why: String| {
        Failure::new("no_connection", format!("no connection: {why}"))
            .at(to)
            .todo("nothing was sent; check --to, and that the station runs (`bongsu up`)")
    };
    let addresses: Vec<SocketAddr> =
        to.to_socket_addrs().map_err(|error| unreachable(error.to_string()))?.collect();
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, wait) {
            Ok(line) => {
                // A frame is one write already; without this it could still wait for more.
                drop(line.set_nodelay(true));
                return Ok(line);
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(unreachable(last))
}

fn receive(
    line: &mut TcpStream,
    deframer: &mut Deframer,
    to: &str,
    started: Instant,
    wait: Duration,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = [0; 4096];
    loop {
        let next = deframer.next().map_err(|error| {
            Failure::new("bad_answer", format!("the answer is no frame: {error}")).at(to)
        })?;
        if let Some(payload) = next {
            return Ok(payload.to_vec());
        }
        let left = wait.checked_sub(started.elapsed()).filter(|left| !left.is_zero());
        let Some(left) = left else {
            return Err(silent(to, wait));
        };
        line.set_read_timeout(Some(left)).map_err(|error| lost(to, &error))?;
        match line.read(&mut bytes) {
            Ok(0) => {
                return Err(Failure::new("closed", "the line was closed without an answer").at(to));
            }
            Ok(count) => deframer.push(&bytes[..count]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err(silent(to, wait)),
                ErrorKind::Interrupted => {}
                _ => return Err(lost(to, &error)),
            },
        }
    }
}

fn silent(to: &str, wait: Duration) -> Failure {
    Failure::new("no_answer", format!("no answer within {} s", wait.as_secs_f32())).at(to)
}

fn lost(to: &str, error: &std::io::Error) -> Failure {
    Failure::new("lost", format!("the line was lost: {error}")).at(to)
}

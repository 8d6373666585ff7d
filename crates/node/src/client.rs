//! One question to a running role over its socket: HTTP/1.1, one answer, bounded in bytes and
//! time. For commands, which must not need an asynchronous runtime.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{RunError, RunErrorKind};
use crate::limits::{ANSWER_BYTES, ANSWER_WAIT};
use crate::socket_path;

/// Longest head of an answer, bytes: ours have five short lines.
const HEAD_BYTES: usize = 16 * 1024;

/// Asks for `path` (as in `/api/v1/overview`) at the socket `DIR/run/ROLE.sock`. Returns status
/// and body, whatever the status is.
pub fn get(socket: &Path, path: &str) -> Result<(u16, Vec<u8>), RunError> {
    ask(socket, "GET", path, &[])
}

/// Sends `body` to `path` at that socket. Returns status and body, whatever the status is.
pub fn post(socket: &Path, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), RunError> {
    ask(socket, "POST", path, body)
}

fn ask(socket: &Path, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), RunError> {
    let place = || format!("{} {path}", socket.display());
    let broken = |what: &str| {
        let remedy = "see the role's log; is it of the same version?";
        RunError::new(RunErrorKind::Answer, what.to_owned(), place(), remedy)
    };
    if !path.starts_with('/') || path.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(broken("this is no path of a request"));
    }
    let mut stream = socket_path::connect(socket)?;
    let until = Instant::now() + ANSWER_WAIT;
    let mut exchange = || -> std::io::Result<Vec<u8>> {
        stream.set_write_timeout(Some(ANSWER_WAIT))?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: bongsu\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match stream.read(&mut piece) {
                Ok(0) => return Ok(answer),
                Ok(count) => answer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if answer.len() > ANSWER_BYTES || Instant::now() >= until {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
        }
    };
    let answer = exchange().map_err(|error| broken(&format!("no whole answer came: {error}")))?;
    parse(&answer).map_err(broken)
}

/// Status and body of a whole answer.
fn parse(answer: &[u8]) -> Result<(u16, Vec<u8>), &'static str> {
    let window = &answer[..answer.len().min(HEAD_BYTES)];
    let end = window.windows(4).position(|w| w == b"\r\n\r\n").ok_or("the answer has no head")?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| "the head is no text")?;
    let body = &answer[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or("the answer has no status")?;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a header has no colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            let length: usize = value.trim().parse().map_err(|_| "the length is no number")?;
            let whole = body.len() == length;
            return if whole { Ok((status, body.to_vec())) } else { Err("the answer is cut") };
        }
    }
    Err("the answer does not say how long it is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_no_answer() {
        let whole = b"HTTP/1.1 503 x\r\ncontent-type: a\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(parse(whole), Ok((503, b"abc".to_vec())));
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").is_err());
    }
}

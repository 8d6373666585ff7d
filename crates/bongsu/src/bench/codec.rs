//! `bongsu bench codec`: messages per second that one core reads and writes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use wire::iso8583::{Dialect, Message};

use super::decimals;
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Messages between two looks at the clock.
const ROUND: u32 = 2_000;
/// Rounds that are not counted.
const WARM_UP: u32 = 20;
/// What is read and written: a purchase with twenty elements.
const PURCHASE: [(u8, &str); 20] = [
    (2, "9408020000000015"),
    (3, "000000"),
    (4, "000000001250"),
    (7, "1122030405"),
    (11, "000012"),
    (12, "120405"),
    (13, "1122"),
    (14, "3112"),
    (18, "5411"),
    (19, "408"),
    (22, "051"),
    (25, "00"),
    (32, "100001"),
    (35, "9408020000000015=31122011234567890123"),
    (37, "632612000012"),
    (41, "PYO00001"),
    (42, "PYO-SHOP-000001"),
    (43, "NATIONAL MARKET 1        PYONGYANG    KP"),
    (49, "408"),
    (60, "0123456789"),
];

/// Messages per second that one core decodes and encodes
///
/// One thread reads a purchase (0200) of twenty elements from bytes, every element checked, and
/// writes it to bytes again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench codec --format json

Prints with --format json:
  {\"messages_per_s\",\"bytes_per_s\"}")]
pub(crate) struct CodecBench {
    /// Dialect
    #[arg(long, value_name = "NAME", default_value = crate::dialect::DEFAULT)]
    dialect: String,
    /// Seconds
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    #[command(flatten)]
    format: FormatArg,
}

impl CodecBench {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let dialects = crate::dialect::named(&self.dialect)?;
        let dialect = dialects.list()[0];
        let mti = scheme::Mti::new(200).ok_or_else(|| broken("no 0200"))?;
        let mut message = Message::new(mti);
        for (de, value) in PURCHASE {
            message.set(de, value.as_bytes());
        }
        let mut bytes = Vec::new();
        dialect.encode(&message, &mut bytes).map_err(|error| broken(&error.to_string()))?;
        if dialect.decode(&bytes).ok().as_ref() != Some(&message) {
            return Err(broken("what was written is not what is read"));
        }
        let seen = measure(dialect, &bytes, Duration::from_secs(self.seconds));
        let per_s = f64::from(seen.rounds * ROUND) / seen.time.as_secs_f64();
        let bytes_per_s = per_s * bytes.len() as f64;
        match self.format.format {
            Format::Json => output::json(&json!({
                "messages_per_s": decimals(per_s, 0),
                "bytes_per_s": decimals(bytes_per_s, 0),
                "decode_ns": decimals(seen.per_message(seen.decoding), 1),
                "encode_ns": decimals(seen.per_message(seen.time - seen.decoding), 1),
                "message_bytes": bytes.len(),
                "elements": PURCHASE.len(),
                "dialect": self.dialect,
            }))?,
            Format::Text => output::text(&format!(
                "method: one thread, 0200 of {} elements and {} bytes in {}, decoded, then encoded\
                 \n\n\
                 {per_s:.0} messages/s, {:.1} MB/s; decode {:.0} ns, encode {:.0} ns",
                PURCHASE.len(),
                bytes.len(),
                self.dialect,
                bytes_per_s / 1e6,
                seen.per_message(seen.decoding),
                seen.per_message(seen.time - seen.decoding),
            ))?,
        }
        Ok(Exit::Fine)
    }
}

/// What was seen.
struct Seen {
    rounds: u32,
    time: Duration,
    /// The part of it for decoding.
    decoding: Duration,
}

impl Seen {
    fn per_message(&self, time: Duration) -> f64 {
        time.as_nanos() as f64 / f64::from(self.rounds * ROUND)
    }
}

fn measure(dialect: &Dialect, bytes: &[u8], wanted: Duration) -> Seen {
    let mut seen = Seen { rounds: 0, time: Duration::ZERO, decoding: Duration::ZERO };
    let mut messages = Vec::new();
    let mut out = Vec::new();
    let mut rounds = 0;
    while seen.time < wanted {
        let began = Instant::now();
        for _ in 0..ROUND {
            // The last hundred stay, so that memory is taken and given back as in real work.
            if messages.len() >= 100 {
                messages.clear();
            }
            messages.extend(dialect.decode(black_box(bytes)).ok());
        }
        let decoded = began.elapsed();
        for at in 0..ROUND as usize {
            out.clear();
            let message = black_box(&messages[at % messages.len()]);
            // It was encoded before.
            let _ = dialect.encode(message, &mut out);
            black_box(&out);
        }
        rounds += 1;
        if rounds > WARM_UP {
            seen.rounds += 1;
            seen.time += began.elapsed();
            seen.decoding += decoded;
        }
    }
    seen
}

fn broken(what: &str) -> Failure {
    Failure::new("codec", what.to_owned()).todo("use another dialect")
}

//! `bongsu pay`: one payment, as the terminal of a shop makes it.

mod order;
mod receipt;
mod terminal;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use scheme::{Amount, Currency, MonthTime, Pan, PanError, Stan, Timestamp};
use serde_json::{Value, json};

use crate::dialect;
use crate::error::{Exit, Failure};
use crate::limits::{TERMINAL_WAIT_MAX_S, TERMINAL_WAIT_S};
use crate::nation::{Nation, Place};
use crate::output::{self, Format, FormatArg};
use order::{Kind, Order, Original};
use receipt::Receipt;

/// The first station of the example nation.
const DOOR_DEFAULT: &str = "127.0.0.1:8583";

/// Make one payment as a terminal, and print its receipt
///
/// Ends with 0 if it is approved, 1 if it is declined, 2 if nobody knows or nothing was sent.
/// After silence or a lost line the money may have moved: ask again with --repeat, never with a
/// new payment.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu pay --pan 9408020000000015 --amount 12.50
  bongsu pay --kind reversal --original 6326PY00005T --pan 9408020000000015
  bongsu pay --kind refund --original 6326PY00005T --pan 9408020000000015 --amount 2.50
  bongsu pay --kind preauth --pan 9408020000000015 --amount 80
  bongsu pay --kind complete --original 6326PY00005U --pan 9408020000000015 --amount 64.30
  bongsu pay --pan 9408020000000015 --amount 12.50 --repeat --stan 12 --at 2026-11-22T09:14:07Z

Prints with --format json:
  {\"mti\",\"response_code\",\"approved\",\"rrn\",\"approval_code\",\"stan\",\
\"amount\",\"currency\",\"elapsed_ms\"}")]
pub(crate) struct Pay {
    /// Station's port for terminals; by default the first running station of the nation in DIR,
    /// else 127.0.0.1:8583
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
    /// What is asked for
    #[arg(long, value_enum, default_value_t = Kind::Purchase)]
    kind: Kind,
    /// Card number
    #[arg(long)]
    pan: Option<String>,
    /// Amount, as in 12.50; where there is an original, by default what the running nation says
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Currency of the nation: letters or digits of ISO 4217
    #[arg(long, default_value = "KPW")]
    currency: String,
    /// Expiry of the card, YYMM
    #[arg(long, default_value = "3112")]
    expiry: String,
    /// Terminal (DE41); by default the first of that address in the running nation
    #[arg(long)]
    terminal: Option<String>,
    /// Retailer (DE42); by default the terminal's
    #[arg(long)]
    retailer: Option<String>,
    /// The retailer's bank (DE32); by default the terminal's
    #[arg(long)]
    acquirer: Option<String>,
    /// Trace number (DE11), 1 to 999999; by default one made of the time
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=999_999))]
    stan: Option<u32>,
    /// The terminal's clock, RFC 3339; by default now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Say that it was sent before (0101, 0201, 0221, 0421)
    #[arg(long, requires = "stan", requires = "at")]
    repeat: bool,
    /// Reversal, refund, complete: RRN of the original
    #[arg(long, value_name = "RRN")]
    original: Option<String>,
    /// The same by trace number, where the RRN is not known
    #[arg(long, value_name = "STAN", value_parser = clap::value_parser!(u32).range(1..=999_999))]
    original_stan: Option<u32>,
    /// When that original was sent, RFC 3339
    #[arg(long, value_name = "TIME", requires = "original_stan")]
    original_at: Option<String>,
    /// Reversal: what the original was; by default what the running nation says, else a purchase
    #[arg(long, value_enum)]
    original_kind: Option<Kind>,
    /// Complete: approval code of the preauth, where neither of these is known
    #[arg(long, value_name = "CODE")]
    original_approval: Option<String>,
    /// Reversal: so much stays with the shop, the rest goes back
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    keep: Option<String>,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = f64::from(TERMINAL_WAIT_S))]
    timeout: f64,
    /// Dialect, by name or as a file
    #[arg(long, value_name = "NAME|FILE", default_value = dialect::DEFAULT)]
    dialect: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

impl Pay {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let wait = self.wait()?;
        let dialects = dialect::named(&self.dialect)?;
        let nation = Nation::of(&self.place)?;
        let to = match &self.to {
            Some(to) => to.clone(),
            None => nation.first_door()?.unwrap_or_else(|| DOOR_DEFAULT.to_owned()),
        };
        nation.check_door(&to)?;
        let order = self.order(&nation, &to)?;
        let answer = terminal::ask(&to, dialects.list()[0], &order.message(), wait)
            .map_err(|failure| self.unknown(&order, failure))?;
        let receipt = Receipt { order: &order, answer: &answer };
        match self.format.format {
            Format::Json => output::json(&receipt.json())?,
            Format::Text => output::text(&receipt.text())?,
        }
        Ok(if receipt.is_approved() { Exit::Fine } else { Exit::No })
    }

    fn wait(&self) -> Result<Duration, Failure> {
        let allowed = 0.001..=f64::from(TERMINAL_WAIT_MAX_S);
        if !allowed.contains(&self.timeout) {
            let what = format!("0.001 to {TERMINAL_WAIT_MAX_S} seconds are possible");
            return Err(Failure::new("usage", what).at("--timeout"));
        }
        Ok(Duration::from_secs_f64(self.timeout))
    }

    /// After the request may have left, what its sender must know beside the failure.
    fn unknown(&self, order: &Order, mut failure: Failure) -> Failure {
        let never_left = matches!(failure.kind, "no_connection" | "bad_field");
        if !never_left {
            let (stan, at) = (order.stan, order.at);
            failure.remedy = Some(match order.kind {
                Kind::Echo | Kind::Balance => "no money is concerned; try again".into(),
                _ if order.kind.has_amount() => format!(
                    "the money may have moved: run the same with --repeat --stan {stan} \
                     --at {at}, no new payment"
                ),
                _ => "try again".into(),
            });
            failure.details.push(("stan", json!(stan.to_string())));
            failure.details.push(("at", json!(at.to_string())));
        }
        failure.details.push(("sent", json!(!never_left)));
        failure
    }

    fn order(&self, nation: &Nation, to: &str) -> Result<Order, Failure> {
        let currency = nation.currency();
        self.check_currency(currency)?;
        let known = nation.terminal(to, self.terminal.as_deref())?;
        let at = match &self.at {
            Some(at) => moment("--at", at)?,
            None => now(),
        };
        let stan = self.stan.and_then(Stan::new).unwrap_or_else(|| stan_of(at));
        let mut retailer = known.retailer;
        if let Some(given) = &self.retailer {
            retailer = Some(
                scheme::RetailerId::new(given.as_bytes()).map_err(Failure::unfit("--retailer"))?,
            );
        }
        let mut acquirer = known.acquirer;
        if let Some(given) = &self.acquirer {
            let parsed = given.parse().ok().and_then(scheme::ParticipantId::new);
            acquirer = Some(parsed.ok_or_else(|| {
                Failure::new("usage", format!("{given} is no institution code"))
                    .at("--acquirer")
                    .todo("up to 11 digits, as in 100001")
            })?);
        }
        let found = match &self.original {
            Some(rrn) if self.kind.has_original() => {
                let known = nation.payments(rrn, known.terminal.as_str())?;
                original_among(known, self.kind, self.original_kind)
            }
            Some(_) | None => None,
        };
        let amount = self.money(currency, found.as_ref())?;
        Ok(Order {
            kind: self.kind,
            pan: self.card()?,
            expiry: self.card_expiry()?,
            amount,
            kept: self.kept(currency, amount)?,
            currency,
            terminal: known.terminal,
            retailer,
            acquirer,
            stan,
            at,
            zone: nation.zone(at),
            is_repeat: self.repeat,
            original: self.original(found.as_ref())?,
        })
    }

    fn check_currency(&self, currency: Currency) -> Result<(), Failure> {
        let numeric = format!("{:03}", currency.numeric());
        if self.currency == currency.alpha() || self.currency == numeric {
            return Ok(());
        }
        let alpha = currency.alpha();
        Err(Failure::new("usage", format!("{} is not the nation's currency", self.currency))
            .at("--currency")
            .todo(format!("{alpha} or {numeric}")))
    }

    /// A wrong check digit is sent: refusing it is the switch's answer (DE39 14).
    fn card(&self) -> Result<Option<Pan>, Failure> {
        match &self.pan {
            None if self.kind == Kind::Echo => Ok(None),
            None => Err(Failure::new("usage", "a card number is needed")
                .at("--pan")
                .todo("--pan 9408020000000015 is a card of the example nation")),
            Some(pan) => Pan::parse(pan.as_bytes()).map(Some).map_err(|error| {
                let what = match error {
                    PanError::Length => "a card number has 10 to 19 digits",
                    PanError::NotDigits | PanError::CheckDigit => "a card number has digits alone",
                };
                let remedy = "as in 9408020000000015, a card of the example nation";
                Failure::new("usage", what).at("--pan").todo(remedy)
            }),
        }
    }

    fn card_expiry(&self) -> Result<String, Failure> {
        let is_fine = self.expiry.len() == 4 && self.expiry.bytes().all(|b| b.is_ascii_digit());
        if !is_fine {
            let what = format!("{} is no expiry date", self.expiry);
            return Err(Failure::new("usage", what).at("--expiry").todo("YYMM, as in 3112"));
        }
        let month = self.expiry.get(2..).and_then(|month| month.parse::<u8>().ok());
        if !month.is_some_and(|month| (1..=12).contains(&month)) {
            let what = format!("{} has no month from 01 to 12", self.expiry);
            let remedy = "year, then month: YYMM, as in 3112 for December 2031";
            return Err(Failure::new("usage", what).at("--expiry").todo(remedy));
        }
        Ok(self.expiry.clone())
    }

    /// `found` is the original, as the running nation knows it.
    fn money(&self, currency: Currency, found: Option<&Value>) -> Result<Amount, Failure> {
        let of_original = found.and_then(|payment| payment["amount"].as_str());
        let example = "--amount 12.50";
        match self.amount.as_deref().or(of_original) {
            Some(text) => currency.parse(text).map_err(|error| {
                Failure::new("usage", format!("{text}: {error}")).at("--amount").todo(example)
            }),
            None if !self.kind.has_amount() => Ok(Amount::ZERO),
            None => Err(Failure::new("usage", "an amount is needed").at("--amount").todo(example)),
        }
    }

    /// What a reversal in part leaves.
    fn kept(&self, currency: Currency, amount: Amount) -> Result<Option<Amount>, Failure> {
        let Some(text) = &self.keep else { return Ok(None) };
        let wrong = |what: String, remedy: &'static str| {
            Err(Failure::new("usage", what).at("--keep").todo(remedy))
        };
        if self.kind != Kind::Reversal {
            let what = format!("a {} returns nothing in part", self.kind.name());
            return wrong(what, "--kind reversal, or --kind refund with its own amount");
        }
        match currency.parse(text) {
            Err(error) => wrong(format!("{text}: {error}"), "--keep 4.00"),
            Ok(kept) if kept >= amount => {
                let whole = currency.show(amount);
                wrong(format!("{text} of {whole} leaves nothing to return"), "less than the amount")
            }
            Ok(kept) => Ok(Some(kept)),
        }
    }

    /// Whether an original is named where one must be, and nowhere else.
    fn check_named(&self) -> Result<(), Failure> {
        let approval = self.original_approval.is_some();
        let named = self.original.is_some() || self.original_stan.is_some() || approval;
        let kind = self.kind.name();
        if named && !self.kind.has_original() {
            let what = format!("a {kind} has no original");
            return Err(Failure::new("usage", what).at("--original").todo("--kind reversal"));
        }
        if approval && self.kind != Kind::Complete {
            let what = format!("a {kind} names its original by its RRN or trace number");
            return Err(Failure::new("usage", what).at("--original-approval"));
        }
        if !named && matches!(self.kind, Kind::Reversal | Kind::Complete) {
            let article = if self.kind == Kind::Complete { "a completion" } else { "a reversal" };
            return Err(Failure::new("usage", format!("{article} names its original"))
                .at("--original")
                .todo("--original RRN, or --original-stan STAN, as the receipt has them"));
        }
        Ok(())
    }

    fn original(&self, found: Option<&Value>) -> Result<Original, Failure> {
        self.check_named()?;
        let known = |key: &str| found.and_then(|payment| payment[key].as_str());
        let known_kind = known("kind").and_then(Kind::named);
        let usual = if self.kind == Kind::Complete { Kind::Preauth } else { Kind::Purchase };
        let kind = self.original_kind.or(known_kind).unwrap_or(usual);
        if matches!(kind, Kind::Reversal | Kind::Balance | Kind::Echo) {
            let what = format!("a {} can't be reversed", kind.name());
            return Err(Failure::new("usage", what).at("--original-kind"));
        }
        let rrn = match &self.original {
            Some(rrn) => {
                Some(scheme::Rrn::new(rrn.as_bytes()).map_err(Failure::unfit("--original"))?)
            }
            None => None,
        };
        let transmitted: Option<MonthTime> = match &self.original_at {
            Some(at) => Some(moment("--original-at", at)?.month_time()),
            None => None,
        };
        // DE90 would name the hold alone; DE37 finds what its completion posted.
        let completed = self.kind == Kind::Reversal
            && known_kind == Some(Kind::Preauth)
            && known("status") == Some("posted");
        let known_stan = known("stan").filter(|_| !completed).and_then(|stan| stan.parse().ok());
        let stan = self.original_stan.or(known_stan).and_then(Stan::new);
        let approval = match &self.original_approval {
            Some(code) => Some(
                scheme::ApprovalCode::new(code.as_bytes())
                    .map_err(Failure::unfit("--original-approval"))?,
            ),
            None => None,
        };
        Ok(Original { kind, rrn, stan, transmitted, approval })
    }
}

/// The payment that a request speaks of, among those with the RRN that it gives. A refund may have
/// its purchase's: only a reversal speaks of a refund, if that is all there is or what was said.
/// Of several nobody knows.
fn original_among(mut known: Vec<Value>, kind: Kind, original: Option<Kind>) -> Option<Value> {
    let is = |payment: &Value, kind: Kind| payment["kind"] == kind.name();
    let is_alone = known.len() == 1 && kind == Kind::Reversal;
    known.retain(|payment| match kind {
        Kind::Complete => is(payment, Kind::Preauth),
        Kind::Reversal => is_alone || is(payment, Kind::Refund) == (original == Some(Kind::Refund)),
        Kind::Refund => !is(payment, Kind::Refund),
        Kind::Purchase | Kind::Cash | Kind::Preauth | Kind::Balance | Kind::Echo => false,
    });
    if known.len() > 1 { None } else { known.pop() }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn moment(place: &'static str, text: &str) -> Result<Timestamp, Failure> {
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    let nanoseconds = parsed.and_then(|at| u64::try_from(at.as_nanosecond()).ok());
    nanoseconds.map(Timestamp).ok_or_else(|| {
        Failure::new("usage", format!("{text} is no time with its zone, or before 1970"))
            .at(place)
            .todo("as in 2026-11-22T09:14:07Z or 2026-11-22T18:14:07+09:00")
    })
}

/// Another one every millisecond, so that two payments by hand never share one within 16 minutes.
fn stan_of(at: Timestamp) -> Stan {
    Stan::from_counter(at.0 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(known: &[&str], kind: Kind, original: Option<Kind>) -> Option<usize> {
        let known = known.iter().enumerate().map(|(i, kind)| json!({"kind": kind, "at": i}));
        let found = original_among(known.collect(), kind, original)?;
        found["at"].as_u64().and_then(|at| usize::try_from(at).ok())
    }

    /// Once the purchase was put away, its refund is all that is known of its RRN.
    #[test]
    fn a_refund_is_never_the_original_of_a_refund() {
        use Kind::{Complete, Refund, Reversal};
        assert_eq!(found(&["refund"], Refund, None), None);
        assert_eq!(found(&["refund", "refund"], Refund, None), None);
        assert_eq!(found(&["refund", "purchase", "refund"], Refund, None), Some(1));
        assert_eq!(found(&["preauth"], Refund, None), Some(0));
        assert_eq!(found(&["purchase", "purchase"], Refund, None), None);
        assert_eq!(found(&["refund"], Complete, None), None);
        assert_eq!(found(&["purchase"], Complete, None), None);
        assert_eq!(found(&["refund", "preauth"], Complete, None), Some(1));
        assert_eq!(found(&["refund"], Reversal, None), Some(0));
        assert_eq!(found(&["refund", "purchase"], Reversal, None), Some(1));
        assert_eq!(found(&["refund", "purchase"], Reversal, Some(Refund)), Some(0));
        assert_eq!(found(&["purchase"], Reversal, Some(Refund)), Some(0));
        assert_eq!(found(&["refund", "refund", "purchase"], Reversal, Some(Refund)), None);
        assert_eq!(found(&[], Reversal, None), None);
    }
}

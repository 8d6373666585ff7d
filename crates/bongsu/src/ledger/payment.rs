//! `bongsu ledger payment`: a payment and what came of it, asked of the running hub or read from
//! its files.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use host::offline::Offline;
use host::view::PaymentFilter;
use journal::Next;
use node::RoleName;
use node::json::PaymentsJson;
use scheme::{BusinessDate, TerminalId};
use serde_json::{Value, json};

use super::{cell, date, disk, incomplete, offline_of, shape};
use crate::error::{Exit, Failure};
use crate::limits::PAYMENTS_MAX;
use crate::nation::{Place, escaped};
use crate::output::{self, Format, FormatArg};

/// Find a payment, by its RRN or by trace number and terminal
///
/// Prints all that fit, however old, as long as the journal holds them; with --archive DIR also
/// what was put away. A refund that carries the payment's RRN comes behind it (in JSON the newest
/// is first). Ends with 0 for one payment and its refunds, 1 for none, 2 for several: an RRN is
/// unique only within an acquirer. Refusals 03, 12, 30, 58, 94 and 96 are only counted, so they
/// are never found. Of a damaged journal, or where the hub can't read its history, one ends with
/// 1, none with 2.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("which").required(true).args(["rrn", "stan"])),
    after_help = "\
Example:
  bongsu ledger payment 6326PY00005T
  bongsu ledger payment --stan 12 --terminal PYO00001 --date 2026-11-22"
)]
pub(super) struct Payment {
    /// Retrieval reference number (DE37), as the receipt has it, letter by letter
    rrn: Option<String>,
    /// Trace number (DE11)
    #[arg(long, requires = "terminal", value_parser = clap::value_parser!(u32).range(..=999_999))]
    stan: Option<u32>,
    /// Terminal (DE41)
    #[arg(long)]
    terminal: Option<String>,
    /// Business date, YYYY-MM-DD
    #[arg(long, value_parser = date)]
    date: Option<BusinessDate>,
    /// Where older segments were put away: read what is in it and the hub's files, all of them
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

/// What was found.
struct Found {
    /// The answer in JSON.
    list: Value,
    /// The first damaged record of the journal that was read.
    damage: Option<u64>,
    /// The first record that was looked at; what was before it was put away. None where that is
    /// unknown.
    first_record: Option<u64>,
}

impl Payment {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let Found { mut list, damage, first_record } = self.found()?;
        let payments = list["payments"].as_array().cloned().unwrap_or_default();
        let is_cut = damage.is_some() || list["complete"] == false;
        let unclear = self.unclear(&payments, damage, is_cut);
        if let Some(failure) = &unclear {
            output::note(&failure.text());
            list["error"] = failure.json()["error"].take();
        }
        let first = first_record.filter(|first| may_be_before(*first, &payments));
        if let Some(first) = first {
            list["first_record"] = first.into();
        }
        match self.format.format {
            Format::Json => output::json(&list)?,
            Format::Text if payments.is_empty() => {}
            Format::Text => {
                let pages: Vec<String> = in_turn(&payments).map(details).collect();
                output::text(&pages.join("\n\n"))?;
            }
        }
        if payments.is_empty() {
            self.say_none(is_cut);
        }
        if let Some(first) = first {
            self.say_put_away(first);
        }
        Ok(match (payments.is_empty(), is_cut) {
            (true, true) => Exit::Failed,
            (true, false) => Exit::No,
            (false, _) if !is_one(&payments) => Exit::Failed,
            (false, false) => Exit::Fine,
            // What became of it, or another one, may stand in the part that can't be read.
            (false, true) => Exit::No,
        })
    }

    fn found(&self) -> Result<Found, Failure> {
        if self.archive.is_some() {
            return self.among(&offline_of(&self.place, self.archive.as_deref())?);
        }
        let path = format!("/api/v1/payments?{}", self.query());
        match self.place.ask(&RoleName::Hub, &path)? {
            Some(first) => {
                let list = whole(&pages(&self.place, &path, first)?);
                Ok(Found { list, damage: None, first_record: self.first_record() })
            }
            None => self.among(&offline_of(&self.place, None)?),
        }
    }

    fn query(&self) -> String {
        let Self { rrn, stan, terminal, date, .. } = self;
        let mut query = vec![format!("limit={PAYMENTS_MAX}")];
        query.extend(rrn.iter().map(|rrn| format!("rrn={}", escaped(rrn))));
        query.extend(stan.iter().map(|stan| format!("stan={stan}")));
        query.extend(terminal.iter().map(|terminal| format!("terminal={}", escaped(terminal))));
        query.extend(date.iter().map(|date| format!("date={date}")));
        query.join("&")
    }

    /// What the files hold.
    fn among(&self, offline: &Offline) -> Result<Found, Failure> {
        let terminal = self.terminal.as_ref().map(|name| TerminalId::new(name.as_bytes()));
        let filter = PaymentFilter {
            rrn: self.rrn.clone(),
            stan: self.stan,
            terminal: terminal.transpose().map_err(Failure::unfit("--terminal"))?,
            date: self.date,
            limit: PAYMENTS_MAX,
            ..PaymentFilter::default()
        };
        let payments = offline.payments(&filter).into_iter().map(Into::into).collect();
        let list = PaymentsJson { payments, next: None, complete: true };
        let list = whole(&shape(serde_json::to_value(list))?);
        let (list, damage) = incomplete(list, offline.report());
        Ok(Found { list, damage, first_record: Some(offline.report().first_record) })
    }

    /// The first record of the running hub's journal. Who may ask the hub but not read its files
    /// is told nothing of them.
    fn first_record(&self) -> Option<u64> {
        let layout = self.place.layout();
        let disk = disk(&layout, &layout.journal(&RoleName::Hub)).ok()?;
        let mut first = None;
        let read = journal::scan(disk, 0, &mut |record| {
            first = Some(record.number);
            Next::Enough
        });
        read.ok().and(first)
    }

    fn say_put_away(&self, first: u64) {
        let archive = if self.archive.is_some() { "another archive" } else { "the archive" };
        output::note(&format!(
            "records before {first} were put away: ask again with --archive DIR of {archive}"
        ));
    }

    /// That there is none, and what may be the reason.
    fn say_none(&self, is_cut: bool) {
        if !is_cut {
            output::note(
                "no payment fits; refusals 03, 12, 30, 58, 94 and 96 are only counted, not \
                 recorded (R-RECORD)",
            );
        }
        let other = self.rrn.as_ref().map(|rrn| rrn.to_ascii_uppercase());
        if let Some(other) = other.filter(|other| Some(other) != self.rrn.as_ref()) {
            output::note(&format!("an RRN is taken letter by letter: {other} is another"));
        }
    }

    /// Why what was found is no answer, if it is none.
    fn unclear(&self, found: &[Value], damage: Option<u64>, is_cut: bool) -> Option<Failure> {
        let failure = match damage {
            Some(record) if found.is_empty() => {
                let what = format!(
                    "not found in the readable part: the journal is damaged at record {record}"
                );
                let remedy =
                    "see `bongsu ledger verify`; ask again in a directory restored of a backup";
                Failure::new("damaged", what).todo(remedy)
            }
            _ if !found.is_empty() && !is_one(found) => {
                let what = format!("{} payments fit", found.len());
                Failure::new("several", what).todo(self.narrower(found))
            }
            None if is_cut => {
                let what = "the hub could not read its history: older payments may be missing";
                let remedy = "ask again; if it stays so, see `history_unreadable` in the hub's log";
                Failure::new("incomplete", what).todo(remedy)
            }
            Some(_) | None => return None,
        };
        Some(failure.at(self.named()))
    }

    /// What was asked for.
    fn named(&self) -> String {
        let stan = self.stan.map(|stan| format!("--stan {stan}"));
        self.rrn.clone().or(stan).unwrap_or_default()
    }

    /// What tells these apart.
    fn narrower(&self, found: &[Value]) -> String {
        let differs = |key: &str| found.iter().any(|payment| payment[key] != found[0][key]);
        let mut names = Vec::new();
        if self.terminal.is_none() && differs("terminal") {
            names.push("--terminal TERMINAL");
        }
        if self.date.is_none() && differs("business_date") {
            names.push("--date DATE");
        }
        if self.stan.is_none() && differs("stan") {
            names.push("--stan STAN --terminal TERMINAL instead of the RRN");
        }
        if names.is_empty() {
            return "all are listed; their kind, time and id tell them apart".to_owned();
        }
        format!("name {}; all are listed", names.join(", or "))
    }
}

fn is_refund(payment: &Value) -> bool {
    payment["kind"] == "refund"
}

/// Whether these are one payment, perhaps with refunds that carry its RRN.
fn is_one(found: &[Value]) -> bool {
    let mut originals = found.iter().filter(|payment| !is_refund(payment));
    let (original, others) = (originals.next(), originals.count());
    let is_of = |refund: &Value| {
        original.is_some_and(|of| ["rrn", "acquirer"].iter().all(|key| refund[*key] == of[*key]))
    };
    match found {
        [_] => true,
        _ => others == 0 && found.iter().filter(|payment| is_refund(payment)).all(is_of),
    }
}

/// Whether what is asked for may be among the records before the first: nothing is found, or
/// refunds alone.
fn may_be_before(first_record: u64, found: &[Value]) -> bool {
    first_record > 1 && found.iter().all(is_refund)
}

/// What was paid, then what of it was refunded; of each the newest first.
fn in_turn(found: &[Value]) -> impl Iterator<Item = &Value> {
    let refunds = found.iter().filter(|payment| is_refund(payment));
    found.iter().filter(|payment| !is_refund(payment)).chain(refunds)
}

/// What the pages after the first hold too: the hub looks through a part of its payments at a time.
fn pages(place: &Place, path: &str, mut list: Value) -> Result<Value, Failure> {
    let mut payments = list["payments"].as_array().cloned().unwrap_or_default();
    let mut complete = list["complete"] != false;
    while payments.len() < PAYMENTS_MAX
        && let Some(next) = list["next"].as_str()
    {
        let page = place.ask(&RoleName::Hub, &format!("{path}&cursor={next}"))?;
        let page = page.ok_or_else(|| {
            Failure::new("lost", "the hub ended before the whole list was read").todo("ask again")
        })?;
        payments.extend(page["payments"].as_array().into_iter().flatten().cloned());
        complete &= page["complete"] != false;
        list = page;
    }
    payments.truncate(PAYMENTS_MAX);
    Ok(json!({ "payments": payments, "complete": complete }))
}

/// A list of payments that needs no word on where it goes on; only one that is not all there is
/// says so.
fn whole(list: &Value) -> Value {
    let mut whole = json!({ "payments": list["payments"] });
    if list["complete"] == false {
        whole["complete"] = false.into();
    }
    whole
}

/// Every key of a payment and its value.
fn details(payment: &Value) -> String {
    let row = |(key, value): (&String, &Value)| vec![key.replace('_', " "), cell(value)];
    let rows: Vec<Vec<String>> = payment.as_object().into_iter().flatten().map(row).collect();
    output::columns(&rows, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(kind: &str, acquirer: &str, at: u64) -> Value {
        json!({ "rrn": "632609000012", "kind": kind, "acquirer": acquirer, "at": at })
    }

    #[test]
    fn a_payment_and_what_carries_its_rrn_are_one_answer() {
        let refund = |at| paid("refund", "100001", at);
        let bought = || paid("purchase", "100001", 1);
        assert!(is_one(&[bought()]) && is_one(&[refund(2)]));
        let found = [refund(3), refund(2), bought()];
        assert!(is_one(&found));
        let turn: Vec<&Value> = in_turn(&found).map(|payment| &payment["at"]).collect();
        assert_eq!(turn, [1, 3, 2]);
        // Another acquirer's, another payment, or none of which they could be.
        assert!(!is_one(&[paid("refund", "100002", 2), bought()]));
        assert!(!is_one(&[paid("purchase", "100001", 2), bought()]));
        assert!(!is_one(&[refund(3), paid("purchase", "100002", 2), bought()]));
        assert!(!is_one(&[refund(3), refund(2)]));
        let other = json!({ "rrn": "632609000013", "kind": "refund", "acquirer": "100001" });
        assert!(!is_one(&[other, bought()]));
        assert!(is_one(&[]));
    }

    #[test]
    fn a_refund_alone_may_be_of_what_was_put_away() {
        let (bought, refund) = (paid("purchase", "100001", 1), paid("refund", "100001", 2));
        let (both, alone) = ([refund.clone(), bought], [refund]);
        assert!(may_be_before(9, &[]) && may_be_before(9, &alone));
        assert!(!may_be_before(9, &both));
        assert!(!may_be_before(1, &[]) && !may_be_before(1, &alone));
    }
}

//! Transfers, payments and findings as tables: rows of typed cells, and how they are written for
//! other programs, as CSV and as Parquet. Columns are only added, at the end.

mod csv;
mod parquet;

pub use csv::csv_line;
pub use parquet::Parquet;

use scheme::{BusinessDate, CivilDateTime, Currency, Timestamp, Zone};

use crate::offline::{FindingRow, PaymentRow, TransferView};
use crate::view::PaymentView;

/// The version of all tables, columns and cells: what an archive's tables are compared with. From 2
/// on a hold that its issuer approved has a response code; from 3 on the amount of a completed
/// pre-authorisation is what was completed, and what moves before the first business date has it.
pub const TABLES_VERSION: u32 = 3;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// Money: minor units, with the currency's exponent.
    Amount,
    /// An instant, UTC, to the microsecond.
    Time,
    /// A day.
    Date,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
}

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether a cell may be empty.
    pub optional: bool,
}

const fn is(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

const fn may(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

/// The columns of transfers, which are also the keys in JSON.
pub const TRANSFERS: &[Column] = &[
    is("id", Kind::Text),
    may("payment", Kind::Text),
    is("leg", Kind::Text),
    is("debit", Kind::Text),
    is("credit", Kind::Text),
    is("amount", Kind::Amount),
    is("currency", Kind::Text),
    is("state", Kind::Text),
    may("hold", Kind::Text),
    is("at", Kind::Time),
    may("business_date", Kind::Date),
    is("cycle", Kind::Number),
    is("record", Kind::Number),
];

/// The columns of payments: a row for each record that answered or changed one, as it stood then.
pub const PAYMENTS: &[Column] = &[
    is("id", Kind::Text),
    is("record", Kind::Number),
    is("changed_at", Kind::Time),
    is("rrn", Kind::Text),
    is("status", Kind::Text),
    is("kind", Kind::Text),
    is("amount", Kind::Amount),
    is("currency", Kind::Text),
    is("response_code", Kind::Text),
    may("text", Kind::Text),
    may("approval_code", Kind::Text),
    is("stan", Kind::Text),
    may("station", Kind::Text),
    is("terminal", Kind::Text),
    is("retailer", Kind::Text),
    is("acquirer", Kind::Text),
    may("issuer", Kind::Text),
    may("card", Kind::Text),
    is("business_date", Kind::Date),
    is("cycle", Kind::Number),
    is("stand_in", Kind::Flag),
    is("synthetic", Kind::Flag),
    is("returned", Kind::Amount),
    is("reversal_acknowledged", Kind::Flag),
    is("at", Kind::Time),
];

/// The columns of findings, which an archive has not.
pub const FINDINGS: &[Column] = &[
    is("record", Kind::Number),
    is("at", Kind::Time),
    is("kind", Kind::Text),
    may("participant", Kind::Text),
    may("payment", Kind::Text),
    may("rrn", Kind::Text),
    may("terminal", Kind::Text),
    may("amount", Kind::Amount),
    may("currency", Kind::Text),
    may("original_stan", Kind::Text),
    is("business_date", Kind::Date),
];

/// What stands in a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// Text.
    Text(&'a str),
    /// Minor units.
    Amount(i64, Currency),
    /// An instant.
    Time(Timestamp),
    /// A day.
    Date(BusinessDate),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl<'a> From<&'a Option<String>> for Cell<'a> {
    fn from(text: &'a Option<String>) -> Self {
        text.as_deref().map_or(Self::Empty, Self::Text)
    }
}

impl Cell<'_> {
    /// The cell as people and CSV have it; nothing for an empty one.
    pub fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => (*text).to_owned(),
            Self::Amount(minor, currency) => currency.format(i128::from(*minor)),
            Self::Time(at) => to_the_microsecond(*at),
            Self::Date(date) => date.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

/// RFC 3339, as exact as the journal has it.
fn to_the_microsecond(at: Timestamp) -> String {
    let civil = Zone::fixed(0).local(at);
    let CivilDateTime { year, month, day, hour, minute, second } = civil;
    let micros = at.0 / 1000 % 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

fn number(value: u64) -> Cell<'static> {
    Cell::Number(i64::try_from(value).unwrap_or(i64::MAX))
}

fn amount(minor: u128, currency: Currency) -> Cell<'static> {
    Cell::Amount(i64::try_from(minor).unwrap_or(i64::MAX), currency)
}

/// A transfer as a row of [`TRANSFERS`].
pub fn transfer_row(transfer: &TransferView) -> Vec<Cell<'_>> {
    let TransferView {
        id,
        payment,
        leg,
        debit,
        credit,
        amount: minor,
        currency,
        state,
        hold,
        at,
        business_date,
        cycle,
        record,
        debit_id: _,
        credit_id: _,
    } = transfer;
    vec![
        Cell::Text(id),
        payment.into(),
        Cell::Text(leg),
        Cell::Text(debit),
        Cell::Text(credit),
        amount(*minor, *currency),
        Cell::Text(currency.alpha()),
        Cell::Text(state),
        hold.into(),
        Cell::Time(*at),
        business_date.map_or(Cell::Empty, Cell::Date),
        number(u64::from(*cycle)),
        number(*record),
    ]
}

/// A payment as a row of [`PAYMENTS`].
pub fn payment_row(row: &PaymentRow) -> Vec<Cell<'_>> {
    let view = &row.view;
    vec![
        Cell::Text(&view.id),
        number(row.record),
        Cell::Time(row.changed_at),
        Cell::Text(&view.rrn),
        Cell::Text(view.status),
        Cell::Text(view.kind),
        amount(u128::from(row.amount.minor()), row.currency),
        Cell::Text(&view.currency),
        Cell::Text(&view.response_code),
        (&view.text).into(),
        (&view.approval_code).into(),
        Cell::Text(&view.stan),
        (&view.station).into(),
        Cell::Text(&view.terminal),
        Cell::Text(&view.retailer),
        Cell::Text(&view.acquirer),
        (&view.issuer).into(),
        (&view.card).into(),
        Cell::Date(row.business_date),
        number(u64::from(view.cycle)),
        Cell::Flag(view.stand_in),
        Cell::Flag(view.synthetic),
        amount(u128::from(row.returned.minor()), row.currency),
        Cell::Flag(view.reversal_acknowledged),
        Cell::Time(view.at),
    ]
}

/// A finding as a row of [`FINDINGS`].
pub fn finding_row(row: &FindingRow) -> Vec<Cell<'_>> {
    let FindingRow {
        record,
        at,
        kind,
        participant,
        id,
        payment,
        amount: minor,
        original_stan,
        currency,
        business_date,
    } = row;
    let payment = payment.as_ref();
    let of = |text: fn(&PaymentView) -> &str| {
        payment.map_or(Cell::Empty, |payment| Cell::Text(text(payment)))
    };
    vec![
        number(*record),
        Cell::Time(*at),
        Cell::Text(kind),
        participant.into(),
        id.into(),
        of(|payment| &payment.rrn),
        of(|payment| &payment.terminal),
        payment.map_or(Cell::Empty, |_| amount(u128::from(minor.minor()), *currency)),
        of(|payment| &payment.currency),
        original_stan.into(),
        Cell::Date(*business_date),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PARQUET_ROWS;

    const COLUMNS: &[Column] = &[
        is("text", Kind::Text),
        may("maybe", Kind::Text),
        is("amount", Kind::Amount),
        is("at", Kind::Time),
        may("day", Kind::Date),
        is("number", Kind::Number),
        is("flag", Kind::Flag),
    ];

    fn rows(count: u64) -> impl Iterator<Item = Vec<Cell<'static>>> {
        (0..count).map(|n| {
            vec![
                Cell::Text(if n % 2 == 0 { "a \"quoted\", cell" } else { "봉수" }),
                if n % 3 == 0 { Cell::Empty } else { Cell::Text("there") },
                amount(u128::from(n) * 1_250 + 5, Currency::KPW),
                Cell::Time(Timestamp(1_795_362_614_118_483_000 + n * 1_000)),
                if n % 5 < 2 { Cell::Date(BusinessDate(20_779)) } else { Cell::Empty },
                number(n),
                Cell::Flag(n % 2 == 0),
            ]
        })
    }

    #[test]
    fn a_line_of_csv_is_what_rfc_4180_says() {
        assert_eq!(csv_line(COLUMNS, None), "text,maybe,amount,at,day,number,flag\r\n");
        let lines: Vec<String> = rows(2).map(|row| csv_line(COLUMNS, Some(&row))).collect();
        let time = "2026-11-22T15:50:14.118483Z";
        let first = format!("\"a \"\"quoted\"\", cell\",,0.05,{time},2026-11-22,0,true\r\n");
        assert_eq!(lines[0], first);
        let time = "2026-11-22T15:50:14.118484Z";
        assert_eq!(lines[1], format!("봉수,there,12.55,{time},2026-11-22,1,false\r\n"));
    }

    /// The file is a function of its rows, in whatever pieces it is taken. That it is Parquet is
    /// for others to say: `clients/duckdb` reads it.
    #[test]
    fn a_parquet_file_is_the_same_however_it_is_taken() {
        let count = PARQUET_ROWS as u64 + 9;
        let (mut whole, mut pieces) = (Parquet::new(COLUMNS, 2), Parquet::new(COLUMNS, 2));
        let mut taken = Vec::new();
        for row in rows(count) {
            whole.row(&row);
            pieces.row(&row);
            taken.append(&mut pieces.take());
        }
        taken.append(&mut pieces.finish());
        let mut whole_taken = whole.take();
        whole_taken.append(&mut whole.finish());
        assert_eq!(taken, whole_taken);
        let footer = u32::from_le_bytes(*taken[..taken.len() - 4].last_chunk().unwrap()) as usize;
        let footer = &taken[taken.len() - 8 - footer..];
        for column in COLUMNS {
            let name = column.name.as_bytes();
            // In the schema, and in the chunk of each of two groups.
            assert_eq!(footer.windows(name.len()).filter(|bytes| *bytes == name).count(), 3);
        }
        assert!(taken.starts_with(b"PAR1") && taken.ends_with(b"PAR1"));
    }
}

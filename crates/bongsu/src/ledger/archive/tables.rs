//! The tables of an archive: transfers and payments, each as CSV and as Parquet, written in one
//! pass, with the SHA-256 of what was written. Into nothing, they are only hashed: that is how an
//! archive's tables are proved from its segments.

use std::collections::BTreeSet;
use std::io::{self, Write};

use host::offline::Step;
use host::table::{
    Cell, Column, PAYMENTS, Parquet, TRANSFERS, csv_line, payment_row, transfer_row,
};
use journal::Hash;
use sha2::{Digest, Sha256};

/// What a table is written to, and what has gone there.
#[derive(Debug)]
pub(super) struct Hashed<W> {
    pub(super) to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashed<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, hash: Sha256::new(), bytes: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}

/// A table that is whole.
#[derive(Debug)]
pub(super) struct Written<W> {
    pub(super) name: &'static str,
    pub(super) file: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: Hash,
    pub(super) to: W,
}

/// One table, in both forms.
#[derive(Debug)]
struct Table<W> {
    name: &'static str,
    columns: &'static [Column],
    csv: Hashed<W>,
    parquet: Parquet,
    to_parquet: Hashed<W>,
    rows: u64,
}

impl<W: Write> Table<W> {
    fn new(
        name: &'static str,
        columns: &'static [Column],
        exponent: u8,
        make: &mut dyn FnMut(&str) -> io::Result<W>,
    ) -> io::Result<Self> {
        let mut csv = Hashed::new(make(&format!("{name}.csv"))?);
        csv.put(csv_line(columns, None).as_bytes())?;
        let to_parquet = Hashed::new(make(&format!("{name}.parquet"))?);
        let parquet = Parquet::new(columns, exponent);
        Ok(Self { name, columns, csv, parquet, to_parquet, rows: 0 })
    }

    fn row(&mut self, row: &[Cell<'_>]) -> io::Result<()> {
        self.rows += 1;
        self.csv.put(csv_line(self.columns, Some(row)).as_bytes())?;
        self.parquet.row(row);
        let bytes = self.parquet.take();
        self.to_parquet.put(&bytes)
    }

    fn finish(mut self) -> io::Result<[Written<W>; 2]> {
        let end = self.parquet.finish();
        self.to_parquet.put(&end)?;
        let (name, rows) = (self.name, self.rows);
        let written = |form: &str, mut hashed: Hashed<W>| {
            hashed.to.flush()?;
            let sha256 = Hash(hashed.hash.finalize().into());
            let file = format!("{name}.{form}");
            io::Result::Ok(Written { name, file, rows, bytes: hashed.bytes, sha256, to: hashed.to })
        };
        Ok([written("csv", self.csv)?, written("parquet", self.to_parquet)?])
    }
}

/// Terminals of which a payment is synthetic, as a manifest names them: ACQUIRER/TERMINAL. No
/// record tells them, and a configuration may know others by the time that tables are made anew.
pub(super) type Probes = BTreeSet<String>;

/// All tables of a part of an archive.
#[derive(Debug)]
pub(super) struct Tables<W> {
    transfers: Table<W>,
    payments: Table<W>,
    /// Those that are synthetic; `None`: the configuration's.
    probes: Option<Probes>,
    /// Those that have a row.
    seen: Probes,
}

impl<W: Write> Tables<W> {
    /// `make` is asked for a place for each file.
    pub(super) fn new(
        exponent: u8,
        probes: Option<Probes>,
        make: &mut dyn FnMut(&str) -> io::Result<W>,
    ) -> io::Result<Self> {
        Ok(Self {
            transfers: Table::new("transfers", TRANSFERS, exponent, make)?,
            payments: Table::new("payments", PAYMENTS, exponent, make)?,
            probes,
            seen: Probes::new(),
        })
    }

    /// What a record has moved and changed.
    pub(super) fn step(&mut self, step: &Step<'_>) -> io::Result<()> {
        for transfer in step.transfers() {
            self.transfers.row(&transfer_row(&transfer))?;
        }
        let Some(mut payment) = step.payment() else { return Ok(()) };
        let till = format!("{}/{}", payment.view.acquirer, payment.view.terminal);
        if let Some(probes) = &self.probes {
            payment.view.synthetic = probes.contains(&till);
        }
        if payment.view.synthetic {
            self.seen.insert(till);
        }
        self.payments.row(&payment_row(&payment))
    }

    /// The tables, and the terminals of their synthetic payments.
    pub(super) fn finish(self) -> io::Result<(Vec<Written<W>>, Probes)> {
        let mut written = Vec::from(self.transfers.finish()?);
        written.extend(self.payments.finish()?);
        Ok((written, self.seen))
    }
}

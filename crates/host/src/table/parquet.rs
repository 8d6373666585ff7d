//! A table as Apache Parquet (format 2.x, <https://parquet.apache.org/docs/file-format/>): the part
//! of it that a writer needs. Groups of rows, in each a chunk of every column, of one plain page
//! without compression; the footer in Thrift's compact protocol. Why by hand:
//! `docs/decisions/0010-archive.md`. Deliberately absent: reading, nesting, dictionaries,
//! statistics.
//!
//! What bounds it: [`PARQUET_ROWS`] rows are kept in memory, and 16 numbers for each chunk that was
//! written.

use super::{Cell, Column, Kind};
use crate::limits::PARQUET_ROWS;

const MAGIC: &[u8; 4] = b"PAR1";

/// Thrift's compact types.
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Parquet's physical types, converted types and encodings, by their numbers.
const BOOLEAN: i64 = 0;
const INT32: i64 = 1;
const INT64: i64 = 2;
const BYTE_ARRAY: i64 = 6;
const UTF8: i64 = 0;
const DECIMAL: i64 = 5;
const DATE: i64 = 6;
const TIMESTAMP_MICROS: i64 = 10;
const PLAIN: i64 = 0;
const RLE: i64 = 3;
/// Digits of an amount: what 64 bits hold.
const PRECISION: i64 = 18;

/// A table that is being written; the file is what [`Parquet::take`] gives, in order.
#[derive(Debug)]
pub struct Parquet {
    columns: &'static [Column],
    exponent: u8,
    out: Vec<u8>,
    /// Bytes that were given out before `out`.
    before: u64,
    rows: usize,
    values: Vec<Values>,
    groups: Vec<Group>,
    all_rows: u64,
}

/// The cells of a column in the group that is being filled.
#[derive(Clone, Debug, Default)]
struct Values {
    /// Cells that are there, plain; of flags one byte each.
    plain: Vec<u8>,
    /// Whether a cell is there: runs of alike ones.
    present: Vec<(bool, u64)>,
}

#[derive(Debug)]
struct Group {
    rows: u64,
    bytes: u64,
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    offset: u64,
    bytes: u64,
    values: u64,
}

impl Parquet {
    /// A table of amounts with so many decimals.
    pub fn new(columns: &'static [Column], exponent: u8) -> Self {
        Self {
            columns,
            exponent,
            out: MAGIC.to_vec(),
            before: 0,
            rows: 0,
            values: vec![Values::default(); columns.len()],
            groups: Vec::new(),
            all_rows: 0,
        }
    }

    /// Adds a row: a cell for each column, of its kind. One of another kind is written as empty.
    pub fn row(&mut self, row: &[Cell<'_>]) {
        for ((column, values), cell) in self.columns.iter().zip(&mut self.values).zip(row) {
            values.push(*column, cell);
        }
        self.rows += 1;
        if self.rows == PARQUET_ROWS {
            self.end_group();
        }
    }

    /// What can be written by now.
    pub fn take(&mut self) -> Vec<u8> {
        self.before = self.before.saturating_add(self.out.len() as u64);
        std::mem::take(&mut self.out)
    }

    /// The rest of the file.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_group();
        let mut footer = Thrift::default();
        footer.number(1, I32, 2);
        footer.list(2, STRUCT, self.columns.len() + 1);
        schema_root(&mut footer, self.columns.len());
        for column in self.columns {
            schema(&mut footer, *column, self.exponent);
        }
        footer.number(3, I64, signed(self.all_rows));
        footer.list(4, STRUCT, self.groups.len());
        for group in &self.groups {
            footer.begin();
            footer.list(1, STRUCT, group.chunks.len());
            for (chunk, column) in group.chunks.iter().zip(self.columns) {
                column_chunk(&mut footer, chunk, *column);
            }
            footer.number(2, I64, signed(group.bytes));
            footer.number(3, I64, signed(group.rows));
            footer.end();
        }
        footer.text(6, "bongsu");
        footer.stop();
        let length = u32::try_from(footer.bytes.len()).unwrap_or(u32::MAX);
        self.out.append(&mut footer.bytes);
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(MAGIC);
        self.out
    }

    fn end_group(&mut self) {
        if self.rows == 0 {
            return;
        }
        let rows = self.rows as u64;
        let start = self.before.saturating_add(self.out.len() as u64);
        let mut chunks = Vec::with_capacity(self.columns.len());
        for (column, values) in self.columns.iter().zip(&mut self.values) {
            let offset = self.before.saturating_add(self.out.len() as u64);
            page(&mut self.out, *column, values, rows);
            let end = self.before.saturating_add(self.out.len() as u64);
            chunks.push(Chunk { offset, bytes: end.saturating_sub(offset), values: rows });
            *values = Values::default();
        }
        let end = self.before.saturating_add(self.out.len() as u64);
        self.groups.push(Group { rows, bytes: end.saturating_sub(start), chunks });
        self.all_rows = self.all_rows.saturating_add(rows);
        self.rows = 0;
    }
}

impl Values {
    fn push(&mut self, column: Column, cell: &Cell<'_>) {
        let plain = &mut self.plain;
        let before = plain.len();
        match (column.kind, cell) {
            (Kind::Text, Cell::Text(text)) => {
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                plain.extend_from_slice(&length.to_le_bytes());
                plain.extend_from_slice(text.as_bytes());
            }
            (Kind::Amount, Cell::Amount(number, _)) | (Kind::Number, Cell::Number(number)) => {
                plain.extend_from_slice(&number.to_le_bytes());
            }
            (Kind::Time, Cell::Time(at)) => {
                plain.extend_from_slice(&(at.0 / 1000).to_le_bytes());
            }
            (Kind::Date, Cell::Date(date)) => {
                plain.extend_from_slice(&i32::from(date.0).to_le_bytes());
            }
            (Kind::Flag, Cell::Flag(flag)) => plain.push(u8::from(*flag)),
            (
                Kind::Text | Kind::Amount | Kind::Time | Kind::Date | Kind::Number | Kind::Flag,
                Cell::Empty
                | Cell::Text(_)
                | Cell::Amount(..)
                | Cell::Time(_)
                | Cell::Date(_)
                | Cell::Number(_)
                | Cell::Flag(_),
            ) => {}
        }
        let is_there = plain.len() > before;
        match self.present.last_mut() {
            Some((alike, run)) if *alike == is_there => *run = run.saturating_add(1),
            Some(_) | None => self.present.push((is_there, 1)),
        }
    }
}

/// A page: its header, which cells are there, and those.
fn page(out: &mut Vec<u8>, column: Column, values: &Values, rows: u64) {
    let mut body = Vec::new();
    if column.optional {
        let mut runs = Vec::new();
        for (is_there, run) in &values.present {
            varint(&mut runs, run << 1);
            runs.push(u8::from(*is_there));
        }
        let length = u32::try_from(runs.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&length.to_le_bytes());
        body.append(&mut runs);
    }
    match column.kind {
        Kind::Flag => body.extend(values.plain.chunks(8).map(|flags| {
            flags.iter().enumerate().fold(0, |byte, (bit, flag)| byte | (flag << bit))
        })),
        Kind::Text | Kind::Amount | Kind::Time | Kind::Date | Kind::Number => {
            body.extend_from_slice(&values.plain);
        }
    }
    let mut header = Thrift::default();
    let length = signed(body.len() as u64);
    header.number(1, I32, 0);
    header.number(2, I32, length);
    header.number(3, I32, length);
    header.field(5, STRUCT);
    header.begin();
    header.number(1, I32, signed(rows));
    header.number(2, I32, PLAIN);
    header.number(3, I32, RLE);
    header.number(4, I32, RLE);
    header.end();
    header.stop();
    out.append(&mut header.bytes);
    out.append(&mut body);
}

fn schema_root(footer: &mut Thrift, columns: usize) {
    footer.begin();
    footer.text(4, "schema");
    footer.number(5, I32, signed(columns as u64));
    footer.end();
}

fn schema(footer: &mut Thrift, column: Column, exponent: u8) {
    let (physical, converted) = types(column.kind);
    footer.begin();
    footer.number(1, I32, physical);
    footer.number(3, I32, i64::from(column.optional));
    footer.text(4, column.name);
    if let Some(converted) = converted {
        footer.number(6, I32, converted);
    }
    if column.kind == Kind::Amount {
        footer.number(7, I32, i64::from(exponent));
        footer.number(8, I32, PRECISION);
    }
    footer.end();
}

fn types(kind: Kind) -> (i64, Option<i64>) {
    match kind {
        Kind::Text => (BYTE_ARRAY, Some(UTF8)),
        Kind::Amount => (INT64, Some(DECIMAL)),
        Kind::Time => (INT64, Some(TIMESTAMP_MICROS)),
        Kind::Date => (INT32, Some(DATE)),
        Kind::Number => (INT64, None),
        Kind::Flag => (BOOLEAN, None),
    }
}

fn column_chunk(footer: &mut Thrift, chunk: &Chunk, column: Column) {
    footer.begin();
    footer.number(2, I64, signed(chunk.offset));
    footer.field(3, STRUCT);
    footer.begin();
    footer.number(1, I32, types(column.kind).0);
    footer.list(2, I32, 2);
    footer.element(PLAIN);
    footer.element(RLE);
    footer.list(3, BINARY, 1);
    footer.bytes_of(column.name);
    footer.number(4, I32, 0);
    footer.number(5, I64, signed(chunk.values));
    footer.number(6, I64, signed(chunk.bytes));
    footer.number(7, I64, signed(chunk.bytes));
    footer.number(9, I64, signed(chunk.offset));
    footer.end();
    footer.end();
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Thrift's compact protocol, as far as it is needed.
#[derive(Debug, Default)]
struct Thrift {
    bytes: Vec<u8>,
    /// The last field of the struct that is written, and of those around it.
    last: u8,
    around: Vec<u8>,
}

impl Thrift {
    fn begin(&mut self) {
        self.around.push(self.last);
        self.last = 0;
    }

    fn end(&mut self) {
        self.stop();
        self.last = self.around.pop().unwrap_or(0);
    }

    fn stop(&mut self) {
        self.bytes.push(0);
    }

    /// The head of a field; numbers of fields rise, by 15 at most.
    fn field(&mut self, number: u8, of: u8) {
        self.bytes.push((number - self.last) << 4 | of);
        self.last = number;
    }

    fn number(&mut self, field: u8, of: u8, value: i64) {
        self.field(field, of);
        self.element(value);
    }

    /// A number, zigzag.
    fn element(&mut self, value: i64) {
        varint(&mut self.bytes, (value << 1 ^ value >> 63) as u64);
    }

    fn text(&mut self, field: u8, text: &str) {
        self.field(field, BINARY);
        self.bytes_of(text);
    }

    fn bytes_of(&mut self, text: &str) {
        varint(&mut self.bytes, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn list(&mut self, field: u8, of: u8, length: usize) {
        self.field(field, LIST);
        match u8::try_from(length) {
            Ok(short) if short < 15 => self.bytes.push(short << 4 | of),
            Ok(_) | Err(_) => {
                self.bytes.push(0xf0 | of);
                varint(&mut self.bytes, length as u64);
            }
        }
    }
}

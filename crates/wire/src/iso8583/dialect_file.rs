//! Reads a dialect file (`docs/formats/dialects.md`), and says all that is wrong with it at once.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::dialect::{Dialect, ElementType, Encoding, Encodings, Field, Length};
use crate::limits::{DE_COUNT, ELEMENT_MAX, LENGTH_DIGITS_MAX, PROBLEMS_MAX};

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// All that is wrong with a file, in its order; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectError {
    /// At most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
}

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            let line_end = if at == 0 { "" } else { "\n" };
            let Problem { line, column, what } = problem;
            write!(f, "{line_end}{line}:{column}: {what}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DialectError {}

pub(super) fn parse(source: &str) -> Result<Dialect, DialectError> {
    let (root, broken) = DeTable::parse_recoverable(source);
    let mut problems = Problems::default();
    for error in &broken {
        problems.add(error.span().unwrap_or(0..0), error.message());
    }
    if !broken.is_empty() {
        return Err(problems.within(source));
    }
    match read_root(root.get_ref(), &mut problems) {
        Some(dialect) if problems.found.is_empty() => Ok(dialect),
        Some(_) | None => Err(problems.within(source)),
    }
}

#[derive(Default)]
struct Problems {
    found: Vec<(Range<usize>, String)>,
}

impl Problems {
    fn add(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.found.push((span, what.into()));
    }

    /// With lines and columns, in the order of the file.
    fn within(mut self, source: &str) -> DialectError {
        self.found.sort_by_key(|(span, _)| span.start);
        let problem = |(span, what): (Range<usize>, String)| {
            let before = source.get(..span.start).unwrap_or(source);
            let line = before.split('\n').count();
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            Problem { line, column, what }
        };
        let problems = self.found.into_iter().take(PROBLEMS_MAX);
        DialectError { problems: problems.map(problem).collect() }
    }
}

type Value<'i> = Spanned<DeValue<'i>>;

fn read_root(root: &DeTable<'_>, problems: &mut Problems) -> Option<Dialect> {
    let (mut name, mut title, mut base) = (None, None, None);
    let (mut encoding, mut elements) = (None, None);
    for (key, value) in root {
        match key.get_ref().as_ref() {
            "name" => name = read_name(value, problems),
            "title" => title = read_text(value, problems).map(str::to_owned),
            "base" => base = read_base(value, problems),
            "encoding" => encoding = read_table(value, problems),
            "de" => elements = read_table(value, problems),
            other => problems.add(
                key.span(),
                format!("unknown key {other}; known are name, title, base, encoding, de"),
            ),
        }
    }
    for key in ["name", "title"] {
        if !root.contains_key(key) {
            problems.add(0..0, format!("the file needs {key} = \"...\""));
        }
    }
    let encodings = read_encodings(encoding, base, problems);
    let fields = read_fields(elements, base, problems);
    Some(Dialect::new(name?, title?, encodings?, fields?))
}

fn read_text<'t>(value: &'t Value<'_>, problems: &mut Problems) -> Option<&'t str> {
    let text = value.get_ref().as_str().filter(|t| !t.is_empty());
    if text.is_none() {
        problems.add(value.span(), "a text is needed here");
    }
    text
}

fn read_table<'t, 'i>(value: &'t Value<'i>, problems: &mut Problems) -> Option<&'t DeTable<'i>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        problems.add(value.span(), "a table is needed here");
    }
    table
}

fn read_name(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let name = read_text(value, problems)?;
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !name.bytes().all(is_plain) {
        let what = "a name has lower case letters, digits and - alone";
        problems.add(value.span(), what);
        return None;
    }
    Some(name.to_owned())
}

fn read_base(value: &Value<'_>, problems: &mut Problems) -> Option<&'static Dialect> {
    let name = read_text(value, problems)?;
    let base = Dialect::builtin(name);
    if base.is_none() {
        let known = Dialect::builtin_names().join(", ");
        problems.add(value.span(), format!("there is no dialect {name}; known are {known}"));
    }
    base
}

fn read_encodings(
    table: Option<&DeTable<'_>>,
    base: Option<&Dialect>,
    problems: &mut Problems,
) -> Option<Encodings> {
    let mut bitmap = base.map(|b| b.encodings.bitmap);
    let mut types = ElementType::ALL.map(|t| base.map(|b| b.encodings.of(t)));
    let (mut mti, mut length) = (base.map(|_| ()), base.map(|_| ()));
    for (key, value) in table.into_iter().flatten() {
        let part = key.get_ref().as_ref();
        let kind = ElementType::ALL.iter().find(|t| t.name() == part);
        match (part, kind) {
            ("bitmap", _) => bitmap = read_encoding(value, BITS, problems),
            ("mti", _) => mti = read_encoding(value, TEXT, problems).map(|_| ()),
            ("length", _) => length = read_encoding(value, TEXT, problems).map(|_| ()),
            (_, Some(kind)) => {
                types[*kind as usize] = read_encoding(value, encodings_of(*kind), problems);
            }
            (other, None) => problems.add(
                key.span(),
                format!(
                    "unknown key {other}; known are mti, length, bitmap, n, x+n, an, ans, z, b"
                ),
            ),
        }
    }
    let has = |key: &str| table.is_some_and(|t| t.contains_key(key));
    let types_named = ElementType::ALL.map(ElementType::name);
    for part in ["mti", "length", "bitmap"].into_iter().chain(types_named) {
        if base.is_none() && !has(part) {
            problems.add(0..0, format!("[encoding] needs {part}"));
        }
    }
    mti?;
    length?;
    let [n, xn, an, ans, z, b] = types;
    Some(Encodings { bitmap: bitmap?, types: [n?, xn?, an?, ans?, z?, b?] })
}

/// What digits and characters can be encoded as.
const TEXT: &[Encoding] = &[Encoding::Ascii];
/// What bitmaps and bytes can be encoded as.
const BITS: &[Encoding] = &[Encoding::Hex, Encoding::Binary];

fn encodings_of(kind: ElementType) -> &'static [Encoding] {
    match kind {
        ElementType::N | ElementType::Xn | ElementType::An | ElementType::Ans | ElementType::Z => {
            TEXT
        }
        ElementType::B => BITS,
    }
}

fn read_encoding(
    value: &Value<'_>,
    allowed: &[Encoding],
    problems: &mut Problems,
) -> Option<Encoding> {
    let name = read_text(value, problems)?;
    let encoding = allowed.iter().copied().find(|e| e.name() == name);
    if encoding.is_none() {
        let known: Vec<_> = allowed.iter().map(|e| e.name()).collect();
        let what = format!("{name} can't be used here; known are {}", known.join(", "));
        problems.add(value.span(), what);
    }
    encoding
}

/// The message type, the bitmap, and all elements.
fn read_fields(
    table: Option<&DeTable<'_>>,
    base: Option<&Dialect>,
    problems: &mut Problems,
) -> Option<Vec<Field>> {
    let mut fields: Vec<Option<Field>> = match base {
        Some(base) => base.fields().iter().cloned().map(Some).collect(),
        None => vec![None; DE_COUNT + 1],
    };
    fields[0] = Some(fixed("Message type indicator", ElementType::N, 4));
    fields[1] = Some(fixed("Bitmap", ElementType::B, 8));
    let mut tried = [false; DE_COUNT + 1];
    for (key, value) in table.into_iter().flatten() {
        let text = key.get_ref().as_ref();
        let Some(de) = read_de(text) else {
            problems.add(key.span(), format!("{text} is no data element; they are 2 to 128"));
            continue;
        };
        tried[de] = true;
        fields[de] = read_field(value, fields[de].take(), problems);
    }
    for de in 2..=DE_COUNT {
        if fields[de].is_none() && !tried[de] {
            problems.add(0..0, format!("data element {de} is missing from [de]"));
        }
    }
    fields.into_iter().collect()
}

fn fixed(name: &str, kind: ElementType, max: u16) -> Field {
    Field { name: name.to_owned(), kind, length: Length::Fixed, max, encoding: None }
}

fn read_de(text: &str) -> Option<usize> {
    let de = text.parse().ok().filter(|de| (2..=DE_COUNT).contains(de))?;
    (de.to_string() == text).then_some(de)
}

fn read_field(value: &Value<'_>, base: Option<Field>, problems: &mut Problems) -> Option<Field> {
    let table = read_table(value, problems)?;
    let mut name = base.map(|b| b.name);
    let (mut format, mut encoding) = (None, None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => name = read_text(value, problems).map(str::to_owned),
            "type" => format = read_format(value, problems),
            "encoding" => encoding = Some(value),
            other => problems
                .add(key.span(), format!("unknown key {other}; known are name, type, encoding")),
        }
    }
    if !table.contains_key("type") {
        problems.add(value.span(), "the element needs type = \"...\", such as n6 or ans..25");
    }
    if name.is_none() && !table.contains_key("name") {
        problems.add(value.span(), "the element needs name = \"...\"");
    }
    let (kind, length, max) = format?;
    let encoding = match encoding {
        Some(value) => Some(read_encoding(value, encodings_of(kind), problems)?),
        None => None,
    };
    Some(Field { name: name?, kind, length, max, encoding })
}

/// `n6`, `n..19`, `x+n9`, `b8`.
fn read_format(value: &Value<'_>, problems: &mut Problems) -> Option<(ElementType, Length, u16)> {
    let text = read_text(value, problems)?;
    let format = split_format(text);
    match format {
        Err(what) => {
            problems.add(value.span(), format!("{text}: {what}"));
            None
        }
        Ok(format) => Some(format),
    }
}

fn split_format(text: &str) -> Result<(ElementType, Length, u16), String> {
    let start = text.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(text.len());
    let (kind, rest) = text.split_at(start);
    let kind = ElementType::ALL
        .into_iter()
        .find(|t| t.name() == kind)
        .ok_or("the type must be one of n, x+n, an, ans, z, b")?;
    let number = rest.trim_start_matches('.');
    let dots = rest.len() - number.len();
    let max: usize =
        number.parse().map_err(|_| "the type ends with a length, such as n6 or ans..25")?;
    if !number.bytes().all(|b| b.is_ascii_digit()) || !(1..=ELEMENT_MAX).contains(&max) {
        return Err(format!("the length must be 1 to {ELEMENT_MAX}"));
    }
    let length = match dots {
        0 => Length::Fixed,
        1..=LENGTH_DIGITS_MAX => {
            let most = 10usize.pow(dots as u32) - 1;
            if max > most {
                return Err(format!("{dots} digits of length say at most {most}"));
            }
            Length::Variable { digits: dots as u8 }
        }
        _ => return Err(format!("at most {LENGTH_DIGITS_MAX} digits of length")),
    };
    // ELEMENT_MAX is below 2^16.
    Ok((kind, length, max as u16))
}

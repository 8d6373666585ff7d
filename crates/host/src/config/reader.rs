//! Reads tables of a TOML file key by key and goes on after every error, so that all of them are
//! reported at once.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::card_number;
use super::error::Errors;
use super::known::{self, Absent, SECTIONS, Shape};
use super::value::Wrong;

/// Something and the byte where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// One `[name]` or `[[name]]` of the file; absent ones are empty and stand at the file's begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'t, 'i> {
    pub(super) name: &'static str,
    pub(super) at: usize,
    table: Option<&'t DeTable<'i>>,
}

impl Section<'_, '_> {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    /// Where a key's value stands, or else the section.
    pub(super) fn at(&self, name: &str) -> usize {
        let value = self.table.and_then(|table| table.get(name));
        value.map_or(self.at, |value| value.span().start)
    }
}

/// What became of a key.
enum Found<T> {
    Good(At<T>),
    /// Its error is reported already.
    Broken,
    Missing,
}

/// The tables of a file, and the errors so far.
#[derive(Debug)]
pub(super) struct Reader<'t, 'i, 's> {
    root: &'t DeTable<'i>,
    pub(super) errors: Errors<'s>,
}

impl<'t, 'i, 's> Reader<'t, 'i, 's> {
    pub(super) fn new(root: &'t DeTable<'i>, errors: Errors<'s>) -> Self {
        Self { root, errors }
    }

    /// `[name]`.
    pub(super) fn section(&mut self, name: &'static str) -> Section<'t, 'i> {
        let value = self.root.get(name);
        let table = value.and_then(|value| value.get_ref().as_table());
        let at = value.map_or(0, |value| value.span().start);
        Section { name, at, table }
    }

    /// Every `[[name]]`, in the order of the file.
    pub(super) fn sections(&mut self, name: &'static str) -> Vec<Section<'t, 'i>> {
        let array = self.root.get(name).and_then(|value| value.get_ref().as_array());
        let tables = array.into_iter().flat_map(|array| array.iter());
        tables
            .filter_map(|value| {
                let table = Some(value.get_ref().as_table()?);
                Some(Section { name, at: value.span().start, table })
            })
            .collect()
    }

    /// A key that must be there. `None` when it is not, or wrong; then an error is reported.
    pub(super) fn required<T>(
        &mut self,
        section: &Section<'_, '_>,
        name: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<At<T>> {
        match self.read(section, name, read) {
            Found::Good(value) => Some(value),
            Found::Broken => None,
            Found::Missing => {
                self.missing(section, name);
                None
            }
        }
    }

    /// A key that has a default. `None` when it is wrong; then an error is reported.
    pub(super) fn or<T>(
        &mut self,
        section: &Section<'_, '_>,
        name: &'static str,
        default: T,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<At<T>> {
        match self.read(section, name, read) {
            Found::Good(value) => Some(value),
            Found::Broken => None,
            Found::Missing => Some(At { value: default, at: section.at }),
        }
    }

    /// A key that may be absent. The outer `None` when it is wrong; then an error is reported.
    pub(super) fn optional<T>(
        &mut self,
        section: &Section<'_, '_>,
        name: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Option<At<T>>> {
        match self.read(section, name, read) {
            Found::Good(value) => Some(Some(value)),
            Found::Broken => None,
            Found::Missing => Some(None),
        }
    }

    /// A list, each of whose members is read and reported for itself. `None` when one is wrong,
    /// the inner `None` when the key is absent.
    pub(super) fn list<T>(
        &mut self,
        section: &Section<'_, '_>,
        name: &'static str,
        most: usize,
        read: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Option<Vec<At<T>>>> {
        let Some(value) = section.table.and_then(|table| table.get(name)) else {
            return Some(None);
        };
        let key = section.key(name);
        let Some(array) = value.get_ref().as_array().filter(|array| !array.is_empty()) else {
            let fix = format!("write them in brackets, as in {}", example(section.name, name));
            self.errors.add(value.span().start, key, "a list of at least one is needed", fix);
            return None;
        };
        if array.len() > most {
            let what = format!("{} members are too many", array.len());
            self.errors.add(value.span().start, key, what, format!("write at most {most}"));
            return None;
        }
        let mut members = Vec::new();
        for member in array.iter() {
            let at = member.span().start;
            match read(member.get_ref()) {
                Ok(value) => members.push(At { value, at }),
                Err(Wrong { what, fix }) => self.errors.add(at, key.clone(), what, fix),
            }
        }
        (members.len() == array.len()).then_some(Some(members))
    }

    pub(super) fn missing(&mut self, section: &Section<'_, '_>, name: &'static str) {
        let fix = format!("add {name} = {}", example(section.name, name));
        self.errors.add(section.at, section.key(name), "is missing", fix);
    }

    /// Notes that `key` at `at` has this identity; an earlier one with the same is an error, and
    /// `false`.
    pub(super) fn unique<K: Ord>(
        &mut self,
        seen: &mut BTreeMap<K, usize>,
        identity: At<K>,
        key: &str,
        words: &str,
        fix: &str,
    ) -> bool {
        match seen.get(&identity.value) {
            None => {
                seen.insert(identity.value, identity.at);
                true
            }
            Some(first) => {
                let line = self.errors.line(*first);
                let what = format!("{words} stands on line {line} already");
                self.errors.add(identity.at, key, what, fix);
                false
            }
        }
    }

    fn read<T>(
        &mut self,
        section: &Section<'_, '_>,
        name: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Found<T> {
        let Some(value) = section.table.and_then(|table| table.get(name)) else {
            return Found::Missing;
        };
        let at = value.span().start;
        match read(value.get_ref()) {
            Ok(value) => Found::Good(At { value, at }),
            Err(Wrong { what, fix }) => {
                self.errors.add(at, section.key(name), what, fix);
                Found::Broken
            }
        }
    }
}

fn example(section: &str, name: &str) -> &'static str {
    let key = known::keys_of(section).find(|key| key.name == name);
    match key.map(|key| key.absent) {
        Some(Absent::Required(example) | Absent::Value(example)) => example,
        Some(Absent::Says(_)) | None => "[1, 2]",
    }
}

/// What can be said of a file without reading any value: sections and keys that nobody knows.
pub(super) fn check_names(root: &DeTable<'_>, errors: &mut Errors<'_>) {
    for (name, value) in root {
        let (at, text) = (name.span().start, name.get_ref().as_ref());
        let Some(section) = known::section(text) else {
            unknown_at_root(text, value, at, errors);
            continue;
        };
        let is_table = value.get_ref().is_table();
        let tables = value.get_ref().as_array();
        match section.shape {
            Shape::Reserved => {
                let what = format!("is kept for a later release ({})", section.meaning);
                errors.add(at, text, what, "remove the section: this release cannot obey it");
            }
            Shape::Once if is_table => check_keys(section.name, value, errors),
            Shape::Once => errors.add(at, text, "stands once", format!("write [{text}]")),
            Shape::Many => match tables {
                Some(tables) if tables.iter().all(|table| table.get_ref().is_table()) => {
                    tables.iter().for_each(|table| check_keys(section.name, table, errors));
                }
                Some(_) | None => {
                    errors.add(at, text, "stands once for each", format!("write [[{text}]]"));
                }
            },
        }
    }
}

fn unknown_at_root(name: &str, value: &Spanned<DeValue<'_>>, at: usize, errors: &mut Errors<'_>) {
    let is_section = value.get_ref().is_table() || value.get_ref().is_array();
    let what = if is_section { "there is no such section" } else { "stands in no section" };
    let near = known::nearest(name, SECTIONS.iter().map(|section| section.name));
    let home = known::KEYS.iter().find(|key| key.name == name);
    let fix = match (near, home) {
        (Some(near), _) if is_section => format!("did you mean {near}?"),
        (_, Some(home)) => format!("did you mean {name} in [{}]?", home.section),
        _ => {
            let known: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
            format!("remove it; sections are {}", known.join(", "))
        }
    };
    errors.add(at, name, what, fix);
}

fn check_keys(section: &'static str, table: &Spanned<DeValue<'_>>, errors: &mut Errors<'_>) {
    for (name, _) in table.get_ref().as_table().into_iter().flatten() {
        let text = name.get_ref().as_ref();
        if known::keys_of(section).any(|key| key.name == text) {
            continue;
        }
        let near = known::nearest(text, known::keys_of(section).map(|key| key.name));
        let home = known::KEYS.iter().find(|key| key.name == text);
        let fix = match (near, home) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, Some(home)) => format!("it is a key of [{}]", home.section),
            (None, None) if is_secret(text) => {
                "remove it: secrets never stand in this file, they are files in keys/".to_owned()
            }
            (None, None) => {
                let known: Vec<_> = known::keys_of(section).map(|key| key.name).collect();
                format!("remove it; keys of [{section}] are {}", known.join(", "))
            }
        };
        let key = format!("{section}.{text}");
        errors.add(name.span().start, key, "there is no such key", fix);
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["secret", "password", "passwd", "private", "key", "pin"].iter().any(|word| name.contains(word))
}

/// Anything that looks like a card number, comments included; a retailer's id may look so.
pub(super) fn check_card_numbers(source: &str, root: &DeTable<'_>, errors: &mut Errors<'_>) {
    let mut values = Vec::new();
    for (section, value) in root {
        scalars(section.get_ref(), value, 0, &mut values);
    }
    for range in card_number::find(source) {
        let holds = |span: &Range<usize>| span.start <= range.start && range.end <= span.end;
        let key = values.iter().find(|(_, span)| holds(span)).map(|(key, _)| key.as_str());
        let key = key.unwrap_or_default();
        if key == "terminal.retailer" {
            continue;
        }
        errors.add(
            range.start,
            key,
            "this looks like a card number",
            "remove it: card numbers never stand in this file; cards are named by their tokens",
        );
    }
}

/// The spans of all values with their keys; tables deeper than any that the file may have are
/// not looked into.
fn scalars(
    path: &str,
    value: &Spanned<DeValue<'_>>,
    depth: usize,
    found: &mut Vec<(String, Range<usize>)>,
) {
    if depth > 3 {
        return;
    }
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                scalars(&format!("{path}.{}", key.get_ref()), value, depth + 1, found);
            }
        }
        DeValue::Array(array) => {
            array.iter().for_each(|value| scalars(path, value, depth + 1, found));
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => found.push((path.to_owned(), value.span())),
    }
}

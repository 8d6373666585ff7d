//! The dependency table: the fenced block under `## Workspace` in ARCHITECTURE.md.
//!
//! A line is a level and `crate -> crates it may depend on`, several to a line if they fit. A name
//! with `*` may touch the world. `0..4` means every crate of those levels; `everything`, `nothing`.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;

const PAGE: &str = "ARCHITECTURE.md";

/// A crate's place in the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Row {
    pub(super) level: u8,
    /// Marked `*`.
    pub(super) may_touch_world: bool,
    /// Names of our crates that it may depend on.
    pub(super) may_use: BTreeSet<String>,
}

pub(super) type Table = BTreeMap<String, Row>;

/// The table of this text of ARCHITECTURE.md, and what is wrong with it.
pub(super) fn parse(text: &str) -> (Table, Vec<Violation>) {
    let Some((first, lines)) = block(text) else {
        let found = Violation::new(
            PAGE,
            1,
            "no fenced block after the heading `## Workspace`",
            "write the table of crates there, one `level name -> deps` to a line",
        );
        return (Table::new(), vec![found]);
    };
    let mut found = Vec::new();
    let mut rows = Vec::new();
    let mut level = None;
    let plain_lines: Vec<String> = lines.iter().map(|line| without_remarks(line)).collect();
    for (offset, (line, plain)) in lines.iter().zip(&plain_lines).enumerate() {
        let number = first + offset;
        let mut words: Vec<&str> = plain.split_whitespace().collect();
        let leads = !line.starts_with(char::is_whitespace);
        if let (true, Some(n)) = (leads, words.first().and_then(|w| w.parse::<u8>().ok())) {
            level = Some(n);
            words.remove(0);
        }
        match (level, pairs(&words)) {
            (_, Some(pairs)) if pairs.is_empty() => {}
            (Some(level), Some(pairs)) => {
                rows.extend(pairs.into_iter().map(|(name, deps)| (number, level, name, deps)));
            }
            (None, _) | (_, None) => found.push(Violation::new(
                PAGE,
                number,
                format!("not a line of the table: {}", line.trim()),
                "write `level name -> deps`",
            )),
        }
    }
    let (table, wrong) = resolve(rows);
    found.extend(wrong);
    (table, found)
}

/// Number of the block's first line (from 1) and its lines.
fn block(text: &str) -> Option<(usize, Vec<&str>)> {
    let lines: Vec<&str> = text.lines().collect();
    let heading = lines.iter().position(|l| l.starts_with("## Workspace"))?;
    let open = heading + lines[heading..].iter().position(|l| l.starts_with("```"))?;
    let close = open + 1 + lines[open + 1..].iter().position(|l| l.starts_with("```"))?;
    Some((open + 2, lines[open + 1..close].to_vec()))
}

/// Without `(remarks)` and without what follows a semicolon.
fn without_remarks(line: &str) -> String {
    let mut depth = 0usize;
    let mut plain = String::new();
    for c in line.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => break,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

type Pair<'a> = (&'a str, Vec<&'a str>);

/// `(name, deps)` of a line without its level. Names before the first arrow share its deps; a later
/// arrow has one name, the word before it. `None` if the words are no pairs.
fn pairs<'a>(words: &[&'a str]) -> Option<Vec<Pair<'a>>> {
    let arrows: Vec<usize> = (0..words.len()).filter(|i| words[*i] == "->").collect();
    if words.is_empty() {
        return Some(Vec::new());
    }
    let mut pairs = Vec::new();
    for (n, arrow) in arrows.iter().enumerate() {
        let end = arrows.get(n + 1).map_or(Some(words.len()), |next| next.checked_sub(1))?;
        let deps = words.get(arrow + 1..end).filter(|deps| !deps.is_empty())?;
        let names = if n == 0 { words.get(..*arrow)? } else { words.get(arrow - 1..*arrow)? };
        pairs.extend(names.iter().map(|name| (*name, deps.to_vec())));
    }
    (!pairs.is_empty()).then_some(pairs)
}

type Line<'a> = (usize, u8, &'a str, Vec<&'a str>);

/// Names, levels and ranges to sets; every dependency must be a crate of a lower level, so that the
/// table has no cycle.
fn resolve(rows: Vec<Line<'_>>) -> (Table, Vec<Violation>) {
    let levels: BTreeMap<&str, u8> =
        rows.iter().map(|(_, level, name, _)| (name.trim_end_matches('*'), *level)).collect();
    let mut table = Table::new();
    let mut found = Vec::new();
    for (line, level, starred, deps) in rows {
        let name = starred.trim_end_matches('*');
        let mut may_use = BTreeSet::new();
        for dep in deps {
            match named(dep, &levels) {
                Some(names) => may_use.extend(names.into_iter().filter(|n| *n != name)),
                None => found.push(Violation::new(
                    PAGE,
                    line,
                    format!("`{name}` may use `{dep}`, which the table does not have"),
                    "give it a line, or take it out",
                )),
            }
        }
        for dep in &may_use {
            if levels.get(dep).is_some_and(|l| *l >= level) {
                found.push(Violation::new(
                    PAGE,
                    line,
                    format!("`{name}` of level {level} may use `{dep}`, which is not below it"),
                    "dependencies point down only: move one of them",
                ));
            }
        }
        let may_use = may_use.into_iter().map(String::from).collect();
        let row = Row { level, may_touch_world: starred.ends_with('*'), may_use };
        if table.insert(name.to_string(), row).is_some() {
            found.push(Violation::new(
                PAGE,
                line,
                format!("`{name}` stands in the table twice"),
                "keep one line",
            ));
        }
    }
    (table, found)
}

/// The crates that one word of a list of dependencies stands for.
fn named<'a>(word: &'a str, levels: &BTreeMap<&'a str, u8>) -> Option<Vec<&'a str>> {
    if let Some((from, to)) = word.split_once("..") {
        let range = from.parse::<u8>().ok()?..=to.parse::<u8>().ok()?;
        return Some(levels.iter().filter(|(_, l)| range.contains(l)).map(|(n, _)| *n).collect());
    }
    match word {
        "everything" => Some(levels.keys().copied().collect()),
        "nothing" => Some(Vec::new()),
        _ => levels.contains_key(word).then(|| vec![word]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = "# A\n\n## Workspace (a DAG)\n\nText.\n\n```\n\
        7  top (the binary)  -> everything; adapters behind features\n\
        6  shell*   -> 0..5            land  -> 0..1 room      (* may touch the world)\n\
        5  room     -> 0..1            guest -> clock word\n   page* report* -> word\n\
        1  clock -> word     tape -> nothing\n0  word   -> nothing\n```\n\n```\n9 no -> no\n```\n";

    fn deps(table: &Table, name: &str) -> String {
        table[name].may_use.iter().cloned().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn reads_levels_ranges_stars_and_shared_lines() {
        let (table, found) = parse(PAGE_TEXT);
        assert_eq!(found, []);
        assert_eq!(table.len(), 10);
        assert_eq!(deps(&table, "top"), "clock guest land page report room shell tape word");
        assert_eq!(deps(&table, "shell"), "clock guest page report room tape word");
        assert_eq!(deps(&table, "land"), "clock room tape word");
        assert_eq!(deps(&table, "guest"), "clock word");
        assert_eq!(deps(&table, "report"), "word");
        assert_eq!(deps(&table, "tape"), "");
        assert_eq!(table["page"].level, 5);
        let starred: Vec<_> =
            table.iter().filter(|(_, r)| r.may_touch_world).map(|(n, _)| n.as_str()).collect();
        assert_eq!(starred, ["page", "report", "shell"]);
    }

    fn what(text: &str) -> Vec<String> {
        parse(text).1.into_iter().map(|v| format!("{}: {}", v.line, v.what)).collect()
    }

    #[test]
    fn refuses_what_is_no_table() {
        assert_eq!(what("# A\n"), ["1: no fenced block after the heading `## Workspace`"]);
        let block = |lines: &str| what(&format!("## Workspace\n```\n{lines}\n```\n"));
        assert_eq!(block("1 a -> b"), ["3: `a` may use `b`, which the table does not have"]);
        assert_eq!(
            block("1 a -> b\n1 b -> nothing"),
            ["3: `a` of level 1 may use `b`, which is not below it"]
        );
        assert_eq!(block("1 a b"), ["3: not a line of the table: 1 a b"]);
        assert_eq!(block("a -> nothing"), ["3: not a line of the table: a -> nothing"]);
        assert_eq!(block("1 a ->"), ["3: not a line of the table: 1 a ->"]);
        assert_eq!(block("1 a -> nothing\n0 a -> nothing"), ["4: `a` stands in the table twice"]);
    }
}

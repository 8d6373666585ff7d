//! A .rs file as the rules see it: its text, its code without comments and literals, which lines
//! are tests, and the paths that it names.
//!
//! A scanner, no parser: enough to tell code from comments, strings and tests. What it can't see:
//! paths that a macro builds, and items of a renamed import.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::workspace::Workspace;

pub(super) struct File {
    /// From the workspace's root, with `/`.
    pub(super) path: String,
    /// Name of the crate that it belongs to.
    pub(super) krate: String,
    pub(super) text: String,
    /// The text with comments, strings and character literals blanked; same lines.
    pub(super) code: String,
    /// For each line, whether only tests see it.
    pub(super) test_lines: Vec<bool>,
}

/// A path as the code names it, `use` trees spelt out: `std::fs::File`, a glob as `std::fs::*`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    /// First line is 1.
    pub(super) line: usize,
    pub(super) path: String,
    /// Made public here by `pub use`.
    pub(super) published: bool,
}

impl File {
    pub(super) fn new(path: &str, krate: &str, text: &str, only_tests: bool) -> Self {
        let code = code(text);
        let mut test_lines = test_lines(&code);
        if only_tests {
            test_lines.fill(true);
        }
        Self { path: path.into(), krate: krate.into(), text: text.into(), code, test_lines }
    }

    /// Lines of code from 1, tests left out.
    pub(super) fn program(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.lines().zip(&self.test_lines).enumerate();
        lines.filter(|(_, (_, test))| !**test).map(|(at, (line, _))| (at + 1, line))
    }

    pub(super) fn is_test(&self, line: usize) -> bool {
        line.checked_sub(1).and_then(|at| self.test_lines.get(at)).copied().unwrap_or(false)
    }

    /// Whether it is the root of a library or a binary.
    pub(super) fn is_root(&self) -> bool {
        let within = self.path.rsplit_once("src/").map_or("", |(_, rest)| rest);
        matches!(within, "lib.rs" | "main.rs")
            || within
                .strip_prefix("bin/")
                .is_some_and(|rest| !rest.contains('/') || rest.ends_with("/main.rs"))
    }
}

/// Every .rs file of the members.
pub(super) fn read(root: &Path, workspace: &Workspace) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for (name, package) in workspace.iter().filter(|(_, p)| p.is_member()) {
        let manifest = root.join(&package.manifest);
        let folder = manifest.parent().unwrap_or(root);
        let mut paths = Vec::new();
        walk(folder, &mut paths)?;
        paths.sort();
        let mut only_tests: BTreeSet<PathBuf> = BTreeSet::new();
        let mut texts = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(&path)
                .map_err(|why| format!("{}: {why}", path.display()))?;
            only_tests.extend(declared_tests(&path, &code(&text)));
            texts.push((path, text));
        }
        for (path, text) in texts {
            let within = path.strip_prefix(folder).unwrap_or(&path);
            let apart = within.iter().any(|p| p == "tests" || p == "benches");
            let tests = apart || only_tests.contains(&path);
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            files.push(File::new(&shown, name, &text, tests));
        }
    }
    Ok(files)
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let broken = |why: std::io::Error| format!("{}: {why}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden && !path.ends_with("target") {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Files that `#[cfg(test)] mod name;` of this file declares.
fn declared_tests(path: &Path, code: &str) -> Vec<PathBuf> {
    let folder = match path.file_stem().and_then(|s| s.to_str()) {
        Some("lib" | "main" | "mod") | None => path.parent().unwrap_or(path).to_path_buf(),
        Some(stem) => path.with_file_name(stem),
    };
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (line, test) in lines.iter().zip(test_lines(code)) {
        let name = line
            .split_whitespace()
            .skip_while(|w| *w != "mod")
            .nth(1)
            .and_then(|w| w.strip_suffix(';'));
        if let (true, Some(name)) = (test, name) {
            found.push(folder.join(format!("{name}.rs")));
            found.push(folder.join(name).join("mod.rs"));
        }
    }
    found
}

/// The text with comments, strings and character literals blanked; line breaks stay.
fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment, string or character literal ends that starts here; `at` if none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |n: usize| chars.get(at + n).copied().unwrap_or('\0');
    let in_word = at > 0 && chars.get(at - 1).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    match (next(0), next(1)) {
        ('/', '/') => chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n),
        ('/', '*') => block_comment_end(chars, at),
        ('"', _) => quoted_end(chars, at + 1, '"'),
        ('b' | 'c', '"') if !in_word => quoted_end(chars, at + 2, '"'),
        ('b', '\'') if !in_word => quoted_end(chars, at + 2, '\''),
        ('r', '"' | '#') if !in_word => raw_end(chars, at, at + 1),
        ('b' | 'c', 'r') if !in_word => raw_end(chars, at, at + 2),
        ('\'', '\\') => quoted_end(chars, at + 1, '\''),
        ('\'', _) if next(2) == '\'' => at + 3,
        _ => at,
    }
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0usize;
    let mut here = at;
    while here < chars.len() {
        match (chars[here], chars.get(here + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                here += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                here += 2;
                if depth == 0 {
                    return here;
                }
            }
            _ => here += 1,
        }
    }
    here
}

fn quoted_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `hashes` is where the `#`s of a raw string would start; `at` if it is none (`r#type`).
fn raw_end(chars: &[char], at: usize, hashes: usize) -> usize {
    let count = chars[hashes.min(chars.len())..].iter().take_while(|c| **c == '#').count();
    if chars.get(hashes + count) != Some(&'"') {
        return at;
    }
    let mut here = hashes + count + 1;
    while here < chars.len() {
        let closes = chars[here] == '"'
            && chars[here + 1..].iter().take(count).filter(|c| **c == '#').count() == count;
        if closes {
            return here + 1 + count;
        }
        here += 1;
    }
    here
}

/// For each line of code, whether it belongs to an item under `#[cfg(test)]` or to a `#[test]`.
fn test_lines(code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let mut marks = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim_start();
        let opens = ["#[cfg(test)]", "#[cfg(all(test", "#[test]"];
        if opens.iter().any(|o| line.starts_with(o)) {
            let end = item_end(&lines, at);
            marks[at..=end].fill(true);
            at = end;
        }
        at += 1;
    }
    marks
}

/// The line on which the item ends whose attributes start on this line.
fn item_end(lines: &[&str], from: usize) -> usize {
    let mut brackets = 0i32;
    let mut braces = 0i32;
    for (at, line) in lines.iter().enumerate().skip(from) {
        for c in line.chars() {
            match c {
                '[' | '(' => brackets += 1,
                ']' | ')' => brackets -= 1,
                '{' => braces += 1,
                '}' => {
                    braces -= 1;
                    if braces == 0 && brackets == 0 {
                        return at;
                    }
                }
                ';' if braces == 0 && brackets == 0 => return at,
                _ => {}
            }
        }
    }
    lines.len().saturating_sub(1)
}

/// Every path that the code names.
pub(super) fn paths(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (line, token) = tokens[at];
        if token == "use" {
            let before = at.checked_sub(1).map_or("", |b| tokens[b].1);
            at += 1;
            use_tree(&tokens, &mut at, "", before == "pub" || before == ")", &mut found);
        } else if is_word(token) {
            let mut path = token.to_string();
            while let [(_, "::"), (_, next), ..] = tokens[at + 1..]
                && is_word(next)
            {
                path = format!("{path}::{next}");
                at += 2;
            }
            found.push(Named { line, path, published: false });
            at += 1;
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one tree of a `use` from `at`, and leaves `at` behind it.
fn use_tree(
    tokens: &[(usize, &str)],
    at: &mut usize,
    prefix: &str,
    published: bool,
    found: &mut Vec<Named>,
) {
    let mut path = prefix.to_string();
    while let Some((line, token)) = tokens.get(*at).copied() {
        match token {
            "::" => *at += 1,
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|(_, t)| *t != "}" && *t != ";") {
                    let before = *at;
                    use_tree(tokens, at, &path, published, found);
                    if tokens.get(*at).is_some_and(|(_, t)| *t == ",") || *at == before {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            word if is_word(word) || word == "*" => {
                if word == "as" {
                    *at += 2;
                    continue;
                }
                if word != "self" || path.is_empty() {
                    let link = if path.is_empty() { "" } else { "::" };
                    path = format!("{path}{link}{word}");
                }
                *at += 1;
                if tokens.get(*at).is_none_or(|(_, t)| *t != "::") {
                    found.push(Named { line, path: path.clone(), published });
                }
            }
            _ => return,
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single signs, each with its line from 1.
pub(super) fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let in_word = |c: char| c.is_alphanumeric() || c == '_';
            let end = if in_word(first) {
                rest.find(|c| !in_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((at + 1, &rest[..end]));
            rest = rest[end..].trim_start();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_literals_only() {
        for (text, expected) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */\n d */ e", "a             \n      e"),
            ("f(\"x // \\\" y\") // z", "f(           )     "),
            ("r#\"a \" b\"# c", "           c"),
            ("br\"a\\\" c", "       c"),
            ("r#type x", "r#type x"),
            ("'a' 'b: &'static str", "    'b: &'static str"),
            ("'\\'' b'\"' \"'\"", "             "),
            ("var\"s\"", "var   "),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn knows_what_only_tests_see() {
        let text = "fn a() {}\n#[cfg(test)]\nuse x;\nfn b() {}\n#[cfg(test)]\n#[allow(y)]\n\
            mod tests {\n    fn c() {}\n}\nfn d() {}\n#[cfg(test)]\nmod e;\nfn f() {}\n";
        let file = File::new("p", "k", text, false);
        let program: Vec<usize> = file.program().map(|(line, _)| line).collect();
        assert_eq!(program, [1, 4, 10, 13]);
        assert!(file.is_test(7) && !file.is_test(10) && !file.is_test(99));
        assert_eq!(
            declared_tests(Path::new("src/ledger.rs"), &code(text)),
            [Path::new("src/ledger/e.rs"), Path::new("src/ledger/e/mod.rs")]
        );
    }

    #[test]
    fn spells_out_what_is_named() {
        let named = |text: &str| -> Vec<String> {
            let mark = |n: Named| format!("{}{}", n.path, if n.published { "!" } else { "" });
            paths(&code(text)).into_iter().map(mark).collect()
        };
        assert_eq!(named("use std::fs;"), ["std::fs"]);
        assert_eq!(
            named("use std::{fs::{self, File as F}, net::*, time::Instant};"),
            ["std::fs", "std::fs::File", "std::net::*", "std::time::Instant"]
        );
        assert_eq!(named("pub use switch::{Hub, a::B};"), ["pub", "switch::Hub!", "switch::a::B!"]);
        assert_eq!(named("let a = std::env::var(b);"), ["let", "a", "std::env::var", "b"]);
        assert_eq!(named("use ::std::fs; x"), ["std::fs", "x"]);
        assert_eq!(named("use a::{,}; use {b, c::d};"), ["b", "c::d"]);
    }

    #[test]
    fn knows_a_root() {
        for (path, expected) in [
            ("crates/a/src/lib.rs", true),
            ("xtask/src/main.rs", true),
            ("crates/a/src/bin/b.rs", true),
            ("crates/a/src/bin/b/main.rs", true),
            ("crates/a/src/b/lib.rs", false),
            ("crates/a/tests/it.rs", false),
        ] {
            assert_eq!(File::new(path, "a", "", false).is_root(), expected, "{path}");
        }
    }
}

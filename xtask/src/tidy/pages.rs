//! Pages that are named must exist: `docs/...md` in any page, and relative links of the pages.

use std::path::Path;

use super::Violation;

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// A page: path from the workspace's root, and text.
pub(super) type Page = (String, String);

/// The pages at the root and under `docs/`.
pub(super) fn read(root: &Path) -> Result<Vec<Page>, String> {
    let mut pages = Vec::new();
    gather(root, root, false, &mut pages)?;
    let docs = root.join("docs");
    if docs.is_dir() {
        gather(root, &docs, true, &mut pages)?;
    }
    pages.sort();
    Ok(pages)
}

fn gather(root: &Path, folder: &Path, deep: bool, pages: &mut Vec<Page>) -> Result<(), String> {
    let broken = |why: std::io::Error| format!("{}: {why}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if deep && path.is_dir() {
            gather(root, &path, true, pages)?;
        } else if path.extension().is_some_and(|e| e == "md") {
            let text = std::fs::read_to_string(&path)
                .map_err(|why| format!("{}: {why}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            pages.push((name, text));
        }
    }
    Ok(())
}

/// The text of ARCHITECTURE.md; empty if there is none.
pub(super) fn architecture(pages: &[Page]) -> &str {
    pages.iter().find(|(name, _)| name == ARCHITECTURE).map_or("", |(_, text)| text)
}

pub(super) fn check(root: &Path, pages: &[Page]) -> Vec<Violation> {
    judge(pages, |path| root.join(path).exists())
}

fn judge(pages: &[Page], exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, text) in pages {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, line) in text.lines().enumerate() {
            let mut named = docs_named(line);
            named.extend(links(line).into_iter().map(|link| beside(folder, link)));
            named.retain(|path| !exists(path));
            named.sort();
            named.dedup();
            found.extend(named.into_iter().map(|path| {
                Violation::new(
                    name,
                    at + 1,
                    format!("names {path}, which does not exist"),
                    "write the page, or name the right one",
                )
            }));
        }
    }
    found
}

/// `docs/...md` in this line; patterns such as `NNNN-title.md` and `*.md` are none.
fn docs_named(line: &str) -> Vec<String> {
    let in_path = |c: char| c.is_ascii_alphanumeric() || "/-_.*<>{}".contains(c);
    let words = line.split(|c: char| !in_path(c));
    words
        .map(|word| word.trim_start_matches("../").trim_end_matches('.'))
        .filter(|word| word.starts_with("docs/") && word.ends_with(".md"))
        .filter(|word| !word.contains("NNNN") && !word.contains(['*', '<', '{']))
        .map(String::from)
        .collect()
}

/// Targets of `](target)` that are files of this tree.
fn links(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|link| !link.is_empty() && !link.contains(':'))
        .collect()
}

fn beside(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_page_that_is_named_and_absent() {
        let page = |name: &str, text: &str| (name.to_string(), text.to_string());
        let pages = [
            page("ARCHITECTURE.md", "see `docs/formats/journal.md`, docs/decisions/0001-a.md.\n"),
            page("docs/manual/a.md", "[b](b.md) [c](../formats/journal.md#x)\n[d](https://e/f)\n"),
            page("STYLE.md", "`docs/decisions/NNNN-title.md` docs/formats/*.md\n[l](LICENSE)\n"),
        ];
        let there = ["docs/formats/journal.md", "LICENSE"];
        let found: Vec<String> = judge(&pages, |path| there.contains(&path))
            .into_iter()
            .map(|v| format!("{}:{}: {}", v.file, v.line, v.what))
            .collect();
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md:1: names docs/decisions/0001-a.md, which does not exist",
                "docs/manual/a.md:1: names docs/manual/b.md, which does not exist",
            ]
        );
    }
}

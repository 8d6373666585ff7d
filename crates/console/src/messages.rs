//! Every word of the pages, one file for each language. A language is one [`Messages`]: the
//! compiler wants each word of it.

mod english;

pub use english::ENGLISH;

use crate::view::StepKind;

/// A language.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    /// BCP 47.
    pub language: &'static str,
    /// Titles, headings and labels, by name.
    pub words: &'static [(&'static str, &'static str)],
    /// `well`, `watch`, ... by number of fires, and a sentence on each.
    pub fires: [(&'static str, &'static str); 6],
    /// Reasons of fires, by name.
    pub reasons: &'static [(&'static str, &'static str)],
    /// Kinds of findings, by name.
    pub findings: &'static [(&'static str, &'static str)],
    /// Statuses of payments, by name, with a sentence on each.
    pub statuses: &'static [(&'static str, &'static str)],
    /// Kinds of payments, by name.
    pub kinds: &'static [(&'static str, &'static str)],
    /// Response codes (DE39).
    pub codes: &'static [(&'static str, &'static str)],
    /// Refusals of ours (DE44), where that says more than DE39.
    pub texts: &'static [(&'static str, &'static str)],
    /// Legs of transfers, by name.
    pub legs: &'static [(&'static str, &'static str)],
    /// What a step says.
    pub step: fn(StepKind) -> StepWords,
}

/// A step in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepWords {
    /// A few words.
    pub title: &'static str,
    /// A sentence; `{issuer}`, `{amount}` ... stand for what they name.
    pub sentence: &'static str,
}

impl Messages {
    /// A word by its name; the name itself where there is none, which a test forbids.
    pub fn word(&self, name: &'static str) -> &'static str {
        find(self.words, name).unwrap_or(name)
    }

    /// A reason of fires.
    pub fn reason(&self, name: &'static str) -> &'static str {
        find(self.reasons, name).unwrap_or(name)
    }

    /// A finding.
    pub fn finding(&self, name: &'static str) -> &'static str {
        find(self.findings, name).unwrap_or(name)
    }

    /// A kind of payment.
    pub fn kind(&self, name: &'static str) -> &'static str {
        find(self.kinds, name).unwrap_or(name)
    }

    /// A status, in a sentence.
    pub fn status(&self, name: &'static str) -> &'static str {
        find(self.statuses, name).unwrap_or(name)
    }

    /// What a code and text say: the text where it says more.
    pub fn code(&self, code: &str, text: Option<&str>) -> &'static str {
        let said = text.and_then(|text| find(self.texts, text));
        said.or_else(|| find(self.codes, code)).unwrap_or(self.word("code_unknown"))
    }

    /// A leg of a transfer.
    pub fn leg(&self, name: &'static str) -> &'static str {
        find(self.legs, name).unwrap_or(name)
    }

    /// Whether it has words for this name of a reason or finding.
    pub fn knows(&self, name: &str) -> bool {
        [self.reasons, self.findings, self.statuses, self.kinds]
            .into_iter()
            .any(|list| find(list, name).is_some())
    }
}

fn find(list: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    list.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let m = ENGLISH;
        let lists = [m.words, m.reasons, m.findings, m.statuses, m.kinds, m.codes, m.texts, m.legs];
        for list in lists {
            for (place, (name, words)) in list.iter().enumerate() {
                assert!(list[..place].iter().all(|(earlier, _)| earlier != name), "{name}");
                assert!(!words.is_empty(), "{name}");
            }
        }
    }

    /// Each `word("name")` of the pages is in the language.
    #[test]
    fn every_word_that_pages_use_is_there() {
        let sources = [
            include_str!("pages/mod.rs"),
            include_str!("pages/overview.rs"),
            include_str!("pages/station.rs"),
            include_str!("pages/payments.rs"),
            include_str!("pages/story.rs"),
            include_str!("pages/parts.rs"),
            include_str!("pictures.rs"),
            include_str!("messages.rs"),
        ];
        let mut used = 0;
        for source in sources {
            for part in source.split(".word(\"").skip(1) {
                let name = part.split('"').next().unwrap();
                assert!(find(ENGLISH.words, name).is_some(), "no word for {name}");
                used += 1;
            }
        }
        assert!(used > 40, "{used}");
    }
}

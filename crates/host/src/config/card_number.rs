//! Card numbers must not stand in a configuration file, not even in a comment (R-SECRETS): here
//! they are recognised by their shape and check digit, and masked.

use std::ops::Range;

use scheme::Pan;

/// Shortest and longest number that is taken for a card's (ISO/IEC 7812: 12 to 19 are in use).
const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Where `text` has something that looks like a card number: 12 to 19 digits that stand alone, in
/// one piece or in the groups that are printed on cards, with a right check digit.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let groups = groups(text);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = groups.get(at..).filter(|rest| !rest.is_empty()) {
        match (1..=rest.len().min(5)).rev().find(|n| is_card(text, &rest[..*n])) {
            Some(n) => {
                found.push(rest[0].start..rest[n - 1].end);
                at += n;
            }
            None => at += 1,
        }
    }
    found
}

/// The text with every such number reduced to its last four digits.
pub(super) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for range in find(text) {
        masked.push_str(&text[from..range.start]);
        masked.push_str("********");
        // A range ends with four digits, for no printed group of the last place is shorter when
        // the number has fewer than 16; otherwise fewer are shown, never more.
        let tail = text[range.clone()].char_indices().rev().nth(3).map_or(0, |(i, _)| i);
        masked.push_str(&text[range.start + tail..range.end]);
        from = range.end;
    }
    masked.push_str(&text[from..]);
    masked
}

/// Runs of digits (TOML's `_` between them counts as nothing) that touch no letter.
fn groups(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let in_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let mut groups = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = bytes[at..].iter().take_while(|b| in_word(b)).count();
        let word = &bytes[at..at + len];
        let is_number = word.iter().all(|b| b.is_ascii_digit() || *b == b'_');
        if len > 0 && is_number {
            groups.push(at..at + len);
        }
        at += len.max(1);
    }
    groups
}

fn is_card(text: &str, groups: &[Range<usize>]) -> bool {
    let digits_of = |group: &Range<usize>| text[group.clone()].bytes().filter(u8::is_ascii_digit);
    let lengths: Vec<usize> = groups.iter().map(|group| digits_of(group).count()).collect();
    let is_printed =
        matches!(lengths.as_slice(), [_] | [4, 6, 5] | [4, 4, 4, 1..=7] | [4, 4, 4, 4, 1..=3]);
    let is_joined = groups.windows(2).all(|pair| {
        pair[1].start == pair[0].end + 1 && matches!(text.as_bytes()[pair[0].end], b' ' | b'-')
    });
    if !is_printed || !is_joined || !DIGITS.contains(&lengths.iter().sum()) {
        return false;
    }
    let digits: Vec<u8> = groups.iter().flat_map(digits_of).collect();
    Pan::parse(&digits).is_ok_and(|pan| pan.check().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_and_others_are_not() {
        // Source of the numbers: the example nation, and the well-known test numbers of schemes.
        for text in [
            "9408010000000016",
            "card 9408 0100 0000 0016.",
            "4111-1111-1111-1111",
            "378282246310005",
            "3782 822463 10005",
            "pan = 9408_0100_0000_0016",
            "# 9408010000000016,",
            "9408010000000016번",
        ] {
            assert_eq!(find(text).len(), 1, "{text}");
            let masked = mask(text);
            assert!(find(&masked).is_empty(), "{masked}");
        }
        for text in [
            "9408010000000017",
            "940801",
            "100001",
            "0123456789abcdef9408010000000016",
            "94080100000000169408010000000016",
            "127.0.0.1:8583",
            "5000000.00",
            "2026-11-22T09:01:39Z",
        ] {
            assert_eq!(find(text), [], "{text}");
        }
        assert_eq!(mask("a 9408010000000016 b"), "a ********0016 b");
        assert_eq!(mask("9408 0100 0000 0016 x"), "********0016 x");
        assert_eq!(mask("카드 9408010000000016 카드"), "카드 ********0016 카드");
    }
}

//! Values as people read them.

/// `2026-11-22T12:19:22.123Z` as `12:19:22`; what is no such text stays.
pub(crate) fn clock(at: &str) -> &str {
    at.get(11..19).unwrap_or(at)
}

/// As [`clock`], with thousandths.
pub(crate) fn clock_ms(at: &str) -> &str {
    at.get(11..23).unwrap_or(at)
}

/// The date of an RFC 3339 time.
pub(crate) fn date(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}

/// As [`clock`], with the date before it unless it is of that day: `2026-11-21 12:19:22`.
pub(crate) fn moment(at: &str, today: &str) -> String {
    let (date, clock) = (date(at), clock(at));
    if date == today { clock.to_owned() } else { format!("{date} {clock}") }
}

/// `-1234567.89` as `\u{2212}1,234,567.89`.
pub(crate) fn grouped(amount: &str) -> String {
    let (sign, rest) = match amount.strip_prefix('-') {
        Some(rest) => ("\u{2212}", rest),
        None => ("", amount),
    };
    let (whole, part) = rest.split_once('.').map_or((rest, None), |(w, p)| (w, Some(p)));
    let mut out = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len().saturating_sub(place);
        if place > 0 && left.is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(part) = part {
        out.push('.');
        out.push_str(part);
    }
    out
}

/// A count with groups of three.
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// Of 10,000 as percent: `12.5 %`.
pub(crate) fn percent(of_10_000: u64) -> String {
    format!("{}.{} %", of_10_000 / 100, of_10_000 % 100 / 10)
}

/// Milliseconds: `830 ms`, `1.2 s`, `4 min`, `3 h`, `7 d`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..120_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// A template with its `{names}` filled in.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// The first letter large.
pub(crate) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A card as four groups: `9408 0200 \u{2022}\u{2022}\u{2022}\u{2022} 0015`.
pub(crate) fn card(masked: &str) -> String {
    let shown: Vec<char> = masked.chars().map(|c| if c == '*' { '\u{2022}' } else { c }).collect();
    shown.chunks(4).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_people_read_them() {
        assert_eq!(grouped("-1234567.89"), "\u{2212}1,234,567.89");
        assert_eq!(grouped("100.00"), "100.00");
        assert_eq!(grouped("1000"), "1,000");
        assert_eq!(grouped(""), "");
        assert_eq!(count(0), "0");
        assert_eq!(percent(9_987), "99.8 %");
        assert_eq!((duration(999), duration(1_250)), ("999 ms".into(), "1.2 s".into()));
        assert_eq!(duration(240_000), "4 min");
        assert_eq!((duration(7_200_000), duration(604_800_000)), ("2 h".into(), "7 d".into()));
        assert_eq!(moment("2026-11-22T12:19:22.123Z", "2026-11-22"), "12:19:22");
        assert_eq!(moment("2026-11-21T12:19:22.123Z", "2026-11-22"), "2026-11-21 12:19:22");
        assert_eq!(clock("2026-11-22T12:19:22.123Z"), "12:19:22");
        assert_eq!(clock_ms("2026-11-22T12:19:22.123Z"), "12:19:22.123");
        assert_eq!(clock("now"), "now");
        assert_eq!(card("94080200****0015"), "9408 0200 \u{2022}\u{2022}\u{2022}\u{2022} 0015");
        assert_eq!(fill("{a} of {b}", &[("a", "1"), ("b", "2")]), "1 of 2");
        assert_eq!(capital("nampo"), "Nampo");
    }
}

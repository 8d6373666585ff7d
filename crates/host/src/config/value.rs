//! Single values of the file: TOML in, the scheme's own types out, or what is wrong and what to do.

use core::net::SocketAddr;

use scheme::{
    Amount, AmountError, Currency, Iin, ParticipantId, Reason, RetailerId, TerminalId, TextError,
    Token,
};
use switch::limits::NAME_MAX;
use toml::de::DeValue;
use wire::iso8583::Dialect;

use super::limits::{STATION_NAME_MAX, TIMER_MS_MAX};
use super::{Channels, Profile, TerminalRole, known};

/// What is wrong with a value, and what to do.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) fix: String,
}

fn wrong<T>(what: impl Into<String>, fix: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { what: what.into(), fix: fix.into() })
}

fn text<'v>(value: &'v DeValue<'_>, example: &str) -> Result<&'v str, Wrong> {
    match value.as_str() {
        Some(text) => Ok(text),
        None => wrong(
            format!("a text is needed, not {}", kind(value)),
            format!("write it in quotes, as in \"{example}\""),
        ),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// An integer from `least` to `most`.
pub(super) fn number(value: &DeValue<'_>, least: u64, most: u64) -> Result<u64, Wrong> {
    let fix = format!("write a number from {least} to {most}, without quotes");
    let Some(integer) = value.as_integer() else {
        return wrong(format!("an integer is needed, not {}", kind(value)), fix);
    };
    match u64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(_) | Err(_) => wrong(format!("{} is out of range", integer.as_str()), fix),
    }
}

/// The same, for counts.
pub(super) fn count(value: &DeValue<'_>, least: usize, most: usize) -> Result<usize, Wrong> {
    // usize has at most 64 bits on every machine that we build for.
    number(value, least as u64, most as u64).map(|number| number as usize)
}

/// A time of at least one millisecond.
pub(super) fn ms(value: &DeValue<'_>) -> Result<u64, Wrong> {
    number(value, 1, TIMER_MS_MAX)
}

/// A name for people.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value, "First Bank")?;
    let fix = format!("write 1 to {NAME_MAX} bytes of visible text");
    if name.trim().is_empty() || name.trim() != name {
        return wrong("a name is not empty and has no spaces around it", fix);
    }
    if name.len() > NAME_MAX {
        return wrong(format!("{} bytes are too many for a name", name.len()), fix);
    }
    if name.chars().any(char::is_control) {
        return wrong("a name has no control characters", fix);
    }
    Ok(name.to_owned())
}

/// A station's name: a directory and a socket are called so.
pub(super) fn station_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value, "pyongyang")?;
    let fix = format!("write 1 to {STATION_NAME_MAX} of a-z, 0-9 and -, a letter first");
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && name.len() <= STATION_NAME_MAX
        && name.bytes().all(plain);
    if good { Ok(name.to_owned()) } else { wrong(format!("\"{name}\" is no station's name"), fix) }
}

/// The name of a station, as others refer to it.
pub(super) fn reference(value: &DeValue<'_>) -> Result<String, Wrong> {
    text(value, "pyongyang").map(str::to_owned)
}

/// Two characters of DE37.
pub(super) fn code(value: &DeValue<'_>) -> Result<[u8; 2], Wrong> {
    let code = text(value, "PY")?;
    match code.as_bytes() {
        [a, b] if [a, b].iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) => {
            Ok([*a, *b])
        }
        _ => wrong(format!("\"{code}\" is no code"), "write two of A-Z and 0-9, as in \"PY\""),
    }
}

/// ISO 4217 letters.
pub(super) fn currency_letters(value: &DeValue<'_>) -> Result<String, Wrong> {
    let letters = text(value, "KPW")?;
    if letters.len() == 3 && letters.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(letters.to_owned());
    }
    wrong(format!("\"{letters}\" is no currency"), "write the three capitals of ISO 4217")
}

/// A decimal string; without a currency (its own keys are wrong) only the digits are checked.
pub(super) fn amount(value: &DeValue<'_>, currency: Option<Currency>) -> Result<Amount, Wrong> {
    let Some(written) = value.as_str() else {
        let what = format!("an amount is a text, not {}", kind(value));
        return wrong(what, "write it in quotes, as in \"12.50\"");
    };
    let known = currency.unwrap_or(Currency::KPW);
    match known.parse(written) {
        Ok(amount) => Ok(amount),
        Err(AmountError::TooPrecise | AmountError::TooLarge) if currency.is_none() => {
            Ok(Amount::ZERO)
        }
        Err(AmountError::Syntax) => wrong(
            format!("\"{written}\" is no amount"),
            "write digits with at most one point, as in \"12.50\"",
        ),
        Err(AmountError::TooPrecise) => wrong(
            format!("\"{written}\" has more decimals than {}", known.alpha()),
            format!("write at most {} after the point", known.exponent()),
        ),
        Err(AmountError::TooLarge) => {
            let most = Amount::new(scheme::limits::AMOUNT_MAX).unwrap_or_default();
            let fix = format!("write at most {}", known.show(most));
            wrong(format!("\"{written}\" is more than a message can carry (DE4)"), fix)
        }
    }
}

/// An IP address and port.
pub(super) fn address(value: &DeValue<'_>) -> Result<SocketAddr, Wrong> {
    let written = text(value, "127.0.0.1:8583")?;
    let fix = "write an IP address and a port, as in \"127.0.0.1:8583\" or \"[::1]:8583\"";
    match written.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => wrong("port 0 is no port to listen at", fix),
        Ok(address) => Ok(address),
        Err(_) => wrong(format!("\"{written}\" is no address"), fix),
    }
}

/// `HH:MM`, in seconds after midnight.
pub(super) fn time_of_day_s(value: &DeValue<'_>) -> Result<u32, Wrong> {
    let written = text(value, "22:00")?;
    let two = |part: &str| match part.as_bytes() {
        [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => {
            Some(u32::from(a - b'0') * 10 + u32::from(b - b'0'))
        }
        _ => None,
    };
    let parts = written.split_once(':').and_then(|(h, m)| Some((two(h)?, two(m)?)));
    match parts {
        Some((hours @ 0..=23, minutes @ 0..=59)) => Ok(hours * 3600 + minutes * 60),
        _ => wrong(format!("\"{written}\" is no time of day"), "write HH:MM, as in \"22:00\""),
    }
}

/// An institution code (DE32).
pub(super) fn participant(value: &DeValue<'_>) -> Result<ParticipantId, Wrong> {
    let code = number(value, 1, scheme::limits::INSTITUTION_MAX)?;
    // The range above is the constructor's own.
    ParticipantId::new(code).map_or_else(|| wrong("is no id", "write 1 to 11 digits"), Ok)
}

/// A routing prefix.
pub(super) fn iin(value: &DeValue<'_>) -> Result<Iin, Wrong> {
    let digits = text(value, "940801")?;
    match Iin::new(digits) {
        Some(iin) => Ok(iin),
        None => {
            wrong(format!("\"{digits}\" is no prefix"), "write 1 to 8 digits, as in \"940801\"")
        }
    }
}

/// The name of a dialect that is built in.
pub(super) fn dialect(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value, "iso87-ascii")?;
    let names = Dialect::builtin_names();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    let fix = match known::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("dialects are {}", names.join(", ")),
    };
    wrong(format!("there is no dialect \"{name}\""), fix)
}

/// DE41.
pub(super) fn terminal(value: &DeValue<'_>) -> Result<TerminalId, Wrong> {
    fixed(value, "PYO00001", "8")
}

/// DE42.
pub(super) fn retailer(value: &DeValue<'_>) -> Result<RetailerId, Wrong> {
    fixed(value, "PYO-SHOP-000001", "15")
}

fn fixed<const N: usize>(
    value: &DeValue<'_>,
    example: &str,
    most: &str,
) -> Result<scheme::FixedText<N>, Wrong> {
    let written = text(value, example)?;
    let fix = format!("write 1 to {most} printable characters, as in \"{example}\"");
    match scheme::FixedText::new(written.as_bytes()) {
        Ok(_) if written.trim() != written || written.is_empty() => {
            wrong(format!("\"{written}\" is empty or has spaces around it"), fix)
        }
        Ok(text) => Ok(text),
        Err(error @ (TextError::TooLong(_) | TextError::NotPrintable(_))) => {
            wrong(error.to_string(), fix)
        }
    }
}

/// A card's token.
pub(super) fn token(value: &DeValue<'_>) -> Result<Token, Wrong> {
    let fix = "write the card's token, 32 hexadecimal digits in quotes; never its number";
    let written = text(value, "0123456789abcdef0123456789abcdef")?;
    let is_hex = written.len() == 32 && written.bytes().all(|b| b.is_ascii_hexdigit());
    match u128::from_str_radix(written, 16) {
        Ok(token) if is_hex => Ok(Token(token)),
        // What stands there may be a card number: it is not repeated.
        Ok(_) | Err(_) => wrong("this is no token", fix),
    }
}

/// YYMM.
pub(super) fn expiry(value: &DeValue<'_>) -> Result<[u8; 4], Wrong> {
    let written = text(value, "3112")?;
    match <[u8; 4]>::try_from(written.as_bytes()) {
        Ok(digits)
            if digits.iter().all(u8::is_ascii_digit)
                && ("01"..="12").contains(&written.get(2..).unwrap_or_default()) =>
        {
            Ok(digits)
        }
        Ok(_) | Err(_) => {
            wrong(format!("\"{written}\" is no expiry"), "write YYMM, as in \"3112\"")
        }
    }
}

/// How trunks and banks' links run.
pub(super) fn channels(value: &DeValue<'_>) -> Result<Channels, Wrong> {
    choice(value, &[("secure", Channels::Secure), ("plain", Channels::Plain)])
}

/// The security profile.
pub(super) fn profile(value: &DeValue<'_>) -> Result<Profile, Wrong> {
    choice(value, &[("demo", Profile::Demo), ("production", Profile::Production)])
}

/// What a terminal is for.
pub(super) fn role(value: &DeValue<'_>) -> Result<TerminalRole, Wrong> {
    let roles = [
        ("tester", TerminalRole::Tester),
        ("shop", TerminalRole::Shop),
        ("probe", TerminalRole::Probe),
    ];
    choice(value, &roles)
}

/// Why a card is hot.
pub(super) fn hot_reason(value: &DeValue<'_>) -> Result<Reason, Wrong> {
    let reasons =
        [("lost", Reason::Lost), ("stolen", Reason::Stolen), ("restricted", Reason::Restricted)];
    choice(value, &reasons)
}

fn choice<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Result<T, Wrong> {
    let written = text(value, choices.first().map_or("", |(name, _)| name))?;
    if let Some((_, meant)) = choices.iter().find(|(name, _)| *name == written) {
        return Ok(*meant);
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    wrong(format!("\"{written}\" is not known here"), format!("write {}", names.join(" or ")))
}

//! What sections say together: references that lead nowhere, things that stand twice, addresses
//! and times that contradict each other.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use scheme::{ParticipantId, StationId, TerminalId};
use switch::Timers;

use super::limits::SEGMENT_MIB_MIN;
use super::reader::{At, Reader, Section};
use super::sections::{MIB, ParticipantDraft, StationDraft, is_allowed};
use super::{
    Channels, HubSection, JournalSection, Limits, Profile, Simulation, TerminalRole,
    TerminalSection, known,
};
use crate::limits::{NEW_PAYMENTS_MOST, PAYMENT_BYTES_MIN, SLOW_FROM};

type Stations = [At<StationDraft>];
type Terminals = [At<Vec<TerminalSection>>];

/// Too few or too many sections of a name.
pub(super) fn how_many(
    r: &mut Reader<'_, '_, '_>,
    name: &'static str,
    found: usize,
    least: usize,
    most: usize,
) {
    if found < least {
        r.errors.add(0, name, "there is none", format!("add a [[{name}]]"));
    } else if found > most {
        let what = format!("there are {found}, more than {most}");
        r.errors.add(0, name, what, "remove some, or divide the nation");
    }
}

/// Where in the list a station stands that is referred to by name.
pub(super) fn station(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
    name: &At<String>,
    stations: &Stations,
) -> Option<usize> {
    let named = |draft: &StationDraft| draft.name.as_ref().map(|name| name.value.clone());
    let found = stations.iter().position(|draft| named(&draft.value).as_ref() == Some(&name.value));
    if found.is_none() {
        let names: Vec<String> = stations.iter().filter_map(|draft| named(&draft.value)).collect();
        let fix = match known::nearest(&name.value, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "add a [[station]] of that name".to_owned(),
        };
        let what = format!("there is no station \"{}\"", name.value);
        r.errors.add(name.at, section.key("station"), what, fix);
    }
    found
}

/// An institution code that no `[[participant]]` has.
pub(super) fn no_participant(r: &mut Reader<'_, '_, '_>, id: At<ParticipantId>, key: &str) {
    let what = format!("there is no participant {}", id.value);
    r.errors.add(id.at, key, what, "add a [[participant]] with that id, or correct it");
}

/// A listener's dialects, each once.
pub(super) fn no_dialect_twice(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
    dialects: Option<&Option<Vec<At<String>>>>,
) {
    let mut seen = BTreeMap::new();
    for dialect in dialects.into_iter().flatten().flatten() {
        let identity = At { value: dialect.value.as_str(), at: dialect.at };
        let key = section.key("dialects");
        r.unique(&mut seen, identity, &key, "the same dialect", "remove one of them");
    }
}

/// `[first, last]`: the inner `None` when the key is absent, the outer one when it is wrong.
pub(super) fn first_and_last(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
    name: &'static str,
    list: Option<Vec<At<u64>>>,
) -> Option<Option<(u64, u64)>> {
    let Some(list) = list else { return Some(None) };
    match list.as_slice() {
        [first, last] if first.value <= last.value => Some(Some((first.value, last.value))),
        _ => {
            let what = "this is no range";
            let fix = "write the first and the last number, as in [11, 19]";
            r.errors.add(section.at(name), section.key(name), what, fix);
            None
        }
    }
}

/// Names, codes, ids, prefixes and terminals stand once; who is named exists.
pub(super) fn references(
    r: &mut Reader<'_, '_, '_>,
    stations: &Stations,
    participants: &[At<ParticipantDraft>],
    terminals: &Terminals,
) {
    let (mut names, mut codes) = (BTreeMap::new(), BTreeMap::new());
    for station in stations.iter().map(|station| &station.value) {
        if let Some(name) = &station.name {
            let identity = At { value: name.value.as_str(), at: name.at };
            r.unique(&mut names, identity, "station.name", "the same name", "give it another");
        }
        if let Some(code) = station.code {
            let fix = "give each station a code of its own: reference numbers (DE37) carry it";
            r.unique(&mut codes, code, "station.code", "the same code", fix);
        }
    }
    let (mut ids, mut iins) = (BTreeMap::new(), BTreeMap::new());
    for participant in participants.iter().map(|participant| &participant.value) {
        if let Some(id) = participant.id {
            r.unique(&mut ids, id, "participant.id", "the same id", "give it its own");
        }
        for iin in participant.iins.iter().flatten() {
            let identity = At { value: iin.value.to_string(), at: iin.at };
            let fix = "a prefix has one issuer: remove it from the other, or write a longer one";
            r.unique(&mut iins, identity, "participant.iins", "the same prefix", fix);
        }
    }
    // A bank whose own id is broken is not reported as missing wherever it is named.
    if participants.iter().all(|participant| participant.value.id.is_some()) {
        acquirers(r, &ids, stations, terminals);
    }
    terminals_once(r, terminals);
}

/// Acquirers that are named are participants.
fn acquirers(
    r: &mut Reader<'_, '_, '_>,
    ids: &BTreeMap<ParticipantId, usize>,
    stations: &Stations,
    terminals: &Terminals,
) {
    let mut reported = BTreeSet::new();
    for station in stations {
        let acquirer = station.value.acquirer.flatten();
        if let Some(acquirer) = acquirer.filter(|acquirer| !ids.contains_key(&acquirer.value)) {
            no_participant(r, acquirer, "station.acquirer");
            reported.insert(acquirer.value);
        }
    }
    for group in terminals {
        let acquirer = group.value.first().map(|terminal| terminal.acquirer);
        // The station's own, which its terminals inherit, is reported once.
        let unknown = acquirer.filter(|a| !ids.contains_key(a) && !reported.contains(a));
        if let Some(value) = unknown {
            no_participant(r, At { value, at: group.at }, "terminal.acquirer");
        }
    }
}

/// The register's key is (acquirer, DE41); a message without DE32 is known by its station and
/// DE41 (R-LINK). One error for each range.
fn terminals_once(r: &mut Reader<'_, '_, '_>, terminals: &Terminals) {
    let mut by_acquirer: BTreeMap<(ParticipantId, TerminalId), usize> = BTreeMap::new();
    let mut by_station: BTreeMap<(StationId, TerminalId), usize> = BTreeMap::new();
    let mut probes: BTreeMap<StationId, usize> = BTreeMap::new();
    for group in terminals {
        let mut is_reported = false;
        for t in &group.value {
            if is_reported {
                break;
            }
            let at = group.at;
            let words = format!("terminal {} of acquirer {}", t.terminal, t.acquirer);
            let identity = At { value: (t.acquirer, t.terminal), at };
            let fix = "an acquirer's terminal stands once in the nation: number it anew";
            is_reported |= !r.unique(&mut by_acquirer, identity, "terminal.terminal", &words, fix);
            if is_reported {
                break;
            }
            let words = format!("terminal {} at the same station", t.terminal);
            let identity = At { value: (t.station, t.terminal), at };
            let fix = "a message without DE32 could not say which: number it anew";
            is_reported |= !r.unique(&mut by_station, identity, "terminal.terminal", &words, fix);
        }
        for t in group.value.iter().filter(|t| t.role == TerminalRole::Probe) {
            let identity = At { value: t.station, at: group.at };
            let words = "a probe terminal of the same station";
            r.unique(&mut probes, identity, "terminal.probe", words, "keep one for each station");
        }
    }
}

/// No two listeners at one address; in the demo plain links stay on this machine.
pub(super) fn addresses(
    r: &mut Reader<'_, '_, '_>,
    profile: Option<Profile>,
    hub: Option<&At<HubSection>>,
    stations: &Stations,
) {
    let section = r.section("hub");
    let mut all: Vec<(&str, At<SocketAddr>)> = Vec::new();
    if let Some(hub) = hub {
        let HubSection { http, banks, trunk } = hub.value;
        all.push(("hub.http", At { value: http, at: section.at("http") }));
        all.push(("hub.banks", At { value: banks, at: section.at("banks") }));
        all.push(("hub.trunk", At { value: trunk, at: section.at("trunk") }));
    }
    for station in stations.iter().map(|station| &station.value) {
        all.extend(station.http.map(|address| ("station.http", address)));
        all.extend(station.listen.map(|address| ("listener.address", address)));
    }
    for (place, (key, address)) in all.iter().enumerate() {
        let clash = all[..place].iter().find(|(_, other)| collide(address.value, other.value));
        if let Some((other, there)) = clash {
            let line = r.errors.line(there.at);
            let what = format!("{} is taken by {other} (line {line})", address.value);
            r.errors.add(address.at, *key, what, "write another port or address");
        }
        let is_page = key.ends_with(".http");
        if profile.is_some_and(|profile| !is_allowed(profile, is_page, address.value)) {
            let what = format!("{} is not on this machine", address.value.ip());
            let fix = if is_page {
                "pages have no TLS: write a loopback address and put a proxy with TLS before it"
            } else {
                "profile demo has plain terminals and self-made keys: write a loopback address, as \
                 in 127.0.0.1"
            };
            r.errors.add(address.at, *key, what, fix);
        }
    }
}

/// Plain channels are for a demo on this machine.
pub(super) fn channels(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
    profile: Option<&At<Profile>>,
    channels: Option<&At<Channels>>,
) {
    let (Some(profile), Some(channels)) = (profile, channels) else { return };
    if profile.value == Profile::Production && channels.value == Channels::Plain {
        let what = "profile production refuses plain links";
        r.errors.add(channels.at, section.key("channels"), what, "remove the key");
    }
}

/// The same port, at the same address or where one of the two takes them all.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let any = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && (any || a.ip() == b.ip())
}

/// Timers that contradict each other.
pub(super) fn timers(r: &mut Reader<'_, '_, '_>, section: &Section<'_, '_>, t: &Timers) {
    // The second of each pair must be the longer; equal is enough where `equal` says so.
    let pairs = [
        ("issuer_answer_ms", t.issuer_answer_ms, "hub_answer_ms", t.hub_answer_ms, false),
        ("heartbeat_ms", t.heartbeat_ms, "suspect_ms", t.suspect_ms, false),
        ("suspect_ms", t.suspect_ms, "cut_ms", t.cut_ms, false),
        (
            "same_content_ms",
            t.same_content_ms,
            "same_content_other_day_ms",
            t.same_content_other_day_ms,
            true,
        ),
        ("repeat_ms", t.repeat_ms, "window_ms", t.window_ms, true),
        ("same_content_other_day_ms", t.same_content_other_day_ms, "repeat_ms", t.repeat_ms, true),
    ];
    for (shorter, short_ms, longer, long_ms, equal) in pairs {
        if long_ms < short_ms || (long_ms == short_ms && !equal) {
            // At whichever of the two the file has; the defaults agree.
            let name = if section.has(longer) { longer } else { shorter };
            let relation = if equal { "at least" } else { "more than" };
            let what = format!("{longer} is {long_ms} and {shorter} is {short_ms}");
            let fix = format!("{longer} must be {relation} {shorter}");
            r.errors.add(section.at(name), section.key(name), what, fix);
        }
    }
}

/// Payments of a segment that is not sealed have no index: they must fit.
pub(super) fn history(r: &mut Reader<'_, '_, '_>, limits: &Limits, journal: &JournalSection) {
    let percent = u64::try_from(SLOW_FROM).unwrap_or(u64::MAX);
    let new = u64::try_from(limits.new_payments).unwrap_or(u64::MAX);
    let held = journal.hub_segment_bytes / PAYMENT_BYTES_MIN;
    let fit = new.saturating_mul(percent) / 100;
    if held <= fit {
        return;
    }
    // At whichever of the two the file has; the defaults agree.
    let (journal_has, limits_has) = (r.section("journal"), r.section("limits"));
    let (section, name) = if journal_has.has("hub_segment_mib") {
        (journal_has, "hub_segment_mib")
    } else {
        (limits_has, "new_payments")
    };
    let segment_mib = journal.hub_segment_bytes / MIB;
    let what = format!(
        "a segment of {segment_mib} MiB has up to {held} payments that no index has while it \
         fills, and from {fit} on (six tenths of [limits] new_payments, {new}) payments are slowed"
    );
    let (most_mib, least) =
        (fit.saturating_mul(PAYMENT_BYTES_MIN) / MIB, (held * 100).div_ceil(percent));
    let shorter = format!("hub_segment_mib = {most_mib} or less");
    let more = format!("new_payments = {least} or more, some 420 bytes of memory each");
    let can_be_shorter = most_mib >= SEGMENT_MIB_MIN;
    let can_be_more = usize::try_from(least).is_ok_and(|least| least <= NEW_PAYMENTS_MOST);
    let fix = match (can_be_shorter, can_be_more) {
        (true, true) => format!("write {shorter}, or {more}"),
        (true, false) => format!("write {shorter}"),
        (false, _) => format!("write {more}"),
    };
    r.errors.add(section.at(name), section.key(name), what, fix);
}

/// Simulated accounts with two purposes, amounts the wrong way round.
pub(super) fn simulation(r: &mut Reader<'_, '_, '_>, section: &Section<'_, '_>, s: &Simulation) {
    let mut report = |name: &'static str, what: String, fix: &str| {
        r.errors.add(section.at(name), section.key(name), what, fix);
    };
    let (first, last) = s.shop_accounts;
    if last > s.accounts {
        let what = format!("a bank has only {} accounts", s.accounts);
        report("shop_accounts", what, "write places up to that, or more accounts");
    }
    let special = [
        ("probe_account", s.probe_account),
        ("rich_account", s.rich_account),
        ("empty_account", s.empty_account),
        ("blocked_account", s.blocked_account),
        ("lost_account", s.lost_account),
    ];
    for (place, (name, account)) in special.iter().enumerate() {
        if *account > s.accounts {
            let what = format!("a bank has only {} accounts", s.accounts);
            report(name, what, "write a number up to that, or more accounts");
        }
        if (first..=last).contains(account) {
            let what = format!("account {account} is one of the shop_accounts");
            report(name, what, "give it an account of its own");
        }
        if let Some((other, _)) = special[..place].iter().find(|(_, other)| other == account) {
            let what = format!("account {account} is {other} too");
            report(name, what, "give it an account of its own");
        }
    }
    if s.amount_min.is_zero() || s.amount_min > s.amount_max {
        let what = "amounts run from amount_min, above zero, to amount_max".to_owned();
        report("amount_min", what, "write a smaller one, or a larger amount_max");
    }
    if s.refill_below > s.opening {
        let what = "is more than opening, to which accounts are filled".to_owned();
        report("refill_below", what, "write less");
    }
}

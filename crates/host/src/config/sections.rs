//! The sections of the file, one after the other, each into its own type. What sections say
//! together is checked in `checks`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use journal::Block;
use scheme::{Amount, Currency, ParticipantId, StationId, TerminalId, Zone};
use switch::Timers;
use switch::limits::{IN_FLIGHT_MAX, NEW_PAYMENTS_MAX, STATION_IN_FLIGHT_MAX, WINDOW_PAYMENTS};
use toml::de::{DeTable, DeValue};
use wire::iso8583::Dialect;

use super::checks;
use super::error::Errors;
use super::limits::{
    FILE_BYTES_MAX, HOT_CARDS_MAX, IINS_MAX, PARTICIPANTS_MAX, RANGE_MAX, RETAILERS_MAX,
    STATION_HTTP_PORT, STATION_LISTEN_PORT, STATIONS_MAX, TERMINALS_MAX,
};
use super::reader::{At, Reader, Section, check_card_numbers, check_names};
use super::value::{self, Wrong};
use super::{
    Channels, Config, HotCard, HubSection, JournalSection, Limits, LinkTimers, ParticipantSection,
    Profile, Rates, RetailerSection, Shares, Simulation, StationSection, TerminalRole,
    TerminalSection, zone,
};
use crate::limits::{
    ACCEPTS_PER_S, BANK_IN_FLIGHT_MAX, BANK_RATES, CONNECTION_IN_FLIGHT, CONNECTION_RATES,
    CONNECTIONS_MAX, NEW_PAYMENTS_MOST, POISON_DEATHS, POISON_WINDOW_S, POISON_WINDOW_S_MAX,
    POISONS_MAX, RATE_MAX, ROOM_PAYMENTS, ROOM_PAYMENTS_MAX, STRANGERS, TERMINAL_PER_S,
    WAITING_PER_CONNECTION_MAX, WINDOW_PAYMENTS_MAX,
};

pub(super) const MIB: u64 = 1 << 20;

/// Status, balances, payments, messages.
const CONNECTION_RATE_KEYS: [&str; 4] = [
    "connection_status_per_s",
    "connection_balances_per_s",
    "connection_payments_per_s",
    "connection_messages_per_s",
];
/// The same of a bank.
const BANK_RATE_KEYS: [&str; 4] =
    ["bank_status_per_s", "bank_balances_per_s", "bank_payments_per_s", "bank_messages_per_s"];

/// Reads a whole file.
pub(super) fn read(source: &str) -> Result<Config, Errors<'_>> {
    let mut errors = Errors::new(source);
    if source.len() > FILE_BYTES_MAX {
        let what = format!("{} bytes are too many for a configuration", source.len());
        errors.add(0, "", what, "write ranges of terminals instead of single ones");
        return Err(errors);
    }
    let (root, broken) = DeTable::parse_recoverable(source);
    for error in &broken {
        let at = error.span().map_or(0, |span| span.start);
        let what = format!("this is not TOML: {}", error.message().trim());
        errors.add(at, "", what, "repair it; the rest is checked after that");
    }
    if !broken.is_empty() {
        return Err(errors);
    }
    check_card_numbers(source, root.get_ref(), &mut errors);
    check_names(root.get_ref(), &mut errors);
    let mut reader = Reader::new(root.get_ref(), errors);
    let config = read_root(&mut reader);
    match config {
        Some(config) if reader.errors.is_empty() => Ok(config),
        Some(_) | None => Err(reader.errors),
    }
}

/// Every part is read before any is missed, so that all errors are found.
fn read_root(r: &mut Reader<'_, '_, '_>) -> Option<Config> {
    let nation = read_nation(r);
    let currency = nation.as_ref().and_then(|nation| nation.currency);
    let security = r.section("security");
    let profile = r.required(&security, "profile", value::profile);
    let channels = r.or(&security, "channels", Channels::Secure, value::channels);
    checks::channels(r, &security, profile.as_ref(), channels.as_ref());
    let limits = read_limits(r, currency);
    let (timers, link_timers) = (read_timers(r), read_link_timers(r));
    let journal = read_journal(r);
    if let (Some(limits), Some(journal)) = (&limits, &journal) {
        checks::history(r, limits, journal);
    }
    let hub = read_hub(r);
    let stations = read_stations(r);
    let participants = read_participants(r, currency);
    let terminals = read_terminals(r, &stations);
    let hot_cards = read_hot_cards(r);
    let retailers = read_retailers(r, currency);
    let simulation = read_simulation(r, currency);
    checks::references(r, &stations, &participants, &terminals);
    checks::addresses(r, profile.map(|profile| profile.value), hub.as_ref(), &stations);
    let nation = nation?;
    Some(Config {
        name: nation.name?,
        currency: nation.currency?,
        zone_name: nation.zone.as_ref()?.0.clone(),
        zone: nation.zone?.1,
        cutover_s: nation.cutover_s?,
        profile: profile?.value,
        channels: channels?.value,
        limits: limits?,
        timers: timers?,
        link_timers: link_timers?,
        journal: journal?,
        hub: hub?.value,
        stations: stations.into_iter().map(|s| s.value.into_section()).collect::<Option<_>>()?,
        participants: participants
            .into_iter()
            .map(|p| p.value.into_section())
            .collect::<Option<_>>()?,
        terminals: terminals.into_iter().flat_map(|group| group.value).collect(),
        hot_cards: hot_cards?,
        retailers: retailers?,
        simulation: simulation?,
    })
}

struct Nation {
    name: Option<String>,
    currency: Option<Currency>,
    zone: Option<(String, Zone)>,
    cutover_s: Option<u32>,
}

fn read_nation(r: &mut Reader<'_, '_, '_>) -> Option<Nation> {
    let nation = r.section("nation");
    let name = r.required(&nation, "name", value::name);
    let letters = r.required(&nation, "currency", value::currency_letters);
    let numeric = r.required(&nation, "currency_numeric", |v| value::number(v, 1, 999));
    let exponent = r.required(&nation, "currency_exponent", |v| value::number(v, 0, 4));
    let zone = r.required(&nation, "zone", read_zone);
    let cutover_s = r.or(&nation, "cutover", 22 * 3600, value::time_of_day_s);
    let currency = letters.zip(numeric).zip(exponent).and_then(|((letters, numeric), exponent)| {
        // Both numbers are in range already.
        let numeric = u16::try_from(numeric.value).ok()?;
        Currency::new(&letters.value, numeric, u8::try_from(exponent.value).ok()?)
    });
    Some(Nation {
        name: name.map(|name| name.value),
        currency,
        zone: zone.map(|zone| zone.value),
        cutover_s: cutover_s.map(|cutover| cutover.value),
    })
}

fn read_zone(value: &DeValue<'_>) -> Result<(String, Zone), Wrong> {
    let name = value::reference(value)?;
    zone::by_name(&name).map_err(|near| Wrong {
        what: format!("there is no time zone \"{name}\""),
        fix: match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write an IANA name, as in \"Asia/Pyongyang\"".to_owned(),
        },
    })
}

fn read_limits(r: &mut Reader<'_, '_, '_>, currency: Option<Currency>) -> Option<Limits> {
    let limits = r.section("limits");
    let most = Amount::new(scheme::limits::AMOUNT_MAX).unwrap_or_default();
    let amount_max = r.or(&limits, "amount_max", most, |v| value::amount(v, currency));
    let mut count = |name, most| r.or(&limits, name, most, |v| value::count(v, 1, most));
    let in_flight = count("in_flight", IN_FLIGHT_MAX);
    let station_in_flight = count("station_in_flight", STATION_IN_FLIGHT_MAX);
    let connections = count("connections", CONNECTIONS_MAX);
    let per_address = count("connections_per_address", CONNECTIONS_MAX);
    let bank_connection = count("bank_connection_in_flight", WAITING_PER_CONNECTION_MAX);
    let bank_in_flight = count("bank_in_flight", BANK_IN_FLIGHT_MAX);
    let mut or = |name, default, most| r.or(&limits, name, default, |v| value::count(v, 1, most));
    let connection_in_flight =
        or("connection_in_flight", CONNECTION_IN_FLIGHT, WAITING_PER_CONNECTION_MAX);
    let window_payments = or("window_payments", WINDOW_PAYMENTS, WINDOW_PAYMENTS_MAX);
    let new_payments = or("new_payments", NEW_PAYMENTS_MAX, NEW_PAYMENTS_MOST);
    let strangers = or("strangers", STRANGERS, CONNECTIONS_MAX);
    let room_payments =
        r.or(&limits, "room_payments", ROOM_PAYMENTS, |v| value::count(v, 0, ROOM_PAYMENTS_MAX));
    let mut or = |name, default, most| r.or(&limits, name, default, |v| value::count(v, 1, most));
    let poison_deaths = or("poison_deaths", POISON_DEATHS, POISONS_MAX);
    let window = or("poison_window_s", POISON_WINDOW_S, POISON_WINDOW_S_MAX);
    let accepts = read_rate(r, &limits, "accepts_per_s", ACCEPTS_PER_S);
    let connection = read_rates(r, &limits, CONNECTION_RATE_KEYS, &CONNECTION_RATES);
    let terminal = read_rate(r, &limits, "terminal_requests_per_s", TERMINAL_PER_S);
    let bank = read_rates(r, &limits, BANK_RATE_KEYS, &BANK_RATES);
    if let (Some(zero), Some(_)) = (amount_max.filter(|a| a.value.is_zero()), currency) {
        let fix = "write the largest amount of one payment";
        r.errors.add(zero.at, limits.key("amount_max"), "no payment would be allowed", fix);
    }
    Some(Limits {
        amount_max: amount_max?.value,
        in_flight: in_flight?.value,
        room_payments: room_payments?.value,
        station_in_flight: station_in_flight?.value,
        connections: connections?.value,
        connections_per_address: per_address?.value,
        accepts_per_s: accepts?,
        strangers: strangers?.value,
        connection_in_flight: connection_in_flight?.value,
        bank_connection_in_flight: bank_connection?.value,
        bank_in_flight: bank_in_flight?.value,
        window_payments: window_payments?.value,
        new_payments: new_payments?.value,
        connection: connection?,
        terminal_per_s: terminal?,
        bank: bank?,
        poison_deaths: poison_deaths?.value,
        // At most a day, as its bound says.
        poison_window_s: u32::try_from(window?.value).unwrap_or(u32::MAX),
    })
}

/// The rates of a peer, from these keys: status, balances, payments, messages.
fn read_rates(
    r: &mut Reader<'_, '_, '_>,
    limits: &Section<'_, '_>,
    keys: [&'static str; 4],
    default: &Rates,
) -> Option<Rates> {
    let status = read_rate(r, limits, keys[0], default.status);
    let balances = read_rate(r, limits, keys[1], default.balances);
    let payments = read_rate(r, limits, keys[2], default.payments);
    let messages = read_rate(r, limits, keys[3], default.messages);
    Some(Rates { status: status?, balances: balances?, payments: payments?, messages: messages? })
}

fn read_rate(
    r: &mut Reader<'_, '_, '_>,
    limits: &Section<'_, '_>,
    key: &'static str,
    default: u32,
) -> Option<u32> {
    let rate =
        r.or(limits, key, u64::from(default), |v| value::number(v, 1, u64::from(RATE_MAX)))?;
    // At most RATE_MAX.
    Some(u32::try_from(rate.value).unwrap_or(RATE_MAX))
}

fn read_timers(r: &mut Reader<'_, '_, '_>) -> Option<Timers> {
    let section = r.section("timers");
    let d = Timers::RULE_BOOK;
    let gaps = r.list(&section, "advice_repeat_ms", d.advice_repeat_ms.len(), value::ms);
    let advice_repeat_ms = gaps.and_then(|gaps| match gaps {
        None => Some(d.advice_repeat_ms),
        Some(gaps) => {
            let gaps: Vec<u64> = gaps.into_iter().map(|gap| gap.value).collect();
            let five = <[u64; 5]>::try_from(gaps).ok();
            if five.is_none() {
                let at = section.at("advice_repeat_ms");
                let key = section.key("advice_repeat_ms");
                r.errors.add(at, key, "fewer than five gaps", "write five, the last for ever");
            }
            five
        }
    });
    let mut ms = |name, default| r.or(&section, name, default, value::ms).map(|ms| ms.value);
    let issuer_answer_ms = ms("issuer_answer_ms", d.issuer_answer_ms);
    let hub_answer_ms = ms("hub_answer_ms", d.hub_answer_ms);
    let advice_finding_ms = ms("advice_finding_ms", d.advice_finding_ms);
    let echo_idle_ms = ms("echo_idle_ms", d.echo_idle_ms);
    let echo_answer_ms = ms("echo_answer_ms", d.echo_answer_ms);
    let same_content_ms = ms("same_content_ms", d.same_content_ms);
    let other_day = ms("same_content_other_day_ms", d.same_content_other_day_ms);
    let repeat_ms = ms("repeat_ms", d.repeat_ms);
    let clock_ms = ms("clock_ms", d.clock_ms);
    let tombstone_ms = ms("tombstone_ms", d.tombstone_ms);
    let window_ms = ms("window_ms", d.window_ms);
    let preauth_ms = ms("preauth_ms", d.preauth_ms);
    let late_completion_ms = ms("late_completion_ms", d.late_completion_ms);
    let heartbeat_ms = ms("heartbeat_ms", d.heartbeat_ms);
    let suspect_ms = ms("suspect_ms", d.suspect_ms);
    let cut_ms = ms("cut_ms", d.cut_ms);
    let timers = Timers {
        issuer_answer_ms: issuer_answer_ms?,
        hub_answer_ms: hub_answer_ms?,
        advice_repeat_ms: advice_repeat_ms?,
        advice_finding_ms: advice_finding_ms?,
        echo_idle_ms: echo_idle_ms?,
        echo_answer_ms: echo_answer_ms?,
        same_content_ms: same_content_ms?,
        same_content_other_day_ms: other_day?,
        repeat_ms: repeat_ms?,
        clock_ms: clock_ms?,
        tombstone_ms: tombstone_ms?,
        window_ms: window_ms?,
        preauth_ms: preauth_ms?,
        late_completion_ms: late_completion_ms?,
        heartbeat_ms: heartbeat_ms?,
        suspect_ms: suspect_ms?,
        cut_ms: cut_ms?,
    };
    checks::timers(r, &section, &timers);
    Some(timers)
}

fn read_link_timers(r: &mut Reader<'_, '_, '_>) -> Option<LinkTimers> {
    let timers = r.section("timers");
    let d = LinkTimers::RULE_BOOK;
    let mut ms = |name, default| r.or(&timers, name, default, value::ms).map(|ms| ms.value);
    let half_frame_ms = ms("half_frame_ms", d.half_frame_ms);
    let idle_terminal_ms = ms("idle_terminal_ms", d.idle_terminal_ms);
    Some(LinkTimers { half_frame_ms: half_frame_ms?, idle_terminal_ms: idle_terminal_ms? })
}

fn read_journal(r: &mut Reader<'_, '_, '_>) -> Option<JournalSection> {
    let journal = r.section("journal");
    let block = r.or(&journal, "block", Block::default(), |v| {
        let bytes = value::number(v, 512, 4096)?;
        Block::from_bytes(bytes).ok_or_else(|| Wrong {
            what: format!("{bytes} bytes are no block"),
            fix: "write 512 or 4096".to_owned(),
        })
    });
    let most = journal::limits::SEGMENT_BYTES_MAX / MIB;
    let default = journal::limits::SEGMENT_BYTES / MIB;
    let least = super::limits::SEGMENT_MIB_MIN;
    let mut mib = |name, default| r.or(&journal, name, default, |v| value::number(v, least, most));
    let hub_segment = mib("hub_segment_mib", default);
    let segment = mib("segment_mib", 8);
    let snapshot = r.or(&journal, "snapshot_records", super::limits::SNAPSHOT_RECORDS, |v| {
        value::number(v, 100, super::limits::SNAPSHOT_RECORDS_MAX)
    });
    let retention = r.optional(&journal, "retention_days", |v| {
        value::number(v, super::limits::RETENTION_DAYS_MIN, super::limits::RETENTION_DAYS_MAX)
    });
    Some(JournalSection {
        block: block?.value,
        retention_days: retention?.map(|days| days.value),
        hub_segment_bytes: hub_segment?.value * MIB,
        segment_bytes: segment?.value * MIB,
        snapshot_records: snapshot?.value,
    })
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn read_hub(r: &mut Reader<'_, '_, '_>) -> Option<At<HubSection>> {
    let hub = r.section("hub");
    let http = r.or(&hub, "http", loopback(8080), value::address);
    let banks = r.or(&hub, "banks", loopback(9583), value::address);
    let trunk = r.or(&hub, "trunk", loopback(7583), value::address);
    let section = HubSection { http: http?.value, banks: banks?.value, trunk: trunk?.value };
    Some(At { value: section, at: hub.at })
}

/// A station as it is read: what is wrong in it is absent, and reported already.
#[derive(Debug)]
pub(super) struct StationDraft {
    pub(super) id: StationId,
    pub(super) name: Option<At<String>>,
    pub(super) code: Option<At<[u8; 2]>>,
    pub(super) http: Option<At<SocketAddr>>,
    pub(super) acquirer: Option<Option<At<ParticipantId>>>,
    pub(super) listen: Option<At<SocketAddr>>,
    dialects: Option<Vec<String>>,
    has_listener: bool,
}

impl StationDraft {
    fn into_section(self) -> Option<StationSection> {
        Some(StationSection {
            id: self.id,
            name: self.name?.value,
            code: self.code?.value,
            listen: self.listen?.value,
            http: self.http?.value,
            dialects: self.dialects?,
            acquirer: self.acquirer?.map(|acquirer| acquirer.value),
        })
    }
}

fn read_stations(r: &mut Reader<'_, '_, '_>) -> Vec<At<StationDraft>> {
    let sections = r.sections("station");
    checks::how_many(r, "station", sections.len(), 1, STATIONS_MAX);
    let mut stations = Vec::new();
    for (number, section) in (0u16..).zip(sections.iter().take(STATIONS_MAX)) {
        // At most STATIONS_MAX, so the default ports stay far below 65535.
        let http = loopback(STATION_HTTP_PORT + number);
        let listen = loopback(STATION_LISTEN_PORT + number);
        let draft = StationDraft {
            id: StationId(number + 1),
            name: r.required(section, "name", value::station_name),
            code: r.required(section, "code", value::code),
            http: r.or(section, "http", http, value::address),
            acquirer: r.optional(section, "acquirer", value::participant),
            listen: Some(At { value: listen, at: section.at }),
            dialects: Some(default_dialects()),
            has_listener: false,
        };
        stations.push(At { value: draft, at: section.at });
    }
    for listener in r.sections("listener") {
        read_listener(r, &listener, &mut stations);
    }
    stations
}

fn default_dialects() -> Vec<String> {
    Dialect::builtin_names().iter().map(|name| (*name).to_owned()).collect()
}

fn read_listener(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
    stations: &mut [At<StationDraft>],
) {
    let name = r.required(section, "station", value::reference);
    let address = r.optional(section, "address", value::address);
    let most = Dialect::builtin_names().len();
    let dialects = r.list(section, "dialects", most, value::dialect);
    checks::no_dialect_twice(r, section, dialects.as_ref());
    let Some(station) = name.and_then(|name| checks::station(r, section, &name, stations)) else {
        return;
    };
    let draft = &mut stations[station].value;
    if std::mem::replace(&mut draft.has_listener, true) {
        let what = "the station has a listener already";
        r.errors.add(section.at("station"), section.key("station"), what, "remove one of them");
        return;
    }
    match address {
        None => draft.listen = None,
        Some(None) => {}
        Some(Some(address)) => draft.listen = Some(address),
    }
    match dialects {
        None => draft.dialects = None,
        Some(None) => {}
        Some(Some(dialects)) => {
            draft.dialects = Some(dialects.into_iter().map(|name| name.value).collect());
        }
    }
}

/// A bank as it is read.
#[derive(Debug)]
pub(super) struct ParticipantDraft {
    pub(super) id: Option<At<ParticipantId>>,
    name: Option<At<String>>,
    pub(super) iins: Option<Vec<At<scheme::Iin>>>,
    cap: Option<At<Amount>>,
    dialect: Option<String>,
    has_link: bool,
}

impl ParticipantDraft {
    fn into_section(self) -> Option<ParticipantSection> {
        Some(ParticipantSection {
            id: self.id?.value,
            name: self.name?.value,
            iins: self.iins?.into_iter().map(|iin| iin.value).collect(),
            cap: self.cap?.value,
            dialect: self.dialect?,
        })
    }
}

fn read_participants(
    r: &mut Reader<'_, '_, '_>,
    currency: Option<Currency>,
) -> Vec<At<ParticipantDraft>> {
    let sections = r.sections("participant");
    checks::how_many(r, "participant", sections.len(), 1, PARTICIPANTS_MAX);
    let mut participants = Vec::new();
    for section in sections.iter().take(PARTICIPANTS_MAX) {
        let id = r.required(section, "id", value::participant);
        let name = r.required(section, "name", value::name);
        let iins = r.list(section, "iins", IINS_MAX, value::iin);
        if matches!(iins, Some(None)) {
            r.missing(section, "iins");
        }
        let cap = r.required(section, "cap", |v| value::amount(v, currency));
        let dialect = Dialect::builtin_names().first().map(|name| (*name).to_owned());
        let iins = iins.flatten();
        let draft = ParticipantDraft { id, name, iins, cap, dialect, has_link: false };
        participants.push(At { value: draft, at: section.at });
    }
    for link in r.sections("link") {
        read_link(r, &link, &mut participants);
    }
    participants
}

fn read_link(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
    participants: &mut [At<ParticipantDraft>],
) {
    let id = r.required(section, "participant", value::participant);
    let dialect = r.optional(section, "dialect", value::dialect);
    let Some(id) = id else { return };
    let draft = participants
        .iter_mut()
        .find(|known| known.value.id.is_some_and(|known| known.value == id.value));
    let Some(draft) = draft.map(|draft| &mut draft.value) else {
        checks::no_participant(r, id, &section.key("participant"));
        return;
    };
    if std::mem::replace(&mut draft.has_link, true) {
        let what = "the participant has a link already";
        r.errors.add(id.at, section.key("participant"), what, "remove one of them");
        return;
    }
    match dialect {
        None => draft.dialect = None,
        Some(None) => {}
        Some(Some(dialect)) => draft.dialect = Some(dialect.value),
    }
}

fn read_terminals(
    r: &mut Reader<'_, '_, '_>,
    stations: &[At<StationDraft>],
) -> Vec<At<Vec<TerminalSection>>> {
    let mut room = TERMINALS_MAX;
    let mut groups = Vec::new();
    for section in r.sections("terminal") {
        let ids = read_terminal_ids(r, &section);
        let retailer = r.required(&section, "retailer", value::retailer);
        let name = r.required(&section, "station", value::reference);
        let named = r.optional(&section, "acquirer", value::participant);
        let station = name.and_then(|name| checks::station(r, &section, &name, stations));
        let Some(station) = station.map(|station| &stations[station].value) else {
            continue;
        };
        let acquirer = match (named, station.acquirer) {
            (Some(Some(named)), _) => Some(named),
            (Some(None), Some(None)) => {
                r.missing(&section, "acquirer");
                None
            }
            (Some(None), Some(default)) => default,
            (None, _) | (Some(None), None) => None,
        };
        let (Some(ids), Some(retailer), Some(acquirer)) = (ids, retailer, acquirer) else {
            continue;
        };
        let Some(left) = room.checked_sub(ids.len()) else {
            let what = format!("more than {TERMINALS_MAX} terminals in all");
            r.errors.add(section.at, "terminal", what, "divide the nation's terminals");
            break;
        };
        room = left;
        let terminals = ids.into_iter().map(|(terminal, role)| TerminalSection {
            acquirer: acquirer.value,
            terminal,
            retailer: retailer.value,
            station: station.id,
            role,
        });
        groups.push(At { value: terminals.collect(), at: section.at });
    }
    groups
}

/// One terminal by `terminal` and `role`, or a range by `from`, `count`, `shops` and `probe`.
fn read_terminal_ids(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
) -> Option<Vec<(TerminalId, TerminalRole)>> {
    let (single, range) = (["terminal", "role"], ["from", "count", "shops", "probe"]);
    let first_of = |names: &[&'static str]| names.iter().copied().find(|name| section.has(name));
    match (first_of(&single), first_of(&range)) {
        (Some(_), Some(name)) => {
            let fix = "write `terminal` for one, or `from` and `count` for a range";
            let what = "stands beside a single terminal's keys";
            r.errors.add(section.at(name), section.key(name), what, fix);
            None
        }
        (None, None) => {
            let fix = "write `terminal` for one, or `from` and `count` for a range";
            r.errors.add(section.at, section.key("terminal"), "is missing", fix);
            None
        }
        (Some(_), None) => {
            let terminal = r.required(section, "terminal", value::terminal);
            let role = r.or(section, "role", TerminalRole::Tester, value::role);
            Some(vec![(terminal?.value, role?.value)])
        }
        (None, Some(_)) => read_range(r, section),
    }
}

fn read_range(
    r: &mut Reader<'_, '_, '_>,
    section: &Section<'_, '_>,
) -> Option<Vec<(TerminalId, TerminalRole)>> {
    let from = r.required(section, "from", value::terminal);
    let count = r.required(section, "count", |v| value::number(v, 1, RANGE_MAX));
    // A place beyond the range is an error of the place; without a count, of none.
    let most = count.map_or(RANGE_MAX, |count| count.value);
    let place = |v: &DeValue<'_>| value::number(v, 1, most);
    let shops = r.list(section, "shops", 2, place);
    let shops = shops.and_then(|shops| checks::first_and_last(r, section, "shops", shops));
    let probe = r.optional(section, "probe", place);
    let (from, count, shops, probe) = (from?, count?, shops?, probe?);
    let probe = probe.map(|probe| probe.value);
    let is_shop = |place| shops.is_some_and(|(first, last)| (first..=last).contains(&place));
    if probe.is_some_and(is_shop) {
        let what = "the probe's place is a simulated shop's too";
        r.errors.add(section.at("probe"), section.key("probe"), what, "give it a place of its own");
    }
    let text = from.value.as_str();
    let prefix = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &text[prefix.len()..];
    let first = digits.parse::<u64>().ok();
    // At most eight digits, and RANGE_MAX more: no overflow.
    let last = first.map(|first| first + count.value - 1);
    if last.is_none_or(|last| last.to_string().len() > digits.len()) {
        let what = format!("\"{text}\" has too few digits at its end for {} more", count.value - 1);
        let fix = "write a first terminal that can be counted up, as in \"PYO00001\"";
        r.errors.add(from.at, section.key("from"), what, fix);
        return None;
    }
    let width = digits.len();
    (1..=count.value)
        .map(|place| {
            let number = first? + place - 1;
            let id = TerminalId::new(format!("{prefix}{number:0width$}").as_bytes()).ok()?;
            let role = match () {
                () if probe == Some(place) => TerminalRole::Probe,
                () if is_shop(place) => TerminalRole::Shop,
                () => TerminalRole::Tester,
            };
            Some((id, role))
        })
        .collect()
}

fn read_hot_cards(r: &mut Reader<'_, '_, '_>) -> Option<Vec<HotCard>> {
    let sections = r.sections("hot_card");
    checks::how_many(r, "hot_card", sections.len(), 0, HOT_CARDS_MAX);
    let mut seen = std::collections::BTreeMap::new();
    let mut cards = Vec::new();
    for section in sections.iter().take(HOT_CARDS_MAX) {
        let token = r.required(section, "token", value::token);
        let reason = r.required(section, "reason", value::hot_reason);
        if let Some(token) = token {
            let key = section.key("token");
            r.unique(&mut seen, token, &key, "the same card", "remove one of them");
        }
        cards.push(token.zip(reason));
    }
    let card =
        |(token, reason): (At<_>, At<_>)| HotCard { token: token.value, reason: reason.value };
    cards.into_iter().map(|both| both.map(card)).collect()
}

fn read_retailers(
    r: &mut Reader<'_, '_, '_>,
    currency: Option<Currency>,
) -> Option<Vec<RetailerSection>> {
    let sections = r.sections("retailer");
    checks::how_many(r, "retailer", sections.len(), 0, RETAILERS_MAX);
    let mut seen = std::collections::BTreeMap::new();
    let mut retailers = Vec::new();
    for section in sections.iter().take(RETAILERS_MAX) {
        let id = r.required(section, "id", value::retailer);
        let refund_max = r.required(section, "refund_max", |v| value::amount(v, currency));
        let refund_day_max = r.required(section, "refund_day_max", |v| value::amount(v, currency));
        if let Some(id) = id {
            let key = section.key("id");
            r.unique(&mut seen, id, &key, "the same retailer", "remove one of them");
        }
        let section = id.zip(refund_max).zip(refund_day_max).map(|((id, each), day)| {
            let (refund_max, refund_day_max) = (each.value, day.value);
            RetailerSection { id: id.value, refund_max, refund_day_max }
        });
        retailers.push(section);
    }
    retailers.into_iter().collect()
}

fn read_shares(share: &mut impl FnMut(&'static str, u64) -> Option<u16>) -> Option<Shares> {
    let cash = share("cash_share", 60);
    let refund = share("refund_share", 60);
    let balance = share("balance_share", 40);
    let preauth = share("preauth_share", 80);
    let part = share("part_share", 10);
    Some(Shares { cash: cash?, refund: refund?, balance: balance?, preauth: preauth?, part: part? })
}

fn read_simulation(r: &mut Reader<'_, '_, '_>, currency: Option<Currency>) -> Option<Simulation> {
    let section = r.section("simulation");
    let mut number = |name, default: u64, least, most| {
        let number = r.or(&section, name, default, |v| value::number(v, least, most))?;
        u32::try_from(number.value).ok()
    };
    let accounts = number("accounts", 100, 1, 1_000_000);
    let most = accounts.map_or(1_000_000, u64::from);
    let rich_account = number("rich_account", 97, 1, most);
    let empty_account = number("empty_account", 98, 1, most);
    let blocked_account = number("blocked_account", 99, 1, most);
    let lost_account = number("lost_account", 100, 1, most);
    let probe_account = number("probe_account", 96, 1, most);
    let payments_per_s = number("payments_per_s", 20, 0, 100_000);
    let bank_connections = number("bank_connections", 1, 1, 16);
    let bank_payments_per_s = number("bank_payments_per_s", 0, 0, 100_000);
    let mut share = |name, default| number(name, default, 0, 1000)?.try_into().ok();
    let shares = read_shares(&mut share);
    let shops = r.list(&section, "shop_accounts", 2, |v| value::number(v, 1, most));
    let shops = shops.and_then(|shops| checks::first_and_last(r, &section, "shop_accounts", shops));
    // With four decimals, the rich account's default is more than an amount can be.
    let largest = Amount::new(scheme::limits::AMOUNT_MAX);
    let mut amount = |name, major: u64| {
        let scale = currency.map_or(1, |currency| 10u64.pow(u32::from(currency.exponent())));
        let default = Amount::new(major * scale).or(largest).unwrap_or_default();
        r.or(&section, name, default, |v| value::amount(v, currency)).map(|amount| amount.value)
    };
    let opening = amount("opening", 100_000);
    let rich_opening = amount("rich_opening", 100_000_000);
    let refill_below = amount("refill_below", 1_000);
    let amount_min = amount("amount_min", 1);
    let amount_max = amount("amount_max", 60);
    let expiry = r.or(&section, "expiry", *b"3112", value::expiry);
    let account = |shop: u64| u32::try_from(shop).unwrap_or(u32::MAX);
    let (first, last) = shops?.unwrap_or((21, 95));
    let simulation = Simulation {
        accounts: accounts?,
        opening: opening?,
        expiry: expiry?.value,
        rich_account: rich_account?,
        rich_opening: rich_opening?,
        empty_account: empty_account?,
        blocked_account: blocked_account?,
        lost_account: lost_account?,
        probe_account: probe_account?,
        shop_accounts: (account(first), account(last)),
        refill_below: refill_below?,
        amount_min: amount_min?,
        amount_max: amount_max?,
        payments_per_s: payments_per_s?,
        bank_connections: bank_connections? as usize,
        bank_payments_per_s: bank_payments_per_s?,
        shares: shares?,
    };
    if currency.is_some() {
        checks::simulation(r, &section, &simulation);
    }
    Some(simulation)
}

/// What a profile asks of an address. In `demo` pages may be seen from elsewhere.
pub(super) fn is_allowed(profile: Profile, is_page: bool, address: SocketAddr) -> bool {
    match profile {
        Profile::Demo => is_page || address.ip().is_loopback(),
        Profile::Production => !is_page || address.ip().is_loopback(),
    }
}

//! The example is the nation of the interface; every broken file is told all that is wrong with
//! it; what the file says and what the journal took from it are the same.

use std::collections::BTreeSet;

use scheme::{Timestamp, transfer_id_of_record};
use switch::business::Directory;
use switch::record::{Fact, Removed};

use super::known::{Absent, KEYS, SECTIONS, Shape};
use super::*;

const DOC: &str = include_str!("../../../../docs/formats/config.md");

/// A file with only what must be there.
const SMALL: &str = r#"
[nation]
name = "Small"
currency = "KPW"
currency_numeric = 408
currency_exponent = 2
zone = "Asia/Pyongyang"
[security]
profile = "demo"
[[station]]
name = "one"
code = "01"
[[participant]]
id = 100001
name = "First Bank"
iins = ["940801"]
cap = "5000000.00"
[[terminal]]
station = "one"
acquirer = 100001
terminal = "T1"
retailer = "SHOP"
"#;

/// What is wrong with a text, as `line key`.
fn wrong(text: &str) -> Vec<String> {
    match Config::parse(text, "n.toml") {
        Ok(_) => Vec::new(),
        Err(errors) => {
            errors.errors.iter().map(|error| format!("{} {}", error.line, error.key)).collect()
        }
    }
}

fn message(text: &str) -> String {
    Config::parse(text, "n.toml").unwrap_err().to_string()
}

/// `SMALL` with one piece replaced; the piece must be there.
fn small_with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old}");
    SMALL.replacen(old, new, 1)
}

fn won(text: &str) -> Amount {
    Currency::KPW.parse(text).unwrap()
}

/// Source: the tables of the example nation and of the default ports in the interface.
#[test]
fn the_example_is_the_nation_of_the_interface() {
    let nation = Config::example();
    assert_eq!(nation.currency, Currency::KPW);
    assert_eq!((nation.zone_name.as_str(), nation.cutover_s), ("Asia/Pyongyang", 79_200));
    assert_eq!(nation.profile, Profile::Demo);
    let hub = [nation.hub.http, nation.hub.banks, nation.hub.trunk].map(|a| a.to_string());
    assert_eq!(hub, ["127.0.0.1:8080", "127.0.0.1:9583", "127.0.0.1:7583"]);
    let banks: Vec<_> = nation
        .participants
        .iter()
        .map(|b| (b.id.get(), b.name.as_str(), b.iins[0].to_string(), b.iins.len(), b.cap))
        .collect();
    let bank = |id, name, iin: &str| (id, name, iin.to_owned(), 1, won("5000000.00"));
    assert_eq!(
        banks,
        [
            bank(100_001, "First Bank", "940801"),
            bank(100_002, "Harbour Bank", "940802"),
            bank(100_003, "Union Bank", "940803"),
            bank(100_004, "Savings Bank", "940804"),
        ]
    );
    assert_eq!((nation.stations.len(), nation.terminals.len()), (4, 80));
    // One payment of 5,000,000.01 must meet the cap and not the limit.
    assert!(nation.limits.amount_max > won("5000000.01"));
}

/// Source: as above.
#[test]
fn the_example_has_the_stations_and_cards_of_the_interface() {
    let nation = Config::example();
    let stations = [
        ("pyongyang", 8583, 8081, "PYO", 100_001),
        ("nampo", 8584, 8082, "NAM", 100_002),
        ("pyongsong", 8585, 8083, "PSG", 100_003),
        ("sariwon", 8586, 8084, "SAR", 100_004),
    ];
    for (number, (name, port, http, prefix, acquirer)) in (1u16..).zip(stations) {
        let station = nation.station(StationId(number)).unwrap();
        assert_eq!(nation.station_named(name), Some(station));
        assert_eq!(station.listen.to_string(), format!("127.0.0.1:{port}"));
        assert_eq!(station.http.to_string(), format!("127.0.0.1:{http}"));
        assert_eq!(station.dialects, ["iso87-ascii", "iso87-ascii-bin"]);
        let here: Vec<_> = nation.terminals.iter().filter(|t| t.station == station.id).collect();
        assert_eq!(here.len(), 20);
        for (place, terminal) in (1..).zip(here) {
            assert_eq!(terminal.terminal.as_str(), format!("{prefix}{place:05}"));
            assert_eq!(terminal.retailer.as_str(), format!("{prefix}-SHOP-000001"));
            assert_eq!(terminal.acquirer.get(), acquirer);
            let role = match place {
                1..=10 => TerminalRole::Tester,
                11..=19 => TerminalRole::Shop,
                _ => TerminalRole::Probe,
            };
            assert_eq!(terminal.role, role, "{place}");
        }
    }
    let s = nation.simulation;
    assert_eq!((s.accounts, s.opening, s.shop_accounts), (100, won("100000.00"), (21, 95)));
    assert_eq!((s.rich_account, s.rich_opening), (97, won("100000000.00")));
    assert_eq!((s.empty_account, s.blocked_account, s.lost_account), (98, 99, 100));
    assert_eq!((s.probe_account, s.refill_below, &s.expiry), (96, won("1000.00"), b"3112"));
    assert_eq!((s.amount_min, s.amount_max), (won("1.00"), won("60.00")));
    assert_eq!((s.shares.cash, s.shares.refund, s.shares.balance), (60, 60, 40));
    assert_eq!((s.shares.preauth, s.shares.part), (80, 10));
}

#[test]
fn the_rule_books_own_values_hold_where_the_file_is_silent() {
    let small = Config::parse(SMALL, "n.toml").unwrap();
    assert_eq!(small.timers, Timers::RULE_BOOK);
    assert_eq!(small.link_timers, LinkTimers::RULE_BOOK);
    assert_eq!(small.hub, Config::example().hub);
    assert_eq!(small.simulation, Config::example().simulation);
    assert_eq!(small.journal.hub_segment_bytes, 64 << 20);
    assert_eq!(small.journal.segment_bytes, 8 << 20);
    assert_eq!(small.journal.block, journal::Block::B512);
    assert_eq!(small.participants[0].dialect, "iso87-ascii");
    let station = &small.stations[0];
    assert_eq!(station.dialects, ["iso87-ascii", "iso87-ascii-bin"]);
    assert_eq!(
        (station.listen.to_string().as_str(), station.http.to_string().as_str()),
        ("127.0.0.1:8583", "127.0.0.1:8081")
    );
}

/// A file that says every default aloud is the same nation as one that is silent, so the list of
/// keys (and with it the manual) tells the defaults that the code has.
#[test]
fn the_listed_defaults_are_the_codes_defaults() {
    let mut text = String::new();
    for section in SECTIONS.iter().filter(|section| section.shape == Shape::Once) {
        text.push_str(&format!("[{}]\n", section.name));
        for key in known::keys_of(section.name) {
            match key.absent {
                Absent::Value(value) | Absent::Required(value) => {
                    text.push_str(&format!("{} = {value}\n", key.name));
                }
                Absent::Says(_) => {}
            }
        }
    }
    let tail = &SMALL[SMALL.find("[[station]]").unwrap()..];
    let listener = "[[listener]]\nstation = \"one\"\naddress = \"127.0.0.1:8583\"\n\
        dialects = [\"iso87-ascii\", \"iso87-ascii-bin\"]\n\
        [[link]]\nparticipant = 100001\ndialect = \"iso87-ascii\"\n";
    let mut aloud = Config::parse(&format!("{text}{tail}{listener}"), "n.toml").unwrap();
    aloud.name = "Small".to_owned();
    assert_eq!(aloud, Config::parse(SMALL, "n.toml").unwrap());
}

/// Every listed key is read: a value of no possible type is an error at that key. And every
/// key of the list is an own one.
#[test]
fn every_listed_key_is_read() {
    let names: BTreeSet<_> = KEYS.iter().map(|key| (key.section, key.name)).collect();
    assert_eq!(names.len(), KEYS.len());
    for key in KEYS {
        let range = ["from", "count", "shops", "probe"].contains(&key.name);
        let text = match known::section(key.section).unwrap().shape {
            Shape::Once => format!("[{}]\n{} = true\n", key.section, key.name),
            Shape::Many if range => {
                let others = ["from = \"T1\"\n", "count = 2\n"];
                let others = others.iter().filter(|o| !o.starts_with(key.name));
                let others: String = others.copied().collect();
                format!("[[{}]]\n{others}{} = true\n", key.section, key.name)
            }
            Shape::Many if key.name == "role" => {
                "[[terminal]]\nterminal = \"T1\"\nrole = true\n".to_owned()
            }
            Shape::Many => format!("[[{}]]\n{} = true\n", key.section, key.name),
            Shape::Reserved => unreachable!(),
        };
        let expected = format!("{}.{}", key.section, key.name);
        let line = text.lines().position(|line| line.ends_with("= true")).unwrap() + 1;
        assert!(wrong(&text).contains(&format!("{line} {expected}")), "{expected}");
        assert_eq!(known::explain(&expected), Some(key));
    }
}

/// `docs/formats/config.md` has a row for every key, word for word.
#[test]
fn the_manual_has_every_key() {
    let mut rows = String::new();
    for section in SECTIONS.iter().filter(|section| section.shape != Shape::Reserved) {
        let head = match section.shape {
            Shape::Once => format!("[{}]", section.name),
            Shape::Many | Shape::Reserved => format!("[[{}]]", section.name),
        };
        rows.push_str(&format!("\n### `{head}`: {}\n\n", section.meaning));
        rows.push_str("| key | what | unit or form | when absent | since |\n");
        rows.push_str("| --- | --- | --- | --- | --- |\n");
        for key in known::keys_of(section.name) {
            let absent = match key.absent {
                Absent::Required(example) => format!("required, e.g. `{example}`"),
                Absent::Value(value) => format!("`{value}`"),
                Absent::Says(words) => words.to_owned(),
            };
            let known::Key { name, meaning, unit, since, .. } = key;
            rows.push_str(&format!("| `{name}` | {meaning} | {unit} | {absent} | {since} |\n"));
        }
    }
    assert!(DOC.contains(&rows), "docs/formats/config.md should have:\n{rows}");
    for section in SECTIONS.iter().filter(|section| section.shape == Shape::Reserved) {
        assert!(DOC.contains(section.name), "{}", section.name);
    }
}

/// One file with very much wrong in it.
const BROKEN: &str = r#"
[nation]
name = "Broken"
currency = "KPW"
currency_numeric = 408
currency_exponent = 2
zone = "Asia/Pyongjang"
cutover = "24:00"
colour = "red"
[security]
profile = "demo"
api_password = "hunter2"
[limits]
amount_max = 12.50
in_fligth = 5
[timers]
issuer_answer_ms = 30000
heartbeat_ms = 0
advice_repeat_ms = [1, "2"]
[hub]
http = "localhost:8080"
banks = "127.0.0.1:8583"
trunk = "0.0.0.0:7583"
[[station]]
name = "one"
code = "pq"
[[station]]
name = "one"
code = "02"
acquirer = 100009
[[listener]]
station = "too"
dialects = ["iso87-asci", "iso87-ascii"]
[[participant]]
id = 100001
name = "First Bank"
iins = ["940801", "x"]
cap = "5000000.001"
[[participant]]
id = 100001
iins = ["940801"]
cap = "1"
[[link]]
participant = 100007
[[terminal]]
station = "one"
acquirer = 100008
retailer = "SHOP"
from = "T99"
count = 2
[[hot_card]]
token = "9408010000000016"
reason = "late"
[[tariff]]
[stand_in]
[simulatoin]
"#;

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let expected = [
        "7 nation.zone",
        "8 nation.cutover",
        "9 nation.colour",
        "12 security.api_password",
        "14 limits.amount_max",
        "15 limits.in_fligth",
        "18 timers.heartbeat_ms",
        "19 timers.advice_repeat_ms",
        "21 hub.http",
        "26 station.code",
        "28 station.name",
        "30 station.acquirer",
        "32 listener.station",
        "33 listener.dialects",
        "37 participant.iins",
        "38 participant.cap",
        "39 participant.name",
        "40 participant.id",
        "44 link.participant",
        "49 terminal.from",
        "52 hot_card.token",
        "52 hot_card.token",
        "53 hot_card.reason",
        "54 tariff",
        "55 stand_in",
        "56 simulatoin",
    ];
    assert_eq!(wrong(BROKEN), expected);
    let said = message(BROKEN);
    for part in [
        "n.toml:7:8: nation.zone: there is no time zone \"Asia/Pyongjang\"; \
         did you mean \"Asia/Pyongyang\"?",
        "secrets never stand in this file",
        "write it in quotes, as in \"12.50\"",
        "did you mean in_flight?",
        "did you mean \"iso87-ascii\"?",
        "\"5000000.001\" has more decimals than KPW; write at most 2 after the point",
        "is kept for a later release (fees)",
        "did you mean simulation?",
        "this looks like a card number",
    ] {
        assert!(said.contains(part), "{part}\nis missing in\n{said}");
    }
    assert!(!said.contains("9408010000000016"), "{said}");
    assert_eq!(said.lines().count(), expected.len());
}

/// What is replaced in `SMALL`, by what, and the errors; none named: any will do.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("[security]\n", "[security]\nprofiel = 1\n", "9 security.profiel"),
    ("profile = \"demo\"\n", "", "8 security.profile"),
    ("= \"one\"\ncode", "= \"One\"\ncode", "11 station.name,19 terminal.station"),
    ("code = \"01\"\n", "code = \"01\"\ncode = \"02\"\n", "13 "),
    ("id = 100001", "id = 0", "14 participant.id"),
    ("id = 100001", "id = 100002", "18 terminal.acquirer"),
    ("[\"940801\"]", "[]", "16 participant.iins"),
    ("[\"940801\"]", "[\"940801\", \"9408011\", \"940801\"]", "16 participant.iins"),
    ("cap = \"5000000.00\"", "cap = 5000000", "17 participant.cap"),
    ("\"T1\"", "\"T12345678\"", "21 terminal.terminal"),
    ("\"SHOP\"", "\" SHOP\"", "22 terminal.retailer"),
    ("acquirer = 100001\n", "", "18 terminal.acquirer"),
    ("terminal = \"T1\"\n", "", "18 terminal.terminal"),
    ("\"T1\"\n", "\"T1\"\ncount = 2\n", "22 terminal.count"),
    ("terminal = \"T1\"", "from = \"T1\"", "18 terminal.count"),
    ("terminal = \"T1\"", "from = \"T1\"\ncount = 10", "21 terminal.from"),
    ("terminal = \"T1\"", "from = \"T1\"\ncount = 9\nprobe = 10", "23 terminal.probe"),
    ("terminal = \"T1\"", "from = \"T1\"\ncount = 9\nshops = [3, 2]", "23 terminal.shops"),
    (
        "terminal = \"T1\"",
        "from = \"T1\"\ncount = 9\nshops = [2, 3]\nprobe = 3",
        "24 terminal.probe",
    ),
    (
        "[[station]]",
        "[hub]\nhttp = \"0.0.0.0:8080\"\ntrunk = \"10.0.0.1:1\"\n[[station]]",
        "12 hub.trunk",
    ),
    ("[[station]]", "[hub]\nhttp = \"0.0.0.0:8583\"\n[[station]]", "12 listener.address"),
    ("[[station]]", "[timers]\nhub_answer_ms = 15000\n[[station]]", "11 timers.hub_answer_ms"),
    (
        "[[station]]",
        "[timers]\nissuer_answer_ms = 25000\n[[station]]",
        "11 timers.issuer_answer_ms",
    ),
    ("[[station]]", "[simulation]\naccounts = 99\n[[station]]", ""),
    ("[[station]]", "[simulation]\nprobe_account = 95\n[[station]]", "11 simulation.probe_account"),
    ("[[station]]", "[simulation]\nlost_account = 99\n[[station]]", "11 simulation.lost_account"),
    ("[[station]]", "[station]", "10 station,1 station"),
    ("[nation]", "[[nation]]", ""),
    ("[nation]", "[journal]\nblock = 1024\n[nation]", "3 journal.block"),
    ("[nation]", "name = 1\n[nation]", "2 name"),
    ("[nation]", "# card 9408 0100 0000 0016\n[nation]", "2 "),
    ("\"Small\"", "\"A\\u001b[31m\"", "3 nation.name"),
];

#[test]
fn one_thing_wrong_is_one_error() {
    for (old, new, expected) in MISTAKES.iter().copied() {
        if expected.is_empty() {
            assert!(!wrong(&small_with(old, new)).is_empty(), "{new}");
            continue;
        }
        let mut expected: Vec<_> = expected.split(',').collect();
        expected.sort_by_key(|error| error.split(' ').next().unwrap().parse::<u32>().unwrap());
        let mut found = wrong(&small_with(old, new));
        if new == "[station]" || new.contains("One") {
            // What follows from the first mistake is of no interest here.
            found.retain(|error| expected.contains(&error.as_str()));
        }
        assert_eq!(found, expected, "{new}");
    }
}

/// What of a segment has no index while it fills must be fewer than what slows payments down.
#[test]
fn a_segment_too_long_for_the_payments_without_an_index_is_refused() {
    let wrong_of = |limits: &str, journal: &str| {
        let said = wrong(&format!("[limits]\n{limits}\n[journal]\n{journal}\n{SMALL}"));
        said.first().cloned().unwrap_or_default()
    };
    // 800,000 of them, of which 480,000 of 210 bytes are 96 MiB.
    assert_eq!(wrong_of("", "hub_segment_mib = 96"), "");
    assert_eq!(wrong_of("", "hub_segment_mib = 97"), "4 journal.hub_segment_mib");
    assert_eq!(wrong_of("new_payments = 807237", "hub_segment_mib = 97"), "");
    let one_less = wrong_of("new_payments = 807236", "hub_segment_mib = 97");
    assert_eq!(one_less, "4 journal.hub_segment_mib");
    assert_eq!(wrong_of("new_payments = 100000", ""), "2 limits.new_payments");
    assert_eq!(wrong_of("new_payments = 100000", "hub_segment_mib = 8"), "");
    for (sections, fix) in [
        (
            "[journal]\nhub_segment_mib = 97\n",
            "write hub_segment_mib = 96 or less, or new_payments = 807237 or more",
        ),
        ("[journal]\nhub_segment_mib = 1024\n", "write hub_segment_mib = 96 or less"),
        ("[limits]\nnew_payments = 7\n", "write new_payments = 532610 or more"),
    ] {
        let said = message(&format!("{sections}{SMALL}"));
        assert!(said.contains(fix), "{said}");
    }
}

#[test]
fn a_retailers_id_may_look_like_a_card_number() {
    // 15 digits with a right check digit, as DE42 of many acquirers.
    let text = small_with("\"SHOP\"", "\"378282246310005\"");
    assert_eq!(wrong(&text), [""; 0]);
    let hot = "[[hot_card]]\ntoken = \"94080100000000169408010000000016\"\nreason = \"lost\"\n";
    assert_eq!(wrong(&format!("{SMALL}{hot}")), [""; 0]);
}

/// What is wrong is quoted, but never a card number, whatever the key.
#[test]
fn errors_repeat_no_card_number() {
    for text in [
        format!("{SMALL}[[listener]]\nstation = \"9408010000000016\"\n"),
        format!("{SMALL}[hub]\n9408010000000016 = 1\n"),
        format!("{SMALL}[[hot_card]]\ntoken = 9408010000000016\nreason = \"lost\"\n"),
        small_with("\"5000000.00\"", "\"9408 0100 0000 0016\""),
    ] {
        let said = message(&text);
        assert!(said.contains("this looks like a card number"), "{said}");
        assert!(!said.contains("94080100") && !said.contains("9408 0100"), "{said}");
    }
}

#[test]
fn what_the_file_says_holds() {
    let text = format!(
        "{SMALL}[[listener]]\nstation = \"one\"\naddress = \"[::1]:700\"\n\
         dialects = [\"iso87-ascii-bin\"]\n\
         [[link]]\nparticipant = 100001\ndialect = \"iso87-ascii-bin\"\n\
         [timers]\nadvice_repeat_ms = [1, 2, 3, 4, 5]\ncut_ms = 0x1_0000\nhalf_frame_ms = 7\n\
         [journal]\nblock = 4096\nsegment_mib = 16\n\
         [limits]\nconnections = 3\namount_max = \"7\"\n"
    );
    let nation = Config::parse(&text, "n.toml").unwrap();
    let station = &nation.stations[0];
    assert_eq!(station.listen.to_string(), "[::1]:700");
    assert_eq!(station.dialects, ["iso87-ascii-bin"]);
    assert_eq!(nation.participants[0].dialect, "iso87-ascii-bin");
    assert_eq!(nation.timers.advice_repeat_ms, [1, 2, 3, 4, 5]);
    assert_eq!((nation.timers.cut_ms, nation.link_timers.half_frame_ms), (65_536, 7));
    assert_eq!(nation.journal.block, journal::Block::B4096);
    assert_eq!(nation.journal.segment_bytes, 16 << 20);
    assert_eq!((nation.limits.connections, nation.limits.amount_max), (3, won("7.00")));
}

#[test]
fn terminals_stand_once() {
    let more = |station: &str, acquirer: u32, terminal: &str| {
        format!(
            "{SMALL}[[station]]\nname = \"two\"\ncode = \"02\"\n\
             [[participant]]\nid = 100002\nname = \"B\"\niins = [\"940802\"]\ncap = \"0\"\n\
             [[terminal]]\nstation = \"{station}\"\nacquirer = {acquirer}\n\
             retailer = \"R\"\nfrom = \"{terminal}\"\ncount = 3\n"
        )
    };
    let last = SMALL.lines().count() + 9;
    // (station, acquirer, first terminal) and whether it clashes with T1 of 100001 at "one".
    for (station, acquirer, terminal, clashes) in [
        ("one", 100_001, "T2", false),
        ("one", 100_001, "T0", true),
        ("two", 100_001, "T1", true),
        ("one", 100_002, "T1", true),
        ("two", 100_002, "T1", false),
    ] {
        let expected: Vec<_> =
            clashes.then(|| format!("{last} terminal.terminal")).into_iter().collect();
        assert_eq!(wrong(&more(station, acquirer, terminal)), expected, "{station} {acquirer}");
    }
}

#[test]
fn outside_the_demo_any_address_is_taken() {
    let text = small_with("\"demo\"", "\"production\"");
    let text = format!("{text}[hub]\nbanks = \"[2001:db8::1]:9583\"\n");
    let nation = Config::parse(&text, "n.toml").unwrap();
    assert_eq!(nation.hub.banks.to_string(), "[2001:db8::1]:9583");
}

#[test]
fn ports_are_shifted_all_or_named() {
    let nation = Config::example();
    let moved = nation.shifted(1000, None);
    let ports: Vec<_> = moved.clone().addresses_mut().iter().map(|a| a.port()).collect();
    assert_eq!(ports, [9080, 10583, 8583, 9583, 9081, 9584, 9082, 9585, 9083, 9586, 9084]);
    let http = "0.0.0.0:80".parse().unwrap();
    assert_eq!(nation.shifted(1000, Some(http)).hub.http, http);
    assert_eq!(nation.shifted(0, None), nation);
    assert_eq!(nation.port_base_max(), 65_535 - 9583);
}

fn directory(facts: &[Fact]) -> Directory {
    let mut directory = Directory::default();
    facts.iter().for_each(|fact| directory.apply(fact));
    directory
}

fn with_hot_card() -> Config {
    let hot = "\n[[hot_card]]\ntoken = \"0123456789abcdef0123456789ABCDEF\"\nreason = \"stolen\"\n";
    Config::parse(&format!("{EXAMPLE}{hot}"), "n.toml").unwrap()
}

#[test]
fn the_business_part_goes_through_the_journal_unchanged() {
    let nation = with_hot_card();
    let facts = nation.facts();
    assert_eq!(facts.len(), 1 + 4 + 4 + 4 + 80 + 4 + 1 + 4);
    for (number, fact) in (0u64..).zip(&facts) {
        if let Fact::Cap { transfer, .. } = fact {
            assert_eq!(*transfer, transfer_id_of_record(6, number));
        }
        let mut payload = Vec::new();
        let (kind, version) = switch::record::encode(fact, &mut payload);
        assert_eq!(kind == 6, matches!(fact, Fact::Cap { .. }), "{kind} {version}");
    }
    let journal = directory(&facts);
    assert_eq!(nation.business_difference(&journal), [""; 0]);
    let token = Token(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    assert_eq!(journal.hot(token), Some(Reason::Stolen));
}

type Change<'a> = &'a dyn Fn(&mut Config);

/// Whatever a file changes, and is allowed to: once applied there is no difference.
#[test]
fn what_is_applied_differs_no_more() {
    let nation = with_hot_card();
    let applied = |change: &dyn Fn(&mut Config)| -> Result<Vec<Fact>, Vec<String>> {
        let mut changed = nation.clone();
        change(&mut changed);
        let mut journal = directory(&nation.facts());
        let facts = business::change(&changed.facts(), &journal)?;
        facts.iter().for_each(|fact| journal.apply(fact));
        assert_eq!(changed.business_difference(&journal), [""; 0]);
        assert_eq!(business::change(&changed.facts(), &journal), Ok(Vec::new()));
        Ok(facts)
    };
    assert_eq!(applied(&|_| {}), Ok(Vec::new()));
    let allowed: [(Change<'_>, usize); 10] = [
        (&|c| c.participants[1].cap = won("4000000.00"), 1),
        (&|c| c.participants[1].name = "Port Bank".to_owned(), 1),
        (&|c| c.limits.amount_max = won("1.00"), 1),
        (&|c| c.terminals.truncate(60), 20),
        (&|c| c.terminals[0].station = StationId(2), 1),
        (&|c| c.hot_cards.clear(), 1),
        (&|c| c.retailers.clear(), nation.retailers.len()),
        (&|c| c.participants[0].iins[0] = Iin::new("9409").unwrap(), 2),
        // A station and all of its terminals, which go first.
        (&|c| drop((c.stations.pop(), c.terminals.truncate(60))), 21),
        (
            &|c| {
                let id = ParticipantId::new(100_005).unwrap();
                let iins = vec![Iin::new("940805").unwrap()];
                let fifth = ParticipantSection { id, iins, ..c.participants[0].clone() };
                c.participants.push(fifth);
            },
            3,
        ),
    ];
    for (number, (change, records)) in allowed.into_iter().enumerate() {
        let facts = applied(change).unwrap();
        assert_eq!(facts.len(), records, "{number} {facts:?}");
    }
    let removed = applied(&|c| drop((c.stations.pop(), c.terminals.truncate(60)))).unwrap();
    let last = Fact::Removed(Removed::Station { id: StationId(4) });
    assert_eq!(removed.last(), Some(&last), "a station goes after its terminals");
    let refused: [(Change<'_>, &str); 4] = [
        (&|c| drop(c.participants.pop()), "participant 100004: its accounts stay"),
        (&|c| c.stations[0].name = "kaesong".to_owned(), "station 1: it is \"pyongyang\""),
        (&|c| c.stations[3].code = *b"S2", "station 4: it is \"sariwon\""),
        (&|c| c.currency = Currency::new("XTS", 963, 2).unwrap(), "currency: every account is in"),
    ];
    for (change, why) in refused {
        let lines = applied(change).unwrap_err();
        assert!(lines.iter().any(|line| line.contains(why)), "{lines:?}");
    }
}

#[test]
fn each_change_of_the_file_is_one_line() {
    let nation = with_hot_card();
    let journal = directory(&nation.facts());
    let differs = |change: &dyn Fn(&mut Config), expected: &str| {
        let mut changed = nation.clone();
        change(&mut changed);
        assert_eq!(changed.business_difference(&journal), [expected]);
    };
    differs(
        &|c| c.participants[1].cap = won("4000000.00"),
        "cap of participant 100002: 4000000.00 in the file, 5000000.00 in the journal",
    );
    differs(
        &|c| c.name = "Five stations".to_owned(),
        "nation's name: \"Five stations\" in the file, \"Four stations\" in the journal",
    );
    differs(
        &|c| c.limits.amount_max = won("1.00"),
        "largest payment: 1.00 in the file, 10000000.00 in the journal",
    );
    differs(
        &|c| c.stations[3].code = *b"S2",
        "station 4: \"sariwon\" with code S2 in the file, \"sariwon\" with code SA in the \
         journal",
    );
    differs(
        &|c| c.terminals.truncate(79),
        "terminal SAR00020 of acquirer 100004: not in the file, retailer SAR-SHOP-000001 at \
         station 4 in the journal",
    );
    differs(
        &|c| c.participants[0].iins.push(Iin::new("9409").unwrap()),
        "cards of 9409: participant 100001's in the file, not in the journal",
    );
    differs(
        &|c| c.hot_cards[0].reason = Reason::Lost,
        "hot card 0123456789abcdef0123456789abcdef: lost in the file, stolen in the journal",
    );
    // What is no business of the journal's.
    let mut changed = nation.clone();
    changed.hub.http.set_port(1);
    changed.timers.cut_ms = 9000;
    changed.stations[0].listen.set_port(2);
    assert_eq!(changed.business_difference(&journal), [""; 0]);
}

#[test]
fn local_time_is_the_nations() {
    // Source: GNU date, `TZ=Asia/Pyongyang date -d @1795338099`.
    let local = Config::example().zone.local(Timestamp::from_s(1_795_338_099));
    assert_eq!(local.to_string(), "2026-11-22T18:01:39");
}

#[test]
fn a_long_list_of_errors_is_cut_and_counted() {
    let text: String = (0..300).map(|n| format!("[x{n}]\n")).collect();
    let errors = Config::parse(&text, "n.toml").unwrap_err();
    assert_eq!(errors.errors.len(), limits::ERRORS_MAX);
    // 300 sections, six required keys, no station, no participant.
    assert_eq!(errors.errors.len() + errors.unlisted, 300 + 6 + 2);
    assert!(errors.to_string().ends_with("108 more errors"));
    let long = "x".repeat(limits::FILE_BYTES_MAX + 1);
    assert_eq!(wrong(&long), ["1 "]);
}

/// A small generator (xorshift64*), so that a failure names the seed that replays it.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// Whatever stands in the file, reading it never panics, and an error has a place in the file.
#[test]
fn mutations_of_the_example_never_panic() {
    const PIECES: [&str; 24] = [
        "[",
        "]",
        "[[",
        "]]",
        "\"",
        "'''",
        "=",
        "=",
        ".",
        "#",
        "\n",
        "\r\n",
        "9",
        "99999999999999999999",
        "-1",
        "0x7f",
        "true",
        "1979-05-27",
        "{",
        "}",
        "[[terminal]]\n",
        "\u{feff}",
        "봉수",
        "_",
    ];
    let mut accepted = 0;
    for seed in 1..=800u64 {
        let mut random = Random(seed);
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        for _ in 0..=random.below(3) {
            let at = random.below(text.len());
            let end = (at + random.below(12)).min(text.len());
            match random.below(4) {
                0 => drop(text.drain(at..end)),
                1 => {
                    let piece = PIECES[random.below(PIECES.len())];
                    drop(text.splice(at..at, piece.chars()));
                }
                2 => {
                    let piece = PIECES[random.below(PIECES.len())];
                    drop(text.splice(at..end, piece.chars()));
                }
                _ => {
                    let copied: Vec<char> = text[at..end].to_vec();
                    let to = random.below(text.len());
                    drop(text.splice(to..to, copied));
                }
            }
        }
        let text: String = text.into_iter().collect();
        match Config::parse(&text, "n.toml") {
            Ok(config) => {
                accepted += 1;
                assert!(!config.facts().is_empty(), "seed {seed}");
            }
            Err(errors) => {
                let lines = text.split('\n').count();
                assert!(!errors.errors.is_empty(), "seed {seed}");
                assert!(errors.errors.iter().all(|e| (1..=lines).contains(&e.line)), "seed {seed}");
            }
        }
    }
    // Comments and names can change; most other changes cannot stay unseen.
    assert!((50..700).contains(&accepted), "{accepted}");
}

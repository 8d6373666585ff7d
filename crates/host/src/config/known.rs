//! Every section and key that a configuration file may have: the list from which unknown keys are
//! told, `docs/formats/config.md` is checked, and `bongsu config explain KEY` answers.

/// A section of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SectionInfo {
    /// Its name.
    pub name: &'static str,
    /// How it stands in the file.
    pub shape: Shape,
    /// What it holds.
    pub meaning: &'static str,
}

/// How a section stands in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// `[name]`, at most once.
    Once,
    /// `[[name]]`, any number of times.
    Many,
    /// The name is kept for a later release, and refused until then.
    Reserved,
}

/// A key of a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Its section.
    pub section: &'static str,
    /// Its name in the section.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The unit, or the form of the value.
    pub unit: &'static str,
    /// What holds when it is absent.
    pub absent: Absent,
    /// The release that brought it.
    pub since: &'static str,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absent {
    /// It must be there; this is an example, as TOML.
    Required(&'static str),
    /// This value, as TOML.
    Value(&'static str),
    /// What these words say.
    Says(&'static str),
}

/// Every section, in the order of the file.
pub const SECTIONS: &[SectionInfo] = &[
    once("nation", "the nation, its money and its day"),
    once("security", "what is allowed on which link"),
    once("limits", "the largest payment, and how much work is taken at once"),
    once("timers", "every delay and window of the rule book"),
    once("journal", "how journals lie on the disk, from each one's next segment on"),
    once("hub", "the addresses of the hub"),
    many("station", "a base station; its number is its place in the file, from 1"),
    many("listener", "where a station's terminals connect; one per station"),
    many("participant", "a bank that settles"),
    many("link", "a bank's link to the hub"),
    many("terminal", "a terminal, or a range of terminals with counted numbers"),
    many("hot_card", "a card to be refused"),
    many("retailer", "what a retailer may refund without naming a payment; without it, nothing"),
    once("simulation", "the simulated banks and shops of `bongsu up`"),
    reserved("tariff", "fees"),
    reserved("stand_in", "approvals of a station that is cut off from the hub"),
];

const fn once(name: &'static str, meaning: &'static str) -> SectionInfo {
    SectionInfo { name, shape: Shape::Once, meaning }
}

const fn many(name: &'static str, meaning: &'static str) -> SectionInfo {
    SectionInfo { name, shape: Shape::Many, meaning }
}

const fn reserved(name: &'static str, meaning: &'static str) -> SectionInfo {
    SectionInfo { name, shape: Shape::Reserved, meaning }
}

const FIRST: &str = "0.1.0";
const MS: &str = "ms";
const AMOUNT: &str = "amount";
const ADDRESS: &str = "address";

const fn required(
    section: &'static str,
    name: &'static str,
    unit: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { section, name, meaning, unit, absent: Absent::Required(example), since: FIRST }
}

const fn value(
    section: &'static str,
    name: &'static str,
    unit: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key { section, name, meaning, unit, absent: Absent::Value(default), since: FIRST }
}

const fn says(
    section: &'static str,
    name: &'static str,
    unit: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key { section, name, meaning, unit, absent: Absent::Says(default), since: FIRST }
}

/// Every key, by section and in the order of the file.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    required("nation", "name", "text", "\"Four stations\"", "the nation's name"),
    required("nation", "currency", "ISO 4217 letters", "\"KPW\"",
        "the one currency of every account and amount"),
    required("nation", "currency_numeric", "ISO 4217 number", "408", "as messages carry it (DE49)"),
    required("nation", "currency_exponent", "decimals, 0 to 4", "2", "decimals of its minor unit"),
    required("nation", "zone", "IANA name", "\"Asia/Pyongyang\"",
        "local time: terminals' clocks (DE12, DE13) and business dates"),
    value("nation", "cutover", "HH:MM, local", "\"22:00\"", "when the business date changes"),

    required("security", "profile", "demo, production", "\"demo\"",
        "`demo`: self-made keys and plain terminals, on loopback only; `production` refuses both"),
    value("security", "channels", "secure, plain", "\"secure\"",
        "`secure`: trunks and banks' links have mutual TLS 1.3, banks' links MACs; `plain`: \
        neither, in `demo` only"),

    value("limits", "amount_max", AMOUNT, "\"9999999999.99\"",
        "largest amount of one payment (DE39 13); the default is what DE4 can carry"),
    value("limits", "in_flight", "payments", "65536",
        "payments under way at the hub; beyond it new purchases are refused (96)"),
    value("limits", "room_payments", "payments, 0 to 4000000", "65536",
        "payments whose memory the hub takes before the first comes, some 600 bytes each: later \
         it is taken from the system while payments wait"),
    value("limits", "station_in_flight", "payments", "16384",
        "payments under way at one station; beyond it new purchases are refused (96)"),
    value("limits", "connections", "connections", "20000", "connections of one listener"),
    value("limits", "connection_in_flight", "requests", "256",
        "requests of one terminals' connection that wait for an answer; 16 while the station has \
        half of `station_in_flight` under way, 2 from three quarters on"),
    value("limits", "bank_connection_in_flight", "requests", "1024",
        "requests of one connection of a bank that wait for an answer"),
    value("limits", "bank_in_flight", "requests", "32768",
        "requests of one bank, on all its connections, that wait for an answer"),
    value("limits", "window_payments", "payments, 1 to 4000000", "65536",
        "payments that the hub keeps in memory though its history on disk has them too, some 420 \
        bytes each; older ones are read back when a message means one"),
    value("limits", "new_payments", "payments, 1 to 4000000", "800000",
        "payments that are under way or that the history on disk does not have yet, some 420 bytes \
        each: from six tenths on new ones are taken more slowly and their senders wait, beyond it \
        they are refused (96, `LIMIT HISTORY`)"),
    value("limits", "connections_per_address", "connections", "20000",
        "connections from one remote address to one role"),
    value("limits", "accepts_per_s", "connections/s", "2000",
        "connections that one listener takes in a second; whoever else calls waits in the system's \
         queue of 4096, or calls again"),
    value("limits", "strangers", "connections", "1024",
        "connections of one listener that have not said who they are, or a whole message; the \
         oldest makes room"),
    value("limits", "connection_status_per_s", "messages/s", "50",
        "echoes and other network messages of one terminals' connection; beyond it 96, as below"),
    value("limits", "connection_balances_per_s", "messages/s", "200",
        "balance enquiries of one terminals' connection"),
    value("limits", "connection_payments_per_s", "messages/s", "2000",
        "other requests of one terminals' connection; reversals and advices have no rate"),
    value("limits", "connection_messages_per_s", "messages/s", "4000",
        "messages of any kind of one terminals' connection; beyond it it is read more slowly"),
    value("limits", "terminal_requests_per_s", "messages/s", "100",
        "payments and balance enquiries of one terminal (DE41) of the register, on whatever \
         connection; reversals and advices have no rate"),
    value("limits", "bank_status_per_s", "messages/s", "500",
        "echoes and other network messages of one bank"),
    value("limits", "bank_balances_per_s", "messages/s", "20000", "balance enquiries of one bank"),
    value("limits", "bank_payments_per_s", "messages/s", "100000",
        "other requests of one bank; reversals and advices have no rate"),
    value("limits", "bank_messages_per_s", "messages/s", "100000",
        "messages of any kind of one connection of a bank; beyond it it is read more slowly"),
    value("limits", "poison_deaths", "deaths", "3",
        "times that a role may die of one peer's messages before it refuses all of them"),
    value("limits", "poison_window_s", "s", "60", "the time within which those deaths count"),

    value("timers", "issuer_answer_ms", MS, "15000",
        "the issuer answers the hub within this; exactly then is late"),
    value("timers", "hub_answer_ms", MS, "25000", "the hub answers the station within this"),
    value("timers", "advice_repeat_ms", "list of 5, ms", "[15000, 30000, 60000, 120000, 300000]",
        "gaps between an advice (0420) and its repeats (0421); the last goes on without end"),
    value("timers", "advice_finding_ms", MS, "600000",
        "an advice unanswered for so long is a finding"),
    value("timers", "echo_idle_ms", MS, "30000", "silence on a bank's link before an echo"),
    value("timers", "echo_answer_ms", MS, "10000", "an echo is answered within this"),
    value("timers", "same_content_ms", MS, "300000",
        "two requests of the same content within this are one (K4)"),
    value("timers", "same_content_other_day_ms", MS, "3600000", "K4 across a change of local date"),
    value("timers", "repeat_ms", MS, "86400000",
        "a repeat (xxx1) or reversal finds its original for so long"),
    value("timers", "clock_ms", MS, "86400000",
        "a request whose local time is further from its receipt is declined 12"),
    value("timers", "tombstone_ms", MS, "604800000",
        "a reversal of an unknown original is kept for so long"),
    value("timers", "window_ms", MS, "180000000",
        "a payment can be matched for so long after the hub took it in"),
    value("timers", "preauth_ms", MS, "604800000",
        "a pre-authorisation that nothing has completed expires after this"),
    value("timers", "late_completion_ms", MS, "86400000",
        "a completion still posts for so long after that"),
    value("timers", "heartbeat_ms", MS, "1000", "trunk heartbeat"),
    value("timers", "suspect_ms", MS, "3000", "a trunk silent for so long is suspect"),
    value("timers", "cut_ms", MS, "8000", "a trunk silent for so long is cut"),
    value("timers", "half_frame_ms", MS, "10000", "a frame begun is complete within this"),
    value("timers", "idle_terminal_ms", MS, "600000",
        "a terminal's connection silent for so long is closed"),

    value("journal", "block", "bytes: 512, 4096", "512",
        "a write damages nothing outside its own blocks; 4096 for disks that promise no less"),
    value("journal", "hub_segment_mib", "MiB, 8 to 1024", "64",
        "length of the hub's segments; at most 1 MiB for each 8,323 of `[limits] new_payments`: \
         beyond, every segment would slow payments down before it has an index"),
    value("journal", "segment_mib", "MiB, 8 to 1024", "8", "length of all other roles' segments"),
    says("journal", "retention_days", "days, 16 to 36500", "everything",
        "what of the hub's journal is kept: older segments may be put away, \
        `bongsu ledger archive`"),
    value("journal", "snapshot_records", "records, 100 to 10000000", "250000",
        "records between two snapshots of the hub"),

    value("hub", "http", ADDRESS, "\"127.0.0.1:8080\"", "dashboard, API, metrics"),
    value("hub", "banks", ADDRESS, "\"127.0.0.1:9583\"", "banks' hosts"),
    value("hub", "trunk", ADDRESS, "\"127.0.0.1:7583\"", "stations' trunks"),

    required("station", "name", "a-z 0-9 -, at most 16", "\"pyongyang\"",
        "its name, also of its directory"),
    required("station", "code", "2 of A-Z 0-9", "\"PY\"",
        "stands in the reference numbers (DE37) that it makes"),
    says("station", "http", ADDRESS, "`127.0.0.1`, port 8080 + its number",
        "its own page and metrics"),
    says("station", "acquirer", "participant id", "none",
        "acquirer (DE32) of its terminals that name none"),

    required("listener", "station", "station name", "\"pyongyang\"",
        "whose terminals connect here"),
    says("listener", "address", ADDRESS, "`127.0.0.1`, port 8582 + the station's number",
        "where they connect"),
    value("listener", "dialects", "list of dialects", "[\"iso87-ascii\", \"iso87-ascii-bin\"]",
        "the first that decodes a connection's first message is the connection's"),

    required("participant", "id", "1 to 11 digits", "100001", "institution code (DE32)"),
    required("participant", "name", "text", "\"First Bank\"", "its name"),
    required("participant", "iins", "list of 1 to 8 digits", "[\"940801\"]",
        "its cards begin so; the longest prefix wins"),
    required("participant", "cap", AMOUNT, "\"5000000.00\"", "net debit cap"),

    required("link", "participant", "participant id", "100001", "whose link"),
    value("link", "dialect", "dialect", "\"iso87-ascii\"", "what its host speaks"),

    required("terminal", "station", "station name", "\"pyongyang\"", "at whose listener it speaks"),
    says("terminal", "acquirer", "participant id", "the station's", "its acquirer (DE32)"),
    required("terminal", "retailer", "1 to 15 characters", "\"PYO-SHOP-000001\"",
        "its retailer (DE42)"),
    says("terminal", "terminal", "1 to 8 characters", "none: a range has `from` instead",
        "one terminal (DE41)"),
    says("terminal", "role", "tester, shop, probe", "tester",
        "who uses one terminal: a person, a simulated shop, the synthetic probe"),
    says("terminal", "from", "ends with digits", "none",
        "first terminal of a range (DE41); its last digits are counted up"),
    says("terminal", "count", "terminals", "none", "how many the range has"),
    says("terminal", "shops", "[first, last]", "none",
        "places in the range, from 1, that the simulated shops use"),
    says("terminal", "probe", "place", "none",
        "place in the range, from 1, of the synthetic probe"),

    required("hot_card", "token", "32 hex digits", "\"0123456789abcdef0123456789abcdef\"",
        "the card's token, never its number"),
    required("hot_card", "reason", "lost, stolen, restricted", "\"lost\"",
        "DE39 41, 43 or 62"),

    required("retailer", "id", "1 to 15 characters", "\"PYO-SHOP-000001\"", "whose limits (DE42)"),
    required("retailer", "refund_max", AMOUNT, "\"100.00\"",
        "largest refund that names no payment (DE39 57)"),
    required("retailer", "refund_day_max", AMOUNT, "\"1000.00\"",
        "largest sum of them in one business day (DE39 57)"),

    value("simulation", "accounts", "accounts, up to 1000000", "100", "accounts of each bank"),
    value("simulation", "opening", AMOUNT, "\"100000.00\"", "what an account holds at first"),
    value("simulation", "expiry", "YYMM", "\"3112\"", "expiry of every card (DE14)"),
    value("simulation", "rich_account", "account", "97", "an account that holds `rich_opening`"),
    value("simulation", "rich_opening", AMOUNT, "\"100000000.00\"", "enough to meet a cap"),
    value("simulation", "empty_account", "account", "98", "an account that holds nothing (51)"),
    value("simulation", "blocked_account", "account", "99", "a blocked account (62)"),
    value("simulation", "lost_account", "account", "100", "an account whose card is lost (41)"),
    value("simulation", "probe_account", "account", "96", "the synthetic probe's account"),
    value("simulation", "shop_accounts", "[first, last]", "[21, 95]",
        "accounts whose cards the simulated shops use"),
    value("simulation", "refill_below", AMOUNT, "\"1000.00\"",
        "below this a bank fills a shop card up again, in its own book"),
    value("simulation", "amount_min", AMOUNT, "\"1.00\"", "smallest amount of a simulated shop"),
    value("simulation", "amount_max", AMOUNT, "\"60.00\"", "largest amount of a simulated shop"),
    value("simulation", "payments_per_s", "payments/s", "20",
        "simulated payments of the whole nation (`--traffic`)"),
    value("simulation", "bank_connections", "connections, up to 16", "1",
        "connections of each simulated bank"),
    value("simulation", "bank_payments_per_s", "payments/s", "0",
        "payments that each simulated bank acquires on its own link"),
    value("simulation", "cash_share", "of 1000 payments", "60",
        "cash withdrawals"),
    value("simulation", "refund_share", "of 1000 payments", "60",
        "refunds of the shop's own purchases"),
    value("simulation", "balance_share", "of 1000 payments", "40",
        "balance enquiries"),
    value("simulation", "preauth_share", "of 1000 payments", "80",
        "pre-authorisations, each completed within a minute"),
    value("simulation", "part_share", "of 1000 payments", "10",
        "purchases of which a part is given back"),
];

/// The key of that name, `section.key`.
pub fn explain(name: &str) -> Option<&'static Key> {
    let (section, key) = name.split_once('.')?;
    KEYS.iter().find(|known| known.section == section && known.name == key)
}

/// The section of that name.
pub fn section(name: &str) -> Option<&'static SectionInfo> {
    SECTIONS.iter().find(|known| known.name == name)
}

/// The keys of a section.
pub fn keys_of(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}

/// The name that somebody who wrote `word` most likely meant: at most a third of it is wrong.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Longer words than any name are near none, and the distance takes time by their length.
    if word.len() > 64 {
        return None;
    }
    let most = (word.chars().count() / 3).clamp(1, 4);
    names
        .into_iter()
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, leave out, replace or swap with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            let step = (rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let mut best = step.min(rows[i - 1][j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

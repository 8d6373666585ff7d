//! Limits of a configuration file, each with its reason.

/// Longest file, bytes: a nation of a million terminals in ranges is far below it.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// Errors that are listed of one file; what is beyond is counted. A person repairs fewer at a time.
pub const ERRORS_MAX: usize = 200;
/// Characters of one part of an error: what stands in the file is quoted, however long it is. The
/// longest of our own texts (all keys of a section) is shorter.
pub const SHOWN_CHARS_MAX: usize = 500;
/// Stations of a nation: their default ports (8081 and 8583 on) stay apart up to 501.
pub const STATIONS_MAX: usize = 256;
/// Banks that settle: far above any country's.
pub const PARTICIPANTS_MAX: usize = 10_000;
/// Routing prefixes of one bank.
pub const IINS_MAX: usize = 1_000;
/// Terminals of a nation: the hub holds all of them in memory, about 64 bytes each.
pub const TERMINALS_MAX: usize = 1_000_000;
/// Terminals of one range: five counting digits of DE41 are as many as a region needs.
pub const RANGE_MAX: u64 = 99_999;
/// Hot cards in the file; the daily ones come by `bongsu`, not by editing a file.
pub const HOT_CARDS_MAX: usize = 100_000;
/// Retailers with limits of their own: as many as there are terminals, at most.
pub const RETAILERS_MAX: usize = TERMINALS_MAX;
/// A station's name: it is its journal's id (16 bytes), a directory and a socket.
pub const STATION_NAME_MAX: usize = 16;
/// Longest time of any timer, ms: 400 days, so that sums of them never come near 2^64 ns.
pub const TIMER_MS_MAX: u64 = 400 * 86_400_000;
/// Times are kept as local times from this year on, the origin of payment ids ...
pub const ZONE_FIRST_YEAR: i16 = 2000;
/// ... to the end of this one. What a government decides later comes with a newer release.
pub const ZONE_LAST_YEAR: i16 = 2055;
/// The highest port.
pub const PORT_MAX: u16 = u16::MAX;
/// First default port of the stations' own pages.
pub const STATION_HTTP_PORT: u16 = 8081;
/// First default port of the stations' terminals.
pub const STATION_LISTEN_PORT: u16 = 8583;
/// Shortest segment, MiB: it holds two of the largest frames.
pub const SEGMENT_MIB_MIN: u64 = 8;
/// Records between two snapshots unless the file says so: a replay of them takes a fraction of a
/// second.
pub const SNAPSHOT_RECORDS: u64 = 250_000;
/// At most so many: a replay of them takes about ten seconds.
pub const SNAPSHOT_RECORDS_MAX: u64 = 10_000_000;

/// Fewest days of a journal that are kept: those in which a pre-authorisation (7), its late
/// completion (1) and a station's advice of that (7) are matched, and the day that is going on.
pub const RETENTION_DAYS_MIN: u64 = 16;
/// Most: a century.
pub const RETENTION_DAYS_MAX: u64 = 36_500;

const _: () = assert!(STATIONS_MAX as u16 <= STATION_LISTEN_PORT - STATION_HTTP_PORT);
const _: () = assert!(RANGE_MAX as usize <= TERMINALS_MAX);
const _: () = assert!(crate::limits::CONNECTIONS_MAX > 0);

//! Limits of a role, each with its reason.

use crate::config::Rates;

/// Connections through one door: a region's terminals, each with one.
pub const CONNECTIONS_MAX: usize = 20_000;
/// Connections that one door takes in a second, unless the file says otherwise: a full one has all
/// of its 20,000 terminals back within ten seconds of a power cut, and whoever connects without end
/// costs a tenth of a processor, not all of it.
pub const ACCEPTS_PER_S: u32 = 2_000;
/// Requests of one connection that wait for an answer. A retailer's concentrator has this many
/// tills; beyond it the connection is told 96.
pub const WAITING_PER_CONNECTION_MAX: usize = 1024;
/// Payments whose memory a hub takes at its start unless the file says otherwise: an hour of the
/// example nation's, 40 MB, a tenth of a second.
pub const ROOM_PAYMENTS: usize = 65_536;
/// Most of them: 2.4 GB.
pub const ROOM_PAYMENTS_MAX: usize = 4_000_000;
/// Of terminals' connections unless the file says otherwise: tens for a concentrator, and what
/// gathers in the seconds of a hub's restart; far below what the station and a bank can hold.
pub const CONNECTION_IN_FLIGHT: usize = 256;
/// Requests of one terminals' connection under way where the station is half full: a concentrator
/// goes on, slowly ...
pub const IN_FLIGHT_BUSY: usize = 16;
/// ... and where it is nearly full: a terminal's payment, and its repeat.
pub const IN_FLIGHT_FULL: usize = 2;
/// Messages of one terminals' connection that are heard in one turn; then the others have theirs.
/// As many as a busy concentrator says at once.
pub const MESSAGES_PER_TURN: usize = 32;
/// Messages of one connection that are heard at once however low its rate, if a second has them.
pub const BURST_MIN: u64 = 64;
/// Connections of one bank that are signed on (R-LINK): a bank's cluster of hosts, each with a few.
pub const BANK_CONNECTIONS_MAX: usize = 64;
/// Requests of banks whose connection went before their answer came; they wait for another
/// connection of that bank. Sixteen connections full of them.
pub const ORPHANS_MAX: usize = 16 * WAITING_PER_CONNECTION_MAX;
/// Reversals and advices of one connection that may wait beside the requests; with more it is not
/// read until some have been answered.
pub const OWED_PER_CONNECTION_MAX: usize = 256;
/// Requests of one bank that wait for an answer: half of what the hub may have under way, so that
/// no bank takes it all.
pub const BANK_IN_FLIGHT_MAX: usize = switch::limits::IN_FLIGHT_MAX / 2;
/// Connections that have not said a whole message: a storm of them costs 1,024 sessions, not
/// 20,000, and whoever speaks at once gets in.
pub const STRANGERS: usize = 1024;
/// What terminals' connections may ask unless the file says otherwise: a concentrator of a
/// thousand tills at two payments a second each.
pub const CONNECTION_RATES: Rates =
    Rates { status: 50, balances: 200, payments: 2_000, messages: 4_000 };
/// Requests a second of one terminal of the register, on whatever connection, unless the file says
/// otherwise. A till makes one in some seconds, a web shop with one terminal number a hundred; with
/// more, one stolen terminal would fill the hub's memory of 50 hours for all others. What is kept
/// for it is one time for each terminal of the register that has asked: 8 MiB at worst.
///
/// Terminals behind a bank's link have no such rate: they are in no register, so that a table of
/// them had no bound, and their bank, which vouches for them, has a rate of its own.
pub const TERMINAL_PER_S: u32 = 100;
/// What a bank may ask unless the file says otherwise: more than any nation's whole traffic.
pub const BANK_RATES: Rates =
    Rates { status: 500, balances: 20_000, payments: 100_000, messages: 100_000 };
/// The highest rate that can be written, messages a second: one in a microsecond.
pub const RATE_MAX: u32 = 1_000_000;
/// Shortest time, ms, that a connection above its rate is not read: it is looked at again a few
/// times a second, not for each message.
pub const DEAF_MIN_MS: u64 = 50;
/// Most payments that the window may be told to keep: 1.7 GB.
pub const WINDOW_PAYMENTS_MAX: usize = 4_000_000;
/// Most payments that a hub may be told to keep before history has them: 1.7 GB.
pub const NEW_PAYMENTS_MOST: usize = 4_000_000;
/// From this part of them on, per cent, new payments are taken more slowly: a full segment of
/// 64 MiB, and half of another that came while the first became an index.
pub const SLOW_FROM: usize = 60;
/// From this part on they are taken no more slowly: only a history that cannot be written at all
/// comes so far, and the next bound is a refusal.
pub const SLOWEST_FROM: usize = 90;
/// Least of the journal that a payment takes, bytes: of two records in full frames, measured 216
/// (310,000 in a segment of 64 MiB). So many of a segment's payments may have no index while it
/// fills, and all of them must be below the first mark: else each segment slows payments down, and
/// a longer one has them refused before it is sealed.
pub const PAYMENT_BYTES_MIN: u64 = 210;
const _: () = assert!(
    journal::limits::SEGMENT_BYTES / PAYMENT_BYTES_MIN
        <= (switch::limits::NEW_PAYMENTS_MAX * SLOW_FROM / 100) as u64
);
/// New payments a second at the first mark, and at the second: more than any index falls behind ...
pub const SLOW_PER_S: u64 = 100_000;
/// ... and as many as a nation's every hour.
pub const SLOWEST_PER_S: u64 = 2_000;
/// A connection that had its share of new payments is heard again in the next of these, ms: a wait
/// that no answer behind them minds, and long enough that a turn is not for one message.
pub const SLOW_TICK_MS: u64 = 5;
/// The longest that it waits, in those: far below what makes a link suspect.
pub const SLOW_TICKS_MAX: u64 = 50;
/// Those who ask are counted in so many of those: each does once at least.
pub const SLOW_SPAN_TICKS: u64 = 64;
const _: () = assert!(SLOW_TICKS_MAX < SLOW_SPAN_TICKS);
const _: () = assert!(SLOWEST_PER_S * SLOW_TICK_MS >= 1000);
/// Filters and fences of indexes in memory, the newest: of some 60 segments of 64 MiB, 14 million
/// payments. Of an older one a question reads a page.
pub const WARM_BYTES: u64 = 96 * 1024 * 1024;
/// Frames that one question of history keeps in memory, some 30 KiB each: those of a payment's
/// first and last record, and those in which others of its keys stand.
pub const FRAMES_KEPT: usize = 8;
/// Questions for the console, the API and `bongsu` that wait for history; the next one is told so.
pub const ASKED_MAX: usize = 64;
/// How often it is said at most that questions of history are not answered.
pub const UNREAD_EVERY_MS: u64 = 10_000;
/// Deaths of one peer's messages before it is fenced.
pub const POISON_DEATHS: usize = 3;
/// Seconds within which they count.
pub const POISON_WINDOW_S: usize = 60;
/// And at most so many: a day.
pub const POISON_WINDOW_S_MAX: usize = 86_400;
/// Poisonous inputs that are remembered, the newest; each is a peer's name and a hash.
pub const POISONS_MAX: usize = 1_000;
/// Characters of an input's shape that are kept: enough to see which element is odd.
pub const SHAPE_CHARS_MAX: usize = 1024;
/// Payments that one query returns at most.
pub const QUERY_PAYMENTS_MAX: usize = 500;
/// Payments that one query looks at in a walk of the window, for it is answered between payments: a
/// few hundred microseconds. The next one goes on from there.
pub const QUERY_ROWS_MAX: usize = 4096;
/// A snapshot body larger than this is not taken: the journal takes 64 MiB. The next one is
/// smaller, once more is in indexes.
pub const SNAPSHOT_MAX: usize = 56 * 1024 * 1024;
/// Payments that are looked at in one turn for the snapshot under way: a tenth of a millisecond.
pub const SNAPSHOT_PAYMENTS: usize = 256;
/// A snapshot that is due is taken at once up to this size: a hundredth of a second of work. A
/// larger one waits until more is in indexes, so that a busy hub does not copy the same payments
/// again and again ...
pub const SNAPSHOT_SMALL: usize = 4 * 1024 * 1024;
/// ... but no longer than so many times as many records as it is due after.
pub const SNAPSHOT_PATIENCE: u64 = 4;
/// Recent keys that a start puts into the hub's filter at once: 8 MB, and as much again while they
/// are put in order, which makes it three times as fast.
pub const KEYS_GATHERED: usize = 1 << 20;
/// Keys of an index that are told to the hub at once: a tenth of a millisecond of its loop.
pub const KEYS_TOLD: usize = 2_048;
/// Bytes of a trunk connection that has not said who it is: one hello.
pub const STRANGER_BYTES_MAX: usize = 1024;
/// So many messages of a bank with a bad MAC close its connection (R-MAC) ...
pub const BAD_MACS_MAX: usize = 3;
/// ... when they come within this, in ms.
pub const BAD_MAC_WINDOW_MS: u64 = 60_000;
/// A station calls the hub again after this, at first.
pub const REDIAL_FIRST_MS: u64 = 100;
/// And at most this far apart.
pub const REDIAL_MAX_MS: u64 = 1000;
/// A full disk is asked again with one purchase after this.
pub const ROOM_RETRY_MS: u64 = 1000;
/// Minutes of payments on a page.
pub const MINUTES_SHOWN: usize = 30;
/// Findings kept for a page; all of them are in the journal.
pub const FINDINGS_SHOWN: usize = 20;
/// Records that the search for one payment's story reads: some seconds of a reader's time, and
/// more than an hour of a busy nation. A story that needs more says that it is cut short.
pub const STORY_RECORDS_MAX: u64 = 4_000_000;
/// Steps of one story: more than any true payment has.
pub const STORY_STEPS_MAX: usize = 200;
/// A station judges itself and tells the hub this often (R-FIRES: no word for five times as long
/// is silence).
pub const STATUS_EVERY_MS: u64 = 2_000;

/// Synthetic payments of a station are this far apart at least, and as far from a real one that
/// succeeded (R-FIRES).
pub const PROBE_EVERY_MS: u64 = 30_000;
/// The first one comes this long after the start, when banks have had time to sign on; one more
/// fits into the first minute.
pub const PROBE_FIRST_MS: u64 = 20_000;
/// A synthetic payment that cannot be made now is thought of again after this.
pub const PROBE_RETRY_MS: u64 = 1_000;
/// An issuer whose synthetic payment failed is passed over for so long while others succeed, so
/// that one bank that is away does not make a station look idle.
pub const PROBE_PASS_OVER_MS: u64 = 300_000;

const _: () = assert!(STATUS_EVERY_MS * 5 == crate::fires::SILENT_MS);

/// Longest name of the author of a change, bytes: a person and an office.
pub const AUTHOR_MAX: usize = 64;

/// Records that are cut as a frame in the middle of a turn: as many as keep a payment within its
/// 300 bytes of journal (R-RECORD). Fewer wait for the turn's end.
pub const FRAME_RECORDS_MUCH: u32 = 64;
/// Payments that have ended and that `ledger verify` still knows: a day of 40 a second, in about
/// 300 MiB. Those that are open are known however many they are.
pub const AUDIT_ENDED_MAX: usize = 4 * 1024 * 1024;

/// Records that a hub's recovery hands aside at once: some 300 KiB, near enough for two processors
/// to share, and enough that handing over costs nothing beside them.
pub const REPLAY_RECORDS: usize = 1024;
/// Handfuls of a recovery that are aside at once: as many as keep both threads busy where one of
/// them takes longer over some records than over others.
pub const REPLAY_HANDFULS: usize = 4;
/// Rows of one group of a Parquet file: some 16 MiB of payments, which is what is kept in memory.
pub const PARQUET_ROWS: usize = 65_536;

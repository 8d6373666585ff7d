//! Limits of the machines, each with its reason.

/// Payments of one terminal under one trace number inside the match window. A terminal counts to
/// 999,999 before it starts again; one that reaches this is broken, and is told so (96).
pub const SAME_STAN_MAX: usize = 1024;
/// Pre-authorisations of one terminal that wait for their completion, which may be seven days: one
/// every two and a half minutes, none of them completed. Each is remembered for all that time; a
/// terminal beyond it is broken or hostile, and is told 96.
pub const OPEN_PREAUTHS_PER_TERMINAL_MAX: usize = 4096;
/// Payments of one card at one shop inside the match window, the newest, that a refund is looked
/// for among: nobody pays there every three minutes day and night. An older one is refused (57).
pub const SAME_CARD_MAX: usize = 1024;
/// Payments of one acquirer under one reference number inside the match window, the newest, that
/// are looked through: such numbers are unique, but for shops that number their messages
/// themselves.
pub const SAME_REFERENCE_MAX: usize = 4096;
/// Reversals of unknown originals kept for one terminal, beyond which its oldest is forgotten
/// before its seven days are over: one every 21 s through a whole day's cut of its station. A
/// terminal that sends more is broken or hostile, and can neither fill the memory nor lengthen the
/// look-up, which goes through all of them at worst (all under one trace number).
pub const TOMBSTONES_PER_TERMINAL_MAX: usize = 4096;
/// Expired holds that are released in one turn: as many as an answer may wait for; the rest follow
/// in the next turns, which come at once.
pub const EXPIRIES_PER_TURN: usize = 256;
/// Of the payments under way at once, the part that balance enquiries may take, in percent: they
/// are refused (96) long before a payment is.
pub const ENQUIRIES_PERCENT: usize = 50;
/// Requests that may wait for one payment's answer: the first and its repeats. Later repeats push
/// out the oldest, whose terminal has given up by then.
pub const WAITERS_MAX: usize = 4;
/// Transfers that the engine is asked for at a time, below what a batch of it takes.
pub const ENGINE_BATCH_MAX: usize = 4096;
/// The same where the engine answers later: so many that the records of what it is asked, and of
/// what follows from an answer, stay in one frame with room to spare, at some 900 bytes each at
/// worst. At 5 ms an answer still 200,000 transfers a second.
pub const ENGINE_LATER_BATCH_MAX: usize = 1024;
/// Decisions that may wait for an engine that answers later, those it is asked about included.
/// Beyond it new payments are refused (96, `LIMIT LEDGER`); a fifth of a second of 40,000 a second.
pub const PROPOSALS_MAX: usize = 8192;
/// So long an engine that answers later may take before new payments are refused (96), ms: four
/// hundred times what a cluster takes, and a tenth of what a terminal waits.
pub const ENGINE_SLOW_MS: u64 = 2_000;
/// Payments between first receipt and answer. 40,000 payments/s at 1 s each, with room for a slow
/// issuer; beyond it new purchases are refused (96), reversals never.
pub const IN_FLIGHT_MAX: usize = 65_536;
/// Requests that one station may have under way on its trunk.
pub const STATION_IN_FLIGHT_MAX: usize = 16_384;
/// Reversals that a station may owe the hub before it refuses new purchases (96): a day of a
/// busy station cut off from the hub at one owed reversal a second.
pub const STATION_OWED_MAX: usize = 86_400;
/// Reversals that one terminal may have among them: weeks of a shop's mistakes. A terminal beyond
/// it is broken or hostile, and is told 96.
pub const OWED_PER_TERMINAL_MAX: usize = 4096;
/// Owed reversals that a station has under way at once: a long cut's thousands go up in order, a
/// part at a time, so that neither the trunk's memory nor the purchases beside them suffer.
pub const OWED_IN_FLIGHT_MAX: usize = 256;
/// Answers that a station remembers, to give them again to copies of their requests: a busy
/// station's last minutes.
pub const ANSWERS_MAX: usize = 65_536;
/// And for how long, in milliseconds: longer than any terminal goes on repeating.
pub const ANSWERS_MS: u64 = 600_000;
/// Bytes of one carried field: the longest LLLVAR field.
pub const CARRIED_FIELD_MAX: usize = 999;
/// Reference numbers that a station reserves durably at a time: few writes, few numbers lost in a
/// crash out of the 36^6 of a day.
pub const RRN_BLOCK: u64 = 4096;
/// Trace numbers that the hub leaves out after a restart, so that a message sent just before a
/// crash without a record (an echo) cannot share its number with one sent after.
pub const TRACE_GAP: u64 = 1000;
/// Name of a participant or station, in bytes.
pub const NAME_MAX: usize = 64;

const _: () = assert!(STATION_IN_FLIGHT_MAX <= IN_FLIGHT_MAX);
const _: () = assert!(OWED_IN_FLIGHT_MAX < STATION_IN_FLIGHT_MAX);
const _: () = assert!(RRN_BLOCK < 36 * 36 * 36 * 36);

/// Payments of one piece of their table, which grows piece by piece so that nothing is moved: some
/// 90 KiB.
pub const PAYMENTS_OF_PIECE: usize = 256;

/// Covered payments that the hub keeps in memory unless it is told otherwise, at some 420 bytes a
/// payment: 28 MB. Those of the last second of the highest rate, or of ten minutes of a nation's
/// usual one, beside what no index has yet, which is half a segment on the average; the rest is
/// read back where a message means it. More make memory farther from the processor: with 400,000 a
/// busy hub takes a tenth fewer payments.
pub const WINDOW_PAYMENTS: usize = 65_536;
/// Payments that are open or in no index yet, unless the hub is told otherwise. Beyond it new ones
/// are refused (96, `LIMIT HISTORY`): indexes cannot be written. 340 MB.
pub const NEW_PAYMENTS_MAX: usize = 800_000;
/// Payments that were read back and are no longer under consideration.
pub const FOUND_PAYMENTS_MAX: usize = 8_192;
/// Payments that one look-up brings, the newest: of one trace number, reference number, or card at
/// a shop.
pub const FOUND_BY_LOOK_UP_MAX: usize = 256;
/// Messages that wait for a look-up. Beyond it new payments are refused (96, `LIMIT HISTORY`):
/// thousands a second of them are no normal traffic. Reversals and advices wait all the same, as
/// many as the credit of their links lets come.
pub const LOOK_UPS_MAX: usize = 4_096;
/// So long a message waits for a look-up, ms; then it is refused (96, `LIMIT HISTORY`), well
/// before its sender gives up.
pub const LOOK_UP_MS: u64 = 5_000;
/// Keys of one generation of the filter of what history holds, at sixteen bits a key: 11 MiB.
pub const GONE_KEYS_OF_GENERATION: usize = 5_592_405;
/// Generations of it. Together 22 million payments: nine minutes at 40,000 a second, two days of a
/// nation of ten million payments a day.
pub const GONE_GENERATIONS: usize = 4;
/// Payments that are let go in one turn, so that no turn is long and more go than come.
pub const FORGET_PER_TURN: usize = 8;
/// Payments that are looked at for their retirement in one turn, of those that are open.
pub const RETIRE_PER_TURN: usize = 8;

/// Bytes that fields which pass through usually take, a track and a retailer's name (DE43) among
/// them: they are put down in one allocation.
pub const CARRIED_ROOM: usize = 192;

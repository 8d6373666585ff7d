//! Limits of the shell, each with its reason.

use std::time::Duration;

/// One read buffer, bytes: 80 messages of 200 bytes in one system call, the longest TLS record, and
/// all that a peer with 16 requests under way has to say several times over.
pub const READ_BYTES: usize = 16 * 1024;
/// Read buffers that one connection may fill in a turn: a flood on one connection keeps no other
/// waiting for more than 80 messages.
pub const READS_PER_TURN: usize = 1;
/// Events taken from the system at once: every connection of a busy hub fits.
pub const EVENTS_PER_TURN: usize = 1024;
/// Connections that one listener takes in a turn, so that a reconnect storm shares the loop: less
/// than a millisecond's.
pub const ACCEPTS_PER_TURN: usize = 16;
/// Connections that have ended, or whose time is over, that one turn looks after: a millisecond's.
/// A thousand that go at once took 36 ms, in which nobody was heard.
pub const ENDS_PER_TURN: usize = 32;
/// Callers that the system keeps for one door until the loop takes them: two seconds of
/// `limits.accepts_per_s`, and what Linux allows by default (`net.core.somaxconn`). Beyond it a
/// caller's own system calls again, after 1 s, 2 s and so on.
pub const ACCEPT_BACKLOG: i32 = 4096;
/// The part of a second's callers that one door takes at once after a quiet time: 500 of 2,000.
pub const ACCEPT_BURST_PART: u64 = 4;
/// A door whose callers wait for their turn is looked at again after this: as long as a frame takes
/// on a busy disk, and 20 callers at a time.
pub const ACCEPT_WAIT: Duration = Duration::from_millis(10);
/// How often at most it is told that callers have waited.
pub const WAITED_TOLD: Duration = Duration::from_secs(10);
/// Connections of a process. A door's own bound (`host::limits::CONNECTIONS_MAX`) is met first;
/// this keeps a process with several doors below the file limits that are common.
pub const CONNECTIONS_MAX: usize = 24_000;
/// Unsent bytes of one connection: 10,000 answers. A peer that lets more gather does not read.
pub const WRITE_QUEUE_BYTES: usize = 2 * 1024 * 1024;
/// Unsent bytes of all connections together; beyond it the connection that adds more is closed.
pub const WRITE_QUEUES_BYTES: usize = 256 * 1024 * 1024;
/// Memory that an empty write queue may keep, bytes: 10,000 connections keep 160 MB at worst.
pub const WRITE_QUEUE_KEPT: usize = 16 * 1024;
/// Connections with something to say from which on a turn is the sender's: waking a thread costs
/// about four writes, 25 us, and whoever waits for an idle hub should not pay for it.
pub const SENDER_FROM: usize = 8;
/// Lists of connections that wait for the sender: as many as commits in a long turn; a loop that is
/// further ahead writes itself, and so is slowed down by what it makes.
pub const SENDER_TURNS: usize = 4;
/// How long unsent bytes may wait for a peer to read.
pub const WRITE_STALL: Duration = Duration::from_secs(30);
/// How long a closed connection is still drained, so that the peer gets what was sent last.
pub const LINGER: Duration = Duration::from_secs(1);
/// How long a call may take; on a local network it is milliseconds.
pub const DIAL_WAIT: Duration = Duration::from_secs(5);
/// Longest sleep of the loop: the system's timers stand still while the machine is suspended,
/// CLOCK_BOOTTIME does not, so a deadline passed in suspension is seen this late at most.
pub const SLEEP_MAX: Duration = Duration::from_secs(1);
/// A listener that the system refuses (no file descriptors) is tried again after this.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a TLS handshake may take (R-TIME).
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// Connections that wait for the handshake thread, and as many that it has made and the loop has
/// not taken: one storm's worth of a turn's accepts; beyond it a caller is closed and calls again.
pub const HANDSHAKES_QUEUED: usize = 1024;
/// Connections in a handshake at once; one more takes the place of whoever has waited longest, so
/// that silent callers keep nobody out. A handshake holds about 20 KiB.
pub const HANDSHAKES_MAX: usize = 4096;
/// How much the handshake thread stands back behind payments, as `nice` has it.
pub const HANDSHAKE_NICE: i32 = 10;
/// Questions that wait for the history thread, and answers that wait for the loop: some messages a
/// second of a nation are looked up; the next is refused (96, `LIMIT HISTORY`).
pub const HISTORY_ASKED: usize = 1024;
/// After a piece of work the history thread rests so many times as long as that took, so that
/// payments meet a piece now and then and not a second of them; unless another segment waits
/// already. It has no lower priority than they: with one it waited milliseconds for the processor
/// after each read of the disk, and was left behind by a minute of 70,000 payments/s on two
/// processors; and a process without privileges cannot take a lower one back when it is late.
pub const HISTORY_REST: u32 = 2;
/// And so long at most.
pub const HISTORY_REST_MAX: Duration = Duration::from_millis(50);
/// Of an index the loop hears a part, a tenth of a millisecond of its time, for each so long that
/// has passed: a tenth of it, and a segment of 64 MiB within 200 ms ...
pub const HISTORY_PART: Duration = Duration::from_millis(1);
/// ... and in one turn so many at most.
pub const HISTORY_PARTS_MAX: usize = 32;
/// How often the history thread looks whether another segment is sealed.
pub const HISTORY_LOOK: Duration = Duration::from_millis(200);
/// A start waits so long for the filters of its history: those of thirteen million payments, 70 MB,
/// take two to four tenths of it here, and without them each look-up reads a page of every segment.
pub const FILTERS_WAIT: Duration = Duration::from_millis(500);
/// An index that could not be written is tried again after this.
pub const HISTORY_RETRY: Duration = Duration::from_secs(5);
/// How often the files of a certificate are looked at for a change.
pub const FILES_LOOK: Duration = Duration::from_secs(1);
/// Memory that the plaintext of a turn may keep, bytes, as [`WRITE_QUEUE_KEPT`].
pub const PLAINTEXT_KEPT: usize = 64 * 1024;
/// Days that the authority is valid: ten years, as it is in everybody's files.
pub const AUTHORITY_DAYS: u64 = 3653;
/// Days that a certificate is valid: a year and a month to renew it in.
pub const CERTIFICATE_DAYS: u64 = 397;
/// A certificate with fewer days left is renewed, or shown (R-FIRES).
pub const CERTIFICATE_DAYS_LOW: u64 = 30;
/// Days that a new certificate is valid before now: peers' clocks may be behind.
pub const CLOCK_ALLOWANCE_DAYS: u64 = 1;

/// Characters of a broken invariant's words that are kept.
pub const POISON_WHY_CHARS: usize = 400;

/// Orders that wait for the commit thread: one batch, one snapshot and the stop are all there is.
pub const COMMIT_ORDERS: usize = 4;
/// A commit that takes longer is counted as a stall of the disk: a hundred times what one takes.
pub const COMMIT_STALL: Duration = Duration::from_millis(40);
/// How often the journal's head follows the last durable frame at least.
pub const HEAD_EVERY: Duration = Duration::from_millis(100);
/// How often space for the next segment is looked for after there was none.
pub const SPACE_RETRY: Duration = Duration::from_secs(1);
/// How long a batch that finds no space at all waits for some before the role gives up.
pub const SPACE_WAIT: Duration = Duration::from_secs(10);
/// Bounce buffer of direct input and output, bytes: a piece of zero-filling at once.
pub const BOUNCE_BYTES: usize = 1024 * 1024;
/// Alignment in memory that O_DIRECT asks for on every common device.
pub const MEMORY_ALIGN: usize = 4096;
/// Files of a journal kept open: the active segment, the next, the head, a snapshot, an old one.
pub const OPEN_FILES: usize = 6;

/// Questions of pages and commands that wait for the event loop, and as many that it has taken and
/// not answered: far fewer than the connections that may ask, so that a page is refused early.
pub const QUESTIONS_MAX: usize = 32;
/// How long a question may wait for its answer.
pub const QUESTION_WAIT: Duration = Duration::from_secs(2);
/// How old the totals on a page may be.
pub const OVERVIEW_AGE: Duration = Duration::from_millis(250);
/// How often the pages' thread looks at the disk's free space: a disk does not fill in less.
pub const MACHINE_LOOK: Duration = Duration::from_secs(5);
/// Payments on the front page.
pub const LATEST_SHOWN: usize = 12;
/// How often the front page asks anew, s: a person sees a change while it matters.
pub const REFRESH_S: u32 = 5;
/// How often the page of a payment under way asks anew, s.
pub const STORY_REFRESH_S: u32 = 2;
/// Connections to the pages of one role at once.
pub const HTTP_CONNECTIONS: usize = 128;
/// A page's connection that says nothing for so long is closed.
pub const HTTP_IDLE: Duration = Duration::from_secs(30);
/// Payments that a question without `limit` gets.
pub const PAYMENTS_DEFAULT: usize = 50;
/// Largest answer that [`crate::client`] takes, bytes: a simulated bank's whole book.
pub const ANSWER_BYTES: usize = 512 * 1024 * 1024;
/// How long [`crate::client`] waits for a whole answer.
pub const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// How long a new process waits for a lock or a port that its predecessor still holds.
pub const PREDECESSOR_WAIT: Duration = Duration::from_secs(3);
/// How often it looks.
pub const PREDECESSOR_LOOK: Duration = Duration::from_millis(50);

/// Log lines of a role in one second, of each level but error; what is over is counted and told.
pub const LOG_LINES_PER_S: u32 = 500;
/// A log file longer than this, bytes, is put aside.
pub const LOG_BYTES: u64 = 16 * 1024 * 1024;
/// Log files put aside that are kept.
pub const LOG_FILES: u32 = 4;

/// Names of a configuration that an error about an unknown one lists.
pub const NAMES_SHOWN: usize = 20;

/// Notices of a child that its supervisor shows; the log has all of them.
pub const NOTICES_SHOWN: usize = 50;
/// Characters of a notice that are shown: with the line above at most half of a ready line.
pub const NOTICE_CHARS: usize = 160;
/// First wait before a child that died again is started again; doubles up to [`RESTART_MAX`]. The
/// first restart is immediate.
pub const RESTART_MIN: Duration = Duration::from_secs(1);
/// Longest wait before a child is started again.
pub const RESTART_MAX: Duration = Duration::from_secs(30);
/// A child that lived this long is healthy: its next restart is immediate again.
pub const HEALTHY: Duration = Duration::from_secs(60);
/// How long children wait for those of an earlier stage before they start all the same: one that
/// recovers for long must not keep the others down.
pub const STAGE_WAIT: Duration = Duration::from_secs(1);
/// How long children of one kind have to stop before they are killed.
pub const STOP_WAIT: Duration = Duration::from_secs(5);
/// How often the supervisor looks after its children.
pub const WATCH_EVERY: Duration = Duration::from_millis(50);
/// How often a role that is not ready yet looks whether it is.
pub const READY_LOOK: Duration = Duration::from_millis(50);
/// How long, ms, simulated shops wait for their stations before they say which are missing: `up`
/// has all of them within a second.
pub const STATION_WAIT_MS: u64 = 3_000;
/// Longest wait, ms, of a simulated bank before it dials the hub again: a nation on one machine is
/// whole again a second after its hub is.
pub const BANK_REDIAL_MAX_MS: u64 = 1_000;
/// How long a shop waits for answers under way before it stops.
pub const SHOP_STOP_WAIT: Duration = Duration::from_secs(2);

const _: () = assert!(BOUNCE_BYTES.is_multiple_of(MEMORY_ALIGN));
const _: () = assert!(READ_BYTES * READS_PER_TURN <= WRITE_QUEUE_BYTES);
const _: () = assert!(journal::limits::FRAME_BYTES_MAX >= MEMORY_ALIGN);
const _: () = assert!(2 * QUESTIONS_MAX < HTTP_CONNECTIONS);
const _: () = assert!(HEAD_EVERY.as_nanos() as u64 == journal::limits::HEAD_EVERY_NS);

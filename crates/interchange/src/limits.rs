//! Limits of sessions and trunks, each with its reason.

/// Largest message that we take from a terminal or bank: 128 elements of everyday length are under
/// 4 KiB, and a length beyond this is garbage.
pub const MESSAGE_MAX: usize = 8 * 1024;
/// Largest trunk frame: one message with everything it carries.
pub const TRUNK_FRAME_MAX: usize = 64 * 1024;
/// Frames that a trunk's sender keeps until they are acknowledged: those that were sent within the
/// peer's credit, and beside them every request that a station may have under way.
pub const TRUNK_UNACKNOWLEDGED_MAX: usize = 40_960;
/// Frames that a peer may send ahead of our acknowledgement.
pub const TRUNK_CREDIT: u64 = 16_384;
/// Heartbeats whose sending time is remembered: two cut periods at one a second.
pub const HEARTBEATS_REMEMBERED: usize = 32;

const _: () = {
    let under_way = switch::limits::STATION_IN_FLIGHT_MAX + switch::limits::OWED_IN_FLIGHT_MAX;
    assert!(TRUNK_CREDIT as usize + under_way <= TRUNK_UNACKNOWLEDGED_MAX);
};
const _: () = assert!(MESSAGE_MAX < TRUNK_FRAME_MAX);

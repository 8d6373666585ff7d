//! Every delay and window of the rule book (R-TIME, R-MATCH, R-TOMB), with its default.

/// Delays in milliseconds. Tests scale them down; the rule book gives the defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// The issuer answers the hub within this; an answer exactly then is late.
    pub issuer_answer_ms: u64,
    /// The hub answers the station within this.
    pub hub_answer_ms: u64,
    /// Gaps between an advice and its repeats; the last one goes on without end.
    pub advice_repeat_ms: [u64; 5],
    /// An advice unanswered for so long is a finding.
    pub advice_finding_ms: u64,
    /// An echo is sent on a bank link after so much silence.
    pub echo_idle_ms: u64,
    /// An echo is answered within this.
    pub echo_answer_ms: u64,
    /// Two requests with the same content within this are one (K4).
    pub same_content_ms: u64,
    /// K4 across a change of the local date.
    pub same_content_other_day_ms: u64,
    /// A repeat (xxx1) or reversal finds its original for so long.
    pub repeat_ms: u64,
    /// A request whose local time is further from its receipt is declined 12.
    pub clock_ms: u64,
    /// A reversal of an unknown original is kept for so long.
    pub tombstone_ms: u64,
    /// A payment stays in the match window for so long after the hub took it in: its terminal's
    /// clock may be a day ahead at first and a day behind at last, and its id is used for ever.
    pub window_ms: u64,
    /// A pre-authorisation that nothing has completed expires after this.
    pub preauth_ms: u64,
    /// A completion still posts for so long after the expiry.
    pub late_completion_ms: u64,
    /// Trunk heartbeat.
    pub heartbeat_ms: u64,
    /// A trunk silent for so long is suspect.
    pub suspect_ms: u64,
    /// A trunk silent for so long is cut.
    pub cut_ms: u64,
}

impl Timers {
    /// The rule book's own values.
    pub const RULE_BOOK: Self = Self {
        issuer_answer_ms: 15_000,
        hub_answer_ms: 25_000,
        advice_repeat_ms: [15_000, 30_000, 60_000, 120_000, 300_000],
        advice_finding_ms: 600_000,
        echo_idle_ms: 30_000,
        echo_answer_ms: 10_000,
        same_content_ms: 300_000,
        same_content_other_day_ms: 3_600_000,
        repeat_ms: 86_400_000,
        clock_ms: 86_400_000,
        tombstone_ms: 604_800_000,
        window_ms: 180_000_000,
        preauth_ms: 604_800_000,
        late_completion_ms: 86_400_000,
        heartbeat_ms: 1000,
        suspect_ms: 3000,
        cut_ms: 8000,
    };

    /// The gap after the `sent`-th send of an advice, counted from 1.
    pub fn advice_gap_ms(&self, sent: u32) -> u64 {
        let last = self.advice_repeat_ms.len().saturating_sub(1);
        let at = usize::try_from(sent.saturating_sub(1)).unwrap_or(last).min(last);
        self.advice_repeat_ms[at]
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::RULE_BOOK
    }
}

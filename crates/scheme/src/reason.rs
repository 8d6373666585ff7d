//! Refusals of ours, in the order of precedence of R-DE39, each with its DE39 and DE44.

use crate::code::ResponseCode;

/// Why we refused. The order of the variants is the order in which the rule book checks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reason {
    /// 96 at admission: too much at once.
    Overload = 1,
    /// 30: malformed, or a mandatory field is missing.
    Format = 2,
    /// 58: the terminal is unknown, at another station's port, or not this acquirer's.
    Terminal = 3,
    /// 58 with `NO PIN`: PINs are not processed yet.
    Pin = 4,
    /// 94: the same key with other content.
    Duplicate = 5,
    /// 94 with `REVERSED`: the original was reversed, voided, or its reversal came first.
    Reversed = 6,
    /// 03: the retailer is unknown or not this terminal's.
    Retailer = 7,
    /// 12: message type or processing code not supported.
    Unsupported = 8,
    /// 12: another currency.
    Currency = 9,
    /// 12: the terminal's clock is more than 24 h away.
    Clock = 10,
    /// 13: amount zero.
    AmountZero = 11,
    /// 13: amount over the limit.
    AmountLimit = 12,
    /// 14: PAN length or check digit.
    Card = 13,
    /// 15: no issuer has this IIN.
    NoIssuer = 14,
    /// 54: the card has expired.
    Expired = 15,
    /// 41: reported lost.
    Lost = 16,
    /// 43: reported stolen.
    Stolen = 17,
    /// 62: restricted.
    Restricted = 18,
    /// 92: no route.
    NoRoute = 19,
    /// 57: a refund rule.
    Refund = 20,
    /// 91: the issuer is signed off, down or silent.
    IssuerDown = 21,
    /// 91 with `CAP`: the net debit cap is reached.
    Cap = 22,
    /// 91 with `CAP`: what the participant owes beyond its cap is not repaid yet.
    CapBlocked = 23,
    /// 91: the trunk to the hub is cut.
    TrunkDown = 24,
    /// 96: an internal fault.
    Fault = 25,
    /// 91: the switch restarted while the payment was under way.
    Restarted = 26,
    /// 91: the issuer did not answer in time.
    IssuerLate = 27,
    /// 91: the issuer answered with a code that no issuer may use.
    IssuerAnswer = 28,
    /// 94 with `REVERSED`: a pre-authorisation was not completed in time; its hold is released.
    HoldExpired = 29,
    /// 96: the terminal has too many pre-authorisations that wait for their completion.
    Holds = 30,
    /// 96: what is older than the window of memory could not be looked up in time.
    History = 31,
    /// 96: the ledger is a cluster that does not answer in time.
    Ledger = 32,
}

impl Reason {
    /// Every reason, in order.
    pub const ALL: [Self; 32] = [
        Self::Overload,
        Self::Format,
        Self::Terminal,
        Self::Pin,
        Self::Duplicate,
        Self::Reversed,
        Self::Retailer,
        Self::Unsupported,
        Self::Currency,
        Self::Clock,
        Self::AmountZero,
        Self::AmountLimit,
        Self::Card,
        Self::NoIssuer,
        Self::Expired,
        Self::Lost,
        Self::Stolen,
        Self::Restricted,
        Self::NoRoute,
        Self::Refund,
        Self::IssuerDown,
        Self::Cap,
        Self::CapBlocked,
        Self::TrunkDown,
        Self::Fault,
        Self::Restarted,
        Self::IssuerLate,
        Self::IssuerAnswer,
        Self::HoldExpired,
        Self::Holds,
        Self::History,
        Self::Ledger,
    ];

    /// The reason with this number in records and trunk frames.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.number() == number)
    }

    /// Its number in records and trunk frames; never reused.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// DE39.
    pub const fn response_code(self) -> ResponseCode {
        ResponseCode::of(match self {
            Self::Overload | Self::Fault | Self::Holds | Self::History | Self::Ledger => b"96",
            Self::Format => b"30",
            Self::Terminal | Self::Pin => b"58",
            Self::Duplicate | Self::Reversed | Self::HoldExpired => b"94",
            Self::Retailer => b"03",
            Self::Unsupported | Self::Currency | Self::Clock => b"12",
            Self::AmountZero | Self::AmountLimit => b"13",
            Self::Card => b"14",
            Self::NoIssuer => b"15",
            Self::Expired => b"54",
            Self::Lost => b"41",
            Self::Stolen => b"43",
            Self::Restricted => b"62",
            Self::NoRoute => b"92",
            Self::Refund => b"57",
            Self::IssuerDown
            | Self::Cap
            | Self::CapBlocked
            | Self::TrunkDown
            | Self::Restarted
            | Self::IssuerLate
            | Self::IssuerAnswer => b"91",
        })
    }

    /// DE44 (ans..25): every refusal of ours names itself.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Overload => "OVERLOAD",
            Self::Format => "FORMAT",
            Self::Terminal => "TERMINAL",
            Self::Pin => "NO PIN",
            Self::Duplicate => "DUPLICATE",
            Self::Reversed | Self::HoldExpired => "REVERSED",
            Self::Retailer => "RETAILER",
            Self::Unsupported => "NOT SUPPORTED",
            Self::Currency => "CURRENCY",
            Self::Clock => "CLOCK",
            Self::AmountZero => "AMOUNT ZERO",
            Self::AmountLimit => "AMOUNT LIMIT",
            Self::Card => "CARD NUMBER",
            Self::NoIssuer => "NO ISSUER",
            Self::Expired => "EXPIRED",
            Self::Lost => "LOST",
            Self::Stolen => "STOLEN",
            Self::Restricted => "RESTRICTED",
            Self::NoRoute => "NO ROUTE",
            Self::Refund => "REFUND RULE",
            Self::IssuerDown => "ISSUER DOWN",
            Self::Cap | Self::CapBlocked => "CAP",
            Self::TrunkDown => "TRUNK DOWN",
            Self::Fault => "FAULT",
            Self::Restarted => "RESTARTED",
            Self::IssuerLate => "ISSUER LATE",
            Self::IssuerAnswer => "ISSUER ANSWER",
            Self::Holds => "LIMIT HOLDS RETRY 999",
            Self::History => "LIMIT HISTORY RETRY 5",
            Self::Ledger => "LIMIT LEDGER RETRY 5",
        }
    }

    /// Whether the refusal is a record (R-RECORD); the others are only counted and traced.
    pub const fn is_recorded(self) -> bool {
        !matches!(
            self,
            Self::Overload
                | Self::Format
                | Self::Terminal
                | Self::Pin
                | Self::Duplicate
                | Self::Reversed
                | Self::Retailer
                | Self::Unsupported
                | Self::Currency
                | Self::Clock
                | Self::TrunkDown
                | Self::Fault
                | Self::Holds
                | Self::History
                | Self::Ledger
        )
    }
}

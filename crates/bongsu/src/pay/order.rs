//! What a payment asks for, as the message that a terminal sends (R-FIELDS).

use clap::ValueEnum;
use scheme::{
    Amount, ApprovalCode, CivilDateTime, Currency, MonthTime, Mti, Pan, ParticipantId, RetailerId,
    Rrn, Stan, TerminalId, Timestamp, Zone,
};
use wire::iso8583::Message;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Goods or services (0200, DE3 00)
    Purchase,
    /// Money back to a card (0200, DE3 20)
    Refund,
    /// Money from a till or machine (0200, DE3 01)
    Cash,
    /// An amount held for later (0100, DE3 00)
    Preauth,
    /// What an earlier preauth holds, or a part of it (0220)
    Complete,
    /// What is in the account (0200, DE3 31)
    Balance,
    /// An earlier payment taken back (0420)
    Reversal,
    /// Whether the station answers (0800, DE70 301)
    Echo,
}

impl Kind {
    /// As `--kind` names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::Cash => "cash",
            Self::Preauth => "preauth",
            Self::Complete => "complete",
            Self::Balance => "balance",
            Self::Reversal => "reversal",
            Self::Echo => "echo",
        }
    }

    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|kind| kind.name() == name)
    }

    /// Message type of a first request.
    const fn mti(self) -> u16 {
        match self {
            Self::Purchase | Self::Refund | Self::Cash | Self::Balance => 200,
            Self::Preauth => 100,
            Self::Complete => 220,
            Self::Reversal => 420,
            Self::Echo => 800,
        }
    }

    /// DE3; a reversal has that of its original, an echo none.
    const fn processing(self) -> &'static str {
        match self {
            Self::Purchase | Self::Preauth | Self::Complete | Self::Reversal | Self::Echo => {
                "000000"
            }
            Self::Cash => "010000",
            Self::Refund => "200000",
            Self::Balance => "310000",
        }
    }

    /// Whether it speaks of an earlier payment.
    pub(crate) const fn has_original(self) -> bool {
        matches!(self, Self::Reversal | Self::Refund | Self::Complete)
    }

    /// Whether money is meant to move.
    pub(crate) const fn has_amount(self) -> bool {
        !matches!(self, Self::Balance | Self::Echo)
    }
}

/// What a reversal, refund or completion says of its original.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Original {
    /// What it was.
    pub(crate) kind: Kind,
    /// Its DE37.
    pub(crate) rrn: Option<Rrn>,
    /// Its DE11.
    pub(crate) stan: Option<Stan>,
    /// Its DE7.
    pub(crate) transmitted: Option<MonthTime>,
    /// Its DE38.
    pub(crate) approval: Option<ApprovalCode>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) kind: Kind,
    /// DE2; none in an echo.
    pub(crate) pan: Option<Pan>,
    /// DE14, YYMM.
    pub(crate) expiry: String,
    /// DE4; zero where the kind has none.
    pub(crate) amount: Amount,
    /// DE95: what a reversal in part leaves.
    pub(crate) kept: Option<Amount>,
    /// DE49.
    pub(crate) currency: Currency,
    /// DE41.
    pub(crate) terminal: TerminalId,
    /// DE42; absent: the station knows it.
    pub(crate) retailer: Option<RetailerId>,
    /// DE32; absent: the station knows it.
    pub(crate) acquirer: Option<ParticipantId>,
    /// DE11.
    pub(crate) stan: Stan,
    /// The terminal's clock: DE7, and DE12 and DE13 in `zone`.
    pub(crate) at: Timestamp,
    /// The nation's.
    pub(crate) zone: Zone,
    /// Whether the message says that it was sent before (xxx1).
    pub(crate) is_repeat: bool,
    /// What a reversal, refund or completion speaks of.
    pub(crate) original: Original,
}

impl Order {
    /// Date and time at the terminal.
    pub(crate) fn local(&self) -> CivilDateTime {
        self.zone.local(self.at)
    }

    /// The message.
    pub(crate) fn message(&self) -> Message {
        let first = mti(self.kind);
        let mut message = Message::new(if self.is_repeat { first.repeat() } else { first });
        let put = |message: &mut Message, de: u8, text: &str| message.set(de, text.as_bytes());
        put(&mut message, 7, &self.at.month_time().to_string());
        put(&mut message, 11, &self.stan.to_string());
        message.set(41, self.terminal.bytes());
        if let Some(acquirer) = self.acquirer {
            put(&mut message, 32, &acquirer.to_string());
        }
        if self.kind == Kind::Echo {
            put(&mut message, 70, "301");
            return message;
        }
        if let Some(pan) = &self.pan {
            message.set(2, pan.digits());
        }
        let asked = if self.kind == Kind::Reversal { self.original.kind } else { self.kind };
        put(&mut message, 3, asked.processing());
        put(&mut message, 4, &format!("{:012}", self.amount.minor()));
        let local = self.local().month_time();
        put(&mut message, 12, &format!("{:06}", local.time()));
        put(&mut message, 13, &format!("{:04}", local.date()));
        put(&mut message, 14, &self.expiry);
        if let Some(retailer) = &self.retailer {
            message.set(42, retailer.bytes());
        }
        put(&mut message, 49, &format!("{:03}", self.currency.numeric()));
        if let Some(rrn) = &self.original.rrn {
            message.set(37, rrn.bytes());
        }
        if self.kind == Kind::Reversal {
            // 17: the customer has cancelled; 32: a part of it.
            put(&mut message, 39, if self.kept.is_some() { "32" } else { "17" });
        }
        if let Some(approval) = &self.original.approval {
            message.set(38, approval.bytes());
        }
        if let Some(kept) = self.kept {
            // What was really paid, then the same for settlement and two fees: none.
            let amounts = format!("{:012}{:012}C{:08}C{:08}", kept.minor(), 0, 0, 0);
            put(&mut message, 95, &amounts);
        }
        if let Some(original) = self.original_elements() {
            put(&mut message, 90, &original);
        }
        message
    }

    /// DE90. A part that is not known stays zero, which matches anything (R-FIELDS); without the
    /// original's DE11 there is nothing to say beyond DE37.
    fn original_elements(&self) -> Option<String> {
        let stan = self.original.stan?;
        let transmitted = self.original.transmitted.map_or(0, MonthTime::number);
        let acquirer = self.acquirer.map_or(0, ParticipantId::get);
        let mti = mti(self.original.kind);
        Some(format!("{mti}{stan}{transmitted:010}{acquirer:011}{:011}", 0))
    }
}

fn mti(kind: Kind) -> Mti {
    Mti::new(kind.mti()).expect("every kind's message type has four digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(kind: Kind) -> Order {
        Order {
            kind,
            pan: Pan::parse(b"9408020000000015").ok(),
            expiry: "3112".into(),
            amount: Amount::new(1250).unwrap(),
            kept: None,
            currency: Currency::KPW,
            terminal: TerminalId::new(b"PYO00001").unwrap(),
            retailer: RetailerId::new(b"PYO-SHOP-000001").ok(),
            acquirer: ParticipantId::new(100_001),
            stan: Stan::new(12).unwrap(),
            // 2026-11-22T16:30:05Z is the next day at the terminal (GNU date).
            at: Timestamp::from_s(1_795_365_005),
            zone: Zone::fixed(9 * 3600),
            is_repeat: false,
            original: Original {
                kind: Kind::Purchase,
                rrn: None,
                stan: None,
                transmitted: None,
                approval: None,
            },
        }
    }

    #[test]
    fn a_purchase_carries_what_the_rules_ask_for() {
        let message = order(Kind::Purchase).message();
        let fields: Vec<(u8, &str)> =
            message.fields().map(|(de, v)| (de, std::str::from_utf8(v).unwrap())).collect();
        assert_eq!(message.mti().number(), 200);
        assert_eq!(
            fields,
            [
                (2, "9408020000000015"),
                (3, "000000"),
                (4, "000000001250"),
                (7, "1122163005"),
                (11, "000012"),
                (12, "013005"),
                (13, "1123"),
                (14, "3112"),
                (32, "100001"),
                (41, "PYO00001"),
                (42, "PYO-SHOP-000001"),
                (49, "408"),
            ]
        );
    }

    #[test]
    fn a_reversal_names_its_original() {
        let mut order = order(Kind::Reversal);
        order.original = Original {
            kind: Kind::Cash,
            rrn: Rrn::new(b"632609000011").ok(),
            stan: Stan::new(11),
            transmitted: MonthTime::parse(b"1122162900"),
            approval: None,
        };
        let message = order.message();
        assert_eq!(message.mti().number(), 420);
        for (de, value) in [
            (3, "010000"),
            (37, "632609000011"),
            (39, "17"),
            (90, "020000001111221629000000010000100000000000"),
        ] {
            assert_eq!(message.text(de), Some(value), "DE{de}");
        }
        order.is_repeat = true;
        order.original.transmitted = None;
        let message = order.message();
        assert_eq!(message.mti().number(), 421);
        assert_eq!(message.text(90), Some("020000001100000000000000010000100000000000"));
        order.original.stan = None;
        assert!(!order.message().has(90));
    }

    #[test]
    fn a_part_that_stays_is_in_de95() {
        let mut order = order(Kind::Reversal);
        order.kept = Amount::new(400);
        let message = order.message();
        assert_eq!(message.text(39), Some("32"));
        assert_eq!(message.text(95), Some("000000000400000000000000C00000000C00000000"));
        assert_eq!(message.text(4), Some("000000001250"), "the original's");
    }

    #[test]
    fn a_completion_names_its_preauthorisation() {
        let mut order = order(Kind::Complete);
        order.original = Original {
            kind: Kind::Preauth,
            rrn: Rrn::new(b"632609000011").ok(),
            stan: Stan::new(11),
            transmitted: None,
            approval: ApprovalCode::new(b"A1B2C3").ok(),
        };
        let message = order.message();
        assert_eq!(message.mti().number(), 220);
        for (de, value) in [
            (3, "000000"),
            (37, "632609000011"),
            (38, "A1B2C3"),
            (90, "010000001100000000000000010000100000000000"),
        ] {
            assert_eq!(message.text(de), Some(value), "DE{de}");
        }
        order.is_repeat = true;
        assert_eq!(order.message().mti().number(), 221);
    }

    #[test]
    fn an_echo_carries_nothing_of_a_payment() {
        let message = order(Kind::Echo).message();
        let elements: Vec<u8> = message.fields().map(|(de, _)| de).collect();
        assert_eq!(elements, [7, 11, 32, 41, 70]);
    }
}

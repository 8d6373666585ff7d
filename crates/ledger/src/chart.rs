//! The scheme's chart of accounts (R-ACCOUNTS): how an account is numbered, what it may not do,
//! and what a participant owes or is owed.
//!
//! An account id is, from its most significant bit: kind (8 bits), currency (16, ISO 4217 numeric,
//! as DE49 has it), participant (64, the institution code of DE32), station (16), 24 bits that are
//! zero. Kinds begin at 1, so no id is 0. Ids sort by kind, currency, participant, station.

use core::fmt;

use scheme::{Currency, ParticipantId, StationId};

use crate::{Account, AccountFlags};

/// What an account is for. The number is also the account's `code`. Numbers are never reused;
/// 128 to 255 are left to ledgers that are not the scheme's (a bank's own book, a bench).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// What a participant has earned and may spend. It cannot go below zero: the cap.
    Position = 1,
    /// Where a participant's cap comes from: its balance is the cap, negated.
    Cap = 2,
    /// What had to be debited although the cap did not allow it: its balance is that, negated.
    Overcap = 3,
    /// Payments whose issuer and acquirer are one participant: what its cards spent.
    OnusIssued = 4,
    /// Payments whose issuer and acquirer are one participant: what its shops took.
    OnusAcquired = 5,
    /// What a station may spend of a participant's position while it is cut off.
    Escrow = 6,
    /// The other side of netting; zero after each.
    Settlement = 7,
}

/// Which of participant and station a kind of account has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Currency,
    Participant,
    ParticipantAtStation,
}

impl Kind {
    /// Every kind, by number.
    pub const ALL: [Self; 7] = [
        Self::Position,
        Self::Cap,
        Self::Overcap,
        Self::OnusIssued,
        Self::OnusAcquired,
        Self::Escrow,
        Self::Settlement,
    ];

    /// The number in an account id, and the account's `code`.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The name that scripts read (`ledger accounts`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::Cap => "cap",
            Self::Overcap => "overcap",
            Self::OnusIssued => "onus_issued",
            Self::OnusAcquired => "onus_acquired",
            Self::Escrow => "escrow",
            Self::Settlement => "settlement",
        }
    }

    /// What an account of this kind may not do.
    ///
    /// A position and an escrow cannot be overspent. A cap cannot be lowered below nothing, and no
    /// more can be paid back to an overcap than it lent.
    pub const fn flags(self) -> AccountFlags {
        match self {
            Self::Position | Self::Escrow => AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
            Self::Cap | Self::Overcap => AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
            Self::OnusIssued | Self::OnusAcquired | Self::Settlement => AccountFlags::NONE,
        }
    }

    const fn shape(self) -> Shape {
        match self {
            Self::Position | Self::Cap | Self::Overcap | Self::OnusIssued | Self::OnusAcquired => {
                Shape::Participant
            }
            Self::Escrow => Shape::ParticipantAtStation,
            Self::Settlement => Shape::Currency,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `position:P`.
pub fn position(participant: ParticipantId, currency: Currency) -> u128 {
    pack(Kind::Position, currency, participant.get(), 0)
}

/// `cap:P`.
pub fn cap(participant: ParticipantId, currency: Currency) -> u128 {
    pack(Kind::Cap, currency, participant.get(), 0)
}

/// `overcap:P`.
pub fn overcap(participant: ParticipantId, currency: Currency) -> u128 {
    pack(Kind::Overcap, currency, participant.get(), 0)
}

/// `onus_issued:P`.
pub fn onus_issued(participant: ParticipantId, currency: Currency) -> u128 {
    pack(Kind::OnusIssued, currency, participant.get(), 0)
}

/// `onus_acquired:P`.
pub fn onus_acquired(participant: ParticipantId, currency: Currency) -> u128 {
    pack(Kind::OnusAcquired, currency, participant.get(), 0)
}

/// `escrow:P@S`. Stations count from 1.
pub fn escrow(participant: ParticipantId, station: StationId, currency: Currency) -> u128 {
    pack(Kind::Escrow, currency, participant.get(), station.0)
}

/// `settlement`.
pub fn settlement(currency: Currency) -> u128 {
    pack(Kind::Settlement, currency, 0, 0)
}

fn pack(kind: Kind, currency: Currency, participant: u64, station: u16) -> u128 {
    u128::from(kind.number()) << 120
        | u128::from(currency.numeric()) << 104
        | u128::from(participant) << 40
        | u128::from(station) << 24
}

/// The ledger number of a currency: its ISO 4217 numeric code.
pub fn ledger(currency: Currency) -> u32 {
    u32::from(currency.numeric())
}

/// What an account id says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountName {
    /// What the account is for.
    pub kind: Kind,
    /// Whose it is; `None` for the currency's own.
    pub participant: Option<ParticipantId>,
    /// At which station, for an escrow.
    pub station: Option<StationId>,
    /// ISO 4217 numeric code.
    pub currency: u16,
}

impl AccountName {
    /// Reads an id; `None` for one that this chart does not give.
    #[expect(clippy::cast_possible_truncation, reason = "each cut takes its own bits")]
    pub fn of(id: u128) -> Option<Self> {
        let kind = Kind::from_number((id >> 120) as u8)?;
        let currency = (id >> 104) as u16;
        let participant = (id >> 40) as u64;
        let station = (id >> 24) as u16;
        let rest = id & 0xff_ffff;
        if rest != 0 || !(1..=999).contains(&currency) {
            return None;
        }
        let name = Self {
            kind,
            participant: ParticipantId::new(participant),
            station: (station != 0).then_some(StationId(station)),
            currency,
        };
        let fits = match kind.shape() {
            Shape::Currency => participant == 0 && station == 0,
            Shape::Participant => name.participant.is_some() && station == 0,
            Shape::ParticipantAtStation => name.participant.is_some() && station != 0,
        };
        fits.then_some(name)
    }
}

impl fmt::Display for AccountName {
    /// As the rule book writes it: `position:100001`, `escrow:100001@2`, `settlement`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(participant) = self.participant {
            write!(f, ":{participant}")?;
        }
        if let Some(station) = self.station {
            write!(f, "@{}", station.0)?;
        }
        Ok(())
    }
}

/// The account of an id of this chart, ready to be created.
pub fn account(id: u128) -> Option<Account> {
    let name = AccountName::of(id)?;
    Some(Account {
        id,
        ledger: u32::from(name.currency),
        code: u16::from(name.kind.number()),
        flags: name.kind.flags(),
        ..Account::default()
    })
}

/// What a participant is owed (or, negative, owes), in minor units: the balances of its position,
/// cap and overcap, and of its escrow at each of `stations`. Accounts that are not there count as
/// zero.
pub fn net_position(
    participant: ParticipantId,
    currency: Currency,
    stations: &[StationId],
    account: impl Fn(u128) -> Option<Account>,
) -> i128 {
    let own = [
        position(participant, currency),
        cap(participant, currency),
        overcap(participant, currency),
    ];
    let escrows = stations.iter().map(|station| escrow(participant, *station, currency));
    own.into_iter()
        .chain(escrows)
        .filter_map(account)
        .fold(0, |sum: i128, account| sum.saturating_add(account.balance()))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;
    use crate::limits::BATCH_MAX;
    use crate::{AccountStatus, Books, Transfer, TransferStatus};
    use scheme::Timestamp;

    const KPW: Currency = Currency::KPW;

    fn participant(code: u64) -> ParticipantId {
        ParticipantId::new(code).unwrap()
    }

    /// Worked out by hand from the layout: kind, currency 408 = 0x198, participant
    /// 100001 = 0x186a1, station 2.
    #[test]
    fn r_accounts_golden_ids() {
        const P: u128 = 0x0001_9800_0000_0000_0186_a100_0000_0000;
        let p = participant(100_001);
        let at_2 = escrow(p, StationId(2), KPW);
        let settled = settlement(KPW);
        let golden: [(u128, u128, &str); 7] = [
            (position(p, KPW), 1 << 120 | P, "position:100001"),
            (cap(p, KPW), 2 << 120 | P, "cap:100001"),
            (overcap(p, KPW), 3 << 120 | P, "overcap:100001"),
            (onus_issued(p, KPW), 4 << 120 | P, "onus_issued:100001"),
            (onus_acquired(p, KPW), 5 << 120 | P, "onus_acquired:100001"),
            (at_2, 0x0601_9800_0000_0000_0186_a100_0200_0000, "escrow:100001@2"),
            (settled, 0x0701_9800_0000_0000_0000_0000_0000_0000, "settlement"),
        ];
        for (id, hex, text) in golden {
            assert_eq!(id, hex, "{text}");
            let name = AccountName::of(id).unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(name.currency, 408);
            let account = account(id).unwrap();
            assert_eq!(account.ledger, 408);
            assert_eq!(account.code, u16::from(name.kind.number()));
        }
    }

    #[test]
    fn ids_of_no_account_of_ours_are_not_read() {
        let good = escrow(participant(1), StationId(1), KPW);
        assert!(AccountName::of(good).is_some());
        let kind_only = |id: u128, kind: u128| (id & !(0xff << 120)) | kind << 120;
        for (bad, why) in [
            (0, "zero"),
            (u128::MAX, "ones"),
            (good | 1, "a bit in the empty part"),
            (kind_only(good, 0), "kind 0"),
            (kind_only(good, 8), "a kind that does not exist"),
            (kind_only(good, 1), "a position at a station"),
            (kind_only(good, 7), "a settlement account with an owner"),
            (good & !(0xffff << 24), "an escrow without a station"),
            (good & !(u128::from(u64::MAX) << 40), "an escrow without an owner"),
            (good & !(0xffff << 104), "no currency"),
            (good | 0xffff << 104, "a currency of more than three digits"),
            (good | u128::from(u64::MAX) << 40, "an owner of more than eleven digits"),
        ] {
            assert_eq!(AccountName::of(bad), None, "{why}");
        }
    }

    /// The example nation's cap: granted, spent to the last unit and not one further, restored by
    /// being paid, lowered only as far as there is room; an escrow is part of the net position.
    #[test]
    fn r_accounts_net_position_and_cap() {
        let (payer, paid) = (participant(100_001), participant(100_002));
        let stations = [StationId(1), StationId(2)];
        let mut books = Books::new();
        let ids = [payer, paid].into_iter().flat_map(|p| {
            let at = stations.map(|s| escrow(p, s, KPW));
            [position(p, KPW), cap(p, KPW), overcap(p, KPW)].into_iter().chain(at)
        });
        let accounts: Vec<Account> = ids.map(|id| account(id).unwrap()).collect();
        let mut statuses = Vec::new();
        books.create_accounts(Timestamp(1), &accounts, &mut statuses);
        assert!(statuses.iter().all(|s| *s == AccountStatus::Ok) && accounts.len() < BATCH_MAX);

        let mut next_id = 0;
        let mut transfer = |debit: u128, credit: u128, amount: u128| {
            next_id += 1;
            let event = Transfer {
                id: next_id,
                debit_account_id: debit,
                credit_account_id: credit,
                amount,
                ledger: 408,
                code: 1,
                ..Transfer::default()
            };
            let mut statuses = Vec::new();
            books.create_transfers(Timestamp(1), &[event], &mut statuses);
            let net = |p| net_position(p, KPW, &stations, |id| books.account(id));
            (statuses[0], net(payer), net(paid))
        };
        let (a, b) = (position(payer, KPW), position(paid, KPW));
        let (a_cap, a_over) = (cap(payer, KPW), overcap(payer, KPW));
        let a_escrow = escrow(payer, stations[1], KPW);
        use TransferStatus::{ExceedsCredits, ExceedsDebits, Ok};
        for (debit, credit, amount, expected) in [
            (a_cap, a, 500, (Ok, 0, 0)),
            (a, a_escrow, 100, (Ok, 0, 0)),
            (a, b, 401, (ExceedsCredits, 0, 0)),
            (a, b, 400, (Ok, -400, 400)),
            (a_escrow, b, 101, (ExceedsCredits, -400, 400)),
            (a_escrow, b, 100, (Ok, -500, 500)),
            (a_over, b, 7, (Ok, -507, 507)),
            (a, a_cap, 1, (ExceedsCredits, -507, 507)),
            (b, a, 10, (Ok, -497, 497)),
            (a, a_over, 8, (ExceedsDebits, -497, 497)),
            (a, a_over, 7, (Ok, -497, 497)),
            (a, a_cap, 3, (Ok, -497, 497)),
            (a, a_cap, 1, (ExceedsCredits, -497, 497)),
        ] {
            assert_eq!(transfer(debit, credit, amount), expected, "{amount}");
        }
    }
}

//! Every transfer that a journal's records imply, one after another, and every payment and finding:
//! what auditors are given.

use journal::{Disk, Extent, Verified};
use ledger::{Books, Transfer, TransferFlags, chart};
use scheme::{Amount, BusinessDate, Currency, Leg, ParticipantId, PaymentId, StationId, Timestamp};
use switch::Hub;
use switch::legs::{self, Implied};
use switch::record::{self, Fact, Part};

use super::{Probes, shown};
use crate::config::Config;
use crate::hub::machine_config;
use crate::hub::query::account_name;
use crate::hub::replay::{restore, snapshot};
use crate::view::PaymentView;

/// A record that was just taken, and the transfers that it moved.
#[derive(Debug)]
pub struct Step<'a> {
    number: u64,
    at: Timestamp,
    fact: &'a Fact,
    legs: &'a [Implied],
    hub: &'a Hub,
    books: &'a Books,
    probes: &'a Probes,
    /// The first business date of all.
    first: Option<BusinessDate>,
}

/// A transfer as it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferView {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// The payment that it belongs to, 32 hexadecimal digits.
    pub payment: Option<String>,
    /// What it is for: `hold`, `post`, `void`, `reverse`, `cap`, `netted`, ...
    pub leg: &'static str,
    /// The account that is debited, as the rule book names it: `position:100001`.
    pub debit: String,
    /// The account that is credited.
    pub credit: String,
    /// Id of the account that is debited.
    pub debit_id: u128,
    /// Id of the account that is credited.
    pub credit_id: u128,
    /// In minor units.
    pub amount: u128,
    /// Of both accounts.
    pub currency: Currency,
    /// `pending` (held), `posted`, or `voided` (the hold is released).
    pub state: &'static str,
    /// The hold that is posted or released, 32 hexadecimal digits. All of it is released, also
    /// what is not posted.
    pub hold: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The business date that it belongs to; the first one if none had begun, and none only where
    /// none ever has.
    pub business_date: Option<BusinessDate>,
    /// The settlement cycle that it belongs to; 0 before the first.
    pub cycle: u32,
    /// The journal's record that implies it.
    pub record: u64,
}

/// A payment as it stood after a record that answered or changed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentRow {
    /// The payment; its card is masked.
    pub view: PaymentView,
    /// What was posted, or is to be: DE4, and of a completed pre-authorisation what was completed.
    pub amount: Amount,
    /// What has gone back.
    pub returned: Amount,
    /// Of both.
    pub currency: Currency,
    /// The hub's business date at the hold or the refusal.
    pub business_date: BusinessDate,
    /// When the record was made.
    pub changed_at: Timestamp,
    /// The record.
    pub record: u64,
}

/// A finding, with what its payment was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FindingRow {
    /// The journal's record that it is.
    pub record: u64,
    /// When.
    pub at: Timestamp,
    /// What it is.
    pub kind: &'static str,
    /// Which participant, if one.
    pub participant: Option<String>,
    /// Which payment, if one, 32 hexadecimal digits.
    pub id: Option<String>,
    /// That payment, if it is still known; its card is masked.
    pub payment: Option<PaymentView>,
    /// Of it, as its row has it.
    pub amount: Amount,
    /// DE11 of the original that the message named, if it did.
    pub original_stan: Option<String>,
    /// Of the nation.
    pub currency: Currency,
    /// The hub's business date then.
    pub business_date: BusinessDate,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        number: u64,
        at: Timestamp,
        fact: &'a Fact,
        legs: &'a [Implied],
        hub: &'a Hub,
        books: &'a Books,
        probes: &'a Probes,
    ) -> Self {
        Self { number, at, fact, legs, hub, books, probes, first: None }
    }

    /// What was moved before the first business date began belongs to it.
    pub(crate) fn beginning(self, first: Option<BusinessDate>) -> Self {
        Self { first, ..self }
    }

    /// The record's number in the journal, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was decided.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The state that the records up to here make, as a snapshot holds it.
    pub fn state(&self) -> Vec<u8> {
        snapshot(self.hub, self.books)
    }

    /// The nation's name, as the records up to here have it.
    pub fn nation(&self) -> &str {
        &self.hub.state().directory().name
    }

    /// The payment that the record has answered or changed, as it stands now; none where it only
    /// came to be.
    pub fn payment(&self) -> Option<PaymentRow> {
        let id = match self.fact.part()? {
            Part::Opened(_) | Part::Whole(_) => return None,
            part @ (Part::Declined(_)
            | Part::Closed(_)
            | Part::Reversed(_)
            | Part::Completed(_)) => part.id(),
        };
        let state = self.hub.state();
        let payment = state.payments().get(id)?;
        Some(PaymentRow {
            view: shown(payment, self.hub, self.probes),
            amount: state.flows().posted(payment),
            returned: payment.returned,
            currency: state.directory().currency,
            business_date: payment.business_date,
            changed_at: self.at,
            record: self.number,
        })
    }

    /// The finding that the record is, if it is one.
    pub fn finding(&self) -> Option<FindingRow> {
        let Fact::Finding(finding) = self.fact else { return None };
        let state = self.hub.state();
        let payment = finding.payment.and_then(|id| state.payments().get(id));
        Some(FindingRow {
            record: self.number,
            at: self.at,
            kind: finding.kind.name(),
            participant: finding.participant.map(|id| id.to_string()),
            id: finding.payment.map(|id| id.to_string()),
            amount: payment.map_or(Amount::ZERO, |payment| state.flows().posted(payment)),
            payment: payment.map(|payment| shown(payment, self.hub, self.probes)),
            original_stan: finding.original.map(|original| format!("{:06}", original.stan)),
            currency: state.directory().currency,
            business_date: state.business_date(),
        })
    }

    /// The transfers that moved something, in their order.
    pub fn transfers(&self) -> impl Iterator<Item = TransferView> {
        let moved = self.legs.iter().filter(|leg| !leg.refused);
        // Of a post or void the books know what it took from its hold.
        let happened =
            moved.map(|leg| self.books.transfer(leg.transfer.id).unwrap_or(leg.transfer));
        happened.map(|transfer| self.view(&transfer))
    }

    fn view(&self, transfer: &Transfer) -> TransferView {
        let directory = self.hub.state().directory();
        let (business_date, cycle) = self.day(transfer);
        let hex = |id: u128| format!("{id:032x}");
        TransferView {
            id: hex(transfer.id),
            payment: of_payment(transfer).then(|| PaymentId::of_transfer(transfer.id).to_string()),
            leg: leg_name(transfer),
            debit: account_name(transfer.debit_account_id, directory),
            credit: account_name(transfer.credit_account_id, directory),
            debit_id: transfer.debit_account_id,
            credit_id: transfer.credit_account_id,
            amount: transfer.amount,
            currency: directory.currency,
            state: if transfer.flags.contains(TransferFlags::PENDING) {
                "pending"
            } else if transfer.flags.contains(TransferFlags::VOID_PENDING) {
                "voided"
            } else {
                "posted"
            },
            hold: (transfer.pending_id != 0).then(|| hex(transfer.pending_id)),
            at: self.at,
            business_date: if cycle == 0 { self.first } else { Some(business_date) },
            cycle,
            record: self.number,
        }
    }

    /// A hold and its end belong to the payment's day (R-TIME), everything else to the day on
    /// which the hub does it.
    fn day(&self, transfer: &Transfer) -> (BusinessDate, u32) {
        let state = self.hub.state();
        let ends = matches!(self.fact, Fact::Opened(_) | Fact::Closed(_));
        let payment = state.payments().get(PaymentId::of_transfer(transfer.id));
        match payment.filter(|_| ends) {
            Some(payment) => (payment.business_date, payment.cycle),
            None => (state.business_date(), state.cycle()),
        }
    }
}

/// The first business date of a journal, which is set after the first caps are; none if what is
/// read first stands on a later day. What does not hold is told by who reads everything.
pub(super) fn first_date(
    config: &Config,
    disk: &mut impl Disk,
    extent: Extent,
) -> Option<BusinessDate> {
    let mut first = None;
    let enough = || Err("enough".to_owned());
    let read = journal::verify_states(disk, extent, &mut |item| match item {
        Verified::Record(view) => match record::decode(view.kind, view.version, view.payload) {
            Ok(Fact::Cutover { date, .. }) => {
                first = Some(date);
                enough()
            }
            Ok(_) => Ok(()),
            Err(_) => enough(),
        },
        Verified::Base { bytes, .. } if is_on_a_day(config, bytes) => enough(),
        // The facts of a large nation fill more than a segment, which may have been put away.
        Verified::Base { .. } | Verified::State { .. } => Ok(()),
    });
    // Nearly always it has had enough.
    drop(read);
    first
}

/// Whether a state is of a business date; one that can't be read is told by who begins at it.
fn is_on_a_day(config: &Config, state: &[u8]) -> bool {
    let (mut hub, mut books) = (Hub::new(machine_config(config)), Books::new());
    restore(&mut hub, &mut books, state).is_err() || hub.state().cycle() > 0
}

/// Codes below 100 are legs of payments (R-MATCH); the others belong to records of their own.
fn of_payment(transfer: &Transfer) -> bool {
    transfer.code < legs::code::CAP
}

fn leg_name(transfer: &Transfer) -> &'static str {
    const NAMES: [(Leg, &str); 9] = [
        (Leg::Hold, "hold"),
        (Leg::Post, "post"),
        (Leg::Void, "void"),
        (Leg::Reverse, "reverse"),
        (Leg::ReverseByOvercap, "reverse_by_overcap"),
        (Leg::CompleteByOvercap, "complete_by_overcap"),
        (Leg::Escrow, "escrow"),
        (Leg::EscrowByOvercap, "escrow_by_overcap"),
        (Leg::Fee, "fee"),
    ];
    match transfer.code {
        legs::code::CAP => "cap",
        legs::code::OVERCAP_REPAID => "overcap_repaid",
        legs::code::NETTED => "netted",
        _ => {
            let low = transfer.id & 0xf;
            NAMES.iter().find(|(leg, _)| *leg as u128 == low).map_or("other", |(_, name)| name)
        }
    }
}

/// The id of an account by its name, or by its 32 hexadecimal digits. A station is named as the
/// configuration names it, or by its number; the nation, whose `settlement` is, may be left out.
pub fn account_id(
    text: &str,
    nation: &str,
    currency: Currency,
    station: impl Fn(&str) -> Option<StationId>,
) -> Option<u128> {
    if text.len() == 32
        && let Ok(id) = u128::from_str_radix(text, 16)
    {
        return Some(id);
    }
    let (kind, owner) = text.split_once(':').unwrap_or((text, ""));
    let kind = chart::Kind::ALL.into_iter().find(|known| known.name() == kind)?;
    if kind == chart::Kind::Settlement {
        return (owner.is_empty() || owner == nation).then(|| chart::settlement(currency));
    }
    let (owner, at) = match owner.split_once('@') {
        Some((owner, at)) => (owner, Some(at)),
        None => (owner, None),
    };
    let participant = owner.parse().ok().and_then(ParticipantId::new);
    let at = at.map(|name| station(name).or_else(|| name.parse().ok().map(StationId)));
    let of = |id: fn(ParticipantId, Currency) -> u128| Some(id(participant?, currency));
    let id = match kind {
        chart::Kind::Position => of(chart::position),
        chart::Kind::Cap => of(chart::cap),
        chart::Kind::Overcap => of(chart::overcap),
        chart::Kind::OnusIssued => of(chart::onus_issued),
        chart::Kind::OnusAcquired => of(chart::onus_acquired),
        chart::Kind::Escrow => return Some(chart::escrow(participant?, at??, currency)),
        chart::Kind::Settlement => None,
    };
    id.filter(|_| at.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_the_name_that_it_is_shown_with() {
        let station = |name: &str| (name == "nampo").then_some(StationId(2));
        let id = |text: &str| account_id(text, "A land @ rest", Currency::KPW, station);
        let bank = ParticipantId::new(100_001).unwrap();
        assert_eq!(id("position:100001"), Some(chart::position(bank, Currency::KPW)));
        let escrow = chart::escrow(bank, StationId(2), Currency::KPW);
        assert_eq!(id("escrow:100001@nampo"), Some(escrow));
        assert_eq!(id("escrow:100001@2"), Some(escrow));
        assert_eq!(id(&format!("{escrow:032x}")), Some(escrow));
        for shown in ["settlement", "settlement:A land @ rest"] {
            assert_eq!(id(shown), Some(chart::settlement(Currency::KPW)));
        }
        for bad in [
            "",
            "position",
            "position:",
            "position:x",
            "position:100001@nampo",
            "escrow:100001",
            "escrow:100001@nowhere",
            "settlement:100001",
            "cash:100001",
        ] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}

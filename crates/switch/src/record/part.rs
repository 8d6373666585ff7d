//! What a record says of a payment. All kinds of records stand here once; who asks of payments
//! alone matches [`Part`].

use scheme::PaymentId;

use super::{Closed, Completed, Declined, Fact, Opened, Reversed};
use crate::hub::Kept;

/// A part of a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part<'a> {
    /// Its beginning: its hold stands.
    Opened(&'a Opened),
    /// All of it: it was refused at once.
    Declined(&'a Declined),
    /// Its end, or the approval of a pre-authorisation.
    Closed(&'a Closed),
    /// Its return.
    Reversed(&'a Reversed),
    /// Its completion.
    Completed(&'a Completed),
    /// It as it stands: recalled or retired.
    Whole(&'a Kept),
}

impl Part<'_> {
    /// Whose part it is.
    pub const fn id(self) -> PaymentId {
        match self {
            Self::Opened(opened) => opened.id,
            Self::Declined(declined) => declined.id,
            Self::Closed(closed) => closed.id,
            Self::Reversed(reversed) => reversed.id,
            Self::Completed(completed) => completed.id,
            Self::Whole(kept) => kept.payment.id,
        }
    }
}

impl Fact {
    /// The part of a payment that it is, if it is one.
    pub fn part(&self) -> Option<Part<'_>> {
        Some(match self {
            Self::Opened(opened) => Part::Opened(opened),
            Self::Declined(declined) => Part::Declined(declined),
            Self::Closed(closed) => Part::Closed(closed),
            Self::Reversed(reversed) => Part::Reversed(reversed),
            Self::Completed(completed) => Part::Completed(completed),
            Self::Recalled(kept) | Self::Retired(kept) => Part::Whole(kept),
            Self::Nation { .. }
            | Self::Station { .. }
            | Self::Participant { .. }
            | Self::Route { .. }
            | Self::Terminal { .. }
            | Self::Cap { .. }
            | Self::HotCard { .. }
            | Self::Changed { .. }
            | Self::Removed(_)
            | Self::Retailer { .. }
            | Self::Epoch { .. }
            | Self::Tombstone(_)
            | Self::Discharged { .. }
            | Self::Covered { .. }
            | Self::Proposed(_)
            | Self::Dropped
            | Self::Finding(_)
            | Self::OvercapRepaid { .. }
            | Self::Cutover { .. }
            | Self::Netted { .. } => return None,
        })
    }

    /// The payment that it is about: that of a finding too, which is no part of it.
    pub fn payment(&self) -> Option<PaymentId> {
        if let Self::Finding(finding) = self {
            return finding.payment;
        }
        self.part().map(Part::id)
    }
}

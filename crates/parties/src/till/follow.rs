//! What follows an approval later: refunds of purchases, completions of pre-authorisations.

use scheme::{Amount, ApprovalCode, Iin, Pan, Rrn, Stan, TerminalId};

use super::payment::{Kind, Named, NamedBy, Payment};
use super::{Till, Wish};
use crate::limits::REFUNDABLE_MAX;

/// An approved purchase that may be refunded, in parts.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    named: Named,
    terminal: TerminalId,
    issuer: Iin,
    account: u32,
    pan: Pan,
    /// What has not been asked back, minor units.
    left: u64,
}

/// An approved pre-authorisation that waits for its completion.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    receipt: Receipt,
    /// Whether it was completed before, so that this one is one too many.
    completed: bool,
}

impl Till {
    /// What an approval leads to.
    pub(super) fn follow(&mut self, payment: &Payment) {
        let seen = payment.seen;
        let receipt = Receipt {
            named: payment.named(NamedBy::Data),
            terminal: seen.terminal,
            issuer: seen.issuer,
            account: seen.account,
            pan: payment.pan,
            left: seen.amount.minor(),
        };
        match seen.kind {
            Kind::Purchase if self.config.manners.refund > 0 => {
                if self.receipts.len() >= REFUNDABLE_MAX {
                    self.receipts.pop_front();
                }
                self.receipts.push_back(receipt);
            }
            Kind::Preauth => self.complete_later(receipt, false),
            Kind::Purchase | Kind::Cash | Kind::Refund | Kind::Balance | Kind::Completion => {}
        }
    }

    fn complete_later(&mut self, receipt: Receipt, completed: bool) {
        let within_ms = self.config.times.complete_within_ms;
        let due = self.now.plus_ms(self.dice.between(within_ms / 10, within_ms));
        self.holds.insert((due, self.started), Hold { receipt, completed });
    }

    /// Sends the completions that are due.
    pub(super) fn complete_due(&mut self) {
        while self.has_room()
            && let Some(first) = self.holds.first_entry()
            && first.key().0 <= self.now
        {
            let hold = first.remove();
            self.complete(hold);
        }
    }

    fn complete(&mut self, hold: Hold) {
        let Hold { receipt, completed } = hold;
        let manners = self.config.manners;
        if !completed && self.dice.per_mille(manners.complete_nothing) {
            let stan = self.next_stan(receipt.terminal);
            let (rrn, approval) = (Rrn::BLANK, ApprovalCode::BLANK);
            let named = Named { by: NamedBy::Data, stan, rrn, approval, ..receipt.named };
            self.start(receipt.wish(Kind::Completion, receipt.left, None, Some(named)));
        }
        let over = !completed && self.dice.per_mille(manners.complete_over);
        let minor = if over {
            receipt.left.saturating_add(self.dice.between(1, 1_000))
        } else if self.dice.per_mille(500) {
            receipt.left
        } else {
            self.dice.between(receipt.left.div_ceil(2), receipt.left)
        };
        let named = self.name(receipt.named);
        let original = Some((receipt.terminal, receipt.named.stan));
        self.start(receipt.wish(Kind::Completion, minor, original, Some(named)));
        // One above the hold leaves the hold as it is: the right one follows.
        if over {
            self.complete_later(receipt, false);
        } else if !completed && self.dice.per_mille(manners.complete_twice) {
            self.complete_later(receipt, true);
        }
    }

    /// A refund of a part or of all that is left of an earlier purchase, at any of the tills.
    pub(super) fn refund(&mut self) -> Option<Wish> {
        let manners = self.config.manners;
        if self.dice.per_mille(manners.refund_unlinked) {
            return self.customer(Kind::Refund);
        }
        let last = self.receipts.len().checked_sub(1)?;
        let at = usize::try_from(self.dice.between(0, last as u64)).unwrap_or(last);
        let over = self.dice.per_mille(manners.refund_over);
        let terminal = self.dice.one_of(&self.config.terminals).copied()?;
        let mut receipt = self.receipts.remove(at)?;
        let minor = if over {
            receipt.left.saturating_add(self.dice.between(1, 1_000))
        } else {
            let least = self.config.amount_min_minor.min(receipt.left);
            self.dice.between(least, receipt.left)
        };
        let named = self.name(receipt.named);
        // Only a completion may be found by its approval code.
        let by = if named.by == NamedBy::Approval { NamedBy::Data } else { named.by };
        let named = Named { by, ..named };
        let original = Some((receipt.terminal, receipt.named.stan));
        let wish = Wish { terminal, ..receipt.wish(Kind::Refund, minor, original, Some(named)) };
        receipt.left = receipt.left.saturating_sub(if over { 0 } else { minor });
        if receipt.left > 0 {
            self.receipts.push_back(receipt);
        }
        Some(wish)
    }

    /// By which of its fields an original is named.
    fn name(&mut self, named: Named) -> Named {
        let manners = self.config.manners;
        let by = if self.dice.per_mille(manners.by_reference) && !named.rrn.is_blank() {
            NamedBy::Reference
        } else if self.dice.per_mille(manners.by_approval) && !named.approval.is_blank() {
            NamedBy::Approval
        } else {
            NamedBy::Data
        };
        Named { by, ..named }
    }
}

impl Receipt {
    fn wish(
        &self,
        kind: Kind,
        minor: u64,
        original: Option<(TerminalId, Stan)>,
        named: Option<Named>,
    ) -> Wish {
        Wish {
            kind,
            terminal: self.terminal,
            issuer: self.issuer,
            account: self.account,
            pan: self.pan,
            amount: Amount::new(minor).unwrap_or_default(),
            original,
            named,
        }
    }
}

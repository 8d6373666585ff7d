//! Balance enquiries (DE3 31): the issuer is asked and answers. No hold, no record, nothing owed: a
//! crash forgets them, and a repeat asks again (R-RECORD). They are refused for overload (96) while
//! there is still room for payments.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use scheme::{
    Amount, ApprovalCode, LocalTime, ParticipantId, PaymentId, Processing, Reason, Rrn, Stan,
    TerminalId, Timestamp, Token,
};

use super::{Count, Effect, Effects, Hub, IssuerAnswer};
use crate::limits::WAITERS_MAX;
use crate::request::{Answer, ReplyTo, Request, Trace};

type Asked = (ParticipantId, Trace);
type K1 = (ParticipantId, TerminalId, Stan, LocalTime);

/// One that the issuer has been asked.
#[derive(Clone, Debug)]
struct Enquiry {
    waiters: Vec<ReplyTo>,
    deadline: Timestamp,
    key: K1,
    processing: Processing,
    amount: Amount,
    token: Option<Token>,
    rrn: Rrn,
}

/// Those under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Enquiries {
    open: BTreeMap<Asked, Enquiry>,
    by_request: BTreeMap<K1, Asked>,
    deadlines: BTreeSet<(Timestamp, Asked)>,
}

impl Enquiries {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn end(&mut self, asked: Asked) -> Option<Enquiry> {
        let enquiry = self.open.remove(&asked)?;
        self.by_request.remove(&enquiry.key);
        self.deadlines.remove(&(enquiry.deadline, asked));
        Some(enquiry)
    }
}

impl Hub {
    /// A copy of an enquiry under way waits with it; the same key with another card is refused.
    pub(super) fn join_enquiry(
        &mut self,
        from: ReplyTo,
        request: &Request,
        out: &mut Effects,
    ) -> bool {
        let asked = self.enquiries.by_request.get(&key(request)).copied();
        let Some(enquiry) = asked.and_then(|asked| self.enquiries.open.get_mut(&asked)) else {
            return false;
        };
        if enquiry.token != request.card.map(|card| card.token) {
            self.refuse(from, Reason::Duplicate, request.rrn, out);
            return true;
        }
        enquiry.waiters.retain(|waiter| *waiter != from);
        if enquiry.waiters.len() >= WAITERS_MAX {
            enquiry.waiters.remove(0);
        }
        enquiry.waiters.push(from);
        out.push(Effect::Count(Count::Repeat));
        true
    }

    pub(super) fn enquire(
        &mut self,
        from: ReplyTo,
        request: Request,
        issuer: ParticipantId,
        line: u64,
        out: &mut Effects,
    ) {
        let trace = self.trace(issuer);
        let deadline = self.now.plus_ms(self.config.timers.issuer_answer_ms);
        let enquiry = Enquiry {
            waiters: alloc::vec![from],
            deadline,
            key: key(&request),
            processing: request.processing,
            amount: request.amount,
            token: request.card.map(|card| card.token),
            rrn: request.rrn,
        };
        let asked = (issuer, trace);
        self.enquiries.by_request.insert(enquiry.key, asked);
        self.enquiries.deadlines.insert((deadline, asked));
        self.enquiries.open.insert(asked, enquiry);
        out.push(Effect::Ask {
            line,
            id: PaymentId::default(),
            sealed_as: request.candidate,
            seen: request.seen(from.peer.station()),
            issuer,
            trace,
            carried: request.carried,
        });
    }

    /// Takes an issuer's answer if it is an enquiry's; gives it back if it is not.
    pub(super) fn enquiry_answer(
        &mut self,
        answer: IssuerAnswer,
        out: &mut Effects,
    ) -> Option<IssuerAnswer> {
        let asked = (answer.bank, answer.trace);
        let agrees = self.enquiries.open.get(&asked).is_some_and(|enquiry| {
            enquiry.processing == answer.processing
                && enquiry.amount == answer.amount
                && enquiry.key.1 == answer.terminal
        });
        if !agrees {
            return Some(answer);
        }
        let enquiry = self.enquiries.end(asked)?;
        out.push(Effect::Count(Count::Enquiry));
        let answer = Answer {
            code: answer.code,
            text: answer.text,
            approval: ApprovalCode::BLANK,
            rrn: enquiry.rrn,
            business_date: Some(self.state.business_date()),
            carried: answer.carried,
        };
        for to in enquiry.waiters {
            out.push(Effect::Answer { to, answer: answer.clone() });
        }
        None
    }

    /// No answer in time: 91, and nothing to undo.
    pub(super) fn enquiries_late(&mut self, out: &mut Effects) {
        while let Some((at, asked)) = self.enquiries.deadlines.first().copied() {
            if at > self.now {
                return;
            }
            let Some(enquiry) = self.enquiries.end(asked) else { return };
            for to in enquiry.waiters {
                self.refuse(to, Reason::IssuerLate, enquiry.rrn, out);
            }
        }
    }
}

fn key(request: &Request) -> K1 {
    (request.acquirer, request.terminal, request.stan, request.local)
}

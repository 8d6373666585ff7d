//! What terminals and issuers send.

use scheme::{
    Amount, ApprovalCode, LocalTime, PaymentId, PaymentSeed, Processing, Rrn, Stan, StationId,
};
use switch::hub::{Input, IssuerAnswer};
use switch::{Carried, OriginalRef, PeerId, ReplyTo, Request, Text25};

use super::{A, Advised, Ask, B, Rig, amount, bank, card, code, config, mti, shop, terminal};

impl Rig {
    /// A purchase of 10.00 by a card of B at a shop of A, now, with a trace number of its own.
    pub(crate) fn purchase(&mut self) -> Request {
        let stan = Stan::new(self.next_stan).unwrap();
        self.next_stan += 1;
        Request {
            mti: mti(200),
            acquirer: bank(A),
            terminal: terminal("PYO00001"),
            retailer: shop(A),
            stan,
            transmitted: self.now.month_time(),
            local: self.local(),
            rrn: Rrn::new(format!("6326PY{:06}", stan.get()).as_bytes()).unwrap(),
            rrn_sent: false,
            processing: Processing::new(0).unwrap(),
            amount: amount(1000),
            currency: 408,
            card: Some(card(B, 1)),
            card_valid: true,
            expiry: Some(3112),
            forwarding: 0,
            has_pin: false,
            original: None,
            actual: None,
            reason: None,
            approval: ApprovalCode::BLANK,
            first_received: self.now,
            age_ms: 0,
            candidate: PaymentId::default(),
            carried: Carried::NONE,
        }
    }

    /// The terminal's clock.
    pub(crate) fn local(&self) -> LocalTime {
        config().zone.local(self.now).month_time()
    }

    /// The same message, sent again now.
    pub(crate) fn again(&self, request: &Request) -> Request {
        Request { first_received: self.now, ..request.clone() }
    }

    /// The 0420 of a request, made now: DE90, a trace number and times of its own.
    pub(crate) fn reversal(&mut self, request: &Request) -> Request {
        let fresh = self.purchase();
        Request {
            mti: mti(420),
            stan: fresh.stan,
            transmitted: fresh.transmitted,
            local: fresh.local,
            original: Some(OriginalRef {
                mti: request.mti.first().number(),
                stan: request.stan.get(),
                transmitted: request.transmitted.number(),
                acquirer: 0,
                forwarding: 0,
            }),
            first_received: self.now,
            ..request.clone()
        }
    }

    /// A refund of a part of a payment, now, from its own till, by DE90.
    pub(crate) fn refund(&mut self, of: &Request, minor: u64) -> Request {
        Request {
            mti: mti(200),
            processing: Processing::new(200_000).unwrap(),
            amount: amount(minor),
            rrn: self.purchase().rrn,
            rrn_sent: false,
            ..self.reversal(of)
        }
    }

    /// A pre-authorisation of 10.00, as `purchase` is one.
    pub(crate) fn preauth(&mut self) -> Request {
        Request { mti: mti(100), ..self.purchase() }
    }

    /// The completion of a pre-authorisation, by DE90.
    pub(crate) fn completion(&mut self, of: &Request, minor: u64) -> Request {
        Request { mti: mti(220), amount: amount(minor), ..self.reversal(of) }
    }

    /// A balance enquiry.
    pub(crate) fn balance_of(&mut self) -> Request {
        let processing = Processing::new(310_000).unwrap();
        Request { processing, amount: Amount::ZERO, ..self.purchase() }
    }

    /// Sends a request from the station of the first terminals; the ticket finds its answer.
    pub(crate) fn send(&mut self, request: Request) -> u64 {
        let station = if request.terminal == terminal("NAM00001") { 2 } else { 1 };
        self.send_from(PeerId::Station(StationId(station)), request)
    }

    pub(crate) fn send_from(&mut self, peer: PeerId, request: Request) -> u64 {
        let input = self.input(peer, request);
        self.drive(input);
        self.next_ticket - 1
    }

    /// A request as an input, under the next ticket.
    pub(crate) fn input(&mut self, peer: PeerId, mut request: Request) -> Input {
        let seed = PaymentSeed {
            acquirer: request.acquirer,
            terminal: request.terminal,
            stan: request.stan,
            local: request.local,
        };
        request.candidate = seed.id(config().zone.local(request.first_received));
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        Input::Request { from: ReplyTo { peer, ticket }, request }
    }

    /// The issuer's answer to what it was asked.
    pub(crate) fn answer_to(&self, ask: &Ask, code_: &str) -> IssuerAnswer {
        let approval = if code_ == "00" { "A1B2C3" } else { "" };
        IssuerAnswer {
            bank: ask.issuer,
            trace: ask.trace,
            processing: ask.seen.processing,
            amount: ask.seen.amount,
            terminal: ask.seen.terminal,
            code: code(code_),
            approval: ApprovalCode::new(approval.as_bytes()).unwrap(),
            text: Text25::BLANK,
            carried: Carried::NONE,
        }
    }

    /// The issuer answers the last thing that it was asked.
    pub(crate) fn issuer_says(&mut self, code: &str) {
        let ask = self.asks.last().unwrap().clone();
        let answer = self.answer_to(&ask, code);
        self.drive(Input::IssuerAnswer(answer));
    }

    /// A request, approved.
    pub(crate) fn pay(&mut self, request: &Request) -> PaymentId {
        let asked = self.asks.len();
        let ticket = self.send(request.clone());
        assert_eq!(self.asks.len(), asked + 1, "not asked: {}", self.said(ticket));
        self.issuer_says("00");
        assert_eq!(self.said(ticket), "00");
        self.asks.last().unwrap().id
    }

    /// The bank acknowledges an advice.
    pub(crate) fn acknowledge(&mut self, advice: &Advised, code_: &str) {
        let Advised { issuer, trace, .. } = *advice;
        self.drive(Input::AdviceAnswer { bank: issuer, trace, code: code(code_) });
    }
}

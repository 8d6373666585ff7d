//! A payment with all that is known of it beside its row: what a snapshot keeps, what `recalled`
//! and `retired` records carry, and what is found in history.

use scheme::{
    Amount, BusinessDate, MonthTime, ParticipantId, PaymentId, ResponseCode, Stan, Timestamp,
};

use super::flows::{Completion, PreAuth};
use super::payments::{Payment, Status};
use super::state::State;
use super::table::Life;
use crate::bytes::{Corrupt, Reader, Writer};
use crate::record::{get_seen, put_seen};
use crate::request::Trace;

/// A payment and its life.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kept {
    /// The payment.
    pub payment: Payment,
    /// What it has of a pre-authorisation.
    pub preauth: Option<PreAuth>,
    /// The payment that it refunds.
    pub original: Option<PaymentId>,
    /// The record that opened it, or refused it.
    pub opened: u64,
    /// The record that changed it last.
    pub last: u64,
}

impl State {
    /// All that is known of a payment.
    pub fn kept(&self, id: PaymentId) -> Option<Kept> {
        let (payment, life) = self.payments().at_row(self.payments().row_of(id)?)?;
        Some(self.kept_of(payment, life))
    }

    pub(super) fn kept_of(&self, payment: &Payment, Life { opened, last, .. }: Life) -> Kept {
        let (payment, flows) = (payment.clone(), self.flows());
        let preauth = flows.preauth(payment.id).copied();
        let original = flows.original_of(payment.id);
        Kept { payment, preauth, original, opened, last }
    }
}

/// All but `last`, which a record knows by its own number.
pub(crate) fn put_kept(w: &mut Writer<'_>, kept: &Kept) {
    put_payment(w, &kept.payment);
    w.u64(kept.opened);
    w.u8(u8::from(kept.preauth.is_some()) | (u8::from(kept.original.is_some()) << 1));
    if let Some(preauth) = &kept.preauth {
        put_preauth(w, preauth);
    }
    if let Some(original) = kept.original {
        w.u128(original.get());
    }
}

pub(crate) fn get_kept(r: &mut Reader<'_>) -> Result<Kept, Corrupt> {
    let payment = get_payment(r)?;
    let opened = r.u64("record")?;
    let flags = r.u8("flags")?;
    let preauth = if flags & 1 != 0 { Some(get_preauth(r)?) } else { None };
    let original = if flags & 2 != 0 {
        Some(r.checked("payment id", Reader::u128, PaymentId::new)?)
    } else {
        None
    };
    Ok(Kept { payment, preauth, original, opened, last: opened })
}

pub(crate) fn put_payment(w: &mut Writer<'_>, payment: &Payment) {
    w.u128(payment.id.get());
    put_seen(w, &payment.seen);
    let flags = u8::from(payment.reversed)
        | (u8::from(payment.reversal_acknowledged) << 1)
        | (u8::from(payment.trace.is_some()) << 2);
    w.u8(flags).u40(payment.issuer.map_or(0, ParticipantId::get)).u8(status_number(payment.status));
    if let Some(trace) = payment.trace {
        put_trace(w, trace);
    }
    w.bytes(&payment.code.bytes()).text(&payment.text).text(&payment.approval);
    w.u16(payment.business_date.0).u32(payment.cycle).u40(payment.returned.minor());
    w.u64(payment.at.0);
}

pub(crate) fn get_payment(r: &mut Reader<'_>) -> Result<Payment, Corrupt> {
    let id = r.checked("payment id", Reader::u128, PaymentId::new)?;
    let seen = get_seen(r)?;
    let flags = r.u8("flags")?;
    Ok(Payment {
        id,
        seen,
        issuer: ParticipantId::new(r.u40("issuer")?),
        status: r.checked("status", Reader::u8, status_of)?,
        trace: if flags & 4 != 0 { Some(get_trace(r)?) } else { None },
        code: r.checked("code", |r, what| r.take(2, what), ResponseCode::new)?,
        text: r.text("text")?,
        approval: r.text("approval code")?,
        business_date: BusinessDate(r.u16("business date")?),
        cycle: r.u32("cycle")?,
        returned: r.checked("returned", Reader::u40, Amount::new)?,
        reversed: flags & 1 != 0,
        reversal_acknowledged: flags & 2 != 0,
        at: Timestamp(r.u64("time")?),
    })
}

const STATUSES: [Status; 5] =
    [Status::Pending, Status::Posted, Status::Voided, Status::Reversed, Status::Declined];

fn status_number(status: Status) -> u8 {
    match status {
        Status::Pending => 0,
        Status::Posted => 1,
        Status::Voided => 2,
        Status::Reversed => 3,
        Status::Declined => 4,
    }
}

fn status_of(number: u8) -> Option<Status> {
    STATUSES.get(usize::from(number)).copied()
}

pub(crate) fn put_preauth(w: &mut Writer<'_>, preauth: &PreAuth) {
    w.u64(preauth.expires.0).u64(preauth.keep_until.0);
    w.u8(u8::from(preauth.completion.is_some()));
    if let Some(done) = &preauth.completion {
        w.u40(done.amount.minor()).u32(done.stan.get()).u32(done.transmitted.number());
        w.text(&done.rrn).u64(done.first_received.0);
        put_trace(w, done.advice);
    }
}

pub(crate) fn get_preauth(r: &mut Reader<'_>) -> Result<PreAuth, Corrupt> {
    let (expires, keep_until) = (r.u64("expiry")?, r.u64("end")?);
    let completion = match r.u8("completed")? {
        0 => None,
        _ => Some(Completion {
            amount: r.checked("amount", Reader::u40, Amount::new)?,
            stan: r.checked("DE11", Reader::u32, Stan::new)?,
            transmitted: r.checked("DE7", Reader::u32, MonthTime::new)?,
            rrn: r.text("reference number")?,
            first_received: Timestamp(r.u64("first receipt")?),
            advice: get_trace(r)?,
        }),
    };
    let (expires, keep_until) = (Timestamp(expires), Timestamp(keep_until));
    Ok(PreAuth { expires, keep_until, completion })
}

pub(crate) fn put_trace(w: &mut Writer<'_>, trace: Trace) {
    w.u32(trace.stan.get()).u32(trace.transmitted.number());
}

pub(crate) fn get_trace(r: &mut Reader<'_>) -> Result<Trace, Corrupt> {
    Ok(Trace {
        stan: r.checked("DE11", Reader::u32, Stan::new)?,
        transmitted: r.checked("DE7", Reader::u32, MonthTime::new)?,
    })
}

//! A payment's whole story: who, what, and every step with its time and its record.

use maud::{Markup, html};

use super::document;
use super::parts::{fact, status};
use crate::Messages;
use crate::text::{capital, card, clock_ms, count, date, duration, fill, grouped, moment};
use crate::view::{Payment, Step, StepKind, Story};

/// The page.
pub fn story(m: &Messages, story: &Story) -> String {
    let payment = &story.payment;
    let begun = date(story.steps.first().map_or("", |step| &step.at));
    let body = html! {
        header.receipt {
            p.kind { (m.kind(payment.kind)) " " (status(payment.status)) }
            h1 { (grouped(&payment.amount)) " " small { (payment.currency) } }
            p { (m.status(payment.status)) }
            @if payment.synthetic { p { (m.word("synthetic_payment")) } }
        }
        div.story {
            (who(m, story))
            section {
                h2 { (m.word("story")) }
                ol.steps { @for step in &story.steps { (one(m, payment, step, begun)) } }
                p.note {
                    @if story.complete { (m.word("story_whole")) } @else { (m.word("story_cut")) }
                }
            }
        }
    };
    let title = format!("{} {}", m.kind(payment.kind), payment.rrn);
    document(m, &story.frame, &title, &body)
}

fn who(m: &Messages, story: &Story) -> Markup {
    let payment = &story.payment;
    let code = |value: &str| html! { code { (value) } };
    html! {
        section.who {
            h2 { (m.word("who")) }
            dl.facts {
                (fact(m.word("card"), &match &payment.card {
                    Some(masked) => html! { span.card { (card(masked)) } },
                    None => html! { (m.word("anonymous")) },
                }))
                @if let Some((name, id)) = &payment.issuer {
                    (fact(m.word("issuer"), &html! { (name) " " span.at { (id) } }))
                }
                (fact(m.word("terminal"), &code(&payment.terminal)))
                (fact(m.word("retailer"), &code(&payment.retailer)))
                (fact(m.word("acquirer"), &html! {
                    (payment.acquirer.0) " " span.at { (payment.acquirer.1) }
                }))
                @if let Some(station) = &payment.station {
                    (fact(m.word("station"), &html! { (capital(station)) }))
                }
                (fact(m.word("rrn"), &code(&payment.rrn)))
                (fact(m.word("stan"), &code(&payment.stan)))
                @if let Some(approval) = &payment.approval {
                    (fact(m.word("approval_code"), &code(approval)))
                }
                @if !payment.code.is_empty() {
                    (fact(m.word("response"), &html! {
                        b { (payment.code) } " "
                        (m.code(&payment.code, payment.text.as_deref()))
                        @if let Some(text) = &payment.text { " " span.at { (text) } }
                    }))
                }
                @if payment.has_returned {
                    (fact(m.word("returned"), &html! { (grouped(&payment.returned)) }))
                }
                (fact(m.word("received"), &html! {
                    time datetime=(payment.at) { (moment(&payment.at, "")) " UTC" }
                }))
                (fact(m.word("business_date"), &html! {
                    (payment.business_date) ", "
                    (fill(m.word("cycle"), &[("n", &payment.cycle.to_string())]))
                }))
                @if let Some(original) = &story.refunds {
                    (fact(m.word("refund_of"), &html! {
                        a href={ "/payments/" (original) } { (m.word("story")) }
                    }))
                }
                (fact(m.word("payment_id"), &html! { code.long { (payment.id) } }))
            }
        }
    }
}

fn one(m: &Messages, payment: &Payment, step: &Step, begun: &str) -> Markup {
    let words = (m.step)(step.kind);
    let sentence = sentence(m, payment, step, words.sentence);
    html! {
        li class={ "step " (tone(step.kind)) } {
            div.moment {
                // A pre-authorisation may live for days.
                @if date(&step.at) != begun { span { (date(&step.at)) } }
                time datetime=(step.at) { (clock_ms(&step.at)) }
                span.at { "+" (duration(step.after_ms)) }
            }
            div {
                h3 { (words.title) }
                p { (sentence)
                    @if let Some(other) = &step.other {
                        " " a href={ "/payments/" (other) } { (m.word("story")) }
                    }
                }
                @for moved in &step.moves {
                    p.move {
                        span.leg { (m.leg(moved.leg)) } " "
                        b { (grouped(&moved.amount)) } " "
                        code { (moved.debit) } " \u{2192} " code { (moved.credit) }
                    }
                }
                p.small {
                    @if let Some((stan, sent)) = &step.trace {
                        (fill(m.word("de11"), &[("stan", stan), ("sent", sent)]))
                    }
                    @if let Some((record, frame)) = step.record {
                        span.record {
                            (m.word("record")) " " b { (count(record)) } ", "
                            (m.word("frame")) " " (count(frame))
                        }
                    }
                }
            }
        }
    }
}

fn sentence(m: &Messages, payment: &Payment, step: &Step, template: &str) -> String {
    let issuer = payment.issuer.as_ref().map_or(m.word("issuer"), |(name, _)| name);
    let code = step.code.as_deref().unwrap_or_default();
    let words = match step.finding {
        Some(kind) => m.finding(kind).to_owned(),
        None => format!("{code} {}", m.code(code, step.text.as_deref())),
    };
    let amount = step.amount.as_deref().map(grouped).unwrap_or_default();
    let first_hop = match &payment.station {
        Some(station) => format!("{} {}", m.word("station").to_lowercase(), capital(station)),
        None => m.word("hub").to_owned(),
    };
    let values = [
        ("issuer", issuer),
        ("terminal", payment.terminal.trim()),
        ("retailer", payment.retailer.trim()),
        ("first_hop", &first_hop),
        ("approval", step.approval.as_deref().unwrap_or_default()),
        ("amount", &amount),
        ("code", code),
        ("words", &words),
    ];
    fill(template, &values)
}

/// The colour of a step; its title says the same.
fn tone(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Received | StepKind::Opened | StepKind::Refund => "plain",
        StepKind::Held | StepKind::Posted | StepKind::Completed | StepKind::Acknowledged => "good",
        StepKind::CompletedLate | StepKind::Reversed | StepKind::ReversedInFlight => "back",
        StepKind::Refused | StepKind::Declined | StepKind::Voided | StepKind::Finding => "bad",
    }
}

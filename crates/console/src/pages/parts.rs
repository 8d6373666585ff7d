//! Pieces that several pages show.

use maud::{Markup, html};

use crate::text::{capital, card, date, duration, fill, grouped, moment};
use crate::view::{Fires, Frame, Health, Minute, Payment, Window};
use crate::{Messages, pictures};

/// `3 fires \u{b7} impaired`.
pub(super) fn fires_words(m: &Messages, number: u8) -> Markup {
    let (state, _) = m.fires[usize::from(number.min(5))];
    html! {
        span.state {
            b { @if number == 0 { (m.word("no_fire")) } @else {
                (number) " " @if number == 1 { (m.word("fire")) } @else { (m.word("fires")) }
            } }
            " \u{b7} " (state)
        }
    }
}

/// Why so many fires burn: the deciding reason first.
pub(super) fn reasons(m: &Messages, fires: &Fires) -> Markup {
    html! {
        ul.reasons {
            @for name in &fires.reasons { li { (m.reason(name)) } }
        }
    }
}

/// A label and its value.
pub(super) fn fact(label: &str, value: &Markup) -> Markup {
    html! { div { dt { (label) } dd { (value) } } }
}

/// A value that may not be known.
pub(super) fn known(m: &Messages, value: Option<String>) -> Markup {
    match value {
        Some(value) => html! { (value) },
        None => html! { span.unknown { (m.word("not_known")) } },
    }
}

/// Approved of all, percent.
pub(super) fn approval(m: &Messages, window: &Window) -> Markup {
    match &window.approval {
        Some(share) => html! { (share) },
        None => html! { span.unknown { (m.word("no_payments_yet")) } },
    }
}

/// The p99 of the latency; none without payments.
pub(super) fn p99(m: &Messages, window: &Window) -> Markup {
    match window.p99_ms {
        0 => html! { span.unknown { (m.word("no_payments_yet")) } },
        ms => html! { (duration(u64::from(ms))) },
    }
}

/// A trunk's state in words.
pub(super) fn trunk(m: &Messages, state: &str) -> Markup {
    let words = match state {
        "up" => m.word("trunk_up"),
        "suspect" => m.word("trunk_suspect"),
        _ => m.word("trunk_cut"),
    };
    html! { span class={ "link " (state) } { (words) } }
}

/// Bars of the last minutes with their legend.
pub(super) fn chart(m: &Messages, minutes: &[Minute]) -> Markup {
    let heading = fill(m.word("minutes"), &[("n", &minutes.len().to_string())]);
    let sum = |of: fn(&Minute) -> u64| {
        let sum: u64 = minutes.iter().map(of).sum();
        crate::text::count(sum)
    };
    html! {
        figure.chart {
            figcaption {
                h2 { (heading) }
                p.note { (m.word("per_minute")) }
            }
            (pictures::minutes(m, minutes))
            ul.legend {
                li.approved { (m.word("approved")) " " b { (sum(|m| m.approved)) } }
                li.declined { (m.word("declined")) " " b { (sum(|m| m.declined)) } }
                li.unavailable { (m.word("unavailable")) " " b { (sum(|m| m.unavailable)) } }
            }
        }
    }
}

/// What is known of a role's machine.
pub(super) fn health(m: &Messages, health: &Health) -> Markup {
    let disk = health.disk_free_percent.map(|percent| format!("{percent} %"));
    let certificate = match health.certificate_days {
        None => None,
        Some(None) => Some(m.word("plain").to_owned()),
        Some(Some(days)) => Some(fill(m.word("certificate_days"), &[("n", &days.to_string())])),
    };
    html! {
        (fact(m.word("disk"), &known(m, disk)))
        (fact(m.word("certificate"), &known(m, certificate)))
        (fact(m.word("clock"), &html! { (duration(health.clock_off_ms)) }))
    }
}

/// A mark and the word for a status.
pub(super) fn status(name: &'static str) -> Markup {
    html! { span class={ "status " (name) } { (name) } }
}

/// Payments as a table, each with its story behind it.
pub(super) fn payment_table(m: &Messages, payments: &[Payment], frame: &Frame) -> Markup {
    let today = date(&frame.at);
    html! {
        div.scroll {
            table.payments {
                thead {
                    tr {
                        th scope="col" { (m.word("time")) }
                        th scope="col" { (m.word("reference")) }
                        th scope="col" { (m.word("status")) }
                        th.amount scope="col" { (m.word("amount")) }
                        th scope="col" { (m.word("kind")) }
                        th scope="col" { (m.word("terminal")) }
                        th scope="col" { (m.word("card")) }
                        th scope="col" { (m.word("answer")) }
                    }
                }
                tbody { @for payment in payments { (row(m, payment, today)) } }
            }
        }
    }
}

fn row(m: &Messages, payment: &Payment, today: &str) -> Markup {
    html! {
        tr {
            td { time datetime=(payment.at) { (moment(&payment.at, today)) } }
            td { a.reference href={ "/payments/" (payment.id) } { (payment.rrn) } }
            td { (status(payment.status)) }
            td.amount { (grouped(&payment.amount)) }
            td {
                (m.kind(payment.kind))
                @if payment.synthetic { span.at { (m.word("synthetic")) } }
            }
            td {
                (payment.terminal)
                @if let Some(station) = &payment.station { span.at { (capital(station)) } }
            }
            td {
                @match &payment.card {
                    Some(masked) => { span.card { (card(masked)) } }
                    None => { span.unknown { (m.word("anonymous")) } }
                }
                @if let Some((name, _)) = &payment.issuer { span.at { (name) } }
            }
            td.answer {
                @if !payment.code.is_empty() {
                    b { (payment.code) } " "
                    span { (m.code(&payment.code, payment.text.as_deref())) }
                }
            }
        }
    }
}

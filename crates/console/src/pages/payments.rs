//! The list of payments, with what it may be narrowed by.

use maud::{Markup, html};

use super::document;
use super::parts::payment_table;
use crate::Messages;
use crate::view::{Filters, PaymentList};

/// The page.
pub fn payments(m: &Messages, list: &PaymentList) -> String {
    let body = html! {
        h1 { (m.word("payments")) }
        (form(m, &list.filters))
        section {
            @if list.incomplete { p.note role="alert" { strong { (m.word("incomplete")) } } }
            @if list.payments.is_empty() { p.note { (m.word("no_payments")) } }
            @else { (payment_table(m, &list.payments, &list.frame)) }
            @if let Some(next) = &list.next {
                p.more { a rel="next" href={ "/payments?" (next) } { (m.word("older")) } }
            }
        }
    };
    document(m, &list.frame, m.word("payments"), &body)
}

fn form(m: &Messages, filters: &Filters) -> Markup {
    let field = |name: &str, label: &str, value: &str, size: u32| {
        let example = matches!(name, "from" | "to").then(|| m.word("time_example"));
        html! {
            label { span { (label) }
                input name=(name) value=(value) size=(size) autocomplete="off"
                    placeholder=[example];
            }
        }
    };
    html! {
        form.filters method="get" action="/payments" {
            (field("rrn", m.word("rrn"), &filters.rrn, 14))
            (field("stan", m.word("stan"), &filters.stan, 8))
            (field("terminal", m.word("terminal"), &filters.terminal, 10))
            (field("from", m.word("from"), &filters.from, 22))
            (field("to", m.word("to"), &filters.to, 22))
            button { (m.word("find")) }
            a href="/payments" { (m.word("clear")) }
        }
    }
}

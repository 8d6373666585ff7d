//! The hub's front page: the nation at a glance.

use maud::{Markup, html};

use super::document;
use super::parts::{
    approval, chart, fact, fires_words, health, known, p99, payment_table, reasons, trunk,
};
use crate::text::{capital, count, date, fill, grouped, moment, percent};
use crate::view::{Bank, Overview, Station};
use crate::{Messages, pictures};

/// A cap of which so much is in use, of 10,000, asks for a look.
const CAP_ALARMING: u64 = 8_000;

/// The page.
pub fn overview(m: &Messages, view: &Overview) -> String {
    let body = html! {
        (lead(m, view))
        section {
            h2 { (m.word("stations")) }
            div.stations { @for station in &view.stations { (card(m, station)) } }
        }
        div.two {
            (chart(m, &view.minutes))
            (day(m, view))
        }
        (banks(m, view))
        section {
            div.heading {
                h2 { (m.word("latest")) }
                a href="/payments" { (m.word("all_payments")) }
            }
            @if view.latest.is_empty() { p.note { (m.word("no_payments_yet")) } }
            @else { (payment_table(m, &view.latest, &view.frame)) }
        }
        div.two {
            (findings(m, view))
            section {
                h2 { (m.word("machine")) }
                dl.facts {
                    (fact(m.word("records"), &html! { (count(view.records)) }))
                    (health(m, &view.health))
                }
            }
        }
    };
    document(m, &view.frame, m.word("overview"), &body)
}

fn lead(m: &Messages, view: &Overview) -> Markup {
    let number = view.fires.number;
    let (_, sentence) = m.fires[usize::from(number.min(5))];
    html! {
        section class={ "lead level-" (number) } {
            (pictures::beacons(number))
            div {
                h1 { (fires_words(m, number)) }
                p {
                    @if let Some(station) = most_urgent(view) { (capital(&station.name)) ": " }
                    (sentence)
                }
                (reasons(m, &view.fires))
            }
            dl.figures {
                (fact(m.word("rate"), &html! { (view.window.per_s) }))
                (fact(m.word("approval"), &approval(m, &view.window)))
                (fact(m.word("p99"), &p99(m, &view.window)))
                (fact(m.word("in_flight"), &html! { (count(view.in_flight)) }))
                (fact(m.word("owed_to_banks"), &html! { (count(view.owed)) }))
            }
        }
    }
}

/// The station whose fires are the nation's, where they call for somebody.
fn most_urgent(view: &Overview) -> Option<&Station> {
    view.stations.first().filter(|first| first.fires == view.fires && first.fires.number != 1)
}

/// A station with its fires.
fn card(m: &Messages, station: &Station) -> Markup {
    let window = station.window.as_ref();
    let online = station.online.map(|online| {
        let all = station.terminals.to_string();
        fill(m.word("online"), &[("n", &online.to_string()), ("all", &all)])
    });
    let rate = window.map(|window| window.per_s.clone());
    let silent = match station.silent_ms {
        None => m.word("never").to_owned(),
        Some(ms) => fill(m.word("ago"), &[("s", &format!("{}.{}", ms / 1000, ms % 1000 / 100))]),
    };
    html! {
        article class={ "station level-" (station.fires.number) } {
            header {
                h3 { (capital(&station.name)) }
                (pictures::beacons(station.fires.number))
                p { (fires_words(m, station.fires.number)) }
                (reasons(m, &station.fires))
            }
            dl.facts {
                (fact(m.word("trunk"), &trunk(m, station.trunk)))
                (fact(m.word("terminals"), &known(m, online)))
                (fact(m.word("rate"), &known(m, rate)))
                (fact(m.word("approval"), &match window {
                    Some(window) => approval(m, window),
                    None => known(m, None),
                }))
                (fact(m.word("p99"), &match window {
                    Some(window) => p99(m, window),
                    None => known(m, None),
                }))
                (fact(m.word("owed_to_hub"), &known(m, station.saf_depth.map(count))))
                (fact(m.word("last_word"), &html! { (silent) }))
            }
        }
    }
}

fn day(m: &Messages, view: &Overview) -> Markup {
    let day = &view.day;
    let money = |amount: &str| html! { (grouped(amount)) " " small { (view.currency) } };
    html! {
        section.day {
            h2 { (m.word("the_day")) }
            p.note { (day.date) ", " (fill(m.word("cycle"), &[("n", &day.cycle.to_string())])) }
            dl.facts {
                (fact(m.word("volume"), &money(&day.amount)))
                (fact(m.word("returned"), &money(&day.returned)))
                (fact(m.word("approved"), &html! { (count(day.approved)) }))
                (fact(m.word("declined"), &html! { (count(day.declined)) }))
                (fact(m.word("reversed"), &html! { (count(day.reversed)) }))
            }
        }
    }
}

fn banks(m: &Messages, view: &Overview) -> Markup {
    html! {
        section {
            h2 { (m.word("banks")) }
            div.scroll {
                table.banks {
                    thead {
                        tr {
                            th scope="col" { (m.word("bank")) }
                            th scope="col" { (m.word("link")) }
                            th.amount scope="col" { (m.word("net_position")) }
                            th.amount scope="col" { (m.word("held")) }
                            th.amount scope="col" { (m.word("cap")) }
                            th.use scope="col" { (m.word("cap_used")) }
                            th.amount scope="col" { (m.word("advices")) }
                        }
                    }
                    tbody { @for bank in &view.banks { (bank_row(m, bank)) } }
                }
            }
        }
    }
}

fn bank_row(m: &Messages, bank: &Bank) -> Markup {
    let (class, word) =
        if bank.signed_on { ("up", m.word("signed_on")) } else { ("cut", m.word("down")) };
    let lines = match bank.connections {
        1 => m.word("connection").to_owned(),
        n => fill(m.word("connections"), &[("n", &n.to_string())]),
    };
    // On a phone a row is a card, and each figure has its label before it.
    html! {
        tr {
            th scope="row" { (bank.title) span.at { (bank.id) } }
            td { span class={ "link " (class) } { (word) } span.at { (lines) } }
            td.amount data-label=(m.word("net_position")) { (grouped(&bank.net_position)) }
            td.amount data-label=(m.word("held")) { (grouped(&bank.held)) }
            td.amount data-label=(m.word("cap")) { (grouped(&bank.cap)) }
            td.use data-label=(m.word("cap_used")) {
                (pictures::share(bank.cap_used, bank.cap_used >= CAP_ALARMING))
                span { (percent(bank.cap_used)) }
            }
            td.amount data-label=(m.word("advices")) { (count(bank.advices)) }
        }
    }
}

fn findings(m: &Messages, view: &Overview) -> Markup {
    html! {
        section.findings {
            h2 { (m.word("findings")) " " span.count { (count(view.findings)) } }
            @if view.findings == 0 { p.note { (m.word("no_findings")) } }
            ul.kinds {
                @for (kind, number) in &view.findings_by_kind {
                    li { b { (count(*number)) } " " (m.finding(kind)) }
                }
            }
            @if !view.latest_findings.is_empty() {
                h3 { (m.word("latest_findings")) }
                ol {
                    @for finding in &view.latest_findings {
                        li {
                            time datetime=(finding.at) {
                                (moment(&finding.at, date(&view.frame.at)))
                            }
                            " " (m.finding(finding.kind))
                            @if let Some(participant) = &finding.participant {
                                ", " (m.word("bank")) " " (participant)
                            }
                            @if let Some(payment) = &finding.payment {
                                ", " a href={ "/payments/" (payment) } { (m.word("story")) }
                            }
                            span.at { (m.word("record")) " " (count(finding.record)) }
                        }
                    }
                }
            }
        }
    }
}

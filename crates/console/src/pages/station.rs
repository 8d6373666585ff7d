//! A station's own page: what a technician who stands before it needs, without trunk or hub.

use maud::{Markup, html};

use super::document;
use super::parts::{approval, chart, fact, fires_words, health, known, p99, reasons, trunk};
use crate::text::{capital, count, fill};
use crate::view::{OwnPage, Probe};
use crate::{Messages, pictures};

pub(super) fn page(m: &Messages, page: &OwnPage) -> String {
    let station = &page.station;
    let number = station.fires.number;
    let (_, sentence) = m.fires[usize::from(number.min(5))];
    let body = html! {
        section class={ "lead level-" (number) } {
            (pictures::beacons(number))
            div {
                h1 { (capital(&station.name)) }
                p { (fires_words(m, number)) }
                p { (sentence) }
                (reasons(m, &station.fires))
            }
        }
        div.three {
            section {
                h2 { (m.word("trunk")) }
                dl.facts {
                    (fact(m.word("link"), &trunk(m, station.trunk)))
                    (fact(m.word("requests"), &html! { (count(page.in_flight)) }))
                    (fact(m.word("unacknowledged"), &html! { (count(station.unacknowledged)) }))
                    (fact(m.word("epoch"), &html! { (count(page.epoch)) }))
                }
            }
            section {
                h2 { (m.word("last_minute")) }
                dl.facts {
                    (minute(m, page))
                    (fact(m.word("probe"), &probe(m, &page.probe)))
                }
            }
            section {
                h2 { (m.word("saf")) }
                dl.facts { (saf(m, page)) }
            }
        }
        div.two {
            (chart(m, &page.minutes))
            section {
                h2 { (m.word("machine")) }
                dl.facts { (health(m, &page.health)) }
            }
        }
        p.note { (m.word("own_page")) " " (m.word("banks_not_seen")) }
    };
    document(m, &page.frame, &capital(&station.name), &body)
}

fn minute(m: &Messages, page: &OwnPage) -> Markup {
    let station = &page.station;
    let online = station.online.map(|online| {
        let all = station.terminals.to_string();
        fill(m.word("online"), &[("n", &online.to_string()), ("all", &all)])
    });
    html! {
        (fact(m.word("terminals"), &known(m, online)))
        @if let Some(window) = &station.window {
            (fact(m.word("rate"), &html! { (window.per_s) }))
            (fact(m.word("approval"), &approval(m, window)))
            (fact(m.word("unavailable"), &html! { (count(window.unavailable)) }))
            (fact(m.word("p99"), &p99(m, window)))
        }
    }
}

fn probe(m: &Messages, probe: &Probe) -> Markup {
    match probe {
        Probe::Absent => html! { span.unknown { (m.word("probe_absent")) } },
        Probe::Expected => html! { span.unknown { (m.word("probe_expected")) } },
        Probe::Succeeded(ms) => {
            let s = (ms / 1000).to_string();
            html! { (fill(m.word("probe_succeeded"), &[("s", &s)])) }
        }
        Probe::Failed(code) => html! { (fill(m.word("probe_failed"), &[("code", code)])) },
    }
}

fn saf(m: &Messages, page: &OwnPage) -> Markup {
    let oldest = page.station.saf_oldest_s.filter(|_| page.station.saf_depth != Some(0));
    html! {
        (fact(m.word("owed_to_hub"), &html! {
            (known(m, page.station.saf_depth.map(count)))
            @if let Some(seconds) = oldest {
                ", " (fill(m.word("owed_oldest"), &[("s", &seconds.to_string())]))
            }
        }))
        (fact(m.word("records"), &html! { (count(page.records)) }))
    }
}

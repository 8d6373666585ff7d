//! The pages.

mod overview;
mod parts;
mod payments;
mod station;
mod story;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, html};

use crate::Messages;
use crate::text::{capital, clock, date, fill};
use crate::view::{Frame, OwnPage, Trouble};

pub use overview::overview;
pub use payments::payments;
pub use story::story;

/// A station's own page.
pub fn station(m: &Messages, page: &OwnPage) -> String {
    station::page(m, page)
}

/// What went wrong.
pub fn trouble(m: &Messages, trouble: &Trouble) -> String {
    let title = match trouble.status {
        400 => m.word("trouble_asked"),
        404 => m.word("trouble_absent"),
        _ => m.word("trouble"),
    };
    let body = html! {
        section.trouble {
            p.lead { (trouble.status) }
            h1 { (title) }
            p { code { (trouble.place) } ": " (trouble.message) "." }
            p { b { (m.word("do")) } ": " (trouble.remedy) "." }
            p { a href="/" { (m.word("back")) } }
        }
    };
    document(m, &trouble.frame, title, &body)
}

/// A whole page.
fn document(m: &Messages, frame: &Frame, title: &str, body: &Markup) -> String {
    let hub = frame.role == "hub";
    let role = if hub { m.word("hub").to_owned() } else { capital(&frame.role) };
    let page = html! {
        (DOCTYPE)
        html lang=(m.language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                @if let Some(seconds) = frame.refresh_s {
                    meta http-equiv="refresh" content=(seconds);
                }
                title { (title) " \u{b7} " (frame.nation) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg" type="image/svg+xml";
            }
            body {
                a.skip href="#content" { (m.word("skip")) }
                header.top {
                    p.name { a href="/" { (frame.nation) } " " span { (role) } }
                    nav {
                        a href="/" { (m.word("overview")) }
                        @if hub { " " a href="/payments" { (m.word("payments")) } }
                    }
                    (when(m, frame))
                }
                main id="content" { (body) }
                footer {
                    p { (m.word("footer")) " \u{b7} " (frame.version) }
                }
            }
        }
    };
    page.into_string()
}

fn when(m: &Messages, frame: &Frame) -> Markup {
    html! {
        p.when {
            // A page that shows nothing of the role has no time.
            @if !frame.at.is_empty() {
                (m.word("as_of")) " "
                time datetime=(frame.at) { (clock(&frame.at)) " UTC, " (date(&frame.at)) }
            }
            @if let Some(seconds) = frame.refresh_s {
                span { ", " (fill(m.word("asks_again"), &[("s", &seconds.to_string())])) }
            }
        }
    }
}

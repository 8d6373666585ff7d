//! What pages must hold, whatever they are given.

use crate::ENGLISH;
use crate::view::{
    Bank, Finding, Fires, Frame, Overview, OwnPage, Payment, Station, Step, StepKind, Story,
};
use crate::view::{PaymentList, Trouble};

fn frame() -> Frame {
    Frame {
        nation: "A <nation> & \"more\"".into(),
        role: "hub".into(),
        version: "0.1.0".into(),
        at: "2026-11-22T12:19:22.123Z".into(),
        refresh_s: Some(5),
    }
}

fn payment() -> Payment {
    Payment {
        id: "ab".into(),
        rrn: "6326PY<b>".into(),
        status: "posted",
        kind: "purchase",
        amount: "1234.50".into(),
        currency: "KPW".into(),
        code: "00".into(),
        terminal: "PYO00001".into(),
        card: Some("94080200****0015".into()),
        issuer: Some(("Harbour Bank".into(), "100002".into())),
        ..Payment::default()
    }
}

fn step(kind: StepKind) -> Step {
    Step {
        kind,
        at: "2026-11-22T12:19:22.123Z".into(),
        after_ms: 12,
        record: Some((4711, 12)),
        code: Some("91".into()),
        text: Some("ISSUER LATE".into()),
        approval: Some("A00001".into()),
        amount: Some("10.00".into()),
        other: None,
        finding: None,
        trace: None,
        moves: Vec::new(),
    }
}

fn pages() -> Vec<String> {
    let station = Station {
        name: "nampo".into(),
        fires: Fires { number: 4, reasons: vec!["trunk_cut", "no_payment"] },
        trunk: "cut",
        ..Station::default()
    };
    let overview = Overview {
        frame: frame(),
        fires: Fires { number: 0, reasons: vec!["silent"] },
        stations: vec![station.clone()],
        latest: vec![payment()],
        latest_findings: vec![Finding {
            kind: "over_completion",
            at: "2026-11-20T08:00:01.000Z".into(),
            ..Finding::default()
        }],
        banks: vec![Bank { title: "Harbour Bank".into(), ..Bank::default() }],
        ..Overview::default()
    };
    let own = OwnPage { frame: frame(), station, ..OwnPage::default() };
    let list = PaymentList { frame: frame(), payments: vec![payment()], ..PaymentList::default() };
    let steps = vec![step(StepKind::Opened), step(StepKind::Voided)];
    let story = Story { frame: frame(), payment: payment(), steps, ..Story::default() };
    let trouble = Trouble { frame: frame(), place: "/<x>".into(), ..Trouble::default() };
    vec![
        super::overview(&ENGLISH, &overview),
        super::station(&ENGLISH, &own),
        super::payments(&ENGLISH, &list),
        super::story(&ENGLISH, &story),
        super::trouble(&ENGLISH, &trouble),
    ]
}

/// The content security policy allows no inline script or style, and nothing from outside.
#[test]
fn pages_escape_what_they_show_and_need_no_script() {
    for page in pages() {
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{page}");
        assert!(page.contains("A &lt;nation&gt; &amp; &quot;more&quot;"), "{page}");
        assert!(!page.contains("<nation>") && !page.contains("PY<b>"), "{page}");
        for forbidden in ["<script", " style=", "<style", "javascript:", "http://", "https://"] {
            assert!(!page.contains(forbidden), "{forbidden} in {page}");
        }
        assert_eq!(page.matches("<main").count(), 1);
        assert_eq!(page.matches("<h1").count(), 1, "{page}");
        assert!(!page.contains('{'), "a template that was not filled: {page}");
    }
}

/// Whatever a colour says, words say too.
#[test]
fn fires_and_statuses_stand_in_words() {
    let pages = pages();
    assert!(pages[0].contains("<b>no fire</b>") && pages[0].contains("no word for ten seconds"));
    assert!(pages[0].contains("<b>4 fires</b> \u{b7} isolated"), "{}", pages[0]);
    assert!(!pages[0].contains("Nampo: "), "the nation's fires are not this station's");
    assert!(pages[1].contains("its trunk to the hub is cut"));
    assert!(pages[0].contains("1,234.50") && pages[0].contains("posted"));
    assert!(pages[3].contains("Harbour Bank is owed a reversal"), "{}", pages[3]);
    assert!(pages[3].contains("91 the issuer did not answer in time"));
    assert!(pages[3].contains("record <b>4,711</b>"));
    assert!(pages[3].contains("9408 0200 \u{2022}\u{2022}\u{2022}\u{2022} 0015"));
}

/// A time alone is of the page's day.
#[test]
fn what_is_of_another_day_has_its_date() {
    let pages = pages();
    assert!(pages[0].contains(">2026-11-20 08:00:01<"), "{}", pages[0]);
    let today = PaymentList {
        frame: frame(),
        payments: vec![Payment { at: frame().at, ..payment() }],
        ..PaymentList::default()
    };
    assert!(super::payments(&ENGLISH, &today).contains(">12:19:22<"));
    let first = Step { at: "2026-11-19T12:00:00.000Z".into(), ..step(StepKind::Opened) };
    let steps = vec![first, step(StepKind::Voided)];
    let story = Story { frame: frame(), payment: payment(), steps, ..Story::default() };
    let page = super::story(&ENGLISH, &story);
    assert_eq!(page.matches("<span>2026-11-22</span>").count(), 1, "{page}");
}

#[test]
fn an_error_says_where_what_and_what_to_do() {
    let trouble = Trouble {
        status: 404,
        message: "this role has nothing here".into(),
        place: "/nosuch".into(),
        remedy: "see /api".into(),
        ..Trouble::default()
    };
    let page = super::trouble(&ENGLISH, &trouble);
    assert!(page.contains("<code>/nosuch</code>: this role has nothing here."), "{page}");
    assert!(page.contains("There is nothing here") && !page.contains("As of"), "{page}");
}

#[test]
fn every_step_has_words_of_its_own() {
    let kinds = [
        StepKind::Received,
        StepKind::Opened,
        StepKind::Refused,
        StepKind::Held,
        StepKind::Posted,
        StepKind::Declined,
        StepKind::Voided,
        StepKind::Completed,
        StepKind::CompletedLate,
        StepKind::Reversed,
        StepKind::ReversedInFlight,
        StepKind::Refund,
        StepKind::Acknowledged,
        StepKind::Finding,
    ];
    let titles: std::collections::BTreeSet<_> =
        kinds.iter().map(|kind| (ENGLISH.step)(*kind).title).collect();
    assert_eq!(titles.len(), kinds.len());
}

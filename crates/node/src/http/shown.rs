//! What the role says, as what pages show.

use console::view as page;
use host::Health;
use host::fires::Known;
use host::story::{Story, StoryStep, What};
use host::view::{
    BankView, FindingView, FiresView, MinuteView, Overview, PaymentView, ProbeView, StationView,
    WindowView,
};

/// Names of banks by their codes.
pub(super) type Names = Vec<(String, String)>;

pub(super) fn names(overview: &Overview) -> Names {
    overview.banks.iter().map(|bank| (bank.id.clone(), bank.title.clone())).collect()
}

pub(super) fn overview(
    frame: page::Frame,
    view: &Overview,
    latest: Vec<PaymentView>,
) -> page::Overview {
    let names = names(view);
    page::Overview {
        frame,
        fires: fires(&view.fires),
        currency: view.currency.clone(),
        window: window(&view.window),
        minutes: view.minutes.iter().map(minute).collect(),
        day: page::Day {
            date: view.day.date.clone(),
            cycle: view.cycle,
            approved: view.day.approved,
            declined: view.day.declined,
            reversed: view.day.reversed,
            amount: view.day.amount.clone(),
            returned: view.day.returned.clone(),
        },
        in_flight: view.in_flight,
        owed: view.saf_depth,
        records: view.records,
        stations: view.stations.iter().map(station).collect(),
        banks: view.banks.iter().map(bank).collect(),
        latest: latest.iter().map(|view| payment(view, &names)).collect(),
        findings: view.findings,
        findings_by_kind: view.findings_by_kind.clone(),
        latest_findings: view.latest_findings.iter().map(finding).collect(),
        health: health(view.health, view.clock_off_ms),
    }
}

pub(super) fn own(frame: page::Frame, view: &Overview) -> page::OwnPage {
    page::OwnPage {
        frame,
        station: view.stations.first().map(station).unwrap_or_default(),
        minutes: view.minutes.iter().map(minute).collect(),
        in_flight: view.in_flight,
        records: view.records,
        epoch: view.epoch,
        probe: probe(view.probe.as_ref()),
        health: health(view.health, view.clock_off_ms),
    }
}

fn probe(view: Option<&ProbeView>) -> page::Probe {
    match view {
        Some(view) if view.terminal.is_some() && view.cards > 0 => {
            match (&view.failed, view.succeeded_ms) {
                (Some(code), _) => page::Probe::Failed(code.clone()),
                (None, Some(ms)) => page::Probe::Succeeded(ms),
                (None, None) => page::Probe::Expected,
            }
        }
        Some(_) | None => page::Probe::Absent,
    }
}

fn fires(view: &FiresView) -> page::Fires {
    let reasons = view.reasons.iter().map(|reason| reason.name()).collect();
    page::Fires { number: view.number, reasons }
}

fn window(view: &WindowView) -> page::Window {
    let percent = |share: u64| format!("{}.{} %", share / 100, share % 100 / 10);
    page::Window {
        approved: view.approved,
        declined: view.declined,
        unavailable: view.unavailable,
        per_s: format!("{}.{}", view.per_s_milli / 1000, view.per_s_milli % 1000 / 100),
        approval: view.approved_of_10_000().map(percent),
        p99_ms: view.p99_ms,
    }
}

fn minute(view: &MinuteView) -> page::Minute {
    let MinuteView { at, approved, declined, unavailable } = *view;
    page::Minute { at: at.to_string(), approved, declined, unavailable }
}

fn station(view: &StationView) -> page::Station {
    page::Station {
        name: view.name.clone(),
        fires: fires(&view.fires),
        online: view.terminals_online,
        terminals: view.terminals,
        trunk: view.trunk.state,
        unacknowledged: view.trunk.unacknowledged,
        window: view.window.as_ref().map(window),
        saf_depth: view.saf_depth,
        saf_oldest_s: view.saf_oldest_s,
        silent_ms: view.silent_ms,
    }
}

fn bank(view: &BankView) -> page::Bank {
    page::Bank {
        id: view.id.clone(),
        title: view.title.clone(),
        signed_on: view.state == "signed_on",
        connections: view.connections,
        net_position: view.net_position.clone(),
        cap: view.cap.clone(),
        held: view.held.clone(),
        room: view.room.clone(),
        cap_used: view.cap_used,
        advices: view.advices,
    }
}

fn finding(view: &FindingView) -> page::Finding {
    page::Finding {
        record: view.record,
        at: view.at.to_string(),
        kind: view.kind,
        payment: view.payment.clone(),
        participant: view.participant.clone(),
    }
}

fn health(health: Health, clock_off_ms: u64) -> page::Health {
    page::Health {
        disk_free_percent: match health.disk_free_percent {
            Known::Is(percent) => Some(percent),
            Known::NotKnown | Known::NotHere => None,
        },
        certificate_days: match health.certificate_days {
            Known::Is(days) => Some(Some(days)),
            Known::NotHere => Some(None),
            Known::NotKnown => None,
        },
        clock_off_ms,
    }
}

fn named(id: &str, names: &Names) -> (String, String) {
    let name = names.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone());
    (name.unwrap_or_else(|| id.to_owned()), id.to_owned())
}

pub(super) fn payment(view: &PaymentView, names: &Names) -> page::Payment {
    page::Payment {
        id: view.id.clone(),
        rrn: view.rrn.clone(),
        stan: view.stan.clone(),
        at: view.at.to_string(),
        status: view.status,
        kind: view.kind,
        amount: view.amount.clone(),
        currency: view.currency.clone(),
        code: view.response_code.clone(),
        text: view.text.clone(),
        approval: view.approval_code.clone(),
        station: view.station.clone(),
        terminal: view.terminal.clone(),
        retailer: view.retailer.clone(),
        acquirer: named(&view.acquirer, names),
        issuer: view.issuer.as_ref().map(|issuer| named(issuer, names)),
        card: view.card.clone(),
        business_date: view.business_date.clone(),
        cycle: view.cycle,
        has_returned: view.returned.bytes().any(|b| (b'1'..=b'9').contains(&b)),
        returned: view.returned.clone(),
        reversal_acknowledged: view.reversal_acknowledged,
        synthetic: view.synthetic,
    }
}

pub(super) fn story(frame: page::Frame, story: &Story, names: &Names) -> page::Story {
    let payment = payment(&story.payment, names);
    let began = story.first_received.unwrap_or(story.payment.at);
    let mut steps = Vec::new();
    if let Some(first) = story.first_received {
        steps.push(page::Step {
            kind: page::StepKind::Received,
            at: first.to_string(),
            after_ms: 0,
            record: None,
            code: None,
            text: None,
            approval: None,
            amount: None,
            other: None,
            finding: None,
            trace: None,
            moves: Vec::new(),
        });
    }
    steps.extend(story.steps.iter().map(|found| step(found, began)));
    let (complete, refunds) = (story.complete, story.refunds.clone());
    page::Story { frame, payment, steps, complete, refunds }
}

fn step(step: &StoryStep, began: scheme::Timestamp) -> page::Step {
    let mut shown = page::Step {
        kind: kind(&step.what),
        at: step.at.to_string(),
        after_ms: step.at.ms_since(began),
        record: Some((step.record, step.frame)),
        code: None,
        text: None,
        approval: None,
        amount: None,
        other: None,
        finding: None,
        trace: step.trace.clone(),
        moves: step
            .moves
            .iter()
            .map(|moved| page::Move {
                leg: moved.leg,
                debit: moved.debit.clone(),
                credit: moved.credit.clone(),
                amount: moved.amount.clone(),
            })
            .collect(),
    };
    match &step.what {
        What::Opened => {}
        What::Refused { code, text }
        | What::Declined { code, text }
        | What::Voided { code, text } => {
            shown.code = Some(code.clone());
            shown.text = Some(text.clone()).filter(|text| !text.is_empty());
        }
        What::Held { approval } | What::Posted { approval } => {
            shown.approval = Some(approval.clone());
        }
        What::Completed { amount, .. } => shown.amount = Some(amount.clone()),
        What::Reversed { amount, code, .. } => {
            (shown.amount, shown.code) = (Some(amount.clone()), Some(code.clone()));
        }
        What::Refund { id, amount } => {
            (shown.other, shown.amount) = (Some(id.clone()), Some(amount.clone()));
        }
        What::Acknowledged { code } => shown.code = Some(code.clone()),
        What::Finding { kind } => shown.finding = Some(kind),
    }
    shown
}

fn kind(what: &What) -> page::StepKind {
    match what {
        What::Opened => page::StepKind::Opened,
        What::Refused { .. } => page::StepKind::Refused,
        What::Held { .. } => page::StepKind::Held,
        What::Posted { .. } => page::StepKind::Posted,
        What::Declined { .. } => page::StepKind::Declined,
        What::Voided { .. } => page::StepKind::Voided,
        What::Completed { late: false, .. } => page::StepKind::Completed,
        What::Completed { late: true, .. } => page::StepKind::CompletedLate,
        What::Reversed { in_flight: false, .. } => page::StepKind::Reversed,
        What::Reversed { in_flight: true, .. } => page::StepKind::ReversedInFlight,
        What::Refund { .. } => page::StepKind::Refund,
        What::Acknowledged { .. } => page::StepKind::Acknowledged,
        What::Finding { .. } => page::StepKind::Finding,
    }
}

#[cfg(test)]
mod tests {
    use console::ENGLISH;
    use host::fires::Reason;

    /// Pages have words for everything that a role may say.
    #[test]
    fn every_reason_and_finding_has_words() {
        for reason in Reason::ALL {
            assert!(ENGLISH.knows(reason.name()), "{reason:?}");
        }
        for kind in switch::record::FindingKind::ALL {
            assert!(ENGLISH.knows(kind.name()), "{kind:?}");
        }
        for reason in scheme::Reason::ALL {
            let words = ENGLISH.code(reason.response_code().as_str(), Some(reason.text()));
            assert_ne!(words, ENGLISH.code("??", None), "{reason:?}");
        }
    }
}

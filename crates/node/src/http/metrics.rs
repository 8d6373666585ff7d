//! Prometheus' text format (version 0.0.4): the role's counters and the shell's own.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use host::view::Metric;

use crate::commit::CommitCounts;
use crate::event_loop::LoopCounts;

/// All samples, each name once with its help and type in front.
pub(super) fn render(
    mut list: Vec<Metric>,
    turns: &LoopCounts,
    commits: Option<&CommitCounts>,
) -> String {
    list.extend(of_loop(turns));
    list.extend(commits.into_iter().flat_map(of_commits));
    // All samples of a name stand together, in the order in which the names first came.
    let mut text = String::new();
    let mut done: Vec<&'static str> = Vec::new();
    for first in &list {
        if done.contains(&first.name) {
            continue;
        }
        done.push(first.name);
        let help = first.help.replace('\\', "\\\\").replace('\n', "\\n");
        let kind = if first.counter { "counter" } else { "gauge" };
        // Writing to a string can't fail.
        let _ = writeln!(text, "# HELP {} {help}\n# TYPE {} {kind}", first.name, first.name);
        for sample in list.iter().filter(|sample| sample.name == first.name) {
            let _ = match sample.labels.as_str() {
                "" => writeln!(text, "{} {}", sample.name, sample.value),
                labels => writeln!(text, "{}{{{labels}}} {}", sample.name, sample.value),
            };
        }
    }
    text
}

fn metric(name: &'static str, help: &'static str, counter: bool, value: u64) -> Metric {
    Metric { name, help, counter, labels: String::new(), value }
}

fn of_loop(turns: &LoopCounts) -> Vec<Metric> {
    let counter =
        |name, help, value: &AtomicU64| metric(name, help, true, value.load(Ordering::Relaxed));
    let mut list = vec![
        counter("bongsu_loop_turns_total", "Turns of the event loop.", &turns.turns),
        counter("bongsu_accepted_total", "Connections through doors.", &turns.accepted),
        counter(
            "bongsu_accepts_waited_total",
            "Callers beyond a door's rate.",
            &turns.accepts_waited,
        ),
        counter("bongsu_dialled_total", "Calls that went through.", &turns.dialled),
        counter("bongsu_dials_failed_total", "Calls that did not.", &turns.dials_failed),
        counter("bongsu_reads_total", "System calls that read bytes.", &turns.reads),
        counter("bongsu_read_bytes_total", "Bytes read.", &turns.read_bytes),
        counter("bongsu_writes_total", "Writes, one a turn and connection.", &turns.writes),
        counter("bongsu_written_bytes_total", "Bytes written.", &turns.written_bytes),
        counter("bongsu_questions_total", "Questions of pages and commands.", &turns.questions),
    ];
    let connections = turns.connections.load(Ordering::Relaxed);
    list.push(metric("bongsu_connections", "Connections now.", false, connections));
    if let Some(days) = turns.certificate_days(crate::clock::read().wall) {
        let help = "Days until the role's certificate ends, 0 once it has.";
        let left = u64::try_from(days).unwrap_or(0);
        list.push(metric("bongsu_certificate_days", help, false, left));
    }
    for (why, value) in turns.closed_by_reason() {
        let (name, help) = ("bongsu_connections_closed_total", "Connections closed, by reason.");
        let labels = format!("reason=\"{why}\"");
        list.push(Metric { name, help, counter: true, labels, value });
    }
    list
}

fn of_commits(commits: &CommitCounts) -> Vec<Metric> {
    let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
    let counter = |name, help, value| metric(name, help, true, read(value));
    let longest = read(&commits.longest_ns) / 1000;
    let no_room = u64::from(commits.no_room.load(Ordering::Relaxed));
    vec![
        counter("bongsu_commits_total", "Frames made durable by a sync.", &commits.commits),
        counter("bongsu_commit_records_total", "Records in these frames.", &commits.records),
        counter("bongsu_commit_bytes_total", "Bytes of these frames.", &commits.bytes),
        counter("bongsu_commit_busy_ns_total", "Time of writes and syncs.", &commits.busy_ns),
        counter("bongsu_commit_stalls_total", "Commits that took over 40 ms.", &commits.stalls),
        counter("bongsu_heads_total", "Heads of the journal written.", &commits.heads),
        counter("bongsu_snapshots_total", "Snapshots begun.", &commits.snapshots),
        metric("bongsu_commit_longest_us", "The longest write and sync.", false, longest),
        metric("bongsu_journal_no_room", "1: no space one segment ahead.", false, no_room),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_name_stand_together_under_one_help() {
        let sample = |name, labels: &str, value| Metric {
            name,
            help: "a\nb",
            counter: true,
            labels: labels.to_owned(),
            value,
        };
        let list = vec![sample("x", "k=\"1\"", 1), sample("y", "", 2), sample("x", "k=\"2\"", 3)];
        let text = render(list, &LoopCounts::default(), None);
        let expected = "# HELP x a\\nb\n# TYPE x counter\nx{k=\"1\"} 1\nx{k=\"2\"} 3\n\
                        # HELP y a\\nb\n# TYPE y counter\ny 2\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("\nbongsu_connections 0\n"));
    }
}

//! Pictures as inline SVG: beacons, bars, shares. Shapes carry classes, the style sheet colours.

use maud::{Markup, html};

use crate::Messages;
use crate::text::{clock, fill};
use crate::view::Minute;

/// Width of one hearth and the space to the next, in the picture's units.
const STEP: u32 = 34;

/// Five hearths in a row on their wall, so many of them alight. The words stand beside it.
pub(crate) fn beacons(number: u8) -> Markup {
    html! {
        svg class={ "beacons lit-" (number) } viewBox="0 0 176 74" aria-hidden="true" {
            @for hearth in 0..5u8 {
                @let x = 4 + u32::from(hearth) * STEP;
                g transform={ "translate(" (x) " 0)" } {
                    @if hearth < number {
                        g class={ "flame flame-" (hearth) } {
                            ellipse class="glow" cx="16" cy="28" rx="17" ry="20" {}
                            path class="outer" d="M16 4C17 12 26 16 26 28C26 36 21.500 40 16 40\
                                C10.500 40 6 36 6 28C6 22 9 19.500 10.500 15C12 18 13.500 \
                                18.500 14 17.500C14.500 13 14.500 8 16 4Z" {}
                            path class="inner" d="M16 20C16.500 24 21 26 21 32C21 37 18.500 \
                                40 16 40C13.500 40 11 37 11 32.500C11 29 13 28.500 13.500 \
                                26C14.500 27.500 15.500 25 16 20Z" {}
                        }
                    }
                    path class="hearth" d="M8 42H24L27 68H5Z" {}
                    path class="cap" d="M6 38.500H26V43H6Z" {}
                    path class="mouth" d="M13 68V61A3 3 0 0 1 19 61V68Z" {}
                    path class="course" d="M7.300 50H24.700M6.400 58H25.600" {}
                }
            }
            path class="ground" d="M0 69.500H176" {}
        }
    }
}

/// A share of a whole, of 10,000.
pub(crate) fn share(of_10_000: u64, alarming: bool) -> Markup {
    let width = of_10_000.min(10_000);
    let class = if alarming { "share alarming" } else { "share" };
    html! {
        svg class=(class) viewBox="0 0 10000 600" preserveAspectRatio="none" aria-hidden="true" {
            rect class="whole" width="10000" height="600" {}
            rect class="part" width=(width) height="600" {}
        }
    }
}

/// Payments of the last minutes as bars, the present minute last.
pub(crate) fn minutes(m: &Messages, minutes: &[Minute]) -> Markup {
    let all = |minute: &Minute| {
        minute.approved.saturating_add(minute.declined).saturating_add(minute.unavailable)
    };
    let top = ceiling(minutes.iter().map(all).max().unwrap_or(0));
    let sum = |of: fn(&Minute) -> u64| minutes.iter().map(of).sum::<u64>().to_string();
    let says = says(
        m,
        &sum(|minute| minute.approved),
        &sum(|minute| minute.declined),
        &sum(|minute| minute.unavailable),
    );
    html! {
        svg class="minutes" viewBox="0 0 640 150" role="img" aria-label=(says) {
            path class="rule" d="M40 10.500H636M40 60.500H636" {}
            text class="scale" x="34" y="14" text-anchor="end" { (top) }
            text class="scale" x="34" y="64" text-anchor="end" { (top / 2) }
            text class="scale" x="34" y="114" text-anchor="end" { "0" }
            @for (place, minute) in minutes.iter().enumerate() {
                (bar(m, minute, place, minutes.len(), top))
            }
            path class="axis" d="M40 110.500H636" {}
            @if let (Some(first), Some(last)) = (minutes.first(), minutes.last()) {
                text class="scale" x="40" y="130" { (hour(&first.at)) }
                text class="scale" x="636" y="130" text-anchor="end" { (hour(&last.at)) }
            }
        }
    }
}

fn bar(m: &Messages, minute: &Minute, place: usize, places: usize, top: u64) -> Markup {
    // A page shows at most some tens of minutes.
    let (place, places) = (place as u64, (places as u64).max(1));
    let x = 40 + place * 596 / places + 2;
    let width = (596 / places).saturating_sub(4).max(2);
    let high = |count: u64| {
        let height = (count.saturating_mul(100)).div_ceil(top.max(1));
        height.min(100)
    };
    let approved = high(minute.approved);
    let declined = high(minute.declined).min(100 - approved);
    let unavailable = high(minute.unavailable).min(100 - approved - declined);
    let counts = [minute.approved, minute.declined, minute.unavailable].map(|n| n.to_string());
    let says = says(m, &counts[0], &counts[1], &counts[2]);
    // Each stands on the one before.
    let first = 110 - approved;
    let second = first - declined;
    let third = second - unavailable;
    html! {
        g {
            title { (hour(&minute.at)) ": " (says) }
            rect class="hit" x=(x) y="10" width=(width) height="100" {}
            rect class="approved" x=(x) y=(first) width=(width) height=(approved) {}
            @if declined > 0 {
                rect class="declined" x=(x) y=(second) width=(width) height=(declined) {}
            }
            @if unavailable > 0 {
                rect class="unavailable" x=(x) y=(third) width=(width) height=(unavailable) {}
            }
        }
    }
}

fn says(m: &Messages, approved: &str, declined: &str, unavailable: &str) -> String {
    let values = [("approved", approved), ("declined", declined), ("unavailable", unavailable)];
    fill(m.word("chart_says"), &values)
}

/// Hours and minutes.
fn hour(at: &str) -> &str {
    let clock = clock(at);
    clock.get(..5).unwrap_or(clock)
}

/// The next round number: 10, 20, 50, 100, ...
fn ceiling(highest: u64) -> u64 {
    let mut unit = 10u64;
    loop {
        for round in [unit, unit.saturating_mul(2), unit.saturating_mul(5)] {
            if round >= highest {
                return round;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ENGLISH;

    #[test]
    fn as_many_flames_as_fires() {
        for number in 0..=5u8 {
            let picture = beacons(number).into_string();
            assert_eq!(picture.matches("class=\"outer\"").count(), usize::from(number));
            assert_eq!(picture.matches("class=\"hearth\"").count(), 5);
        }
    }

    #[test]
    fn bars_never_leave_the_picture() {
        let at = "2026-11-22T12:19:00.000Z".to_owned();
        let most = Minute { at, approved: 3, declined: 1, unavailable: 996 };
        let picture = minutes(&ENGLISH, &vec![most; 30]).into_string();
        assert!(picture.contains("90 approved, 30 declined, 29880 answered 91 or 96"));
        for part in picture.split(" y=\"").skip(1) {
            let y: i64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((10..=130).contains(&y), "{y}");
        }
        assert_eq!((ceiling(0), ceiling(11), ceiling(1001)), (10, 20, 2000));
        assert_eq!(ceiling(u64::MAX), u64::MAX);
    }
}

//! The pictures of the HTML page, as inline SVG.
//!
//! Drawn here and not by a plotting crate, so that colours come from the page's style sheet and follow the reader's
//! light or dark theme. Each picture has a title and a description for those who cannot see it, and the tables of the
//! page hold the same figures. They draw what a round holds and judge nothing.

mod coverage;
mod history;
mod latency;
mod lock_graph;
mod soak;
mod streak;
mod timeline;

use maud::{Markup, html};

pub(super) use coverage::coverage;
pub(super) use history::history;
pub(super) use latency::latency;
pub(super) use lock_graph::lock_graph;
pub(super) use soak::soak;
pub(super) use streak::streak;
pub(super) use timeline::timeline;

/// An SVG of this size in a frame that scrolls sideways on a narrow screen.
fn picture(id: &str, title: &str, description: &str, width: f64, height: f64, body: Markup) -> Markup {
    let view = format!("0 0 {} {}", px(width), px(height));
    html! {
        div.picture tabindex="0" role="region" aria-label=(title) {
            svg viewBox=(view) width=(px(width)) height=(px(height)) role="img"
                aria-labelledby=(format!("{id}-title {id}-desc")) xmlns="http://www.w3.org/2000/svg" {
                title id=(format!("{id}-title")) { (title) }
                desc id=(format!("{id}-desc")) { (description) }
                (body)
            }
        }
    }
}

/// An arrow head that takes the class of its line; `id` is unique on the page.
fn arrow_head(id: &str, class: &str) -> Markup {
    html! {
        defs {
            marker id=(id) viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
                orient="auto-start-reverse" {
                path d="M0,1 L10,5 L0,9 z" class=(class) {}
            }
        }
    }
}

/// A line of text; `anchor` is `start`, `middle` or `end`.
fn label(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> Markup {
    html! { text x=(px(x)) y=(px(y)) text-anchor=(anchor) class=(class) { (text) } }
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> Markup {
    html! { line x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) class=(class) {} }
}

/// A coordinate with one decimal.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The next 1, 2 or 5 times a power of ten at or above `value`.
fn nice_above(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.iter().map(|step| step * power).find(|nice| *nice >= value).unwrap_or(10.0 * power)
}

/// Microseconds as `850 us`, `12.1 ms` or `1.20 s`.
pub(super) fn duration(us: f64) -> String {
    match us {
        us if us < 1.0 => format!("{us:.2} us"),
        us if us < 1_000.0 => format!("{us:.0} us"),
        us if us < 100_000.0 => format!("{:.1} ms", us / 1_000.0),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1_000.0),
        us => format!("{:.2} s", us / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nice_numbers_are_at_or_above_theirs() {
        for (value, nice) in [(0.0, 1.0), (7.0, 8.0), (1794.7, 2000.0), (1000.0, 1000.0)] {
            assert!((nice_above(value) - nice).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        for (us, text) in [(0.5, "0.50 us"), (850.0, "850 us"), (12_100.0, "12.1 ms"), (2e6, "2.00 s")] {
            assert_eq!(duration(us), text);
        }
    }
}

//! The throughput of earlier rounds, this one last.

use maud::{Markup, html};

use super::{label, line, nice_above, picture, px};
use crate::model::{HistoryPoint, Round, RoundResult};
use crate::report::wording::thousands;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 18.0;
const PLOT: f64 = 150.0;
/// The newest rounds that are drawn.
const POINTS_MAX: usize = 60;

/// The history; nothing for fewer than two rounds with a figure.
pub(in crate::report) fn history(round: &Round) -> Markup {
    let points = &round.history[round.history.len().saturating_sub(POINTS_MAX)..];
    let rates = || points.iter().filter_map(|point| point.ops_per_second);
    if rates().count() < 2 {
        return html! {};
    }
    let top = nice_above(rates().fold(0.0, f64::max));
    let apart = (WIDTH - LEFT - 40.0) / (points.len() - 1) as f64;
    let x = |index: usize| LEFT + 20.0 + index as f64 * apart;
    let y = |rate: f64| TOP + PLOT - rate / top * PLOT;
    let least = rates().fold(f64::INFINITY, f64::min);
    let most = rates().fold(0.0, f64::max);
    let description = format!("{} rounds between {least:.0} and {most:.0} operations per second.", points.len());
    let path: Vec<String> = points
        .iter()
        .enumerate()
        .filter_map(|(index, point)| Some(format!("{},{}", px(x(index)), px(y(point.ops_per_second?)))))
        .collect();
    let every = points.len().div_ceil(9);
    let last = points.len() - 1;
    let body = html! {
        @for part in [0.0, 0.5, 1.0] {
            (line(LEFT, y(part * top), WIDTH - 10.0, y(part * top), "grid"))
            (label(LEFT - 8.0, y(part * top) + 4.0, "end", "faint", &thousands((part * top) as u64)))
        }
        polyline points=(path.join(" ")) class="trend" {}
        @for (index, point) in points.iter().enumerate() {
            (mark(point, x(index), point.ops_per_second.map_or(TOP + PLOT, y)))
            @if (last - index).is_multiple_of(every) {
                (label(x(index), TOP + PLOT + 20.0, "middle", "faint", &format!("N={}", point.n)))
            }
        }
    };
    picture("history", "Throughput history, operations per second", &description, WIDTH, TOP + PLOT + 30.0, body)
}

/// A disc for clean, a square for findings, a ring for incomplete: shape and not colour alone.
fn mark(point: &HistoryPoint, x: f64, y: f64) -> Markup {
    let rate = point.ops_per_second.map_or("no figure".to_owned(), |rate| format!("{rate:.1} ops/sec"));
    let title = format!("N={}: {}, {rate}", point.n, point.result);
    html! {
        @match point.result {
            RoundResult::Clean | RoundResult::CleanRepeat => {
                circle cx=(px(x)) cy=(px(y)) r="5" class="dot clean" { title { (title) } }
            }
            RoundResult::Findings(_) => {
                rect x=(px(x - 5.0)) y=(px(y - 5.0)) width="10" height="10" class="dot findings" { title { (title) } }
            }
            RoundResult::Incomplete(_) => {
                circle cx=(px(x)) cy=(px(y)) r="5" class="dot incomplete" { title { (title) } }
            }
        }
    }
}

//! The streak as dots: a full one for each round that counts, a ring for each that does not.

use maud::{Markup, html};

use super::{label, picture, px};
use crate::model::ConsecutiveClean;
use crate::report::wording::plural;

const WIDTH: f64 = 760.0;
const STEP: (f64, f64) = (58.0, 52.0);
const PER_ROW: usize = 12;
/// The newest rounds that are drawn.
const DOTS_MAX: usize = 60;

/// The dots; nothing for an empty streak.
pub(in crate::report) fn streak(clean: &ConsecutiveClean) -> Markup {
    let counted = clean.rounds.iter().map(|n| (*n, None));
    let other = clean.not_counted.iter().map(|round| (round.n, Some(round.reason.as_str())));
    let mut all: Vec<(u64, Option<&str>)> = counted.chain(other).collect();
    all.sort_unstable();
    let dots = &all[all.len().saturating_sub(DOTS_MAX)..];
    if dots.is_empty() {
        return html! {};
    }
    let rows = dots.len().div_ceil(PER_ROW) as f64;
    let width = if rows > 1.0 { WIDTH } else { dots.len() as f64 * STEP.0 + 8.0 };
    let description =
        format!("{} in a row, {} not counted.", plural(clean.count as u64, "clean round"), clean.not_counted.len());
    let body = html! {
        @for (index, (n, reason)) in dots.iter().enumerate() {
            @let x = STEP.0 * ((index % PER_ROW) as f64 + 0.5) + 4.0;
            @let y = STEP.1 * (index / PER_ROW) as f64 + 16.0;
            @match reason {
                None => {
                    circle cx=(px(x)) cy=(px(y)) r="11" class="dot clean" { title { "N=" (n) ": counted" } }
                    path d=(format!("M{},{} l4,4 l7,-8", px(x - 5.5), px(y + 0.5))) class="tick" {}
                }
                Some(reason) => {
                    circle cx=(px(x)) cy=(px(y)) r="10" class="dot incomplete" {
                        title { "N=" (n) " not counted: " (reason) }
                    }
                }
            }
            (label(x, y + 28.0, "middle", "faint", &format!("N={n}")))
        }
    };
    picture("streak", "Consecutive clean rounds", &description, width, rows * STEP.1, body)
}

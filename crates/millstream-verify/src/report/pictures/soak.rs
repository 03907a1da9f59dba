//! The windows of a soak, one strip for each figure, all from zero: what is flat looks flat.

use maud::{Markup, html};

use super::{duration, label, line, nice_above, picture, px};
use crate::model::{Soak, SoakWindow};
use crate::report::wording::{bytes, plural};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 96.0;
const STRIP: (f64, f64) = (46.0, 62.0);
const TOP: f64 = 12.0;

/// A figure of a window, and how it is written.
type Strip = (&'static str, fn(&SoakWindow) -> Option<f64>, fn(f64) -> String);

const STRIPS: [Strip; 5] = [
    ("median latency", |window| Some(window.p50_us), duration),
    ("p99 latency", |window| Some(window.p99_us), duration),
    ("processor time", |window| Some(window.cpu_us), duration),
    ("device memory", |window| Some(window.reserved_bytes as f64), bytes),
    ("process memory", |window| Some(window.resident_bytes? as f64), bytes),
];

/// The strips; nothing for fewer than two windows.
pub(in crate::report) fn soak(soak: &Soak) -> Markup {
    if soak.windows.len() < 2 {
        return html! {};
    }
    let drawn: Vec<(&Strip, Vec<f64>)> = STRIPS
        .iter()
        .map(|strip| (strip, soak.windows.iter().filter_map(strip.1).collect()))
        .filter(|(_, values): &(_, Vec<f64>)| values.len() == soak.windows.len())
        .collect();
    let apart = (WIDTH - LEFT - RIGHT) / (soak.windows.len() - 1) as f64;
    let x = |index: usize| LEFT + index as f64 * apart;
    let bottom = TOP + drawn.len() as f64 * STRIP.1;
    let description = format!("{} of {:.1} s.", plural(soak.windows.len() as u64, "window"), soak.seconds);
    let body = html! {
        @for (row, ((name, _, written), values)) in drawn.iter().enumerate() {
            @let floor = TOP + row as f64 * STRIP.1 + STRIP.0;
            @let top = nice_above(values.iter().copied().fold(0.0, f64::max));
            @let points: Vec<String> = values.iter().enumerate()
                .map(|(index, value)| format!("{},{}", px(x(index)), px(floor - value / top * STRIP.0))).collect();
            (label(2.0, floor - STRIP.0 / 2.0 + 4.0, "start", "strong small", name))
            (line(LEFT, floor, WIDTH - RIGHT, floor, "rule"))
            polyline points=(points.join(" ")) class="trend" {}
            @for (index, value) in values.iter().enumerate() {
                circle cx=(px(x(index))) cy=(px(floor - value / top * STRIP.0)) r="2.5" class="sample" {
                    title { (written(*value)) " at " (format!("{:.1}", soak.windows[index].end_s)) " s" }
                }
            }
            @if let Some(last) = values.last() {
                (label(WIDTH - RIGHT + 10.0, floor - last / top * STRIP.0 + 4.0, "start", "faint", &written(*last)))
            }
        }
        (label(LEFT, bottom + 10.0, "start", "faint", "start"))
        (label(WIDTH - RIGHT, bottom + 10.0, "end", "faint", &format!("{:.1} s", soak.seconds)))
    };
    picture("soak", "Soak, window by window", &description, WIDTH, bottom + 18.0, body)
}

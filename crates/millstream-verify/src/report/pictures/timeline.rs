//! The stream timeline: a lane per stream, a bar per operation, an arrow per hand-over.

use maud::{Markup, html};

use super::{arrow_head, duration, label, line, nice_above, picture, px};
use crate::model::{Stress, Timeline};
use crate::report::wording::plural;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 84.0;
const LANE: f64 = 30.0;
const BAR: f64 = 18.0;
/// More lanes than these make no picture; the page says how many were left out.
const LANES_MAX: usize = 32;
const COLOURS: usize = 8;

/// The sample of what ran when; nothing where the run took none.
pub(in crate::report) fn timeline(stress: &Stress) -> Markup {
    let Some(timeline) = &stress.timeline else {
        return html! {};
    };
    let lanes = &timeline.lanes[..timeline.lanes.len().min(LANES_MAX)];
    let spans = || lanes.iter().flat_map(|lane| &lane.spans);
    let ends = spans().map(|span| span.end_us).chain(timeline.handovers.iter().map(|hand| hand.to_us));
    let end = ends.filter(|us| us.is_finite()).fold(0.0, f64::max);
    if end <= 0.0 {
        return html! {};
    }
    let mut names: Vec<&str> = Vec::new();
    for span in spans() {
        if !names.contains(&span.name.as_str()) {
            names.push(&span.name);
        }
    }
    let x = |us: f64| LEFT + us / end * (WIDTH - LEFT - 12.0);
    let y = |lane: usize| 34.0 + lane as f64 * LANE;
    let bottom = y(lanes.len());
    let step = nice_above(end / 6.0);
    let ticks = (0..).map(|i| f64::from(i) * step).take_while(|us| *us <= end);
    let description = format!(
        "{} over {}: {} and {} between streams.",
        plural(lanes.len() as u64, "stream"),
        duration(end),
        plural(spans().count() as u64, "operation"),
        plural(timeline.handovers.len() as u64, "hand-over"),
    );
    let body = html! {
        (arrow_head("hand-arrow", "head hand"))
        @for (index, name) in names.iter().enumerate() {
            @let left = LEFT + index as f64 * 96.0;
            rect x=(px(left)) y="6" width="12" height="12" rx="3" class=(colour(index)) {}
            (label(left + 18.0, 16.0, "start", "faint", name))
        }
        @for us in ticks {
            (line(x(us), 28.0, x(us), bottom, "grid"))
            @let side = if x(us) > WIDTH - 40.0 { "end" } else { "middle" };
            (label(x(us), bottom + 16.0, side, "faint", &duration_tick(us)))
        }
        @for (index, lane) in lanes.iter().enumerate() {
            (label(LEFT - 10.0, y(index) + BAR - 4.0, "end", "faint", &format!("stream {}", lane.stream)))
            @for span in &lane.spans {
                @let place = names.iter().position(|name| *name == span.name).unwrap_or(0);
                @let width = (x(span.end_us) - x(span.start_us)).max(1.0);
                rect x=(px(x(span.start_us))) y=(px(y(index))) width=(px(width)) height=(px(BAR)) rx="3"
                    class=(colour(place)) {
                    title { (span_title(&span.name, span.thread, span.start_us, span.end_us)) }
                }
            }
        }
        (handovers(timeline, lanes.len(), &x, &y))
    };
    let left_out = timeline.lanes.len() - lanes.len();
    html! {
        (picture("timeline", "Stream timeline", &description, WIDTH, bottom + 26.0, body))
        @if left_out > 0 { p.faint { (plural(left_out as u64, "further stream")) " not drawn." } }
    }
}

fn handovers(timeline: &Timeline, lanes: usize, x: &dyn Fn(f64) -> f64, y: &dyn Fn(usize) -> f64) -> Markup {
    let lane_of =
        |stream: u32| timeline.lanes.iter().position(|lane| lane.stream == stream).filter(|lane| *lane < lanes);
    html! {
        @for hand in &timeline.handovers {
            @if let (Some(from), Some(to)) = (lane_of(hand.from_stream), lane_of(hand.to_stream)) {
                @let down = to > from;
                @let y1 = y(from) + if down { BAR } else { 0.0 };
                @let y2 = y(to) + if down { -1.0 } else { BAR + 1.0 };
                line x1=(px(x(hand.from_us))) y1=(px(y1)) x2=(px(x(hand.to_us))) y2=(px(y2))
                    class="hand" marker-end="url(#hand-arrow)" {
                    title { "stream " (hand.from_stream) " hands over to stream " (hand.to_stream) }
                }
            }
        }
    }
}

fn colour(index: usize) -> String {
    format!("op op{}", index % COLOURS)
}

fn duration_tick(us: f64) -> String {
    if us == 0.0 { "0".to_owned() } else { duration(us) }
}

fn span_title(name: &str, thread: u64, start_us: f64, end_us: f64) -> String {
    format!("{name}, thread {thread}, from {} for {}", duration(start_us), duration(end_us - start_us))
}

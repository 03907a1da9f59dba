//! The latency histogram of a stress run, on a logarithmic axis, with median and 99th percentile.

use maud::{Markup, html};

use super::{duration, label, line, nice_above, picture, px};
use crate::model::{Latency, Stress};
use crate::report::wording::thousands;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 30.0;
const PLOT: f64 = 170.0;

/// The histogram; nothing where the run recorded none.
pub(in crate::report) fn latency(stress: &Stress) -> Markup {
    let Some(latency) = &stress.latency else {
        return html! {};
    };
    let most = latency.buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    if most == 0 || latency.from_us <= 0.0 {
        return html! {};
    }
    let top = nice_above(most as f64);
    let x = axis(latency);
    let y = |count: f64| TOP + PLOT - count / top * PLOT;
    let samples: u64 = latency.buckets.iter().map(|bucket| bucket.count).sum();
    let description = format!(
        "{} operations; median {}, 99th percentile {}.",
        thousands(samples),
        duration(stress.p50_us),
        duration(stress.p99_us)
    );
    let mut from = latency.from_us;
    let bars: Vec<(f64, f64, u64)> = latency
        .buckets
        .iter()
        .map(|bucket| {
            let bar = (from, bucket.to_us, bucket.count);
            from = bucket.to_us;
            bar
        })
        .collect();
    let every = bars.len().div_ceil(8);
    let body = html! {
        @for part in [0.0, 0.5, 1.0] {
            (line(LEFT, y(part * top), WIDTH - 10.0, y(part * top), "grid"))
            (label(LEFT - 8.0, y(part * top) + 4.0, "end", "faint", &thousands((part * top) as u64)))
        }
        @for (index, (from, to, count)) in bars.iter().enumerate() {
            @let height = *count as f64 / top * PLOT;
            @let width = (x(*to) - x(*from) - 2.0).max(1.0);
            rect x=(px(x(*from) + 1.0)) y=(px(TOP + PLOT - height)) width=(px(width)) height=(px(height)) rx="2"
                class="bar" {
                title { (duration(*from)) " to " (duration(*to)) ": " (thousands(*count)) }
            }
            @if index % every == 0 {
                (label(x(*from), TOP + PLOT + 18.0, "middle", "faint", &duration(*from)))
            }
        }
        (percentile(&x, stress.p50_us, "p50", "end", latency))
        (percentile(&x, stress.p99_us, "p99", "start", latency))
    };
    picture("latency", "Latency of an operation", &description, WIDTH, TOP + PLOT + 28.0, body)
}

/// Logarithmic: the buckets grow by a factor.
fn axis(latency: &Latency) -> impl Fn(f64) -> f64 + use<> {
    let first = latency.from_us.ln();
    let last = latency.buckets.last().map_or(latency.from_us * 2.0, |bucket| bucket.to_us).ln();
    move |us: f64| LEFT + (us.ln() - first) / (last - first) * (WIDTH - 20.0 - LEFT)
}

fn percentile(x: &dyn Fn(f64) -> f64, us: f64, name: &str, side: &str, latency: &Latency) -> Markup {
    let last = latency.buckets.last().map_or(latency.from_us, |bucket| bucket.to_us);
    if !(latency.from_us..=last).contains(&us) {
        return html! {};
    }
    let at = x(us);
    let beside = if side == "end" { at - 6.0 } else { at + 6.0 };
    // Near an edge the text would be cut.
    let (side, beside) = match beside {
        beside if beside > WIDTH - 110.0 => ("end", at - 6.0),
        beside if beside < 110.0 => ("start", at + 6.0),
        beside => (side, beside),
    };
    html! {
        (line(at, 8.0, at, TOP + PLOT, "mark"))
        (label(beside, 18.0, side, "strong small", &format!("{name} {}", duration(us))))
    }
}

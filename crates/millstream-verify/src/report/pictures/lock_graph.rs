//! The lock graph: locks as boxes, nestings as arrows with their counts, isolated locks apart.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{arrow_head, label, line, picture, px};
use crate::model::{Attempt, GraphEdge};
use crate::report::wording::{plural, thousands};

const BOX: (f64, f64) = (170.0, 46.0);
const GAP: (f64, f64) = (190.0, 40.0);
const WIDTH: f64 = 760.0;
const ISOLATED: (f64, f64) = (134.0, 58.0);

/// The graph of the nestings that `attempt` saw; nothing where it recorded none.
pub(in crate::report) fn lock_graph(attempt: &Attempt) -> Markup {
    let Some(graph) = &attempt.graph else {
        return html! {};
    };
    let places = places(&graph.edges);
    let lowest = places.values().map(|(_, y)| *y).fold(0.0, f64::max);
    let apart = if places.is_empty() { 30.0 } else { lowest + BOX.1 + 34.0 };
    let columns = ((WIDTH - 20.0) / (ISOLATED.0 + 12.0)).floor().max(1.0) as usize;
    let rows = attempt.isolated.len().div_ceil(columns) as f64;
    let height = apart + 24.0 + rows * (ISOLATED.1 + 12.0);
    let right = places.values().map(|(x, _)| x + BOX.0 + 60.0).fold(WIDTH, f64::max);
    let seen: Vec<String> =
        graph.edges.iter().map(|e| format!("{} under {} {} times", e.taken, e.held, e.seen)).collect();
    let acyclic = if graph.acyclic { "The graph is acyclic." } else { "The graph has a cycle." };
    let alone = plural(attempt.isolated.len() as u64, "isolated lock");
    let description = format!("{acyclic} Taken: {}; {alone}.", seen.join(", "));
    let body = html! {
        (arrow_head("lock-arrow", "head"))
        (arrow_head("lock-arrow-bad", "head bad"))
        @for edge in &graph.edges { (arrow(edge, attempt, &places)) }
        @for (name, (x, y)) in &places {
            rect x=(px(*x)) y=(px(*y)) width=(px(BOX.0)) height=(px(BOX.1)) rx="10" class="node" {}
            (label(x + BOX.0 / 2.0, y + BOX.1 / 2.0 + 5.0, "middle", "strong", name))
        }
        @if !attempt.isolated.is_empty() {
            (line(10.0, apart - 14.0, right - 10.0, apart - 14.0, "rule"))
            (label(10.0, apart + 8.0, "start", "faint", "Isolated: taken alone"))
        }
        @for (index, lock) in attempt.isolated.iter().enumerate() {
            @let x = 10.0 + (index % columns) as f64 * (ISOLATED.0 + 12.0);
            @let y = apart + 20.0 + (index / columns) as f64 * (ISOLATED.1 + 12.0);
            @let class = if lock.cross_locked == 0 { "node alone" } else { "node alone bad" };
            rect x=(px(x)) y=(px(y)) width=(px(ISOLATED.0)) height=(px(ISOLATED.1)) rx="10" class=(class) {}
            (label(x + ISOLATED.0 / 2.0, y + 24.0, "middle", "strong small", &lock.lock))
            @let taken = if lock.cross_locked == 0 {
                format!("taken {}", thousands(lock.taken))
            } else {
                format!("CROSS-LOCKED {}", thousands(lock.cross_locked))
            };
            (label(x + ISOLATED.0 / 2.0, y + 43.0, "middle", "faint", &taken))
        }
    };
    picture("lock-graph", "Lock graph", &description, right, height, body)
}

/// Columns by the longest way from an outermost lock, one row for each way that begins.
fn places(edges: &[GraphEdge]) -> BTreeMap<&str, (f64, f64)> {
    let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
    for edge in edges {
        depth.entry(&edge.held).or_insert(0);
        depth.entry(&edge.taken).or_insert(0);
    }
    let locks = depth.len();
    // As many rounds as locks settle a graph without a cycle; an edge against the order seen first is left out.
    let mut forward: Vec<&GraphEdge> = Vec::new();
    for edge in edges {
        if !reaches(&forward, &edge.taken, &edge.held) {
            forward.push(edge);
        }
    }
    for _ in 0..locks {
        for edge in &forward {
            let below = depth.get(edge.held.as_str()).map_or(0, |d| d + 1);
            if let Some(d) = depth.get_mut(edge.taken.as_str()) {
                *d = below.max(*d);
            }
        }
    }
    let mut row_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut used: BTreeMap<(usize, usize), ()> = BTreeMap::new();
    let mut order: Vec<(&str, usize)> = depth.into_iter().collect();
    order.sort_by_key(|(_, depth)| *depth);
    for (name, column) in &order {
        let parent = forward.iter().find(|edge| edge.taken == *name);
        let mut row = parent.and_then(|edge| row_of.get(edge.held.as_str())).copied().unwrap_or(0);
        while used.insert((*column, row), ()).is_some() {
            row += 1;
        }
        row_of.insert(name, row);
    }
    let place = |(name, column): (&'_ str, usize)| {
        let row = row_of.get(name).copied().unwrap_or(0) as f64;
        (10.0 + column as f64 * (BOX.0 + GAP.0), 30.0 + row * (BOX.1 + GAP.1))
    };
    let mut all = BTreeMap::new();
    for edge in edges {
        for name in [edge.held.as_str(), edge.taken.as_str()] {
            if let Some(entry) = order.iter().find(|(other, _)| *other == name) {
                all.insert(name, place((name, entry.1)));
            }
        }
    }
    all
}

fn reaches(edges: &[&GraphEdge], from: &str, to: &str) -> bool {
    let mut open = vec![from];
    let mut met: Vec<&str> = Vec::new();
    while let Some(lock) = open.pop() {
        if lock == to {
            return true;
        }
        if !met.contains(&lock) {
            met.push(lock);
            open.extend(edges.iter().filter(|e| e.held == lock).map(|e| e.taken.as_str()));
        }
    }
    false
}

fn arrow(edge: &GraphEdge, attempt: &Attempt, places: &BTreeMap<&str, (f64, f64)>) -> Markup {
    let at = |lock: &str| places.get(lock).copied().unwrap_or((0.0, 0.0));
    let ((x1, y1), (x2, y2)) = (at(&edge.held), at(&edge.taken));
    let nesting = format!("{} -> {}", edge.held, edge.taken);
    let bad = !attempt.order.contains(&nesting);
    let class = if bad { "edge bad" } else { "edge" };
    let head = if bad { "url(#lock-arrow-bad)" } else { "url(#lock-arrow)" };
    let middle = BOX.1 / 2.0;
    let times = format!("seen {}", thousands(edge.seen));
    let (path, text_x, text_y) = if x2 > x1 {
        let (from, to) = ((x1 + BOX.0, y1 + middle), (x2 - 3.0, y2 + middle));
        let half = (from.0 + to.0) / 2.0;
        let path = format!(
            "M{},{} C{half},{} {half},{} {},{}",
            px(from.0),
            px(from.1),
            px(from.1),
            px(to.1),
            px(to.0),
            px(to.1)
        );
        (path, half, (from.1 + to.1) / 2.0 - 8.0)
    } else {
        // Against the columns: around below both boxes.
        let (from, to) = ((x1 + BOX.0 * 0.5, y1 + BOX.1), (x2 + BOX.0 * 0.5, y2 + BOX.1 + 3.0));
        let low = from.1.max(to.1) + 34.0;
        let path = format!(
            "M{},{} C{},{low} {},{low} {},{}",
            px(from.0),
            px(from.1),
            px(from.0),
            px(to.0),
            px(to.0),
            px(to.1)
        );
        (path, (from.0 + to.0) / 2.0, low - 14.0)
    };
    let text_class = if bad { "faint bad halo" } else { "faint halo" };
    let times = if bad { format!("VIOLATION, {times}") } else { times };
    html! {
        path d=(path) class=(class) marker-end=(head) {}
        (label(text_x, text_y, "middle", text_class, &times))
    }
}

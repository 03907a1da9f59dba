//! The covering table as stairs of cells: one for each two values, full where they have run together.

use maud::{Markup, html};

use super::{label, picture, px};
use crate::model::{Choice, Coverage, Round};
use crate::report::wording::{plural, thousands};

const CELL: f64 = 17.0;
const APART: f64 = 7.0;
const LEFT: f64 = 150.0;
const TOP: f64 = 18.0;

/// The cells; nothing where the round ran no configuration.
pub(in crate::report) fn coverage(round: &Round) -> Markup {
    let Some(coverage) = &round.coverage else {
        return html! {};
    };
    let places = places(coverage);
    let Some(((.., last), (.., first))) = places.last().zip(places.first()) else {
        return html! {};
    };
    let (height, width) = (last + CELL + TOP + 8.0, LEFT + last - first + 8.0);
    let ran: Vec<&Choice> =
        round.attempts.iter().flat_map(|attempt| &attempt.configurations).map(|row| &row.choice).collect();
    let description = format!(
        "{} of {} have run together, {} of them in this round for the first time.",
        thousands(coverage.covered),
        plural(coverage.pairs, "pair"),
        thousands(coverage.new)
    );
    let body = html! {
        @for (factor, value, at) in &places {
            @let (x, y) = (LEFT + at, TOP + at);
            // A row of cells begins with its value; a column has it above its first cell.
            @if *factor > 0 { (label(LEFT - 8.0, y + 12.5, "end", "faint", value)) }
            @if *factor + 1 < coverage.factors.len() {
                @let below = TOP + end_of(&places, *factor);
                text x=(px(x + 12.5)) y=(px(below)) class="faint"
                    transform=(format!("rotate(-90 {} {})", px(x + 12.5), px(below))) { (value) }
            }
            @for (other, theirs, column) in places.iter().filter(|(other, ..)| other < factor) {
                @let pair = [(*other, *theirs), (*factor, *value)];
                (cell(LEFT + column, y, state(coverage, &ran, pair), &title(coverage, pair)))
            }
        }
        @for (at, factor) in coverage.factors.iter().enumerate() {
            @let (_, _, y) = places.iter().find(|(other, ..)| *other == at).copied().unwrap_or((0, "", 0.0));
            (label(2.0, TOP + y + 12.5, "start", "strong small", &factor.name))
        }
    };
    picture("coverage", "Settings that have run together", &description, width, height, body)
}

/// Each value with the number of its factor and its distance from the first.
fn places(coverage: &Coverage) -> Vec<(usize, &str, f64)> {
    let mut places = Vec::new();
    let mut at = 0.0;
    for (number, factor) in coverage.factors.iter().enumerate() {
        for value in &factor.values {
            places.push((number, value.as_str(), at));
            at += CELL;
        }
        at += APART;
    }
    places
}

/// Where the values of a factor end.
fn end_of(places: &[(usize, &str, f64)], factor: usize) -> f64 {
    let last = places.iter().rev().find(|(other, ..)| *other == factor);
    last.map_or(0.0, |(_, _, at)| at + CELL + APART - 4.0)
}

enum State {
    Now,
    Before,
    Open,
}

fn state(coverage: &Coverage, ran: &[&Choice], pair: [(usize, &str); 2]) -> State {
    let has = |choice: &Choice| {
        let named = |(factor, value): (usize, &str)| {
            choice.get(&coverage.factors[factor].name).is_some_and(|found| found == value)
        };
        pair.into_iter().all(named)
    };
    match (coverage.open.iter().any(has), ran.iter().any(|choice| has(choice))) {
        (true, _) => State::Open,
        (false, true) => State::Now,
        (false, false) => State::Before,
    }
}

fn title(coverage: &Coverage, pair: [(usize, &str); 2]) -> String {
    pair.map(|(factor, value)| format!("{} {value}", coverage.factors[factor].name)).join(" with ")
}

/// A full square, a smaller one, a hollow one: shape and not colour alone.
fn cell(x: f64, y: f64, state: State, title: &str) -> Markup {
    let (inset, class, said) = match state {
        State::Now => (1.0, "cell now", "in this round"),
        State::Before => (3.5, "cell before", "in an earlier round"),
        State::Open => (1.5, "cell open", "not yet"),
    };
    let side = px(CELL - 2.0 * inset);
    html! {
        rect x=(px(x + inset)) y=(px(y + inset)) width=(side) height=(side) rx="3" class=(class) {
            title { (title) ": " (said) }
        }
    }
}

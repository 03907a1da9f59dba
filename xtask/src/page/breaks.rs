//! Pages that are broken on purpose, one way each: a check that does not see its own is no check.

/// The check that must speak, and the way the page is broken.
pub type Break = (&'static str, fn(&str) -> String);

/// For a reader at a desk, in the light.
pub const BREAKS: [Break; 20] = [
    ("result", |page| page.replacen("class=\"verdict\"", "class=\"verdict\" hidden", 1)),
    ("streak", |page| page.replacen("Consecutive clean rounds: ", "Consecutive clean rounds: 9", 1)),
    ("streak", |page| page.replacen("<circle", "<ellipse", 1)),
    ("tables", |page| page.replacen(">Not reached</span>", ">reached</span>", 1)),
    ("tables", |page| {
        page.replacen(
            "<td role=\"cell\" data-label=\"Hits\"><div><span class=\"number\">",
            "<td role=\"cell\" data-label=\"Hits\"><div><span class=\"number\">9",
            1,
        )
    }),
    ("tables", |page| page.replacen("class=\"probe\"", "class=\"nothing\"", 1)),
    ("lock graph", |page| page.replacen("class=\"node\"", "class=\"nothing\"", 1)),
    ("lock graph", |page| page.replacen("class=\"edge\"", "class=\"nothing\"", 1)),
    ("lock graph", |page| page.replacen(">seen ", ">", 1)),
    ("timeline", |page| page.replacen("class=\"hand\"", "class=\"nothing\"", 1)),
    ("timeline", |page| page.replacen("marker-end=\"url(#hand-arrow)\"", "", 1)),
    ("timeline", |page| page.replacen("class=\"hand\"", "class=\"hand\" transform=\"translate(900)\"", 1)),
    ("latency", |page| page.replacen("class=\"bar\"", "class=\"nothing\"", 1)),
    ("history", |page| last(page, "class=\"dot clean\"", "class=\"nothing\"")),
    ("settings", |page| page.replacen("class=\"cell now\"", "class=\"cell open\"", 1)),
    ("soak", |page| page.replacen("class=\"sample\"", "class=\"nothing\"", 1)),
    ("overflow", |page| page.replacen("</main>", "<div style=\"width:1400px\">wide</div></main>", 1)),
    ("labels", |page| {
        last(page, "</svg>", "<text x=\"20\" y=\"40\">one label</text><text x=\"22\" y=\"42\">another</text></svg>")
    }),
    ("contrast", |page| page.replacen("--faint: #5b6870", "--faint: #b9c0c4", 1)),
    ("network", |page| page.replacen("</main>", "<img src=\"http://127.0.0.1:9/far.png\" alt=\"\"></main>", 1)),
];

/// For a reader with a phone, in the dark.
pub const BREAKS_BESIDE: [Break; 3] = [
    ("theme", |page| page.replacen("prefers-color-scheme: dark", "prefers-color-scheme: none", 1)),
    ("console", |page| page.replacen("</main>", "<script>console.error('no')</script></main>", 1)),
    ("phone", |page| page.replacen("display: grid; grid-template-columns: 7rem 1fr", "display: block", 1)),
];

fn last(page: &str, from: &str, to: &str) -> String {
    match page.rfind(from) {
        Some(at) => format!("{}{to}{}", &page[..at], &page[at + from.len()..]),
        None => page.to_owned(),
    }
}

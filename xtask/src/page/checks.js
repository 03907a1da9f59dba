// What a reader of a round's page sees, held against the round's JSON. The body of a function of (round, narrow, dark); gives a list of [check, problem].
const [round, narrow, dark] = arguments;
const problems = [];
const say = (check, text) => problems.push([check, text]);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const svg = (id) => document.querySelector(`svg[aria-labelledby^="${id}-title"]`);
const inside = (box, outer, slack = 1.5) =>
  box.left >= outer.left - slack && box.right <= outer.right + slack && box.top >= outer.top - slack && box.bottom <= outer.bottom + slack;
const shown = (element) => { const box = element.getBoundingClientRect(); return box.width > 0 && box.height > 0; };
const thousands = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");
const count = (check, what, found, wanted) => { if (found !== wanted) say(check, `${what}: ${found}, in the round ${wanted}`); };
// As a reader who unfolds everything.
all("details").forEach((folded) => { folded.open = true; });
const stress = (round.attempts.find((attempt) => attempt.stress) || {}).stress;
const sections = all("main > section.card").filter((card) => /^Attempt \d/.test((card.querySelector(".eyebrow") || {}).textContent || ""));

// Result
const verdict = document.querySelector(".verdict");
const word = round.result.split(" ")[0];
if (!verdict || !shown(verdict) || !verdict.textContent.includes(word)) say("result", `${word} is not to be seen at the top`);
else if (verdict.getBoundingClientRect().top > innerHeight) say("result", "one must scroll to see the result");
if (!document.querySelector("h1").textContent.includes(round.iteration)) say("result", "the heading has another number");
count("result", "findings", all("section.alarm tbody tr").length, round.findings.length);

// Streak
const streak = document.querySelector("section.streak");
if (!streak.textContent.includes(`Consecutive clean rounds: ${round.consecutive_clean.count}`)) say("streak", "another count stands there");
const listed = Math.min(60, round.consecutive_clean.rounds.length + round.consecutive_clean.not_counted.length);
count("streak", "dots", svg("streak") ? all("circle", svg("streak")).length : 0, listed);
for (const left of round.consecutive_clean.not_counted)
  if (!streak.textContent.includes(`N=${left.n} (${left.reason})`)) say("streak", `N=${left.n} is not named`);

// Tables
count("tables", "attempts", sections.length, round.attempts.length);
round.attempts.forEach((attempt, at) => {
  const section = sections[at];
  if (!section) return;
  const rows = (caption) => all("table", section).filter((table) => table.caption.textContent === caption).flatMap((table) => all("tbody tr", table));
  const probes = (attempt.patterns || []).flatMap((pattern) => pattern.probes);
  count("tables", `${attempt.id}: patterns`, rows("Patterns").length, (attempt.patterns || []).length);
  count("tables", `${attempt.id}: probes`, all(".probe", section).length, probes.length);
  count("tables", `${attempt.id}: call sites`, rows("Call sites").length, (attempt.sites || []).length);
  count("tables", `${attempt.id}: isolated locks`, rows("Isolated locks").length, (attempt.isolated || []).length);
  count("tables", `${attempt.id}: configurations`, rows("Configurations").length, (attempt.configurations || []).length);
  const steps = rows("Hit counters");
  count("tables", `${attempt.id}: protocol steps`, steps.length, (attempt.counters || []).length);
  (attempt.counters || []).forEach((counter, index) => {
    const [name, hits] = steps[index] ? [...steps[index].cells].map((cell) => cell.textContent.trim()) : ["", ""];
    const wanted = counter.hits ? thousands(counter.hits) : counter.forbidden ? "0, must be 0" : counter.claimed ? "0, claimed" : "Not reached";
    if (name !== counter.name || hits !== wanted) say("tables", `${attempt.id}: ${counter.name} does not show ${wanted}`);
  });
  (attempt.sites || []).forEach((site, index) => {
    const text = rows("Call sites")[index] ? rows("Call sites")[index].textContent : "";
    if (!text.includes(thousands(site.seen)) || !text.includes(site.status)) say("tables", `${site.location} does not show ${site.seen}, ${site.status}`);
  });
  const off = (attempt.patterns || []).filter((pattern) => !pattern.probes.length).length + probes.filter((probe) => probe.status === "Not reached").length
    + (attempt.sites || []).filter((site) => site.status === "Not reached").length + (attempt.counters || []).filter((counter) => !counter.hits && !counter.forbidden && !counter.claimed).length;
  count("tables", `${attempt.id}: "Not reached"`, all(".badge.off", section).filter((badge) => badge.textContent === "Not reached" && shown(badge)).length, off);
});

// Lock graph
const locks = round.attempts.find((attempt) => attempt.graph);
if (locks) {
  const graph = svg("lock-graph");
  const nodes = graph ? all("rect.node", graph).map((node) => node.getBoundingClientRect()) : [];
  const texts = graph ? all("text", graph) : [];
  const names = [...new Set(locks.graph.edges.flatMap((edge) => [edge.held, edge.taken])), ...(locks.isolated || []).map((lock) => lock.lock)];
  count("lock graph", "nodes", nodes.length, names.length);
  for (const name of names) {
    const label = texts.find((text) => text.textContent === name);
    if (!label || !nodes.some((node) => inside(label.getBoundingClientRect(), node))) say("lock graph", `${name} has no box with its name`);
  }
  count("lock graph", "arrows", graph ? all("path.edge", graph).filter((edge) => edge.getTotalLength() > 20).length : 0, locks.graph.edges.length);
  for (const edge of locks.graph.edges)
    if (!texts.some((text) => text.textContent.includes(`seen ${thousands(edge.seen)}`))) say("lock graph", `${edge.held} -> ${edge.taken} has no count`);
}

// Timeline, latency, history
if (stress && stress.timeline) {
  const picture = svg("timeline");
  const lanes = stress.timeline.lanes.slice(0, 32);
  const spans = lanes.reduce((sum, lane) => sum + lane.spans.length, 0);
  const names = new Set(lanes.flatMap((lane) => lane.spans.map((span) => span.name))).size;
  count("timeline", "bars", picture ? all("rect.op", picture).length - names : 0, spans);
  const drawn = new Set(lanes.map((lane) => lane.stream));
  const wanted = (stress.timeline.handovers || []).filter((hand) => drawn.has(hand.from_stream) && drawn.has(hand.to_stream));
  const arrows = picture ? all("line.hand", picture) : [];
  count("timeline", "hand-over arrows", arrows.length, wanted.length);
  for (const arrow of arrows) {
    const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((name) => arrow[name].baseVal.value);
    if (!inside(arrow.getBoundingClientRect(), picture.getBoundingClientRect())) say("timeline", "a hand-over leaves the picture");
    if (Math.hypot(x2 - x1, y2 - y1) < 6 || !arrow.getAttribute("marker-end")) say("timeline", "a hand-over is no arrow");
  }
  if (round.result === "CLEAN" && !arrows.length) say("timeline", "a clean round shows no hand-over");
}
if (stress && stress.latency) {
  const picture = svg("latency");
  count("latency", "bars", picture ? all("rect.bar", picture).length : 0, stress.latency.buckets.length);
  for (const name of ["p50", "p99"])
    if (!picture || !all("text", picture).some((text) => text.textContent.startsWith(name))) say("latency", `${name} is not marked`);
}
const rated = (round.history || []).filter((point) => point.ops_per_second != null);
if (rated.length > 1) count("history", "rounds", svg("history") ? all(".dot", svg("history")).length : 0, Math.min(60, round.history.length));

// Settings and soak
if (round.coverage) {
  const picture = svg("coverage");
  count("settings", "cells", picture ? all("rect.cell", picture).length : 0, round.coverage.pairs);
  count("settings", "open cells", picture ? all("rect.cell.open", picture).length : 0, round.coverage.open.length);
}
const soak = (round.attempts.find((attempt) => attempt.soak) || {}).soak;
if (soak && soak.windows.length > 1) {
  const samples = svg("soak") ? all("circle.sample", svg("soak")).length : 0;
  if (!samples || samples % soak.windows.length) say("soak", `${samples} samples of ${soak.windows.length} windows`);
}

// Nothing sticks out
if (document.documentElement.scrollWidth > innerWidth) say("overflow", `the page is ${document.documentElement.scrollWidth} wide, the window ${innerWidth}`);
const scrolls = (element) => element.closest(".picture, pre");
for (const element of all("body *"))
  if (!scrolls(element) && shown(element) && !element.closest("thead, caption, .unseen") && element.getBoundingClientRect().right > innerWidth + 1)
    say("overflow", `<${element.tagName.toLowerCase()} class="${element.className}"> reaches ${Math.round(element.getBoundingClientRect().right)}: ${element.textContent.slice(0, 40)}`);
for (const picture of all("main svg, header svg")) {
  const outer = picture.getBoundingClientRect();
  const labels = all("text", picture).filter(shown).map((text) => [text.textContent, text.getBoundingClientRect()]);
  for (const [text, box] of labels) if (!inside(box, outer, 2)) say("labels", `"${text}" is cut off`);
  labels.forEach(([text, box], at) => labels.slice(at + 1).forEach(([other, theirs]) => {
    const wide = Math.min(box.right, theirs.right) - Math.max(box.left, theirs.left);
    const high = Math.min(box.bottom, theirs.bottom) - Math.max(box.top, theirs.top);
    if (wide > 2 && high > 4) say("labels", `"${text}" lies on "${other}"`);
  }));
  for (const [text, box] of labels) if (Math.max(box.height, box.width) < 9) say("labels", `"${text}" is too small to read`);
}

// Colours: what the reader prefers, and enough contrast for every word.
const colour = (text) => { const part = text.match(/[\d.]+/g).map(Number); return part.length > 3 && part[3] === 0 ? null : part.slice(0, 3); };
const light = (rgb) => rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
const ground = (element) => { for (let at = element; at; at = at.parentElement) { const found = colour(getComputedStyle(at).backgroundColor); if (found) return found; } return [255, 255, 255]; };
const paper = light(ground(document.body));
if (dark ? paper > 0.2 : paper < 0.6) say("theme", `the ground has luminance ${paper.toFixed(2)} in the ${dark ? "dark" : "light"}`);
const low = new Set();
for (const element of all("body *")) {
  const words = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!words || !shown(element) || ["title", "desc", "STYLE"].includes(element.tagName)) continue;
  const style = getComputedStyle(element);
  const ink = colour(element.closest("svg") ? style.fill : style.color);
  const [one, other] = [light(ink), light(ground(element))].sort((a, b) => b - a);
  const ratio = (one + 0.05) / (other + 0.05);
  const large = parseFloat(style.fontSize) >= 24;
  if (ratio < (large ? 3 : 4.5)) low.add(`${element.tagName.toLowerCase()}.${element.getAttribute("class") || ""} "${element.textContent.slice(0, 24)}" has contrast ${ratio.toFixed(1)}`);
}
for (const text of [...low].slice(0, 8)) say("contrast", text);
if (narrow && all("td").some((cell) => shown(cell) && !cell.closest(".hit-counters") && getComputedStyle(cell).display !== "grid")) say("phone", "tables are not lists of rows");
return problems;

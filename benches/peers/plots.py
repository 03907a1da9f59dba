"""The figures as one HTML page without references: bars as inline SVG, light and dark by the reader's setting."""

import html as escape
import statistics

from page import best, how, losses, rate
from programs import PEERS

PROGRAMS = ("Millstream", *PEERS)
STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --page: #ffffff; --line: #c9d1d9; --c0: #0b6e99; --c1: #d9730d; --c2: #6940a5; --c3: #448361 }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --page: #0d1117; --line: #3d444d; --c0: #58b4dd; --c1: #f0964a; --c2: #b08ae8; --c3: #7cc29a } }
body { background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
svg { width: 100%; height: auto } text { fill: var(--text); font-size: 12px } .axis, .range { stroke: var(--text); stroke-width: 1 } .axis { stroke: var(--line) }
.p0 { fill: var(--c0) } .p1 { fill: var(--c1) } .p2 { fill: var(--c2) } .p3 { fill: var(--c3) } .key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em }
.k0 { background: var(--c0) } .k1 { background: var(--c1) } .k2 { background: var(--c2) } .k3 { background: var(--c3) }
"""
LEFT, WIDTH, BAR, GAP = 150, 900, 16, 14


def short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def bars(groups, unit):
    """`groups`: (label, {programme: figures}). Each group has a scale of its own, since sizes differ by orders of magnitude; a line spans least to most."""
    room, y, parts = WIDTH - LEFT - 130, 0, []
    for label, found in groups:
        most = max(max(values) for values in found.values()) or 1
        parts.append(f'<text x="{LEFT - 10}" y="{y + 2 * BAR + 4}" text-anchor="end">{escape.escape(label)}</text>')
        for i, program in enumerate(PROGRAMS):
            values = found[program]
            middle, low, high = (f(values) / most * room for f in (statistics.median, min, max))
            title = f"{program}: {short(statistics.median(values))} {unit} ({short(min(values))} to {short(max(values))})"
            parts.append(
                f'<g><title>{escape.escape(title)}</title><rect class="p{i}" x="{LEFT}" y="{y + i * BAR}" width="{max(middle, 1):.1f}" height="{BAR - 3}"/>'
                f'<line class="range" x1="{LEFT + low:.1f}" x2="{LEFT + high:.1f}" y1="{y + i * BAR + 6.5}" y2="{y + i * BAR + 6.5}"/>'
                f'<text x="{LEFT + max(middle, high) + 6:.1f}" y="{y + i * BAR + 11}">{short(statistics.median(values))}</text></g>'
            )
        y += len(PROGRAMS) * BAR + GAP
    axis = f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="0" y2="{y - GAP}"/>'
    return f'<svg viewBox="0 0 {WIDTH} {y}" role="img">{axis}{"".join(parts)}</svg>'


def html(cells, grids, facts):
    stress = [(f"n {n}, {t} thread{'s' if t > 1 else ''}", {p: best(found, p) for p in PROGRAMS}) for (n, t), found in cells.items()]

    def grid(operations):
        for (operation, size), found in grids.items():
            if operation in operations:
                label = f"{size} x {size}" if operation == "matmul" else f"{operation} {size:,}"
                yield label, {p: [rate(operation, size) / s for s in found[p]] for p in PROGRAMS}

    keys = "".join(f'<span class="key k{i}"></span>{program}' for i, program in enumerate(PROGRAMS))
    notes = "".join(f"<li>{escape.escape(line)}</li>" for line in how(facts).replace("\n  ", " ").removeprefix("- ").split("\n- "))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Millstream beside its peers on the CPU</title><style>{STYLE}</style></head><body>
<h1>Millstream beside PyTorch, candle and burn on the CPU</h1>
<p>Medians of {facts["rounds"]} rounds, the thin line from the least to the most; longer is better. Each group has its own scale.{keys}</p>
<p>Losses, with the best peer and the ratio: {escape.escape(losses(cells, grids))}.</p>
<h2>The stress workload, iterations per second</h2>{bars(stress, "iterations/s")}
<h2>Products on one thread, GFLOP per second</h2>{bars(grid(("matmul",)), "GFLOP/s")}
<h2>Reductions on one thread, GB read per second</h2>{bars(grid(("sum", "mean")), "GB/s")}
<h2>How</h2><ul>{notes}</ul>
</body></html>
"""

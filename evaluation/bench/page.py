# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What scripts/bench measured as JSON, and as one page that needs nothing beside it: bars a case, and rooflines."""

import html
import json
import math
import os

from evaluation.bench import peaks

STYLE = """body { font: 14px system-ui, sans-serif; margin: 2em auto; max-width: 64em; color: #1c1c1c; background: #fff }
table { border-collapse: collapse } td, th { padding: 2px 10px 2px 0; text-align: left; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums } .missed { color: #b00020 } .met { color: #1b6e35 }
.bar { height: 11px; display: inline-block } h2 { margin-top: 2em } h3 { margin-bottom: .3em }
svg text { font-size: 11px }"""
OURS, PEERS = "#1f6feb", ("#8a8f98", "#c2803a", "#7d5bbe", "#3f8f6f", "#b0566f", "#5b7a9d")
BARS = (" min ms", " GMAC/s", " GB/s")


def write(path, text):
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(temporary, path)


def write_json(path, record):
    write(path, json.dumps(record, indent=1))


def color(who):
    return OURS if who.startswith("ours") else PEERS[sum(map(ord, who)) % len(PEERS)]


def bars(rows):
    """The figures of one case that every contestant has, longest first."""
    for suffix in BARS:
        found = [(row["metric"][:-len(suffix)], row["value"]) for row in rows if row["metric"].endswith(suffix)]
        if not found:
            continue
        most = max(value for _, value in found)
        yield f"<table><caption>{suffix.strip()}</caption>" + "".join(
            f'<tr><td>{html.escape(who)}</td><td class="n">{value:.4g}</td><td><span class="bar" style="width:'
            f'{max(1, 320 * value / most):.0f}px;background:{color(who)}"></span></td></tr>'
            for who, value in found) + "</table>"


def others(rows):
    """The rest of a case's figures, with their goals."""
    lines = []
    for row in rows:
        if row["metric"].endswith(BARS):
            continue
        kind = {True: "met", False: "missed", None: ""}[row["ok"]]
        value = f"{row['value']:.4g}" if isinstance(row["value"], float) else str(row["value"])
        lines.append(f'<tr class="{kind}"><td>{html.escape(row["metric"])}</td><td class="n">{value}</td>'
                     f'<td>{html.escape(row["goal"] or "")}</td><td>{html.escape(str(row["reference"] or ""))}</td></tr>')
    return f"<table>{''.join(lines)}</table>" if lines else ""


def roofline(record, suite):
    """Rate over work per byte of memory on one thread, under the roofs of arithmetic and memory."""
    points = [p for p in record["points"] if p["suite"] == suite and p["threads"] == 1]
    memory = record["peaks"].get("memory read", {}).get("rate")
    roofs = {name: peak["rate"] for name, peak in record["peaks"].items() if peak["unit"] == "GMAC/s"}
    if not points or not memory or not roofs:
        return ""
    width, height, edge = 760, 380, 50
    low, high = (math.floor(math.log10(min(p["intensity"] for p in points) / 2)),
                 math.ceil(math.log10(max(p["intensity"] for p in points) * 2)))
    bottom = math.floor(math.log10(min(p["rate"] for p in points) / 2))
    top = math.ceil(math.log10(max(roofs.values())))
    x = lambda v: edge + (math.log10(v) - low) / (high - low) * (width - 2 * edge)
    y = lambda v: height - edge - (math.log10(v) - bottom) / (top - bottom) * (height - 2 * edge)
    parts = []
    for decade in range(low, high + 1):
        parts.append(f'<text x="{x(10**decade):.0f}" y="{height - edge + 16}" text-anchor="middle">{10**decade:g}</text>')
    for decade in range(bottom, top + 1):
        parts.append(f'<text x="{edge - 6}" y="{y(10**decade):.0f}" text-anchor="end">{10**decade:g}</text>')
    for name, rate in roofs.items():
        knee = min(max(rate / memory, 10**low), 10**high)
        start = max(knee * memory, 10**bottom)
        parts.append(f'<path d="M{x(10**low):.1f},{y(max(10**low * memory, 10**bottom)):.1f} L{x(knee):.1f},{y(start):.1f} '
                     f'L{x(10**high):.1f},{y(max(start, 10**bottom)):.1f}" fill="none" stroke="#bbb"/>'
                     f'<text x="{width - edge}" y="{y(start) - 4:.0f}" text-anchor="end" fill="#666">'
                     f'{html.escape(name)} {rate:.0f}</text>')
    for p in points:
        said = html.escape(f"{p['case']}, {p['who']}: {p['rate']:.4g} GMAC/s")
        parts.append(f'<circle cx="{x(p["intensity"]):.1f}" cy="{y(p["rate"]):.1f}" r="4" fill="{color(p["who"])}" '
                     f'fill-opacity=".8"><title>{said}</title></circle>')
    return (f'<svg width="{width}" height="{height}" role="img">{"".join(parts)}<text x="{width / 2}" y="{height - 10}" '
            f'text-anchor="middle">multiplications a byte of memory</text><text x="{edge}" y="16">GMAC/s, one thread '
            f'(memory {memory:.1f} GB/s)</text></svg>')


def page(record):
    suites = {}
    for row in record["rows"]:
        suites.setdefault(row["suite"], {}).setdefault(row["case"], []).append(row)
    body = []
    for suite, cases in suites.items():
        body.append(f"<h2>{html.escape(suite)}</h2>{roofline(record, suite)}")
        for case, rows in cases.items():
            body.append(f"<h3>{html.escape(case)}</h3>{''.join(bars(rows))}{others(rows)}")
    told = html.escape(peaks.described(record["machine"]))
    quick = " (--quick)" if record["quick"] else ""
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>QDialect: speed</title><style>{STYLE}</style>'
            f"<h1>QDialect beside its peers{quick}</h1><p>{told}; {record['rounds']} rounds of {record['seconds']:g} s a "
            f"contestant, in turns.</p>{''.join(body)}</html>\n")


def write_html(path, record):
    write(path, page(record))

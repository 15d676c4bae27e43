"""report.json -> report.html: one file with tables, plots, and the worst items to listen to. No script, nothing to load."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from pathlib import Path

import numpy as np

from speechx.audio import writing
from speechx.audio.plots import mel_png, png_uri
from speechx.eval.items import RATE, Item, read_recording
from speechx.eval.report.markdown import (
    BAR_TITLES,
    PUBLISHED,
    bar_cells,
    cell,
    failures_of,
    metric_of,
    titles,
)
from speechx.eval.report.schema import Report, Section, SystemSummary, WorstItem
from speechx.eval.scores import Metric, Unmeasurable
from speechx.eval.systems.systems import ground_truth
from speechx.pipeline.result import playable

__all__ = ["report_html"]

PLOTTED = 6
COLORS = {"model": "#2463a8", "reference": "#9aa7b4", "baseline": "#c08a3e", "control": "#c2a5a5"}
MAX_SECONDS = 12.0


def report_html(report: Report, items: dict[str, Item], outputs: Path) -> str:
    """items: those of the set, by id, where it is at hand. outputs: folder with SYSTEM/<id>.wav."""
    esc = html.escape
    measured = "".join(
        f"<tr><td>{esc(m['name'])}<td>{esc(str(m.get('version', '')))}<td>{esc(str(m.get('hash', '')))}"
        f"<td>{esc('missing: ' + m['missing'] if 'missing' in m else m['source'] + ': ' + m['note'])}"
        for m in report["measures"]
    )
    sections = "".join(_section(name, s, items, outputs) for name, s in report["abilities"].items())
    links = " · ".join(
        f'<a href="#{esc(name)}">{esc(name.replace("_", " "))}</a>' for name in report["abilities"]
    )
    machine = report["machine"]
    facts = {
        "test set": f"{report['set']['name']} ({report['set']['hash']})",
        "model": report["model"],
        "seed": report["set"].get("seed"),
        "date": report["date"],
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}",
        "command": report["command"],
    }
    rows = "".join(f"<tr><th>{k}<td>{esc(str(v))}" for k, v in facts.items())
    return PAGE.format(facts=rows, measured=measured, links=links, sections=sections)


def _section(name: str, section: Section, items: dict[str, Item], outputs: Path) -> str:
    metrics = [metric_of(m) for m in section["metrics"]]
    head = "".join(
        f'<th title="{html.escape(m.about)}">{html.escape(t)}'
        for m, t in zip(metrics, titles(metrics), strict=True)
    )
    body = "".join(
        f'<tr class={s["kind"]}><td title="{html.escape(s["about"])}">{html.escape(n.replace("_", " "))}'
        + "".join(f"<td>{_split(cell(m, s['metrics'][m.name]))}" for m in metrics)
        + f"<td>{s['failed']} of {s['items']}"
        for n, s in section["systems"].items()
    )
    failures = "".join(f"<li>{html.escape(line)}" for line in failures_of(section))
    worst = "".join(_worst(n, rows, items, outputs) for n, rows in section["worst"].items())
    plots = "".join(_plot(m, section["systems"]) for m in metrics[:PLOTTED])
    slices = "".join(
        _slices(n, s, metrics[:5]) for n, s in section["systems"].items() if s["kind"] == "model"
    )
    published = "".join(f"<li>{html.escape(line)}" for line in section["published"])
    return (
        f"<h2 id={name}>{html.escape(name.replace('_', ' '))} <small>{section['items']} items</small></h2>"
        f"<div class=wide><table><tr><th>system{head}<th>failed{body}</table></div><div class=plots>{plots}</div>"
        + _bars(section)
        + (
            f"<details open><summary>Missing values</summary><ul>{failures}</ul></details>"
            if failures
            else ""
        )
        + f"<details><summary>Slices</summary>{slices}</details>{worst}"
        f"<details><summary>{PUBLISHED}</summary><ul>{published}</ul></details>"
    )


def _bars(section: Section) -> str:
    """What each model should reach."""
    metrics = {m["name"]: metric_of(m) for m in section["metrics"]}
    rows = [
        row
        for bars in section["bars"].values()
        for row in (BAR_TITLES, *(bar_cells(bar, metrics[bar["metric"]]) for bar in bars))
    ]
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}" for c in row) for row in rows)
    return f"<details><summary>What it should reach</summary><table>{body}</table></details>" if rows else ""


def _split(shown: str) -> str:
    """The mean large, its interval small."""
    value, _, rest = html.escape(shown).partition(" ")
    return f"<b>{value}</b> <small>{rest}</small>" if rest else f"<b>{value}</b>"


def _plot(metric: Metric, systems: dict[str, SystemSummary]) -> str:
    """Bars with intervals, one a system, as SVG."""
    summaries = [
        (name, s["kind"], told["low"], told["mean"], told["high"])
        for name, s in systems.items()
        if (told := s["metrics"][metric.name])
    ]
    shown = [
        (name, kind, low, mean, high)
        for name, kind, low, mean, high in summaries
        if low is not None and mean is not None and high is not None
    ]
    if not shown:
        return ""
    start, stop = min(0.0, *(s[2] for s in shown)), max(1e-9, *(s[4] for s in shown))

    def x(value: float) -> float:
        return 120 + 200 * (value - start) / (stop - start)

    rows = []
    for index, (name, kind, low, mean, high) in enumerate(shown):
        y = 24 + 18 * index
        left, right = sorted((x(0), x(mean)))
        rows.append(
            f'<text x="114" y="{y + 10}" text-anchor="end">{html.escape(name.replace("_", " "))}</text>'
            f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="12" fill="{COLORS[kind]}"/>'
            f'<path d="M{x(low):.1f} {y + 6}H{x(high):.1f}" stroke="#222"/>'
            f'<text x="326" y="{y + 10}">{metric.show(mean)}</text>'
        )
    return (
        f'<svg viewBox="0 0 372 {28 + 18 * len(shown)}" role="img" aria-label="{html.escape(metric.name)}">'
        f'<text x="0" y="12" font-weight="bold">{html.escape(titles([metric])[0])}</text>{"".join(rows)}</svg>'
    )


def _slices(name: str, system: SystemSummary, metrics: list[Metric]) -> str:
    out = []
    for by, values in system["slices"].items():
        if len(values) > 12:
            continue
        head = "".join(f"<th>{html.escape(t)}" for t in titles(metrics))
        body = "".join(
            f"<tr><td>{html.escape(v)}<td>{told['items']}"
            + "".join(f"<td>{_split(cell(m, told['metrics'][m.name]))}" for m in metrics)
            for v, told in values.items()
        )
        out.append(
            f"<p>{html.escape(name)} by {html.escape(by)}</p><table><tr><th>{html.escape(by)}<th>items{head}{body}</table>"
        )
    return "".join(out)


def _worst(name: str, rows: list[WorstItem], items: dict[str, Item], outputs: Path) -> str:
    """The worst items of a model, with sound and pictures of what went in, what came out, and what should have."""
    parts = []
    for row in rows:
        shown = "no value" if row["value"] is None else f"{row['by']} {row['value']:.3g}"
        figures = _figure("output", lambda row=row: read_recording(outputs / name / f"{row['id']}.wav"))  # type: ignore[misc]
        if (item := items.get(row["id"])) is not None:
            field = item.input_field
            figures = _figure(field, lambda item=item, field=field: item.recording(field)) + figures  # type: ignore[misc]
            figures += _figure("target", lambda item=item: ground_truth(item))  # type: ignore[misc]
        known = ", ".join(f"{k} {v}" for k, v in row["meta"].items() if not isinstance(v, list))
        said = f"<p>{html.escape(row['error'])}</p>" if row["error"] else ""
        if row["text"]:
            said += f"<p>should say: <i>{html.escape(row['text'])}</i></p>"
        if row["transcript"] is not None:
            said += f"<p>heard: <i>{html.escape(row['transcript']) or '(nothing)'}</i></p>"
        parts.append(
            f"<section><h4>{html.escape(row['id'])} <small>{shown}; {html.escape(known)}</small></h4>{said}"
            f"<div class=trio>{figures}</div></section>"
        )
    return f"<details><summary>The worst items of {html.escape(name)}</summary>{''.join(parts)}</details>"


def _figure(caption: str, load: Callable[[], np.ndarray]) -> str:
    """A player and a mel spectrogram, both within the page."""
    try:
        wav_T = load()[: round(MAX_SECONDS * RATE)]
    except Unmeasurable:
        return f"<figure><figcaption>{caption}: none</figcaption></figure>"
    sound = base64.b64encode(writing.encode(*playable(wav_T, RATE, "mp3"), "mp3")).decode()
    return (
        f"<figure><figcaption>{caption}, {len(wav_T) / RATE:.1f} s</figcaption>"
        f'<audio controls preload=none src="data:audio/mpeg;base64,{sound}"></audio>'
        f'<img src="{png_uri(mel_png(wav_T))}" alt="mel spectrogram, {caption}"></figure>'
    )


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>SpeechX: evaluation</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; padding: 0 1rem; color: #223; }}
table {{ border-collapse: collapse; margin: .5rem 0; }} .wide {{ overflow-x: auto; }}
td, th {{ padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #ddd; vertical-align: top; }}
td:first-child, th:first-child {{ text-align: left; }} .facts td, .facts th, .measured td {{ text-align: left; }}
small {{ color: #678; font-weight: normal; }} tr.model {{ background: #eaf2fb; }} tr.control {{ color: #a88; }}
td small {{ display: block; white-space: nowrap; }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; font-size: 11px; }}
.trio {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; }} figure {{ margin: 0; color: #357; }}
audio {{ width: 100%; }} img {{ width: 100%; height: 6rem; }}
summary {{ cursor: pointer; font-weight: bold; margin: .5rem 0; }}
h2 {{ margin-top: 2.5rem; border-top: 2px solid #ccd; padding-top: .5rem; }} h4, p {{ margin: .3rem 0; }}
@media (max-width: 45rem) {{ .trio {{ grid-template-columns: 1fr; }} }}
</style></head><body>
<h1>SpeechX: evaluation</h1>
<table class=facts>{facts}</table>
<p>Means with bootstrap 95 % intervals over items; error rates are over all words. <i>n of m</i>: only n of m items have this
value, and the mean is of those; the reasons are named below the table. An arrow tells which direction is good.</p>
<p>{links}</p>
{sections}
<h2>Measured by</h2>
<table class=measured><tr><th>model<th>version<th>weights<th>note{measured}</table>
</body></html>
"""

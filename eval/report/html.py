"""report.json -> report.html: one file with tables, plots, and the worst items to listen to. No script, nothing to load."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from speechx.audio import writing
from speechx.audio.plots import mel_png, png_uri
from speechx.cli.pages import render
from speechx.eval.items import RATE, Item, read_recording
from speechx.eval.report.markdown import (
    BAR_TITLES,
    MAX_SLICES,
    PUBLISHED,
    bar_cells,
    cell,
    failures_of,
    metric_of,
    title,
)
from speechx.eval.report.schema import Report, Section, SystemSummary, WorstItem
from speechx.eval.scores import Metric, Unmeasurable
from speechx.eval.systems.systems import ground_truth
from speechx.pipeline.result import playable

__all__ = ["report_html"]

TEMPLATE = Path(__file__).with_name("report.html.j2")
PLOTTED = 6
COLORS = {"model": "#2463a8", "reference": "#9aa7b4", "baseline": "#c08a3e", "control": "#c2a5a5"}
MAX_SECONDS = 12.0


@dataclass(frozen=True)
class PlotBar:
    """A system in a plot. left, width, low, high: pixels of the bar and of its interval."""

    system: str
    color: str
    left: float
    width: float
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Bars with intervals of one metric, one per system."""

    name: str
    title: str
    bars: list[PlotBar]


@dataclass(frozen=True)
class Clip:
    """A player and a mel spectrogram as data URIs; empty where there is no recording."""

    caption: str
    seconds: float = 0.0
    audio: str = ""
    picture: str = ""


@dataclass(frozen=True)
class WorstClips:
    """One of the worst items: input, output and target, as far as they are at hand."""

    item: WorstItem
    clips: list[Clip]


@dataclass(frozen=True)
class SectionPage:
    """An ability on the page. bars: cells of the table of levels to reach, with a row of titles per model."""

    name: str
    section: Section
    metrics: list[Metric]
    plots: list[Plot]
    bars: list[list[str]]
    worst: dict[str, list[WorstClips]]


def report_html(report: Report, items: dict[str, Item], outputs: Path) -> str:
    """items: those of the set, by id, where it is at hand. outputs: folder with SYSTEM/<id>.wav."""
    machine = report["machine"]
    facts = {
        "test set": f"{report['set']['name']} ({report['set']['hash']})",
        "model": report["model"],
        "seed": report["set"].get("seed"),
        "date": report["date"],
        **({"note": note} if (note := report["set"].get("note")) else {}),
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}",
        "command": report["command"],
    }
    sections = [_section_page(name, s, items, outputs) for name, s in report["abilities"].items()]
    return render(
        TEMPLATE, report=report, facts=facts, sections=sections, published=PUBLISHED, max_slices=MAX_SLICES,
        cell=cell, failures_of=failures_of, title=title,
    )  # fmt: skip


def _section_page(name: str, section: Section, items: dict[str, Item], outputs: Path) -> SectionPage:
    metrics = [metric_of(m) for m in section["metrics"]]
    plots = [_plot(m, section["systems"]) for m in metrics[:PLOTTED]]
    worst = {
        system: [WorstClips(row, _clips(row["id"], items.get(row["id"]), outputs / system)) for row in rows]
        for system, rows in section["worst"].items()
    }
    by_name = {m.name: m for m in metrics}
    bars = [
        row
        for system, rows in section["bars"].items()
        for row in (
            [f"{BAR_TITLES[0]} of {system}", *BAR_TITLES[1:]],
            *(bar_cells(bar, by_name[bar["metric"]]) for bar in rows),
        )
    ]
    return SectionPage(name, section, metrics, [plot for plot in plots if plot.bars], bars, worst)


def _plot(metric: Metric, systems: dict[str, SystemSummary]) -> Plot:
    shown = []
    for name, system in systems.items():
        summary = system["metrics"][metric.name]
        low, mean, high = summary["low"], summary["mean"], summary["high"]
        if low is not None and mean is not None and high is not None:
            shown.append((name, COLORS[system["kind"]], low, mean, high))
    start = min(0.0, *(low for _, _, low, _, _ in shown), 0.0)
    stop = max(1e-9, *(high for *_, high in shown), 1e-9)

    def x(value: float) -> float:
        return 120 + 200 * (value - start) / (stop - start)

    bars = []
    for name, color, low, mean, high in shown:
        left, right = sorted((x(0), x(mean)))
        bars.append(PlotBar(name, color, left, right - left, x(low), x(high), metric.show(mean)))
    return Plot(metric.name, title(metric), bars)


def _clips(item_id: str, item: Item | None, outputs: Path) -> list[Clip]:
    output = _clip("output", partial(read_recording, outputs / f"{item_id}.wav"))
    if item is None:
        return [output]
    field = item.input_field
    return [
        _clip(field, partial(item.recording, field)),
        output,
        _clip("target", partial(ground_truth, item)),
    ]


def _clip(caption: str, load: Callable[[], np.ndarray]) -> Clip:
    try:
        wav_T = load()[: round(MAX_SECONDS * RATE)]
    except Unmeasurable:
        return Clip(caption)
    mp3 = base64.b64encode(writing.encode(*playable(wav_T, RATE, "mp3"), "mp3")).decode()
    return Clip(caption, len(wav_T) / RATE, f"data:audio/mpeg;base64,{mp3}", png_uri(mel_png(wav_T)))

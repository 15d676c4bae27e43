"""report.json -> report.md, and the tables of MODEL_CARD.md. Light: no torch."""

from __future__ import annotations

from pathlib import Path

from speechx.errors import InputError
from speechx.eval.report.schema import BarSummary, MetricInfo, MetricSummary, Report, Section, SystemSummary
from speechx.eval.scores import NOT_REPORTED, Metric
from speechx.files import atomic_write

__all__ = [
    "BAR_TITLES",
    "BEGIN",
    "END",
    "MAX_SLICES",
    "PUBLISHED",
    "bar_cells",
    "card_tables",
    "cell",
    "failures_of",
    "metric_of",
    "report_markdown",
    "title",
    "update_card",
]

BEGIN, END = "<!-- evaluation: begin (made by `speechx eval card`) -->", "<!-- evaluation: end -->"
PUBLISHED = "Published elsewhere, for orientation only (quoted second-hand: check the paper before citing)"
BAR_TITLES = ("metric", "measured", "first bar", "goal")
MET = {True: "met", False: "not met", None: "not measured"}
SPEED = ("rtf", "first_audio")
CARD_METRICS = 6
MAX_SLICES = 12
"""Values of a property beyond which a report leaves its slices out."""
ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}


def metric_of(row: MetricInfo) -> Metric:
    return Metric(**row)


def title(metric: Metric) -> str:
    """Name, unit, and an arrow in the direction of better values."""
    return f"{metric.name}{f' ({metric.unit})' if metric.unit else ''}{ARROWS[metric.better]}"


def cell(metric: Metric, summary: MetricSummary) -> str:
    """Mean, interval, and the number of items where some lack a value: "5.1 [4.0, 6.3] (18 of 20)"."""
    if summary["mean"] is None and set(summary.get("reasons", ())) <= {NOT_REPORTED}:
        return "–"
    if summary["mean"] is None:
        return f"– (0 of {summary['missing']})" if summary["missing"] else "–"
    shown = f"{metric.show(summary['mean'])} [{metric.show(summary['low'])}, {metric.show(summary['high'])}]"
    return shown + (f" ({summary['n']} of {summary['n'] + summary['missing']})" if summary["missing"] else "")


def _table(systems: dict[str, SystemSummary], metrics: list[Metric]) -> list[str]:
    lines = [
        "| system | " + " | ".join(map(title, metrics)) + " | failed |",
        "|---|" + "---|" * (len(metrics) + 1),
    ]
    for name, system in systems.items():
        shown = f"**{name}**" if system["kind"] == "model" else name.replace("_", " ")
        cells = [cell(m, system["metrics"][m.name]) for m in metrics]
        lines.append(f"| {shown} | " + " | ".join(cells) + f" | {system['failed']} of {system['items']} |")
    return lines


def failures_of(section: Section) -> list[str]:
    """A sentence for every reason that a value is missing."""
    lines = []
    for name, system in section["systems"].items():
        lines += [f"{name}: {count} × no output: {why}" for why, count in system["failures"].items()]
        for metric, summary in system["metrics"].items():
            for why, count in summary["reasons"].items():
                if why not in system["failures"] and why != NOT_REPORTED:
                    lines.append(f"{name}, {metric}: {count} × {why}")
    return lines


def bar_cells(bar: BarSummary, metric: Metric) -> list[str]:
    """Metric, measured value, first bar and goal of a row of the table."""
    versus = f" (beside {bar['versus'].replace('_', ' ')})" if bar["versus"] else ""
    limits = ((bar["first"], bar["first_met"]), (bar["goal"], bar["goal_met"]))
    return [
        f"{title(metric)}{versus}",
        metric.show(bar["value"]),
        *("–" if limit is None else f"{metric.show(limit)}: {MET[met]}" for limit, met in limits),
    ]


def _bars_tables(section: Section) -> list[str]:
    """What each model should reach, as a table."""
    metrics, lines = {m["name"]: metric_of(m) for m in section["metrics"]}, list[str]()
    for name, bars in section["bars"].items():
        lines += ["", f"What {name} should reach:", "", f"| {' | '.join(BAR_TITLES)} |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(bar_cells(bar, metrics[bar['metric']]))} |" for bar in bars]
    return lines


def report_markdown(report: Report) -> str:
    """The whole report as text."""
    test_set, machine = report["set"], report["machine"]
    lines = [
        "# SpeechX: evaluation", "",
        f"Set {test_set['name']} ({test_set['hash']}), seed {test_set.get('seed')}, model {report['model']}, "
        f"{report['date']}.",
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}.",
        f"Command: `{report['command']}`", "",
        "Means with bootstrap 95 % intervals over items; error rates are over all words. (n of m): only n of m items have "
        "this value, the mean is of those; the reasons are below the table.", "",
        "| measured by | version | weights | note |", "|---|---|---|---|",
    ]  # fmt: skip
    for m in report["measures"]:
        note = f"missing: {m['missing']}" if "missing" in m else f"{m['source']}: {m['note']}"
        lines.append(f"| {m['name']} | {m.get('version', '')} | {m.get('hash', '')} | {note} |")
    for ability, section in report["abilities"].items():
        metrics = [metric_of(m) for m in section["metrics"]]
        lines += [
            "",
            f"## {ability} ({section['items']} items)",
            "",
            *_table(section["systems"], metrics),
            "",
        ]
        lines += [f"* {m.name}: {m.about}" for m in metrics]
        lines += _bars_tables(section)
        if failures := failures_of(section):
            lines += ["", "Missing values:", "", *(f"* {line}" for line in failures)]
        for name, system in section["systems"].items():
            if system["kind"] == "model":
                lines += _slices(name, system, metrics[:5])
        lines += ["", PUBLISHED + ":", "", *(f"* {line}" for line in section["published"])]
    return "\n".join(lines) + "\n"


def _slices(name: str, system: SystemSummary, metrics: list[Metric]) -> list[str]:
    lines: list[str] = []
    for by, values in system["slices"].items():
        if len(values) > MAX_SLICES:
            continue
        lines += ["", f"{name} by {by}:", "", f"| {by} | items | " + " | ".join(map(title, metrics)) + " |"]
        lines.append("|---|---|" + "---|" * len(metrics))
        for value, own in values.items():
            cells = [cell(m, own["metrics"][m.name]) for m in metrics]
            lines.append(f"| {value} | {own['items']} | " + " | ".join(cells) + " |")
    return lines


def card_tables(report: Report) -> str:
    """The model card's part: a table of each ability with its main metrics, without controls."""
    test_set = report["set"]
    lines = [
        f"Test set {test_set['name']} ({test_set['hash']}), model {report['model']}, {report['date']}. "
        "Means with bootstrap 95 % intervals; (n of m) where items lack the value. "
        + "Measured by " + ", ".join(f"{m['name']} ({m['hash']})" for m in report["measures"] if "hash" in m) + ".",
    ]  # fmt: skip
    for ability, section in report["abilities"].items():
        speed = [metric_of(m) for m in section["metrics"] if m["name"] in SPEED]
        quality = [metric_of(m) for m in section["metrics"] if m["name"] not in SPEED]
        metrics = quality[:CARD_METRICS] + speed
        kept = {n: s for n, s in section["systems"].items() if s["kind"] != "control"}
        lines += [
            "",
            f"### {ability} ({section['items']} items)",
            "",
            *_table(kept, metrics),
        ]
        lines += _bars_tables(section)
    return "\n".join(lines) + "\n"


def update_card(path: Path, report: Report) -> None:
    """Replaces what stands between the markers of a model card. Raises InputError where they are not there."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"card: {path} cannot be read: {error.strerror}", field="card") from error
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise InputError(f"card: {path} lacks the lines {BEGIN} and {END}", field="card")
    atomic_write(path, f"{head}{BEGIN}\n{card_tables(report)}{END}{tail}".encode())

"""`speechx eval compare A B`: what got better or worse from run A to run B, item by item of the same set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from speechx.eval.metrics.bootstrap import paired
from speechx.eval.report.summary import metrics_of
from speechx.eval.rows import ScoreRow
from speechx.eval.scores import Metric

__all__ = ["Comparison", "compare_runs", "comparison_markdown"]


class Comparison(TypedDict):
    """A metric of an ability. difference: mean, low and high of B - A over `pairs` items."""

    ability: str
    metric: str
    unit: str
    digits: int
    verdict: Literal["better", "worse", "same", "?"]
    difference: dict[str, float] | None
    pairs: int
    unpaired: int


def compare_runs(
    a: Sequence[ScoreRow], b: Sequence[ScoreRow], systems: tuple[str, str] | None = None
) -> list[Comparison]:
    """A row for each ability and metric: paired difference B - A with its 95 % interval, and the verdict.

    systems: names to compare; without them, the models of both runs. Items that only one side could measure are counted
    in `unpaired`, not dropped in silence.
    """
    out: list[Comparison] = []
    for ability in dict.fromkeys(r["ability"] for r in a):
        left, right = (
            _by_item(rows, ability, n)
            for rows, n in ((a, systems and systems[0]), (b, systems and systems[1]))
        )
        if not left or not right:
            continue
        task = next(iter(left.values()))["task"]
        for metric in metrics_of(task, list(left.values())):
            out.append(_difference(ability, metric, left, right))
    return out


def _by_item(rows: Sequence[ScoreRow], ability: str, system: str | None) -> dict[str, ScoreRow]:
    return {
        r["id"]: r
        for r in rows
        if r["ability"] == ability and (r["system"] == system if system else r["kind"] == "model")
    }


def _difference(
    ability: str, metric: Metric, left: dict[str, ScoreRow], right: dict[str, ScoreRow]
) -> Comparison:
    name = metric.name
    both = [i for i in left if i in right and name in left[i]["scores"] and name in right[i]["scores"]]
    values = [(left[i]["scores"][name], right[i]["scores"][name]) for i in both]
    found = paired([x[0] for x, _ in values], [y[0] for _, y in values], [x[1] for x, _ in values])
    verdict: Literal["better", "worse", "same", "?"] = "?"
    if found is not None:
        verdict = "same"
        if metric.better and (found.low > 0 or found.high < 0):
            verdict = "better" if (found.mean > 0) == (metric.better == "higher") else "worse"
    return {
        "ability": ability,
        "metric": name,
        "unit": metric.unit,
        "digits": metric.digits,
        "verdict": verdict,
        "difference": found.as_dict() if found else None,
        "pairs": len(both),
        "unpaired": len(left.keys() | right.keys()) - len(both),
    }


def comparison_markdown(rows: Sequence[Comparison], names: tuple[str, str]) -> str:
    """A table per ability, metrics that changed first."""
    lines = [
        f"# {names[1]} against {names[0]}",
        "",
        "Difference of the means over the same items, with a bootstrap 95 % interval.",
    ]
    for ability in dict.fromkeys(r["ability"] for r in rows):
        lines += [
            "",
            f"## {ability}",
            "",
            "| metric | difference | 95 % | verdict | pairs | unpaired |",
            "|---|---|---|---|---|---|",
        ]
        own = [r for r in rows if r["ability"] == ability]
        for row in sorted(own, key=lambda r: r["verdict"] not in ("better", "worse")):
            shown = Metric(row["metric"], "", None, row["unit"], row["digits"])
            d = row["difference"]
            cells = (
                f"{_signed(shown, d['mean'])} | {_signed(shown, d['low'])} to {_signed(shown, d['high'])}"
                if d
                else "– | –"
            )
            unit = f" ({row['unit']})" if row["unit"] else ""
            lines.append(
                f"| {row['metric']}{unit} | {cells} | {row['verdict']} | {row['pairs']} | {row['unpaired']} |"
            )
    return "\n".join(lines) + "\n"


def _signed(metric: Metric, value: float) -> str:
    return ("+" if value >= 0 else "") + metric.show(value)

"""Writes report.json, report.md and report.html of a run from its scores."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import cast

from speechx.cli.machine import processor_name
from speechx.errors import InputError
from speechx.eval.items import Item
from speechx.eval.report.html import report_html
from speechx.eval.report.markdown import report_markdown
from speechx.eval.report.schema import SCHEMA_VERSION, Report
from speechx.eval.report.summary import summarize
from speechx.eval.rows import Header, read_header, read_rows
from speechx.files import atomic_write

__all__ = ["header_of", "load_report", "machine", "write_report"]


def machine() -> dict[str, str | int | None]:
    """Processor, cores, system and Python version."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def write_report(folder: Path, header: Header | None = None, items: list[Item] | None = None) -> Report:
    """Reports of the scores in a folder; the header of the run is read from run.json unless given."""
    rows = read_rows(folder)
    if not rows:
        raise InputError(f"run: {folder} has no scores (make them with `speechx eval run`)", field="run")
    report = summarize(rows, header or read_header(folder))
    data = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    atomic_write(folder / "report.json", data.encode())
    atomic_write(folder / "report.md", report_markdown(report).encode())
    page = report_html(report, {i.id: i for i in items or ()}, folder / "audio")
    atomic_write(folder / "report.html", page.encode())
    return report


def load_report(path: Path) -> Report:
    """report.json, or the one in a folder. Raises InputError: unreadable, or of another schema."""
    path = path / "report.json" if path.is_dir() else path
    try:
        report: Report = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"report: {path} cannot be read: {error}", field="report") from error
    if report.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"report: {path} has schema {report.get('schema_version')}; this version reads {SCHEMA_VERSION}",
            field="report",
        )
    return report


def header_of(report: Report) -> Header:
    """The header that the report was made with."""
    return cast(Header, {k: v for k, v in report.items() if k not in ("abilities", "schema_version")})

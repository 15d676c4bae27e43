"""The table of faults in docs/reliability.md."""

from __future__ import annotations

from tests.chaos.harness import ROOT, Outcomes

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"
HEAD = """\
| server | fault | done | refused | broken off | unanswered | 503 | other 5xx | seconds to ready |
|---|---|---|---|---|---|---|---|---|
"""


class Report:
    """Rows of the table, the last one of each server and fault."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}

    def add(self, server: str, fault: str, outcomes: Outcomes, ready: str) -> None:
        name = {"ray": "Ray", "in-process": "in process"}[server]
        self.rows[name, fault] = f"| {' | '.join([name, fault, *outcomes.row(), ready])} |"

    def write(self) -> None:
        """Rows of faults that were not tried now stay as they are."""
        page = PAGE.read_text("utf-8")
        before, table, after = (
            page.partition(BEGIN)[0],
            page.partition(BEGIN)[2].partition(END)[0],
            page.partition(END)[2],
        )
        known = [line for line in table.splitlines() if line.startswith(("| Ray", "| in process"))]
        rows = {tuple(cell.strip() for cell in line.split("|")[1:3]): line for line in known} | self.rows
        table = HEAD + "\n".join(rows.values()) + "\n"
        PAGE.write_text(f"{before}{BEGIN}\n{table}{END}{after}", "utf-8")

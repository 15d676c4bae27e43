"""Progress lines tell how long the rest takes by what the loop itself took."""

from __future__ import annotations

import pytest

from speechx.data import progress


def test_the_time_before_the_first_item_does_not_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 50.0, 52.0, 60.0, 68.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    tick = progress.ticker("align")
    for done in (1, 2, 6, 10):
        tick(done, 10)
    assert capsys.readouterr().err.splitlines() == [
        "align: 1/10", "align: 6/10, 8 s left", "align: 10/10, 0 s left",
    ]  # fmt: skip

"""`speechx train smoke`: codec, aligner and language model, each for a few minutes, on generated data.

It goes through every step of a real run (pack, codes, phones, word times, pairs of all tasks) with the tiny presets,
and fails unless each of the three losses has fallen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechx.models.aligner import AlignerConfig
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.spectral import SpectralCodec
from speechx.training.loop import read_log

__all__ = ["Outcome", "run_smoke"]

MUST_FALL = 0.93


@dataclass(frozen=True)
class Outcome:
    """What a loss was in the first line of a log, and on average over the last fifth."""

    name: str
    loss: str
    first: float
    last: float
    steps: int

    @property
    def fallen(self) -> bool:
        return bool(np.isfinite(self.last)) and self.last < MUST_FALL * self.first

    def __str__(self) -> str:
        verdict = "falls" if self.fallen else "DOES NOT FALL"
        return f"{self.name:8} {self.loss:5} {self.first:.3f} -> {self.last:.3f} in {self.steps} steps: {verdict}"


def outcome(name: str, run: Path, loss: str) -> Outcome:
    rows = [row for row in read_log(run / "log.csv") if loss in row]
    if len(rows) < 2:
        raise ValueError(
            f"{name}: {run / 'log.csv'} has {len(rows)} lines, too few to tell; give it more minutes"
        )
    tail = [row[loss] for row in rows[-max(1, len(rows) // 5) :]]
    return Outcome(name, loss, rows[0][loss], float(np.mean(tail)), int(rows[-1]["step"]))


def run_smoke(
    out: str | Path,
    minutes: float = 2.0,
    utterances: int = 160,
    pairs: int = 60,
    say: Callable[[str], None] = print,
) -> list[Outcome]:
    """Trains all three in OUT; returns what came of it."""
    from speechx.data.annotate.alignments import align_pack
    from speechx.data.annotate.codes import encode_pack, phonemize_pack
    from speechx.data.pairs import mix_shards
    from speechx.data.progress import ticker
    from speechx.data.synthetic import synthetic_pack

    out = Path(out)
    say(f"generated data -> {out / 'pack'}")
    pack = synthetic_pack(out / "pack", utterances)
    codec = _codec(pack, out / "codec", minutes, say)
    phonemize_pack(pack, ticker("phones"))
    encode_pack(pack, codec, ticker("codes"))
    _aligner(pack, codec, out / "aligner", minutes, say)
    align_pack(pack, out / "codec/model", out / "aligner/model", ticker("word times"))
    off = alignment_error(pack, codec, out / "aligner/model")
    say(f"aligner: phone borders are off by {off:.0f} ms in the median, on a voice it has not heard")
    report = mix_shards(
        pack,
        out / "codec/model",
        out / "aligner/model",
        out / "shards",
        count=pairs,
        rooms=0,
        max_per=float("inf"),  # an aligner of two minutes doubts everything
        progress=ticker("mix"),
    )
    for task, line in report.items():
        say(f"pairs of {task}: {line}")
    _lm(codec, out / "shards", out / "lm", minutes, say)
    return [
        outcome("codec", out / "codec", "mel"),
        outcome("aligner", out / "aligner", "loss"),
        outcome("lm", out / "lm", "loss"),
    ]


def _codec(pack: Path, out: Path, minutes: float, say: Callable[[str], None]) -> SpectralCodec:
    from speechx.models.codec.folder import export_checkpoint
    from speechx.training.codec import CodecTrainConfig, train

    say(f"codec: {minutes:g} minutes")
    config = CodecTrainConfig(
        codec=SpectralConfig.preset("tiny"), steps=20000, batch=6, crop_frames=25, lr=2e-3, warmup=20, ema=0.98,
        adversarial_from=600, stft_sizes=(256, 512), channels=4, log_every=10,
    )  # fmt: skip
    train(config, str(pack), str(out), False, "cpu", minutes)
    return export_checkpoint(out / "last.pt", out / "model")


def _aligner(pack: Path, codec: SpectralCodec, out: Path, minutes: float, say: Callable[[str], None]) -> None:
    from speechx.data.annotate.codes import read_tokens
    from speechx.training.aligner import AlignerTrainConfig, train

    say(f"aligner: {minutes:g} minutes")
    rows = read_tokens(pack, codec)
    config = AlignerTrainConfig(
        aligner=AlignerConfig.preset("tiny"), steps=600, batch_frames=1200, lr=4e-3, warmup=20, log_every=10
    )
    dev = [row for row in rows if row.row.split == "dev" and row.text is not None][:5]
    train(config, [r for r in rows if r.row.split == "train"], dev, codec, str(out), max_minutes=minutes)


def _lm(codec: SpectralCodec, shards: Path, out: Path, minutes: float, say: Callable[[str], None]) -> None:
    from speechx.data.shards import Shards
    from speechx.text import PHONE_TABLE_VERSION
    from speechx.training.export import export_lm, pause_phones
    from speechx.training.lm import LMTrainConfig, train

    say(f"language model: {minutes:g} minutes")
    config = LMTrainConfig(
        preset="tiny",
        steps=20000,
        batch_steps=1200,
        max_length=900,
        lr=3e-3,
        warmup=20,
        ema=0.9,
        log_every=10,
    )
    train(
        config, Shards([shards], codec.hash), None, str(out), phone_table_version=PHONE_TABLE_VERSION,
        codec=codec, pause_phones=pause_phones(), max_minutes=minutes,
    )  # fmt: skip
    export_lm(out / "last.pt", out / "model")


def alignment_error(pack: Path, codec: SpectralCodec, aligner: Path) -> float:
    """Median distance in ms between aligned and true beginnings of phones, over the dev split of a synthetic pack."""
    from speechx.data.annotate.codes import read_tokens
    from speechx.models.aligner import Aligner

    truth = {row["id"]: np.array(row["pointer"]) for row in map(json.loads, (pack / "truth.jsonl").open())}
    model, distances = Aligner.load(aligner), list[float]()
    for row in read_tokens(pack, codec):
        if row.row.split != "dev" or row.text is None:
            continue
        pointer_F = model.align(row.codes_FK, row.text, codec).pointer_F
        phones = np.arange(len(row.text.ids))
        gaps = np.searchsorted(pointer_F, phones) - np.searchsorted(truth[row.row.id], phones)
        distances += (1000 / codec.frame_rate * np.abs(gaps)).tolist()
    return float(np.median(distances))

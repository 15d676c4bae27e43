"""A LoRA adapter of the language model for one person's recordings.

    rows -> pack -> codes, phones, word times -> pairs of tts from codes -> factors, the best by the held-out recordings

Source: low-rank adaptation (Hu et al. 2021), here of a zero-shot model to one speaker.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from speechx.data.annotate.alignments import align_pack, read_alignments
from speechx.data.annotate.codes import encode_pack, phonemize_pack
from speechx.data.code_pool import MAX_PER
from speechx.data.packs import AudioPack
from speechx.data.pairs import mix_shards
from speechx.data.prepare import prepare_rows
from speechx.data.progress import ticker
from speechx.data.recordings import CheckedRecordings
from speechx.data.shards import Shards
from speechx.errors import InputError
from speechx.models.adapter_file import AdapterInfo, write_adapter
from speechx.models.codec.sources import open_codec
from speechx.models.lm.folder import LM_FOLDER, load_for_voice
from speechx.models.lora import LANGUAGE_ROW, LoRAAdapter, LoRAScope, balanced_factors
from speechx.text import PHONE_TABLE_VERSION
from speechx.text.languages import added_language
from speechx.training.export import pause_phones
from speechx.training.lm import train
from speechx.training.lm_config import LMTrainConfig

__all__ = ["AdaptedVoice", "adapt_voice", "prepare_voice", "rank_of"]

TASK = "tts"
_USE = {"train": "train on", "dev": "judge by"}
PAIRS_PER_UTTERANCE, MOST_PAIRS, DEV_PAIRS = 30, 6000, 48


@dataclass(frozen=True)
class AdaptedVoice:
    """data: the adapter's file. loss: of the held-out recordings before and after; steps: the kept one, and the last.

    before: of a language that the model did not have, the file of an adapter that speaks it as the nearest language.
    """

    data: bytes
    info: AdapterInfo
    loss: tuple[float, float]
    steps: tuple[int | None, int]
    before: bytes | None = None


def prepare_voice(
    checked: CheckedRecordings, model: Path, work: Path, max_per: float = MAX_PER,
    progress: Callable[[str], Callable[[int, int], None]] = ticker,
) -> dict[str, float]:  # fmt: skip
    """Makes WORK/pack and WORK/shards of checked recordings; the phone error rate of each text, by the row's id.

    A text with a phone error rate above max_per does not fit: it gives no pairs. progress: see `ticker`. Raises InputError
    where none fits.
    """
    shutil.rmtree(work, ignore_errors=True)
    pack = work / "pack"
    codec = open_codec(model / "codec")
    prepare_rows(list(checked.rows), pack, workers=1, progress=progress("decode"), rate=codec.sample_rate)
    phonemize_pack(pack)
    encode_pack(pack, codec, progress=progress("codes"))
    align_pack(pack, model / "codec", model / "aligner", progress("align"))
    errors = {key[1]: found.per for key, found in read_alignments(pack, codec.hash).items()}
    for split in ("train", "dev"):
        rows = [row for row in AudioPack(pack).rows if row.split == split]
        fit = [row for row in rows if errors.get(row.id, max_per + 1) <= max_per]
        if not fit:
            raise InputError(
                f"recordings: none of {len(rows)} texts fits its recording (phone error rate at most {max_per:g}): check "
                "the texts and the language, or raise --max-per",
                field="recordings",
            )
        count = min(MOST_PAIRS, PAIRS_PER_UTTERANCE * len(fit)) if split == "train" else DEV_PAIRS
        mix_shards(
            pack, model / "codec", model / "aligner", work / "shards" / split, tasks=[TASK], split=split, count=count,
            rooms=0, from_codes=True, max_per=max_per, progress=progress(f"pairs to {_USE[split]}"),
        )  # fmt: skip
    return errors


def adapt_voice(
    recipe: LMTrainConfig, model: Path, work: Path, *, name: str, language: str, minutes: float, seconds: float,
    consent: bool = False, license: str = "", resume: bool = False,
) -> AdaptedVoice:  # fmt: skip
    """Trains the adapter on WORK/shards for at most so many minutes.

    An adapter that the model has for this language is where it starts. A language that was added (`add_language`) is
    stored with the adapter. seconds: of the recordings, for the file.
    """
    if not (recipe.rank and recipe.patience):
        raise InputError("config: a recipe of `speechx adapt` has `rank` and `patience`", field="config")
    codec = open_codec(model / "codec")
    scope = LoRAScope((language,), recipe.slots)
    finished, start = load_for_voice(model / "lm", scope, codec.hash)
    rank = rank_of(start, scope, recipe.rank)
    recipe = recipe.with_(languages=(language,), anneal_minutes=minutes, rank=rank)
    trainer = train(
        recipe, Shards([work / "shards" / "train"], codec.hash), Shards([work / "shards" / "dev"], codec.hash),
        str(work / "run"), phone_table_version=PHONE_TABLE_VERSION, codec=codec, pause_phones=pause_phones(),
        finished=finished, adapter=start, resume=resume, show=_show,
    )  # fmt: skip
    assert trainer.best is not None
    info = AdapterInfo(
        name=name, base=LM_FOLDER.weights_hash(model / "lm"), languages=(language,), slots=recipe.slots, rank=recipe.rank,
        added=added_language(language), seconds=round(seconds, 1), minutes=round(trainer.minutes, 1),
        license=license, consent=consent,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    data = write_adapter(info, balanced_factors(trainer.average))
    first = trainer.first_row
    before = None if first is None else write_adapter(info.with_(rank=0, seconds=0.0), {LANGUAGE_ROW: first})
    best = trainer.best
    return AdaptedVoice(data, info, (best.first, best.loss), (best.step, trainer.step), before)


def _show(step: int, values: Mapping[str, float]) -> None:
    """A line of progress for people; log.csv has all values."""
    if "minutes_left" in values:
        told = f"loss {values['loss']:.3f}, at most {values['minutes_left']:.0f} minutes left"
    else:
        told = "loss of held-out recordings " + ", ".join(
            f"{loss:.3f}" for name, loss in values.items() if name.endswith("_loss")
        )
    print(f"step {step}: {told}", flush=True)


def rank_of(start: LoRAAdapter | None, scope: LoRAScope, rank: int) -> int:
    """Of an adapter that begins as `start`.

    A voice's adapter is used in place of the one that the model has for the language, so it holds that one whole, beside
    `rank` of its own. It takes the place of an earlier one of the same scope, and is no larger than that.
    """
    if start is None:
        return rank
    return max(rank, start.rank) if start.scope == scope else start.rank + rank

"""Speed of plain tts with and without ten adapters in the process that nobody uses, in interleaved pairs.

    python scripts/bench_adapters.py --pairs 8

Ten voices with adapters of random factors are enrolled in a temporary store, and each is used once, so that as many as the
engine keeps are ready. Then plain requests are timed in pairs: a pipeline that has them beside one that has not, first one
and then the other. Prints the median RTF of both and the median ratio of the pairs, of wall time and of CPU time, which
other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from speechx.api import SpeechX
from speechx.models.adapter_file import AdapterInfo, write_adapter
from speechx.models.lm.folder import LM_FOLDER, load_model
from speechx.models.lora import add_lora, lora_factors
from speechx.pipeline.loading import model_folder
from speechx.task.voices import VoiceStore

TEXT = "The water is cold today, and nobody wants to swim in it before the afternoon."
RANK, SIZE = 8, 0.01


def enroll(store: VoiceStore, folder: Path, count: int) -> list[str]:
    """Voices with an adapter of random factors each; their ids."""
    base, core = (
        LM_FOLDER.weights_hash(folder / "lm"),
        copy.deepcopy(load_model(folder / "lm", adapter=False)),
    )
    add_lora(core, RANK)
    shapes = {name: value.shape for name, value in lora_factors(core).items()}
    ids = [f"bench-{number}" for number in range(count)]
    for number, voice_id in enumerate(ids):
        generator = torch.Generator().manual_seed(number)
        factors = {name: SIZE * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        info = AdapterInfo(name=voice_id, base=base, languages=("en",), slots=(0,), rank=RANK, consent=True)
        store.enroll((store.wav("heart"), 16000), voice_id, consent=True)
        store.set_adapter(voice_id, write_adapter(info, factors))
    return ids


def rtf(sx: SpeechX, voice: str, seed: int) -> tuple[float, float]:
    """Wall seconds and CPU seconds per second of speech."""
    wall, cpu = time.perf_counter(), time.process_time()
    speech = sx.tts(TEXT, voice=voice, seed=seed)
    return (time.perf_counter() - wall) / speech.seconds, (time.process_time() - cpu) / speech.seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="model folder (default: the one in the package)")
    parser.add_argument("--adapters", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=8)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        os.environ["SPEECHX_VOICES"] = root
        ids = enroll(VoiceStore(), model_folder(args.model), args.adapters)
        plain, beside = SpeechX.load(args.model), SpeechX.load(args.model)
        for voice_id in ids:
            beside.tts("One.", voice=voice_id, seed=1, best_of=1)
        for sx in (plain, beside):
            rtf(sx, "heart", 0)
        pairs: list[tuple[tuple[float, float], tuple[float, float]]] = []
        for number in range(args.pairs):
            order = (plain, beside) if number % 2 == 0 else (beside, plain)
            times = {id(sx): rtf(sx, "heart", number) for sx in order}
            pairs.append((times[id(plain)], times[id(beside)]))
            print(
                f"pair {number + 1}: RTF {pairs[-1][0][0]:.3f} without, {pairs[-1][1][0]:.3f} with",
                flush=True,
            )
    for kind, name in enumerate(("wall", "CPU")):
        without, with_them = (statistics.median(pair[side][kind] for pair in pairs) for side in (0, 1))
        ratio = statistics.median(b[kind] / a[kind] for a, b in pairs)
        print(
            f"{name} time: median RTF {without:.3f} without, {with_them:.3f} with {args.adapters} adapters, "
            f"pairs {100 * (ratio - 1):+.1f} %"
        )


if __name__ == "__main__":
    main()

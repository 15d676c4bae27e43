"""Choose the seeds of `make demo`: of seeds 0 to 9 the one of median WER, so that the page shows neither luck nor bad luck.

    python scripts/choose_demo_seeds.py        # needs the extra eval; writes speechx/cli/demo_seeds.json

The rule: each sample request is made with every seed, with three candidates or whatever its task's default is. Whisper
base hears the result. The outputs are sorted by (WER, seed), and the fifth is the sample's. Where no words are expected
(speech removal), it is seed 0. Nobody listens before the choice.
"""

from __future__ import annotations

import json
from pathlib import Path

from speechx import SpeechX
from speechx.audio import reading
from speechx.cli.samples import Sample, sample_requests
from speechx.eval.judges.judges import Judges
from speechx.eval.metrics.words import wer_counts
from speechx.files import atomic_write

SEEDS = range(10)
OUT = Path(__file__).resolve().parents[1] / "speechx" / "cli" / "demo_seeds.json"


def word_errors(sx: SpeechX, judges: Judges, sample: Sample, seed: int) -> float:
    """WER of the sample's output with this seed."""
    speech = sx.run(sample.task, **{**sample.fields, "seed": seed})
    wav_T = reading.resample(speech.wav_T, speech.sample_rate, 16000)
    language = sample.fields.get("language", "en")
    assert sample.output_text is not None
    heard = judges.transcribe(wav_T, language).text
    return float(wer_counts(sample.output_text, heard, language).wer.value)


def main() -> None:
    """Go on where a run with the same weights was stopped."""
    sx, judges = SpeechX.load(), Judges(asr="whisper-base")
    known = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {}
    chosen = known["samples"] if known.get("model") == sx.pipeline.model else {}
    for sample in sample_requests():
        if sample.title in chosen:
            continue
        chosen[sample.title] = choose(sx, judges, sample)
        print(sample.title, chosen[sample.title], flush=True)
        about = {"model": sx.pipeline.model, "samples": chosen}
        atomic_write(OUT, (json.dumps(about, indent=1) + "\n").encode())


def choose(sx: SpeechX, judges: Judges, sample: Sample) -> dict[str, object]:
    """The seed, its WER, and those of all seeds."""
    if sample.output_text is None:
        return {"seed": 0}
    errors = [round(word_errors(sx, judges, sample, seed), 4) for seed in SEEDS]
    median = sorted(SEEDS, key=lambda seed: (errors[seed], seed))[(len(SEEDS) - 1) // 2]
    return {"seed": median, "wer": errors[median], "wer_of_all": errors}


if __name__ == "__main__":
    main()

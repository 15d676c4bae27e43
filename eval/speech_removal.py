"""Evaluator of speech_removal: is the speech gone, and is the background as it was?"""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval import shared
from speechx.eval.evaluator import Evaluator
from speechx.eval.items import RATE, Item
from speechx.eval.metrics import signal, words
from speechx.eval.scores import Bar, Metric, Score, Scores, Unmeasurable

LEFT = Metric("words_left", "words of the speech that the recognizer still finds", "lower", "%")
SPEECH = Metric("speech_left", "share of the time that still sounds like speech (silero-vad)", "lower", "%")
MCD = Metric("mcd", "mel-cepstral distance to the true background", "lower", "dB")
SPECTRUM = Metric(
    "spectrum", "log-spectral distance to the true background, level included", "lower", "dB", 1
)
LEVEL = Metric("level", "difference of level to the true background, where that is audible", "lower", "dB", 1)


class SpeechRemovalEvaluator(Evaluator):
    task = "speech_removal"
    metrics = (LEFT, SPEECH, MCD, SPECTRUM, LEVEL)
    references = ("no_processing", "ground_truth", "codec_round_trip", "rnnoise_rest")
    worst_by = "spectrum"
    bars = (Bar("words_left", 0.10, 0.02), Bar("mcd", 6.0, 4.2), Bar("level", 10.0, 4.0))
    figures = (
        "SpeechX (arXiv 2308.06873): MCD 3.05 (no processing: 12.57), by other cepstra and on other noise.",
    )

    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        scores = Scores()

        def left() -> dict[str, float | Score]:
            if item.text is None:
                raise Unmeasurable("the set has no transcript for this item")
            text = scores.notes["transcript"] = self.judges.transcribe(wav_T, item.language).text
            counts = words.wer_counts(item.text, text, item.language)
            return {"words_left": Score(counts.hits / counts.words, weight=counts.words)}

        scores.add(("words_left",), left)
        scores.add(
            ("speech_left",),
            lambda: {
                "speech_left": 0.0
                if is_silent(wav_T)
                else self.judges.speech_seconds(wav_T) * RATE / len(wav_T)
            },
        )
        scores.add(("mcd",), lambda: {"mcd": signal.mcd(shared.replace_silence(wav_T), item.target_T)})
        scores.add(("spectrum",), lambda: {"spectrum": signal.log_spectral_distance(wav_T, item.target_T)})
        # A silent output has a better MCD than most noises have to one another: this tells it from a background.
        scores.add(("level",), lambda: {"level": signal.level_difference(wav_T, item.target_T)})
        return scores

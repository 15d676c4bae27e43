"""Evaluator of cross_lingual_tts: the text, in the other language, in the voice?"""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval import shared
from speechx.eval.evaluator import Evaluator
from speechx.eval.items import Item
from speechx.eval.scores import Bar, Metric, Scores

LANGUAGE = Metric("language", "outputs that the recognizer takes for the language asked for", "higher", "%")


class CrossLingualTTSEvaluator(Evaluator):
    task = "cross_lingual_tts"
    metrics = (
        shared.WER, shared.CER, LANGUAGE, shared.SPEAKER, shared.MOS, shared.UTMOS, shared.HALLUCINATION,
        shared.LOOP, shared.RUN_ON,
        shared.SHORT, shared.DURATION,
    )  # fmt: skip
    references = ("ground_truth", "codec_round_trip", "espeak")
    worst_by = "wer"
    bars = (
        Bar("wer", 0.15, 0.10, versus="ground_truth"),
        Bar("speaker", 0.65, 0.72),
        Bar("language", 0.9, 0.95),
    )
    figures = (
        "VALL-E X (arXiv 2303.03926) reports English in Chinese voices and the reverse: other languages than these, so no "
        "figure of it can be set beside these.",
    )

    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        scores = Scores()
        shared.add_words(scores, self.judges, item, wav_T)

        def language() -> dict[str, float]:
            if is_silent(wav_T):
                return {"language": 0.0}
            probabilities = self.judges.language_probabilities(wav_T)
            scores.notes["language"] = max(probabilities, key=lambda name: probabilities[name])
            return {"language": float(scores.notes["language"] == item.language)}

        scores.add(("language",), language)
        shared.add_speaker_similarity(scores, "speaker", self.judges, wav_T, item.reference("voice"))
        shared.add_naturalness(scores, self.judges, wav_T)
        shared.add_duration(scores, item, wav_T)
        return scores

"""Evaluator of cross_lingual_tts: the text, in the other language, in the voice?"""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval import shared as _parts
from speechx.eval.evaluator import Evaluator
from speechx.eval.items import Item
from speechx.eval.scores import Bar, Metric, Scores

LANGUAGE = Metric("language", "outputs that the recognizer takes for the language asked for", "higher", "%")


class CrossLingualTTSEvaluator(Evaluator):
    task = "cross_lingual_tts"
    metrics = (
        _parts.WER, _parts.CER, LANGUAGE, _parts.SPEAKER, _parts.MOS, _parts.UTMOS, _parts.HALLUCINATION,
        _parts.LOOP, _parts.RUN_ON,
        _parts.SHORT, _parts.DURATION,
    )  # fmt: skip
    references = ("ground_truth", "codec_round_trip", "espeak")
    worst_by = "wer"
    bars = (
        Bar("wer", 0.15, 0.03, versus="ground_truth"),
        Bar("speaker", 0.65, 0.78),
        Bar("language", 0.9, 1.0),
    )
    figures = (
        "VALL-E X (arXiv 2303.03926) reports English in Chinese voices and the reverse: other languages than these, so no "
        "figure of it can be set beside these.",
    )

    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        scores = Scores()
        _parts.add_words(scores, self.measures, item, wav_T)

        def language() -> dict[str, float]:
            if is_silent(wav_T):
                return {"language": 0.0}
            told = self.measures.language(wav_T)
            scores.notes["language"] = max(told, key=lambda name: told[name])
            return {"language": float(scores.notes["language"] == item.language)}

        scores.add(("language",), language)
        _parts.add_likeness(scores, "speaker", self.measures, wav_T, item.reference("voice"))
        _parts.add_naturalness(scores, self.measures, wav_T)
        _parts.add_duration(scores, item, wav_T)
        return scores

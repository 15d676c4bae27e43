"""Evaluator of speech_editing, clean and with its background kept: the new words, the same voice, and nothing else touched?

Where the edit lies in the output follows from what the output shares with the input, sample by sample, at both ends.
"""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval import shared
from speechx.eval.evaluator import Evaluator
from speechx.eval.items import RATE, Item
from speechx.eval.metrics import signal, words
from speechx.eval.scores import Bar, Metric, Score, Scores, Unmeasurable

SPAN = Metric("wer_span", "missed share of the words in the edited span (placed by their time)", "lower", "%")
SPEAKER = Metric(
    "speaker", "cosine of the speaker embeddings, output and the recording's untouched speech", "higher"
)
MARGIN = round(0.025 * RATE)
"""Samples on either side of the span that a cross-fade may use."""
SAME = Metric(
    "untouched",
    "share of the samples more than 25 ms outside the span that are the input's own",
    "higher",
    "%",
)
SEAM = Metric("seam", "greatest spectral step at the seams over the usual one: 1 is unheard", "lower")
BACKGROUND = Metric(
    "background", "difference of the background's level in the span to the true one", "lower", "dB", 1
)


class SpeechEditingEvaluator(Evaluator):
    task = "speech_editing"
    metrics = (
        shared.WER, SPAN, SPEAKER, SAME, SEAM, BACKGROUND, shared.MOS, shared.UTMOS, shared.HALLUCINATION,
        shared.CER, shared.LOOP,
        shared.RUN_ON, shared.SHORT, shared.DURATION,
    )  # fmt: skip
    references = ("no_processing", "ground_truth", "codec_round_trip")
    worst_by = "wer"
    bars = (
        Bar("wer", 0.06, 0.015, versus="ground_truth"),
        Bar("speaker", 0.85, 0.85),
        Bar("untouched", 0.999, 0.999),
    )
    figures = (
        "SpeechX (arXiv 2308.06873), LibriSpeech: clean WER 5.63 %, similarity 0.76; noisy WER 13.95 %, similarity 0.65. "
        "Another recognizer, WavLM-TDNN.",
    )

    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        scores = Scores()
        shared.add_words(scores, self.judges, item, wav_T)
        whole_T, input_T = item.reference("whole"), item.recording("audio")
        start, stop = (float(x) for x in item.meta["span"])
        asked = tuple(float(x) for x in item.fields.get("span") or (start, stop))

        def span() -> dict[str, float | Score]:
            if item.text is None:
                raise Unmeasurable("the set has no transcript for this item")
            counts = words.wer_counts(item.text, scores.notes["transcript"], item.language)
            seconds = len(whole_T) / RATE
            return {"wer_span": counts.part(start / seconds, stop / seconds)}

        scores.add(("wer_span",), span)
        outside_T = np.concatenate([input_T[: round(asked[0] * RATE)], input_T[round(asked[1] * RATE) :]])
        shared.add_speaker_similarity(scores, "speaker", self.judges, wav_T, outside_T)
        head, tail = signal.shared_ends(wav_T, input_T)
        beyond = max(1, len(outside_T) - 2 * MARGIN)
        scores.add(("untouched",), lambda: {"untouched": min(1.0, (head + tail) / beyond)})
        scores.add(("seam",), lambda: {"seam": signal.seam_jump(wav_T, head, tail)})

        def background() -> dict[str, float]:
            edited_T = wav_T[round(start * RATE) : len(wav_T) - (len(whole_T) - round(stop * RATE))]
            return {"background": signal.background_difference(edited_T, item.target_T)}

        if item.meta.get("keep_background"):
            scores.add(("background",), background)
        if is_silent(wav_T):
            scores["speaker"] = Score(0.0)
        shared.add_naturalness(scores, self.judges, wav_T)
        self._duration(scores, wav_T, whole_T)
        return scores

    def _duration(self, scores: Scores, wav_T: np.ndarray, whole_T: np.ndarray) -> None:
        ratio = len(wav_T) / max(1, len(whole_T))
        made = {"duration": ratio, "run_on": float(ratio > 1.8), "short": float(ratio < 0.55)}
        scores.add(tuple(made), lambda: made)

"""Evaluator of tts: does it say the text, in the voice, as speech?"""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval import shared
from speechx.eval.evaluator import Evaluator
from speechx.eval.items import Item
from speechx.eval.scores import Bar, Metric, Scores

CODEC = Metric(
    "speaker_codec", "the same with the enrollment after the codec: what the model could hear", "higher"
)


class TTSEvaluator(Evaluator):
    task = "tts"
    metrics = (
        shared.WER, shared.CER, shared.SPEAKER, CODEC, shared.MOS, shared.UTMOS, shared.HALLUCINATION,
        shared.LOOP, shared.RUN_ON,
        shared.SHORT, shared.DURATION,
    )  # fmt: skip
    references = ("ground_truth", "codec_round_trip", "opus_6k", "espeak")
    worst_by = "wer"
    bars = (
        Bar("wer", 0.06, 0.01, versus="ground_truth"),
        Bar("speaker", 0.70, 0.76),
        Bar("loop", 0.0, 0.0),
        Bar("run_on", 0.0, 0.0),
    )
    figures = (
        "VALL-E (arXiv 2301.02111), LibriSpeech test-clean, 4-10 s, 3 s of another utterance as enrollment: WER 5.9 %, "
        "speaker similarity 0.580. HuBERT-large CTC and WavLM-TDNN, of which neither is the default here.",
        "SpeechX (arXiv 2308.06873), the same set: WER 4.66 %, similarity 0.58. Trained on 60,000 hours.",
    )

    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        scores = Scores()
        shared.add_words(scores, self.judges, item, wav_T)
        shared.add_speaker_similarity(scores, "speaker", self.judges, wav_T, item.reference("voice"))
        scores.add(("speaker_codec",), lambda: {"speaker_codec": self._to_codec(item, wav_T)})
        shared.add_naturalness(scores, self.judges, wav_T)
        shared.add_duration(scores, item, wav_T)
        return scores

    def _to_codec(self, item: Item, wav_T: np.ndarray) -> float:
        coded_T = self.judges.round_trip(item.reference("voice"))
        return 0.0 if is_silent(wav_T) else self.judges.speaker_similarity(wav_T, coded_T)

"""Evaluator of noise_suppression: is the noise gone, and are the words and the speaker still there?

DNSMOS alone rewards fluent speech with invented words, so word errors and the speaker are scored, too.
"""

from __future__ import annotations

import numpy as np

from speechx.eval import shared
from speechx.eval.evaluator import Evaluator
from speechx.eval.items import Item
from speechx.eval.metrics import signal
from speechx.eval.scores import Bar, Scores


class NoiseSuppressionEvaluator(Evaluator):
    task = "noise_suppression"
    metrics = (
        *shared.DNSMOS, shared.WER, shared.PESQ, shared.STOI, shared.SI_SDR, shared.SPEAKER, shared.HALLUCINATION,
        shared.CER, shared.LOOP,
    )  # fmt: skip
    references = (
        "no_processing",
        "ground_truth",
        "codec_round_trip",
        "noisereduce",
        "rnnoise",
        "deepfilternet",
    )
    worst_by = "wer"
    bars = (
        Bar("dnsmos", 0.4, None, versus="no_processing"),
        Bar("dnsmos", None, -0.05, versus="deepfilternet"),
        Bar("pesq", None, 0.0, versus="deepfilternet"),
        Bar("wer", 0.05, 0.03, versus="no_processing"),
    )
    figures = (
        "SpeechX (arXiv 2308.06873), LibriSpeech with DNS noise, with text: WER 2.48 %, DNSMOS 3.05 (noisy: 3.29 %, 2.42). "
        "Lighter noise than -5 to 20 dB, another recognizer.",
    )

    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        scores = Scores()
        shared.add_mos(scores, self.judges, "dnsmos", tuple(m.name for m in shared.DNSMOS), wav_T)
        shared.add_words(scores, self.judges, item, wav_T)
        scores.add(("pesq",), lambda: {"pesq": signal.pesq_wb(shared.replace_silence(wav_T), item.target_T)})
        scores.add(("stoi",), lambda: {"stoi": signal.stoi(shared.replace_silence(wav_T), item.target_T)})
        scores.add(
            ("si_sdr",), lambda: {"si_sdr": signal.si_sdr(shared.replace_silence(wav_T), item.target_T)}
        )
        shared.add_speaker_similarity(scores, "speaker", self.judges, wav_T, item.target_T)
        return scores

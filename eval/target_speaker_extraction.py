"""Evaluator of target_speaker_extraction: the wanted speaker's words, and nobody else's?"""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval import shared
from speechx.eval.evaluator import Evaluator
from speechx.eval.items import Item
from speechx.eval.metrics import signal
from speechx.eval.scores import Bar, Metric, Scores

INTERFERER = Metric("interferer", "cosine of the speaker embeddings, output and interferer", "lower")
WRONG = Metric("wrong_speaker", "outputs more like the interferer than like the target", "lower", "%")
IMPROVEMENT = Metric("si_sdr_gain", "SI-SDR of the output over that of the mixture", "higher", "dB", 1)
SPEAKER = Metric("speaker", "cosine of the speaker embeddings, output and clean target", "higher")


class TargetSpeakerExtractionEvaluator(Evaluator):
    task = "target_speaker_extraction"
    metrics = (
        shared.WER, SPEAKER, INTERFERER, WRONG, shared.PESQ, IMPROVEMENT, shared.SI_SDR,
        shared.HALLUCINATION, shared.CER, shared.LOOP,
    )  # fmt: skip
    references = ("no_processing", "ground_truth", "codec_round_trip")
    worst_by = "wer"
    bars = (
        Bar("wer", 0.0, None, versus="no_processing", factor=0.5),
        Bar("wer", None, 0.05, versus="ground_truth"),
        Bar("wrong_speaker", 0.10, 0.03),
        Bar("si_sdr_gain", 0.0, 7.0),
    )
    figures = (
        "SpeechX (arXiv 2308.06873), two speakers of LibriSpeech, with text: WER 2.53 % (mixture: 12.55 %). Other ratios "
        "of the two, another recognizer.",
    )

    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        scores = Scores()
        shared.add_words(scores, self.judges, item, wav_T)

        def speakers() -> dict[str, float]:
            if is_silent(wav_T):
                return {"speaker": 0.0, "interferer": 0.0, "wrong_speaker": 1.0}
            wanted = self.judges.speaker_similarity(wav_T, item.target_T)
            other = self.judges.speaker_similarity(wav_T, item.reference("interferer"))
            return {"speaker": wanted, "interferer": other, "wrong_speaker": float(other > wanted)}

        scores.add(("speaker", "interferer", "wrong_speaker"), speakers)
        scores.add(("pesq",), lambda: {"pesq": signal.pesq_wb(shared.replace_silence(wav_T), item.target_T)})

        def ratio() -> dict[str, float]:
            made = signal.si_sdr(shared.replace_silence(wav_T), item.target_T)
            return {
                "si_sdr": made,
                "si_sdr_gain": made - signal.si_sdr(item.recording("audio"), item.target_T),
            }

        scores.add(("si_sdr", "si_sdr_gain"), ratio)
        return scores

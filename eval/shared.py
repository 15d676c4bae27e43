"""Metrics that several tasks share, and the functions that compute them. Shapes: T samples at 16 kHz."""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval.items import RATE, Item
from speechx.eval.judges.judges import Judges
from speechx.eval.metrics import words
from speechx.eval.scores import Metric, Score, Scores, Unmeasurable

WER = Metric("wer", "word error rate of the recognizer's transcript", "lower", "%")
CER = Metric("cer", "character error rate of the same", "lower", "%")
HALLUCINATION = Metric(
    "hallucination", "outputs with three or more words in a row that the reference lacks", "lower", "%"
)
LOOP = Metric("loop", "outputs that say the same words three times or more", "lower", "%")
MOS = Metric("mos", "naturalness as DistillMOS predicts it, 1-5", "higher")
UTMOS = Metric("utmos", "naturalness as UTMOS predicts it, 1-5 (with --mos utmos)", "higher")
SPEAKER = Metric("speaker", "cosine of the speaker embeddings, output and enrollment", "higher")
DNSMOS = (
    Metric("dnsmos", "DNSMOS P.835, overall, 1-5", "higher"),
    Metric("dnsmos_sig", "the same of the speech alone", "higher"),
    Metric("dnsmos_bak", "the same of the background", "higher"),
)
PESQ = Metric("pesq", "PESQ, wide band, against the clean target", "higher")
STOI = Metric("stoi", "STOI against the clean target", "higher", digits=3)
SI_SDR = Metric("si_sdr", "scale-invariant SDR against the clean target", "higher", "dB", 1)
DURATION = Metric("duration", "seconds of output for a second of the reference", None)
RUN_ON = Metric("run_on", "outputs more than 1.8 times as long as the reference", "lower", "%")
SHORT = Metric("short", "outputs less than 0.55 times as long as the reference", "lower", "%")

SPOKEN = (WER, CER, HALLUCINATION, LOOP)


def add_words(scores: Scores, judges: Judges, item: Item, wav_T: np.ndarray) -> None:
    """WER, CER, hallucination, loop, and the transcript as a note."""

    def make() -> dict[str, float | Score]:
        if item.text is None:
            raise Unmeasurable("the set has no transcript for this item")
        text = judges.transcribe(wav_T, item.language).text
        scores.notes["transcript"] = text
        counts = words.wer_counts(item.text, text, item.language)
        return {
            "wer": counts.wer,
            "cer": words.cer(item.text, text, item.language),
            "hallucination": float(counts.hallucinated),
            "loop": float(words.has_loop(item.text, text, item.language)),
        }

    scores.add(("wer", "cer", "hallucination", "loop"), make)


def add_speaker_similarity(
    scores: Scores, name: str, judges: Judges, wav_T: np.ndarray, other_T: np.ndarray
) -> None:
    """Cosine to another recording. Silence has no speaker: its similarity is 0."""
    scores.add(
        (name,), lambda: {name: 0.0 if is_silent(wav_T) else judges.speaker_similarity(wav_T, other_T)}
    )


def add_mos(
    scores: Scores, judges: Judges, predictor: str, names: tuple[str, ...], wav_T: np.ndarray
) -> None:
    """Predicted opinion scores. Silence is scored 1.0, the worst: predictors are not trained on it."""
    scores.add(
        names, lambda: dict.fromkeys(names, 1.0) if is_silent(wav_T) else judges.predict_mos(predictor, wav_T)
    )


def add_naturalness(scores: Scores, judges: Judges, wav_T: np.ndarray) -> None:
    """DistillMOS, and UTMOS where the run asks for it."""
    add_mos(scores, judges, "distillmos", ("mos",), wav_T)
    if "utmos" in judges.names:
        add_mos(scores, judges, "utmos", ("utmos",), wav_T)


def add_duration(scores: Scores, item: Item, wav_T: np.ndarray) -> None:
    def make() -> dict[str, float | Score]:
        ratio = len(wav_T) / max(1, len(item.target_T))
        return {"duration": ratio, "run_on": float(ratio > 1.8), "short": float(ratio < 0.55)}

    scores.add(("duration", "run_on", "short"), make)


def replace_silence(wav_T: np.ndarray) -> np.ndarray:
    """The recording, or inaudible noise of its length where it is silent: some metrics divide by the power."""
    if not is_silent(wav_T):
        return wav_T
    return (1e-4 * np.random.default_rng(0).standard_normal(max(len(wav_T), RATE // 4))).astype(np.float32)

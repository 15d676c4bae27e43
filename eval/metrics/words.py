"""Word and character error rates, hallucinations and loops of a transcript. Light: no torch.

English is compared after Whisper's English normalizer (numbers, contractions, spelling), other languages after its basic
one, both without punctuation and case.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from speechx.eval.scores import Score, Unmeasurable

__all__ = ["WerCounts", "cer", "has_loop", "normalize", "wer_counts"]

FLUENT = 3
"""Added or replaced words in a row that make a hallucination."""


@cache
def _normalizer(language: str) -> Any:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()


def normalize(text: str, language: str) -> str:
    """Words alone, in one spelling; signs that the normalizer leaves are no words."""
    return " ".join(w for w in str(_normalizer(language)(text)).split() if any(c.isalnum() for c in w))


@dataclass(frozen=True)
class WerCounts:
    """Counts of one pair of texts. wrong: for each reference word, whether it was missed. runs: longest run of words that
    the reference lacks."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int
    wrong: tuple[bool, ...]
    run: int

    @property
    def words(self) -> int:
        """Words of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def wer(self) -> Score:
        """Weighted by the words, so that averages are the rate over the whole set."""
        if not self.words:
            raise Unmeasurable("the reference has no words")
        errors = self.substitutions + self.deletions + self.insertions
        return Score(errors / self.words, weight=self.words)

    @property
    def hallucinated(self) -> bool:
        """Fluent words that the reference lacks: a row of at least three."""
        return self.run >= FLUENT

    def part(self, first: float, last: float) -> Score:
        """Missed share of the reference words from the fraction `first` to `last` of all; weighted by their number."""
        a = round(first * self.words)
        b = max(a + 1, round(last * self.words))
        inside = self.wrong[a:b]
        if not inside:
            raise Unmeasurable("no word falls in the span")
        return Score(sum(inside) / len(inside), weight=len(inside))


def wer_counts(reference: str, hypothesis: str, language: str) -> WerCounts:
    """Aligns two texts, word by word, after normalization (jiwer)."""
    import jiwer

    reference_words, hypothesis_words = normalize(reference, language), normalize(hypothesis, language)
    if not reference_words:
        raise Unmeasurable("the reference has no words")
    if not hypothesis_words:
        count = len(reference_words.split())
        return WerCounts(0, 0, count, 0, (True,) * count, 0)
    out = jiwer.process_words(reference_words, hypothesis_words)
    wrong = [False] * len(reference_words.split())
    # 0 for a word of the reference, 1 for one that it lacks: replaced words break no run, matched and missed ones do.
    run = longest = 0
    for chunk in out.alignments[0]:
        if chunk.type in ("substitute", "delete"):
            wrong[chunk.ref_start_idx : chunk.ref_end_idx] = [True] * (
                chunk.ref_end_idx - chunk.ref_start_idx
            )
        if chunk.type in ("substitute", "insert"):
            run += chunk.hyp_end_idx - chunk.hyp_start_idx
            longest = max(longest, run)
        elif chunk.type == "equal":
            run = 0
    return WerCounts(out.hits, out.substitutions, out.deletions, out.insertions, tuple(wrong), longest)


def cer(reference: str, hypothesis: str, language: str) -> Score:
    """Character error rate, spaces left out, weighted by the characters."""
    import jiwer

    reference_words, hypothesis_words = (
        normalize(t, language).replace(" ", "") for t in (reference, hypothesis)
    )
    if not reference_words:
        raise Unmeasurable("the reference has no words")
    if not hypothesis_words:
        return Score(1.0, weight=len(reference_words))
    return Score(float(jiwer.cer(reference_words, hypothesis_words)), weight=len(reference_words))


def has_loop(reference: str, hypothesis: str, language: str) -> bool:
    """Whether some words in a row (one to four) come three times or more at a stretch, and not so in the reference."""

    def most(text: str) -> int:
        words, best = normalize(text, language).split(), 1
        for size in range(1, 5):
            for start in range(len(words) - size):
                count = 1
                while words[start : start + size] == words[start + count * size : start + (count + 1) * size]:
                    count += 1
                best = max(best, count)
        return best

    return most(hypothesis) >= max(3, most(reference) + 1)

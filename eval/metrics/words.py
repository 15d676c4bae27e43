"""Word and character error rates, hallucinations and loops of a transcript. Light: no torch.

English is compared after Whisper's English normalizer (numbers, contractions, spelling), other languages after its basic
one, both without punctuation and case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from speechx.eval.scores import Score, Unmeasurable

__all__ = ["WerCounts", "cer", "has_loop", "leaks", "normalize", "wer_counts"]

FLUENT = 3
"""Added or replaced words in a row that make a hallucination."""


@cache
def _normalizer(language: str) -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()


def normalize(text: str, language: str) -> str:
    """Words in one spelling, without punctuation."""
    return " ".join(w for w in str(_normalizer(language)(text)).split() if any(c.isalnum() for c in w))


@dataclass(frozen=True)
class WerCounts:
    """Counts of one pair of texts. wrong: for each reference word, whether it was missed. run: the longest run of words that
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
    """Aligns two texts, word by word, after normalization (Levenshtein)."""
    from rapidfuzz.distance import Levenshtein

    reference_words = normalize(reference, language).split()
    if not reference_words:
        raise Unmeasurable("the reference has no words")
    counts = dict.fromkeys(("equal", "replace", "delete", "insert"), 0)
    wrong: list[bool] = []
    run = longest = 0
    for op in Levenshtein.opcodes(reference_words, normalize(hypothesis, language).split()):
        in_reference, in_hypothesis = op.src_end - op.src_start, op.dest_end - op.dest_start
        counts[op.tag] += max(in_reference, in_hypothesis)
        wrong += [op.tag != "equal"] * in_reference
        # Only a matched word ends a run of words that the reference lacks; a missed one does not.
        run = 0 if op.tag == "equal" else run + in_hypothesis
        longest = max(longest, run)
    return WerCounts(
        counts["equal"], counts["replace"], counts["delete"], counts["insert"], tuple(wrong), longest
    )


def cer(reference: str, hypothesis: str, language: str) -> Score:
    """Character error rate, spaces left out, weighted by the characters."""
    from rapidfuzz.distance import Levenshtein

    expected, actual = (normalize(text, language).replace(" ", "") for text in (reference, hypothesis))
    if not expected:
        raise Unmeasurable("the reference has no words")
    return Score(Levenshtein.distance(expected, actual) / len(expected), weight=len(expected))


def has_loop(reference: str, hypothesis: str, language: str) -> bool:
    """Whether one to four words are repeated three times or more in a row, and more often than in the reference."""

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


def leaks(reference: str, hypothesis: str, prompt: str, language: str) -> bool:
    """Whether three words in a row are heard that the prompt's transcript has, and that match no word of the reference."""
    from rapidfuzz.distance import Levenshtein

    expected, heard, said = (normalize(text, language).split() for text in (reference, hypothesis, prompt))
    extra = [False] * len(heard)
    for op in Levenshtein.opcodes(expected, heard):
        extra[op.dest_start : op.dest_end] = [op.tag != "equal"] * (op.dest_end - op.dest_start)
    runs = {tuple(said[at : at + FLUENT]) for at in range(len(said) - FLUENT + 1)}
    return any(
        all(extra[at : at + FLUENT]) and tuple(heard[at : at + FLUENT]) in runs
        for at in range(len(heard) - FLUENT + 1)
    )

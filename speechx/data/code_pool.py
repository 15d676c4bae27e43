"""The corpus as codes, for tasks whose prompts contain clean speech alone.

A pair from sound costs two runs of the codec and an alignment, 0.2 s. A pair from codes costs a look-up, so every
epoch can have enrollments of its own. Shapes: F codec frames, K codebooks.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from speechx.data.annotate.alignments import Key, UtteranceAlignment
from speechx.data.annotate.codes import TokenRow
from speechx.task.examples import CodedUtterance

__all__ = ["EncodedCorpus"]

MIN_SECONDS, VOICE_SECONDS, OTHER_VOICE_SECONDS = 1.0, 2.0, 1.5
"""Of an utterance at least; of enrollments, where there are such: of the same language, and of another."""

MAX_PER = 0.6
"""Above this phone error rate text and recording do not belong together."""


class EncodedCorpus:
    """A `CodePool` (speechx.task.examples): utterances of one split with text, codes and a fitting alignment."""

    def __init__(
        self,
        tokens: list[TokenRow],
        aligned: dict[Key, UtteranceAlignment],
        split: str,
        max_frames: int,
        max_per: float = MAX_PER,
        *,
        frame_rate: float,
    ) -> None:
        self.frame_rate = frame_rate
        self.utterances: list[CodedUtterance] = []
        self.corpora: list[str] = []
        self.by_speaker: dict[str, list[CodedUtterance]] = defaultdict(list)
        for token in tokens:
            row, found = token.row, aligned.get((token.row.corpus, token.row.id))
            if row.split != split or row.speaker is None or token.text is None or found is None:
                continue
            if found.per > max_per or not MIN_SECONDS * frame_rate <= len(token.codes_FK) <= max_frames:
                continue
            cut = CodedUtterance(
                row.id, token.codes_FK, token.text, found.pointer_F, row.speaker, row.synthetic
            )
            self.utterances.append(cut)
            self.corpora.append(row.corpus)
            self.by_speaker[cut.speaker].append(cut)

    def same_speaker(self, cut: CodedUtterance, rng: np.random.Generator) -> CodedUtterance | None:
        """Another utterance of the same speaker, 2 s or longer where there is one."""
        rows = [u for u in self.by_speaker[cut.speaker] if u.id != cut.id]
        return _pick(rows, round(VOICE_SECONDS * self.frame_rate), rng)

    def other_language(self, cut: CodedUtterance, rng: np.random.Generator) -> CodedUtterance | None:
        """The same voice in another language."""
        rows = [u for u in self.by_speaker[cut.speaker] if u.speech.language != cut.speech.language]
        return _pick(rows, round(OTHER_VOICE_SECONDS * self.frame_rate), rng)


def _pick(rows: list[CodedUtterance], frames: int, rng: np.random.Generator) -> CodedUtterance | None:
    longer = [u for u in rows if len(u.codes_FK) >= frames] or rows
    return longer[int(rng.integers(len(longer)))] if longer else None

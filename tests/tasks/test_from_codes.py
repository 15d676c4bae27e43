"""Training pairs put together from a corpus that is encoded already."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.data.annotate.alignments import UtteranceAlignment
from speechx.data.annotate.codes import TokenRow
from speechx.data.code_pool import EncodedCorpus
from speechx.data.packs import PackRow
from speechx.models.lm.prompt import Frames, Text
from speechx.task import registry
from tests.tasks.conftest import SENTENCES

NAMES = [name for name in registry.task_names() if getattr(registry.task(name), "pairs_of", "") == "codes"]


def corpus(frontend: Any, texts: list[tuple[str, str]], per: float = 0.1) -> EncodedCorpus:
    """(speaker, language) of each utterance, 6 s long, its codes all its own number."""
    tokens, aligned = [], {}
    for number, (speaker, language) in enumerate(texts):
        text = SENTENCES[language]
        row = PackRow(str(number), "toy", "train", 0, 96000, speaker, language, text, None, None)
        speech = frontend.phones(text, language)
        tokens.append(TokenRow(row, np.full((150, 8), number, np.int16), speech))
        pointer_F = np.linspace(0, len(speech.ids) - 1, 150).astype(np.int32)
        aligned["toy", row.id] = UtteranceAlignment((), pointer_F, per)
    return EncodedCorpus(tokens, aligned, "train", max_frames=400, frame_rate=25)


def test_both_speaking_tasks_use_codes() -> None:
    assert NAMES == ["cross_lingual_tts", "tts"]


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_is_the_prompt_of_inference(name: str, frontend: Any) -> None:
    pool = corpus(frontend, [("a", "en"), ("a", "es"), ("b", "en"), ("b", "es")])
    task: Any = registry.task(name)
    for seed, cut in enumerate(pool.utterances * 4):
        pair = task.pair_from_codes(cut, pool, np.random.default_rng(seed))
        (voice,) = (s for s in pair.prompt.segments if isinstance(s, Frames))
        said = [s for s in pair.prompt.segments if isinstance(s, Text)][-1]
        other = {"0": 1, "1": 0, "2": 3, "3": 2}[cut.id]
        assert (voice.codes_FK == other).all() and 50 <= len(voice.codes_FK) <= 150
        assert (pair.target_FK == int(cut.id)).all() and said.ids.tolist() == cut.speech.ids.tolist()
        assert pair.prompt.track.stop == len(cut.speech.ids) and len(pair.pointer_F) == len(pair.target_FK)


def test_a_lonely_utterance_is_split_at_a_word(frontend: Any) -> None:
    pool = corpus(frontend, [("a", "en"), ("b", "en")])
    cut = pool.utterances[0]
    cut.codes_FK[:] = np.arange(150)[:, None]
    tts: Any = registry.task("tts")
    for seed in range(10):
        pair = tts.pair_from_codes(cut, pool, np.random.default_rng(seed))
        (voice,) = (s for s in pair.prompt.segments if isinstance(s, Frames))
        at = len(voice.codes_FK)
        assert (pair.target_FK == np.arange(at, 150)[:, None]).all() and (
            voice.codes_FK[:, 0] == np.arange(at)
        ).all()
        # The phones of each frame are the same as before the cut.
        ids, track = cut.speech.ids, pair.prompt.track
        spoken = cut.pointer_F[at:]
        assert track.ids[pair.pointer_F[5:]].tolist() == ids[spoken[5:]].tolist()
        assert track.ids[-5:].tolist() == ids[-5:].tolist()
    assert registry.task("cross_lingual_tts").pair_from_codes(cut, pool, np.random.default_rng(0)) is None  # type: ignore[attr-defined]


def test_an_edit_says_its_own_words_again(frontend: Any) -> None:
    pool = corpus(frontend, [("a", "en"), ("b", "es")])
    editing: Any = registry.task("speech_editing")
    shares = []
    for seed in range(20):
        cut = pool.utterances[seed % 2]
        cut.codes_FK[:] = np.arange(150)[:, None]
        pair = editing.pair_from_codes(cut, pool, np.random.default_rng(seed))
        around = [s.codes_FK[:, 0] for s in pair.prompt.segments if isinstance(s, Frames)]
        gap = pair.target_FK[:, 0]
        assert len(gap) == len(pair.pointer_F)
        # Frames before, the gap and frames after are one recording; nothing of the gap is shown.
        assert sorted(np.concatenate([*around, gap]).tolist()) == list(range(150))
        track = pair.prompt.track
        spoken, ids = cut.pointer_F[gap], cut.speech.ids
        new = track.ids[track.start : track.stop].tolist()
        assert pair.prompt.slot == editing.slot and new in [
            ids[i : i + len(new)].tolist() for i in range(len(ids))
        ]
        assert track.ids[pair.pointer_F.clip(0)].tolist()[3:-3] == ids[spoken].tolist()[3:-3]
        shares.append(len(gap) / 150)
    assert min(shares) > 0.05 and max(shares) < 0.7 and np.ptp(shares) > 0.2


def test_texts_that_do_not_fit_are_left_out(frontend: Any) -> None:
    assert len(corpus(frontend, [("a", "en"), ("a", "en")], per=0.9).utterances) == 0

"""Candidates of a part: where they are compared, and by what."""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import standard_gain
from speechx.cli.samples import sample_requests
from speechx.models.aligner import ERROR_NATS
from speechx.models.lm.prompt import Frames, Prompt, Text, TextTrack
from speechx.pipeline.candidates import FIRST, PHRASE, ActivePart, Candidate, phrase_ends
from speechx.pipeline.loading import load_front
from speechx.task.plan import GeneratedPart
from speechx.text import TextFrontend

SPEECH = TextFrontend()("The library closes early on Sundays, so we had better leave before lunch.", "en")


def part(frames: int | None = None, start: int = 0, speech: bool = False) -> GeneratedPart:
    segments = (Frames(np.zeros((3, 8), int)), Text(SPEECH.ids, "en"))
    track = TextTrack(SPEECH.ids, start, len(SPEECH.ids))
    return GeneratedPart(
        Prompt(0, segments, track, frames=frames), SPEECH.words, speech=SPEECH if speech else None
    )


def test_phrases_end_where_words_end() -> None:
    ends = phrase_ends(part())
    assert set(ends) <= {word.stop for word in SPEECH.words}
    borders = [0, *ends, len(SPEECH.ids)]
    assert (
        len(ends) >= 4
        and ends[0] >= FIRST
        and min(np.diff(borders)[1:-1]) >= PHRASE
        and borders[-1] - borders[-2] >= PHRASE // 2
    )
    begun = SPEECH.words[3].start
    assert all(end >= begun + FIRST for end in phrase_ends(part(start=begun)))


def test_a_part_of_known_length_is_compared_as_a_whole() -> None:
    assert phrase_ends(part(frames=40)) == ()
    start, ids_N = ActivePart(part(frames=40, speech=True)).scored_phones()
    assert start == 0 and ids_N is not None and np.array_equal(ids_N, SPEECH.ids)
    assert ActivePart(part(frames=40)).scored_phones() == (0, None)


def test_a_candidate_that_never_ends_is_not_chosen() -> None:
    active = ActivePart(part())
    active.candidates = [Candidate(active, reason=reason) for reason in ("length", "stop", "length")]
    assert active.complete() == [active.candidates[1]]
    for candidate in active.candidates:
        candidate.reason = "length"
    assert active.complete() == active.candidates


def test_nobody_is_chosen_before_all_have_come() -> None:
    active = ActivePart(part(), stops=(9,))
    active.candidates = [Candidate(active) for _ in range(3)]
    active.candidates[0].waiting = active.candidates[1].waiting = True
    assert active.waiting() == []
    active.candidates[2].reason = "length"  # it will not come
    assert active.waiting() == active.candidates[:2]


def test_fit_tells_what_is_said_from_what_is_not() -> None:
    """By the shipped aligner, on a sample recording, read to its end and from the middle on."""
    sample = next(
        s for s in sample_requests() if s.fields.get("keep_background") is None and "transcript" in s.fields
    )
    frontend, said = load_front(), sample.fields["transcript"]
    wav_T = frontend.load_audio(sample.before)
    codes_FK = frontend.encode(wav_T * standard_gain(wav_T))
    words = said.split()
    right = frontend.phones(said, "en")
    middle = len(words) // 2
    changed = frontend.phones(" ".join([*words[:middle], "cabbage", *words[middle + 1 :]]), "en")
    fit = frontend.fit(codes_FK, right.ids, "en")
    # An error costs about three phones, each ERROR_NATS and as much of the likelihood.
    assert fit > frontend.fit(codes_FK, changed.ids, "en") + 2 * ERROR_NATS
    assert fit > frontend.fit(codes_FK, right.ids[::-1], "en") + 20 * ERROR_NATS
    aligned = frontend.align(codes_FK, right)
    first, word = round(aligned.words[middle].start * 25), right.words[middle]
    later = frontend.fit(codes_FK, right.ids[word.start :], "en", first)
    assert (
        later > fit - ERROR_NATS
        and later > frontend.fit(codes_FK, right.ids[: word.start], "en", first) + 2 * ERROR_NATS
    )
    assert frontend.fit(codes_FK[:5], right.ids, "en") == -np.inf  # no room for so many

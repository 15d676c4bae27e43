"""Recordings of one person, as they are: checked, cut to the length of sentences, transcribed where they have no text.

    checked = check_recordings(speaker_rows(Path("anna"), "en"), frontend, "en")
    checked.rows                     # SourceRows with text, split and seconds, for `prepare_pack`
    print(checked.table())           # what was left out, and why

Shapes: T samples, at 16 kHz. Nothing is written here.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np

from speechx.audio import levels, reading
from speechx.data.packs import AudioPack
from speechx.data.source_rows import MAX_SECONDS, SourceRow
from speechx.data.sources import read_source
from speechx.errors import InputError
from speechx.task.frontend import Frontend
from speechx.text.types import WordTime

__all__ = [
    "CheckedRecordings", "DroppedRecording", "Recognize", "check_recordings", "cut_at_pauses", "cut_at_words",
    "speaker_rows", "voice_of",
]  # fmt: skip

Recognize: TypeAlias = Callable[[np.ndarray, str], str]
"""(samples (T,) at 16 kHz, language) -> text, "" where nothing is said."""

RATE = reading.SAMPLE_RATE
SHORTEST, LONGEST = 1.0, 12.0
"""Seconds of a training utterance. Longer recordings are cut."""

LEAST_SNR = 12.0
"""Decibels between speech and the quietest tenth of a recording. Studio speech has 40, a quiet room 25."""

PAUSE = 0.25
"""Seconds of silence between two words where a recording may be cut."""

VOICE_SECONDS = 5.0

HELD_OUT, FEWEST, MOST = 0.1, 2, 20
"""Share of the utterances that training does not see, and the least and most of them."""

ENOUGH, LARGEST_SHARE = 12, 1 / 6
"""Of few utterances so many are held out, if they are not more than this share: fewer sentences say little about words."""


@dataclass(frozen=True)
class DroppedRecording:
    """A recording, or a part of one, that is not used. seconds: its length. detail: more than the kind of reason."""

    id: str
    seconds: float
    why: str
    detail: str = ""


@dataclass(frozen=True)
class CheckedRecordings:
    """rows: utterances to train on (split "train") and to judge by ("dev"), each with a text. seconds: of each row."""

    rows: tuple[SourceRow, ...]
    seconds: tuple[float, ...]
    dropped: tuple[DroppedRecording, ...]

    def minutes(self, split: str) -> float:
        return sum(s for row, s in zip(self.rows, self.seconds, strict=True) if row.split == split) / 60

    def count(self, split: str) -> int:
        return sum(row.split == split for row in self.rows)

    def table(self) -> str:
        """Lines for people: how much is used, then each reason with its number of recordings and seconds."""
        lines = [
            f"{'training':32}{self.count('train'):6}{self.minutes('train') * 60:8.0f} s",
            f"{'held out':32}{self.count('dev'):6}{self.minutes('dev') * 60:8.0f} s",
        ]
        for why, count in Counter(drop.why for drop in self.dropped).most_common():
            seconds = sum(drop.seconds for drop in self.dropped if drop.why == why)
            lines.append(f"{'dropped: ' + why:32}{count:6}{seconds:8.0f} s")
        return "\n".join(lines)


def speaker_rows(path: Path, language: str, several: bool = False) -> list[SourceRow]:
    """The recordings of a folder, table or file.

    Raises InputError where they are of several languages, or, without `several`, of several speakers.
    """
    rows = [row for row in read_source(path, language) if row.kind is None]
    others = sorted({row.language for row in rows if row.language and row.language != language})
    if others:
        raise InputError(
            f"language: recordings in {path} are said to be in {', '.join(others)}, not in {language}: "
            "adapt one language at a time",
            field="language",
        )
    speakers = sorted({row.speaker or "" for row in rows})
    if len(speakers) > 1 and not several:
        raise InputError(
            f"recordings: {path} has {len(speakers)} speakers ({', '.join(speakers[:3])}{', ...' if speakers[3:] else ''}); "
            "give those of one",
            field="recordings",
        )
    return rows


def check_recordings(
    rows: Sequence[SourceRow],
    frontend: Frontend,
    language: str,
    recognize: Recognize | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckedRecordings:
    """Utterances of 1 to 12 s with text, and what was left out.

    A recording without text is cut at pauses and transcribed; without `recognize` it is left out. One with text is cut
    between words, which the aligner finds. Raises InputError where fewer than three utterances are left.
    """
    kept, seconds, dropped, seen = list[SourceRow](), list[float](), list[DroppedRecording](), set[bytes]()
    for number, (row, wav_T) in enumerate(_decoded(rows), 1):
        for found in _utterances(row, wav_T, frontend, language, recognize, seen):
            if isinstance(found, DroppedRecording):
                dropped.append(found)
            else:
                kept.append(found[0])
                seconds.append(found[1])
        if progress is not None:
            progress(number, len(rows))
    if len(kept) < FEWEST + 1:
        reasons = _reasons(dropped)
        raise InputError(
            f"recordings: {len(kept)} utterances of {len(rows)} recordings can be used, and at least {FEWEST + 1} are needed"
            + (f"; left out: {reasons}" if reasons else ""),
            field="recordings",
        )
    held = _held_out([row.id for row in kept])
    split = [replace(row, split="dev" if row.id in held else "train") for row in kept]
    return CheckedRecordings(tuple(split), tuple(seconds), tuple(dropped))


def _reasons(dropped: Sequence[DroppedRecording]) -> str:
    """The three most frequent reasons: how many utterances each, and what was wrong with the first."""
    told = []
    for why, count in Counter(drop.why for drop in dropped).most_common(3):
        first = next(drop for drop in dropped if drop.why == why)
        detail = f"{'; the first' if count > 1 else ''}: {first.detail}" if first.detail else ""
        told.append(f"{count} ({why}{detail})")
    return ", ".join(told)


def voice_of(pack_folder: Path, rate: int, speaker: str | None = None) -> np.ndarray:
    """The training utterance nearest to 5 s, of a speaker if there is one: a voice for requests, (T,) at `rate`."""
    pack = AudioPack(pack_folder)
    rows = [row for row in pack.rows if row.split == "train"]
    own = [row for row in rows if row.speaker == speaker]
    row = min(own or rows, key=lambda row: abs(row.seconds - VOICE_SECONDS))
    return pack.audio_at(rate, row)


def _held_out(ids: list[str]) -> set[str]:
    """The same ids on every machine: a tenth of them, or ENOUGH, by their hashes."""
    enough = min(ENOUGH, int(LARGEST_SHARE * len(ids)))
    count = min(MOST, max(FEWEST, enough, round(HELD_OUT * len(ids))))
    return set(sorted(ids, key=lambda id: hashlib.sha256(id.encode()).digest())[:count])


def _decoded(rows: Sequence[SourceRow]) -> Iterator[tuple[SourceRow, np.ndarray | InputError]]:
    """Each row with its samples (T,), or why its file cannot be read. A file is decoded once for parts that follow each
    other."""
    for path, parts in groupby(rows, key=lambda row: row.path):
        whole_T: np.ndarray | InputError
        try:
            whole_T = reading.read(path, max_seconds=MAX_SECONDS)
        except InputError as error:
            whole_T = error
        for row in parts:
            if isinstance(whole_T, InputError) or row.stop is None:
                yield row, whole_T
            else:
                yield row, whole_T[round((row.start or 0.0) * RATE) : round(row.stop * RATE)]
        del whole_T  # before the next file is decoded


def _utterances(
    row: SourceRow, wav_T: np.ndarray | InputError, frontend: Frontend, language: str, recognize: Recognize | None,
    seen: set[bytes],
) -> Iterator[tuple[SourceRow, float] | DroppedRecording]:  # fmt: skip
    if isinstance(wav_T, InputError):
        yield DroppedRecording(row.id, 0.0, "cannot be read", str(wav_T))
        return
    first = row.start or 0.0
    problem = _problem(wav_T, seen)
    if problem is not None:
        yield DroppedRecording(row.id, len(wav_T) / RATE, problem)
        return
    for start, stop, text in _pieces(wav_T, row.text, frontend, language, recognize):
        seconds = stop - start
        name = row.id if seconds == len(wav_T) / RATE else f"{row.id}@{start:.2f}"
        if text and (unread := _unread(text, frontend, language)):
            yield DroppedRecording(name, seconds, "its text cannot be read", unread)
        elif text and SHORTEST <= seconds <= LONGEST:
            whole = name == row.id and row.start is None
            times = (None, None) if whole else (first + start, first + stop)
            yield replace(row, id=name, text=text, language=language, start=times[0], stop=times[1]), seconds
        elif not text:
            yield DroppedRecording(name, seconds, "no text" if recognize is None else "nothing said")
        else:
            long = f"no pause to cut it at within {LONGEST:g} s"
            yield DroppedRecording(name, seconds, "shorter than 1 s" if seconds < SHORTEST else long)


def _unread(text: str, frontend: Frontend, language: str) -> str:
    """Why a text has no phones; "" where it has."""
    try:
        frontend.phones(text, language)
    except InputError as error:
        return str(error)
    return ""


def _problem(wav_T: np.ndarray, seen: set[bytes]) -> str | None:
    """Why a recording cannot be used as it is; None for a good one."""
    digest = hashlib.sha256(np.round(wav_T * 32768).astype(np.int16).tobytes()).digest()
    if digest in seen:
        return "the same as another one"
    seen.add(digest)
    if len(wav_T) < SHORTEST * RATE:
        return "shorter than 1 s"
    if levels.is_silent(wav_T):
        return "silent"
    if levels.is_clipped(wav_T):
        return "clipped"
    return "too noisy" if signal_to_noise(wav_T) < LEAST_SNR else None


def signal_to_noise(wav_T: np.ndarray) -> float:
    """Decibels of the speech over the quietest tenth of 20 ms frames: an estimate, which needs pauses."""
    power_F = levels.frame_power(wav_T, RATE // 50)
    floor = max(float(np.quantile(power_F, 0.1)), 1e-10)
    return 20 * float(np.log10(levels.active_rms(wav_T) / floor**0.5))


def _pieces(
    wav_T: np.ndarray, text: str | None, frontend: Frontend, language: str, recognize: Recognize | None
) -> Iterator[tuple[float, float, str]]:
    """(start, stop in seconds, text) of utterances."""
    seconds = len(wav_T) / RATE
    if text and seconds <= LONGEST:
        yield 0.0, seconds, text
    elif text:
        try:
            words = frontend.align_text((wav_T, RATE), text, language).words
        except InputError:  # too long for one alignment, or a text that cannot fit
            yield 0.0, seconds, text
            return
        yield from cut_at_words(words, seconds)
    else:
        for start, stop in cut_at_pauses(wav_T):
            said = (
                ""
                if recognize is None
                else recognize(wav_T[round(start * RATE) : round(stop * RATE)], language)
            )
            yield start, stop, said.strip()


def cut_at_words(words: Sequence[WordTime], seconds: float) -> Iterator[tuple[float, float, str]]:
    """(start, stop, text) of stretches of at most 12 s that end in the longest pause after at least 4 s."""
    start, first = 0.0, 0
    while first < len(words):
        if seconds - start <= LONGEST:
            yield start, seconds, " ".join(word.text for word in words[first:])
            return
        gaps = [
            (words[i + 1].start - words[i].end, i)
            for i in range(first, len(words) - 1)
            if start + LONGEST / 3 <= words[i].end and words[i + 1].start <= start + LONGEST
        ]
        gap, last = max(gaps, default=(0.0, -1))
        if gap < PAUSE:
            yield (
                start,
                seconds,
                " ".join(word.text for word in words[first:]),
            )  # too long: the caller says so
            return
        middle = (words[last].end + words[last + 1].start) / 2
        yield start, middle, " ".join(word.text for word in words[first : last + 1])
        start, first = middle, last + 1


def cut_at_pauses(wav_T: np.ndarray) -> Iterator[tuple[float, float]]:
    """(start, stop) in seconds of stretches of at most 12 s that begin and end in pauses; long silences are left out."""
    size = RATE // 50
    power_F = levels.frame_power(wav_T, size)
    loud_F = power_F > max(float(np.quantile(power_F, 0.1)) * 4, levels.active_rms(wav_T) ** 2 * 1e-3)
    pause = round(PAUSE * 50)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud_F.astype(np.int8), [0]])))
    spoken = edges.reshape(-1, 2).tolist()  # [first, last + 1) of each run of loud frames
    runs = list[list[int]]()
    for first, last in spoken:
        if runs and first - runs[-1][1] < pause:
            runs[-1][1] = last
        else:
            runs.append([first, last])
    start = None
    for number, (first, last) in enumerate(runs):
        start = first if start is None else start
        following = runs[number + 1] if number + 1 < len(runs) else None
        joins = following is not None and following[0] - last < 50
        if following is None or not joins or (following[1] - start) / 50 > LONGEST - 0.3:
            yield max(0, start - 5) / 50, min(len(power_F), last + 5) / 50
            start = None

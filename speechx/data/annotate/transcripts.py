"""Whisper's transcripts of recordings without text, in a file apart from the corpus's own texts.

DIR/texts.jsonl   one row per utterance: corpus, id, text. Rows of the index that have a text of their own keep it.

`speechx data mix` leaves out wrong ones later, by the aligner's phone error rate.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from speechx.audio import reading
from speechx.data.packs import AudioPack
from speechx.errors import InputError
from speechx.files import atomic_write

__all__ = ["transcribe_pack"]


def transcribe_pack(
    pack_folder: str | Path,
    whisper_folder: str | Path,
    progress: Callable[[int, int], None] | None = None,
    threads: int = 1,
) -> int:
    """Writes texts.jsonl for the speech of a pack that has no text; returns their number. Stopped, what is done is kept.

    Whisper finds out a language that it does not know by its code. Raises InputError.
    """
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise InputError(
            "whisper: transcripts need faster-whisper (extra `eval`)", field="whisper"
        ) from error
    if not (Path(whisper_folder) / "model.bin").is_file():
        raise InputError(f"whisper: {whisper_folder} has no model.bin of CTranslate2", field="whisper")
    pack = AudioPack(pack_folder)
    rows = [row for row in pack.rows if row.speaker is not None and not row.text and row.seconds >= 1]
    model = WhisperModel(str(whisper_folder), device="cpu", compute_type="int8", cpu_threads=threads)
    path = Path(pack_folder) / "texts.jsonl"
    lines: list[str] = []
    try:
        for done, row in enumerate(rows, 1):
            segments, _ = model.transcribe(
                pack.audio_at(reading.SAMPLE_RATE, row),
                language=row.language if row.language in model.supported_languages else None,
                beam_size=5,
                condition_on_previous_text=False,
            )
            text = " ".join(segment.text.strip() for segment in segments)
            if text:
                entry = {"corpus": row.corpus, "id": row.id, "text": text}
                lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
            if progress is not None:
                progress(done, len(rows))
    finally:  # stopped, the next run goes on: rows of an earlier one have a text now
        if lines:
            before = path.read_text(encoding="utf-8") if path.is_file() else ""
            atomic_write(path, (before + "".join(lines)).encode())
            for stale in (*path.parent.glob("phones-v*.jsonl"), *path.parent.glob("words-*.jsonl")):
                stale.unlink()  # made before there were these texts
    return len(lines)

"""Hostile requests: bodies and sound files that a seed makes, always the same ones.

python -m tests.chaos.corpus http://127.0.0.1:8000 [--bodies 1000] [--files 500] sends them to a running server.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from speechx.audio import writing

SAMPLES = Path(__file__).resolve().parents[2] / "speechx" / "assets" / "samples"
SOUND = base64.b64encode((SAMPLES / "enrollment.flac").read_bytes()).decode()
ROUTES: dict[str, dict[str, object]] = {
    "tts": {"text": "Hello there.", "voice": "heart"},
    "cross-lingual-tts": {"text": "Hola.", "language": "es", "voice": "heart"},
    "noise-suppression": {"audio": SOUND},
    "target-speaker-extraction": {"audio": SOUND, "enrollment": SOUND},
    "speech-removal": {"audio": SOUND},
    "speech-editing": {"audio": SOUND, "text": "Hello there.", "span": [0.3, 1.0]},
    "audio/speech": {"model": "tts-1", "input": "Hello.", "voice": "alloy"},
    "voices": {"audio": SOUND, "name": "anna", "consent": True},
    "uploads": {"audio": SOUND},
}
"""Each route with fields that it takes."""

COMMON = ("format", "seed", "temperature", "top_p", "best_of", "stream", "timestamps")
FIELDS = (*COMMON, "text", "voice", "language", "audio", "enrollment", "transcript", "span", "keep_background", "strength",
          "input", "model", "name", "id", "consent", "response_format", "speed", "unknown")  # fmt: skip
VALUES: tuple[object, ...] = (
    None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, -0.0, "", " ", "heart", "a" * 30_000, "\0", "\x1b[31m", "\u202e‮x",
    "🙂" * 500, "é" * 999, "%s%n{0}{{x}}", "/etc/passwd", "../../../../etc/passwd", "file:///etc/passwd", "memory://x",
    "s3://bucket/key", "upload-" + "0" * 32, "upload-../x", "data:audio/wav;base64,AAAA", "data:,", "UklGRg==", "====",
    [], [[]], [0.3, 1.6], [1e9, -1], [None] * 50, {}, {"id": "heart"}, {"a": {"b": {}}}, "0.3,1.6", "[1,0]", "NaN",
    "<speak><break/></speak>", "<!DOCTYPE x [<!ENTITY a 'b'>]>&a;", "'; DROP TABLE voices; --", "1e5", "0x10", "١٢٣", "true",
)  # fmt: skip
TYPES = ("application/json", "application/json; charset=utf-16", "multipart/form-data", "multipart/form-data; boundary=x",
         "application/x-www-form-urlencoded", "text/plain", "", "application/json, text/html", "audio/wav")  # fmt: skip
HEADERS = {
    "X-SpeechX-Timeout": ("nan", "-1", "1e999", "0", "x" * 2000, "5"), "X-Request-Id": ("a" * 5000, "../x", "ok-1"),
    "Accept": ("text/event-stream", "application/json", "*/*;q=x", ""), "Content-Encoding": ("gzip", "br"),
    "Authorization": ("Bearer", "Basic eDp4", "Bearer " + "k" * 4000), "Range": ("bytes=0-",),
    "X-Forwarded-For": ("127.0.0.1, x", "::1"), "Expect": ("x",),
}  # fmt: skip
PATHS = re.compile(rb"/(?:work|home|root|tmp|usr|var|opt)/|site-packages|\.py\b|/etc/(?!passwd)")


@dataclass(frozen=True)
class HostileRequest:
    """One request of the corpus. about: how it was made."""

    method: str
    path: str
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    about: str = ""


def bodies(number: int, seed: int = 1) -> Iterator[HostileRequest]:
    """Requests with odd fields, damaged JSON and forms, odd headers and odd ids."""
    for index in range(number):
        draw = random.Random(f"{seed} body {index}")
        kind = draw.choice(
            ("fields", "fields", "fields", "damaged", "form", "form", "headers", "noise", "id")
        )
        route = draw.choice(list(ROUTES))
        path, headers = f"/v1/{route}", {"Content-Type": "application/json"}
        content = json.dumps(_fields(route, draw)).encode()
        method = "POST"
        if kind == "damaged":
            content = _damaged(content, draw)
        elif kind == "form":
            content, headers["Content-Type"] = _form(draw)
        elif kind == "headers":
            name = draw.choice(list(HEADERS))
            headers |= {"Content-Type": draw.choice(TYPES), name: draw.choice(HEADERS[name])}
        elif kind == "noise":
            content = draw.choice(
                (draw.randbytes(draw.randrange(3000)), b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe{}")
            )
            headers["Content-Type"] = draw.choice(TYPES)
        elif kind == "id":
            method, content = draw.choice(("GET", "DELETE", "PUT")), b""
            path = "/v1/" + draw.choice(("voices/", "models/", "uploads/")) + draw.choice(
                ("..%2f..%2fetc%2fpasswd", "%00", "a" * 3000, "heart%0d%0aX: y", ".", "%ff", "no-such-voice")
            )  # fmt: skip
        yield HostileRequest(method, path, content, headers, f"body {index} ({kind})")


def files(number: int, seed: int = 1) -> Iterator[HostileRequest]:
    """Uploads of damaged sound files of all formats, in forms and as base64."""
    whole = _sound_files()
    for index in range(number):
        draw = random.Random(f"{seed} file {index}")
        name = draw.choice(list(whole))
        kind = draw.choice(("cut", "flip", "flip", "lie", "noise", "joined", "prefix", "empty"))
        data = _damaged_file(whole[name], kind, draw, whole)
        route, key = draw.choice(
            (("noise-suppression", "audio"), ("speech-removal", "audio"), ("uploads", "audio"))
        )
        about = f"file {index} ({name}, {kind})"
        if draw.random() < 0.5:
            content = json.dumps({key: base64.b64encode(data).decode()}).encode()
            yield HostileRequest("POST", f"/v1/{route}", content, {"Content-Type": "application/json"}, about)
        else:
            head = f'--x\r\nContent-Disposition: form-data; name="{key}"; filename="a.{name}"\r\n\r\n'
            content = head.encode() + data + b"\r\n--x--\r\n"
            kind_of_form = {"Content-Type": "multipart/form-data; boundary=x"}
            yield HostileRequest("POST", f"/v1/{route}", content, kind_of_form, about)


def attack(
    address: str, requests: Iterator[HostileRequest], statuses: Counter[int] | None = None
) -> list[str]:
    """Send them one by one: a line for each answer that a server must not give. statuses: counts all answers."""
    problems = []
    statuses = Counter() if statuses is None else statuses
    with httpx.Client(base_url=address, timeout=60) as client:
        for request in requests:
            try:
                answer = client.request(
                    request.method, request.path, content=request.content, headers=request.headers
                )
            except httpx.HTTPError as error:
                problems.append(f"{request.about}: {request.method} {request.path}: {error!r}")
                continue
            statuses[answer.status_code] += 1
            if problem := _problem(answer):
                problems.append(f"{request.about}: {request.method} {request.path[:60]}: {problem}")
    return problems


def _problem(answer: httpx.Response) -> str | None:
    if answer.status_code >= 500:
        return f"status {answer.status_code}: {answer.text[:200]}"
    if answer.status_code < 400:
        return None
    if answer.headers.get("content-type") != "application/json" or "error" not in answer.json():
        return f"status {answer.status_code} without our JSON: {answer.text[:200]}"
    if b"Traceback" in answer.content or PATHS.search(answer.content):
        return f"internals in the error: {answer.text[:300]}"
    return None


def _fields(route: str, draw: random.Random) -> dict[str, object]:
    """Fields that the route takes, one or two of them replaced, added or left out."""
    fields = dict(ROUTES[route])
    if draw.random() < 0.3:  # odd texts that a route may take
        name = draw.choice([key for key, value in fields.items() if isinstance(value, str)])
        return {**fields, name: draw.choice([value for value in VALUES if isinstance(value, str)])}
    for _ in range(draw.randrange(1, 3)):
        name = draw.choice(FIELDS if draw.random() < 0.1 else (*ROUTES[route], *COMMON))
        fields[name] = draw.choice(VALUES)
    if draw.random() < 0.1:
        del fields[draw.choice(list(fields))]
    return fields


def _damaged(content: bytes, draw: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(data)) if data else 0
        what = draw.randrange(4)
        if what == 0:
            data[at : at + 1] = draw.randbytes(1)
        elif what == 1:
            del data[at : at + draw.randrange(1, 20)]
        elif what == 2:
            data[at:at] = draw.choice((b"\\ud800", b"\0", b"{", b"]", b"NaN", b"\xff", b'"', b"\\"))
        else:
            data = data[: max(1, at)]
    return bytes(data)


def _form(draw: random.Random) -> tuple[bytes, str]:
    """(content, type) of a form with odd parts."""
    parts = []
    for _ in range(draw.choice((0, 1, 2, 3, 100))):
        name, value = draw.choice(FIELDS), draw.choice(VALUES)
        filename = draw.choice(("", '; filename="../../x"', '; filename="a\0b"', '; filename=""'))
        head = f'Content-Disposition: form-data; name="{name}"{filename}'
        parts.append(
            b"--x\r\n" + head.encode() + b"\r\n\r\n" + str(value).encode("utf-8", "replace") + b"\r\n"
        )
    content = b"".join(parts) + draw.choice((b"--x--\r\n", b"--x--\r\n", b"", b"--y--", b"--x"))
    if draw.random() < 0.3:
        content = _damaged(content, draw)
    return content, draw.choice(
        ("multipart/form-data; boundary=x", "multipart/form-data; boundary=x", TYPES[4])
    )


def _sound_files() -> dict[str, bytes]:
    tone_T = (0.2 * np.sin(np.arange(16_000) / 9)).astype(np.float32)
    made = {name: writing.encode(tone_T, 16_000, name) for name in ("wav", "flac", "mp3", "opus")}
    return {**made, "sample.flac": (SAMPLES / "noisy.flac").read_bytes()}


def _damaged_file(data: bytes, kind: str, draw: random.Random, whole: dict[str, bytes]) -> bytes:
    if kind == "cut":
        return data[: draw.randrange(len(data))]
    if kind == "flip":
        damaged = bytearray(data)
        for _ in range(draw.choice((1, 10, 300))):
            damaged[draw.randrange(min(len(data), draw.choice((60, len(data)))))] = draw.randrange(256)
        return bytes(damaged)
    if kind == "lie":  # lengths, rates and channels are in the first bytes
        at = draw.randrange(0, 60)
        return (
            data[:at]
            + struct.pack("<I", draw.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF)))
            + data[at + 4 :]
        )
    if kind == "joined":
        return data + draw.choice(list(whole.values()))
    if kind == "prefix":
        return draw.randbytes(draw.randrange(1, 200)) + data
    return b"" if kind == "empty" else data[:4] + draw.randbytes(draw.randrange(5000))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--bodies", type=int, default=1000)
    parser.add_argument("--files", type=int, default=500)
    given = parser.parse_args()
    found = []
    for kind, requests in (("bodies", bodies(given.bodies)), ("files", files(given.files))):
        counts: Counter[int] = Counter()
        found += attack(given.address, requests, counts)
        print(f"{kind}: {', '.join(f'{number} x {status}' for status, number in sorted(counts.items()))}")
    print("\n".join(found) or "no problem")
    raise SystemExit(bool(found))

"""API keys, rate limits and concurrency limits. A request over a limit is rejected immediately, never queued.

Counts are per process: each of several routers has its own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from speechx.errors import InputError
from speechx.files import read_text
from speechx.serving.errors import ApiError
from speechx.serving.settings import Limits, Settings

__all__ = ["ApiKeys", "Permit", "RequestLimiter", "hash_key"]

REMEMBERED_CALLERS = 10_000  # token buckets; the least recent is dropped


def hash_key(key: str) -> str:
    """SHA-256 in hex. Keys are long and random, so that no salt is needed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class ApiKeys:
    """The accepted API keys, by their hashes. Without any, no request needs a key."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """hashes: name -> SHA-256 of the key in hex."""
        self._hashes = dict(hashes)

    @classmethod
    def load(cls, settings: Settings) -> ApiKeys:
        """Keys of `settings.api_keys_file` and of $SPEECHX_API_KEYS (separated by commas). Raises InputError."""
        hashes = {}
        if settings.api_keys_file:
            lines = read_text(settings.api_keys_file, "api_keys_file").splitlines()
            for number, line in enumerate(lines, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                name, _, digest = line.strip().partition(":")
                if not name or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
                    raise InputError(
                        f"api_keys_file: line {number} is not name:sha256 in hex", field="api_keys_file"
                    )
                hashes[name] = digest
            if not hashes:
                raise InputError("api_keys_file: has no keys, so nobody could ask", field="api_keys_file")
        given = [key.strip() for key in os.environ.get("SPEECHX_API_KEYS", "").split(",") if key.strip()]
        hashes |= {f"env-{number}": hash_key(key) for number, key in enumerate(given, 1)}
        return cls(hashes)

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def knows(self, name: str, key: str) -> bool:
        """Whether a key has this name."""
        return hmac.compare_digest(hash_key(key), self._hashes.get(name, ""))

    def caller(self, headers: Mapping[str, str], address: str) -> str:
        """Name of the key in the headers; the client address where no keys are set. Raises ApiError 401."""
        if not self._hashes:
            return address
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        digest, found = hash_key(key), None
        for name, kept in self._hashes.items():  # always all of them: the time must not depend on the key
            if hmac.compare_digest(digest, kept):
                found = name
        if found is None:
            what = "is unknown" if key else "is missing: send Authorization: Bearer KEY"
            raise ApiError(401, f"the API key {what}", code="invalid_api_key")
        return found


@dataclass
class _TokenBucket:
    """Token bucket of one caller: a request takes one token, the refill is even."""

    tokens: float
    at: float


@dataclass
class Permit:
    """A place of a request under the concurrency limits. `release` it when the request ends, however it ends."""

    caller: str
    limiter: RequestLimiter
    held: bool = True

    def release(self) -> None:
        if self.held:
            self.held = False
            self.limiter.release(self.caller)


class RequestLimiter:
    """Limits of requests at once, in total and per caller, and of requests per minute per caller."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self.under_way = 0
        self.draining = False
        self._under_way_of: Counter[str] = Counter()
        self._buckets: OrderedDict[str, _TokenBucket] = OrderedDict()

    def check(self, caller: str) -> None:
        """Refuses a request before its body is read, and counts it for the rate. Raises ApiError as `acquire`, 429."""
        self._check_room(caller)
        if self.limits.per_key_per_minute is not None:
            self._take_token(caller, self.limits.per_key_per_minute)

    def acquire(self, caller: str) -> Permit:
        """A place for a request whose body has been read. Raises ApiError 429 over a limit, 503 while draining."""
        self._check_room(caller)
        self.under_way += 1
        self._under_way_of[caller] += 1
        return Permit(caller, self)

    def _check_room(self, caller: str) -> None:
        if self.draining:
            raise ApiError(503, "the server is shutting down: try again", code="draining", retry_after=5)
        at_once, own = self.limits.at_once, self.limits.per_key_at_once
        if self.under_way >= at_once:
            raise ApiError(
                429, f"the server has {at_once} requests under way, which is its limit: try again",
                code="overloaded", limit=at_once, retry_after=1,
            )  # fmt: skip
        if own is not None and self._under_way_of[caller] >= own:
            raise ApiError(
                429, f"{own} of your requests are under way, which is the limit: wait for one",
                code="too_many_at_once", limit=own, retry_after=1,
            )  # fmt: skip

    def release(self, caller: str) -> None:
        self.under_way -= 1
        self._under_way_of[caller] -= 1
        if not self._under_way_of[caller]:
            del self._under_way_of[caller]

    def _take_token(self, caller: str, rate: int) -> None:
        """rate: tokens per minute. Raises ApiError 429 where the bucket is empty."""
        now = self._clock()
        bucket = self._buckets.setdefault(caller, _TokenBucket(float(rate), now))
        self._buckets.move_to_end(caller)
        while len(self._buckets) > REMEMBERED_CALLERS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(float(rate), bucket.tokens + (now - bucket.at) * rate / 60)
        bucket.at = now
        if bucket.tokens < 1:
            wait = (1 - bucket.tokens) * 60 / rate
            raise ApiError(
                429, f"more than {rate} requests a minute: try again in {wait:.0f} s",
                code="rate_limit", limit=rate, retry_after=wait,
            )  # fmt: skip
        bucket.tokens -= 1

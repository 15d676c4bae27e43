"""Settings of a server: limits, API keys, storage. Strict: an unknown name is an error."""

from __future__ import annotations

import os

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speechx.errors import InputError, did_you_mean

__all__ = ["Limits", "Settings"]


class Limits(BaseModel):
    """Limits per request, per key and per server. Counts are per router process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    upload_bytes: int = Field(64 << 20, ge=1024, description="longest body, all files together")
    upload_seconds: float = Field(60.0, gt=0, description="a body must have arrived within")
    body_grace_seconds: float = Field(
        5.0, ge=0, description="a body may be slower than body_rate for so long"
    )
    body_rate: int = Field(2048, ge=1, description="fewest bytes a second of a body that is being read")
    bodies_at_once: int = Field(256, ge=1, description="bodies that are being read at once; more get 429")
    bodies_per_address: int = Field(64, ge=1, description="of them from one address (IPv6: one /64 network)")
    bodies_bytes: int = Field(512 << 20, ge=1024, description="bodies that are being read, all together")
    audio_seconds: float = Field(600.0, gt=0, description="longest recording")
    voice_seconds: float = Field(120.0, gt=0, description="longest recording of a voice")
    text_chars: int = Field(20_000, ge=1, description="longest text")
    best_of: int = Field(4, ge=1, description="most tries of a request")
    request_seconds: float = Field(300.0, gt=0, description="a request that takes longer is given up")
    live_seconds: float = Field(3600.0, gt=0, description="a live socket is closed after so long")
    live_idle_seconds: float = Field(60.0, gt=0, description="and where nothing comes or goes for so long")
    live_start_seconds: float = Field(10.0, gt=0, description="and where it has not started within")
    at_once: int = Field(16, ge=1, description="requests under way in all; more get 429")
    per_key_at_once: int | None = Field(None, ge=1, description="requests under way of one key or address")
    per_key_per_minute: int | None = Field(None, ge=1, description="requests a minute of one key or address")
    uploads_bytes: int = Field(4 << 30, ge=1 << 20, description="all kept uploads together")
    decoders: int = Field(1, ge=0, description="processes that read sound files; 0: in this one (tests)")
    decode_seconds: float = Field(30.0, gt=0, description="a file that takes longer to read is refused")
    decode_bytes: int = Field(2 << 30, ge=256 << 20, description="memory of a process that reads sound files")

    @classmethod
    def parse(cls, given: list[str]) -> Limits:
        """Of "name=value" texts, as `speechx serve --limit` takes them. Raises InputError."""
        values = dict[str, str]()
        for text in given:
            name, equals, value = (part.strip() for part in text.partition("="))
            if not equals or name not in cls.model_fields:
                hint = did_you_mean(name, list(cls.model_fields))
                raise InputError(f"limit: {text!r} is not NAME=VALUE of a limit{hint}", field="limit")
            values[name] = value
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            raise InputError(f"limit: {name}={values[name]}: {first['msg']}", field="limit") from error


class Settings(BaseModel):
    """Settings of `build_app`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: Limits = Field(default_factory=Limits)
    voices: str | None = Field(None, description="folder or fsspec URL of voices; default as everywhere")
    api_keys_file: str | None = Field(None, description="lines of name:sha256 of the key, in hex")
    cors_origins: list[str] = Field(default_factory=list, description="origins a browser may call from")
    log_requests: bool = Field(True, description="a line of JSON per request, on standard error")
    docs: bool = Field(True, description="/docs and /openapi.json")

    page: bool = Field(True, description="the page at /, where the extra `page` is installed")

    @classmethod
    def from_env(cls, **given: object) -> Settings:
        """Settings with these values; api_keys_file defaults to $SPEECHX_API_KEYS_FILE."""
        keys = os.environ.get("SPEECHX_API_KEYS_FILE")
        return cls.model_validate({"api_keys_file": keys, **given})

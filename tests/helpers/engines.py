"""Engines of tiny models for tests, and prompts for them."""

import numpy as np
import torch

from speechx.engine.engine import Engine, StepOutput
from speechx.engine.sampling import SamplingParams
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.prompt import Frames, PackedPrompt, Prompt, Text, TextTrack, Token, pack
from speechx.tasks.noise_suppression import NS

GREEDY = SamplingParams(greedy=True, max_frames=12)


def make_core(copies: bool = False, dropout: float = 0.0) -> CodecLMCore:
    torch.manual_seed(0)
    config = LMConfig.preset(
        "tiny", max_positions=256, copies=copies, condition_dropout=dropout,
        recording_dropout=dropout,
    )  # fmt: skip
    core = CodecLMCore(config)
    with torch.no_grad():
        if copies:
            for parameter in core.copy.parameters():
                parameter.normal_(std=0.3)
            core.copy.codes[0] = 0  # no recording
        # Untrained weights say nearly the same everywhere; larger ones make the tests say something.
        for parameter in core.parameters():
            parameter.mul_(3.0)
    return core.eval()


def text_prompt(seed: int, voice: int = 7) -> PackedPrompt:
    rng = np.random.default_rng(seed)
    phones = rng.integers(2, 60, 9 + seed % 5)
    frames = Frames(np.random.default_rng(voice).integers(0, 1024, (6, 8)), cache_key="voice")
    return pack(Prompt(0, (frames, Text(phones, "en")), TextTrack(phones, 1, len(phones) - 1)))


def aligned_prompt(seed: int) -> PackedPrompt:
    codes = np.random.default_rng(seed).integers(0, 1024, (11, 8))
    segments = (Token(NS), Frames(codes, aligned=True))
    return pack(Prompt(2, segments, track_codes_FK=codes, previous_K=codes[0], frames=11))


def run(engine: Engine) -> dict[int, list[StepOutput]]:
    out: dict[int, list[StepOutput]] = {}
    while engine.has_work:
        for output in engine.step():
            out.setdefault(output.id, []).append(output)
    engine.scheduler.check_idle()
    return out


def codes_of(outputs: list[StepOutput]) -> np.ndarray:
    return np.concatenate([e.codes_FK for e in outputs])

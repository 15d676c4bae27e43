"""Before it learns to extract speakers, a net of kind `complex` learns to tell them by their enrollments.

Two enrollments of each of 64 speakers: each has to find its partner among those of the others (N-pair loss, Sohn 2016;
for voices, Chung et al. 2020, section 3.2). Half of the time all speakers are of one corpus, so that a microphone does
not tell them apart. Legend: B speakers, E frames of an enrollment, D axes of the codec's latents, H width.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechx.errors import InputError
from speechx.models.refiner.complex import ComplexRefiner
from speechx.training.loop import cosine
from speechx.training.refiner_data import Mixtures

SPEAKERS = 64
"""Of a step, at most."""
SHORTEST = 50
"""Frames that are heard of an enrollment, at least: 2 s."""
EMBEDDING, LR, WEIGHT_DECAY = 128, 2e-3, 0.05
LOGIT_SCALE = 2.7
"""At first; the natural logarithm of what cosines are multiplied by."""


def learn_voices(net: ComplexRefiner, mixtures: Mixtures, steps: int, seed: int) -> float:
    """Trains what the net hears of an enrollment; the share of enrollments that find their partner at the end.

    Raises ValueError where the training split has fewer than four speakers with two utterances.
    """
    corpora: dict[str, list[str]] = defaultdict(list)
    for speaker, rows in mixtures.pools[0].by_speaker.items():
        if len(rows) > 1:
            corpora[rows[0].corpus].append(speaker)
    everybody = sorted(speaker for speakers in corpora.values() for speaker in speakers)
    if len(everybody) < 4:
        raise InputError(
            "voice_steps: the training split needs four speakers with two utterances each", field="pack"
        )
    alike = [sorted(speakers) for _, speakers in sorted(corpora.items()) if len(speakers) >= 4]
    rng = np.random.default_rng((seed, steps))
    head, scale = nn.Linear(net.pooled_dim, EMBEDDING), nn.Parameter(torch.tensor(LOGIT_SCALE))
    opt = torch.optim.AdamW(
        [*net.voice.parameters(), *head.parameters(), scale], lr=LR, weight_decay=WEIGHT_DECAY
    )
    found: list[float] = []
    for step in range(steps):
        for group in opt.param_groups:
            group["lr"] = LR * cosine(step / steps, 0.02)
        among = alike[int(rng.integers(len(alike)))] if alike and rng.random() < 0.5 else everybody
        names = rng.choice(among, min(SPEAKERS, len(among)), replace=False)
        pairs = [mixtures.two_voices(str(name), rng) for name in names]
        one_BED, other_BED = (
            torch.from_numpy(np.stack([_heard(pair[i], rng) for pair in pairs])) for i in (0, 1)
        )
        one_BH, other_BH = (
            F.normalize(head(net.pooled_voice(voice_BED)), dim=-1) for voice_BED in (one_BED, other_BED)
        )
        logits_BB = one_BH @ other_BH.T * scale.exp()
        right_B = torch.arange(len(names))
        loss = (F.cross_entropy(logits_BB, right_B) + F.cross_entropy(logits_BB.T, right_B)) / 2
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        found.append(float((logits_BB.argmax(1) == right_B).float().mean()))
    voices = [voice for name in everybody[: 4 * SPEAKERS] for voice in mixtures.two_voices(name, rng)]
    _pass_on(net, head, torch.from_numpy(np.stack(voices)))
    return float(np.mean(found[-max(1, steps // 10) :]))


def _heard(voice_ED: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some of the frames, repeated to as many as there were."""
    size = int(rng.integers(min(SHORTEST, len(voice_ED)), len(voice_ED) + 1))
    at = int(rng.integers(0, len(voice_ED) - size + 1))
    return np.tile(voice_ED[at : at + size], (-(-len(voice_ED) // size), 1))[: len(voice_ED)]


@torch.no_grad()
def _pass_on(net: ComplexRefiner, head: nn.Linear, voice_BED: Tensor) -> None:
    """The layer behind the voice begins with the axes along which the head tells speakers best, centered, of size one."""
    axes_HH = torch.linalg.svd(head.weight)
    rows = min(len(net.speaker.weight), len(axes_HH.S))
    net.speaker.weight.zero_()
    net.speaker.weight[:rows] = axes_HH.S[:rows, None] * axes_HH.Vh[:rows]
    told_BH = net.pooled_voice(voice_BED) @ net.speaker.weight.T
    size = told_BH[:, :rows].std().clamp_min(1e-6)
    net.speaker.weight.div_(size)
    net.speaker.bias.copy_(-told_BH.mean(0) / size)

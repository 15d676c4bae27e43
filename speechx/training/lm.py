"""Trains the codec language model on shards of training pairs.

`speechx train lm --config lm/1-tts --shards DIR [DIR ...] --output DIR [--resume] [--device cuda] [--max-
minutes N]`; with `rank` in the recipe and `--adapt MODEL/lm`, a LoRA adapter of a finished model (speechx.models.lora).
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from speechx.data.shards import Shards
from speechx.errors import InputError
from speechx.memory import release_memory
from speechx.models.codec.base import Codec
from speechx.models.lm.batch import LMBatch
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model
from speechx.models.lm.model import CodecLMCore, LMOutput
from speechx.models.lora import (
    LANGUAGE_ROW,
    LoRAAdapter,
    add_language_row,
    add_lora,
    find_language_row,
    init_lora,
    start_language_row,
)  # fmt: skip
from speechx.models.vocab import language_token
from speechx.text.languages import LANGUAGES, added_language
from speechx.training.group import Group
from speechx.training.lm_config import LMTrainConfig
from speechx.training.lm_data import LMBatchLoader, dev_batches
from speechx.training.loop import (
    Checkpoint,
    CheckpointStore,
    Metrics,
    Show,
    TrainingRun,
    cosine,
    fit,
    mean_metrics,
    read_checkpoint,
    rng_state,
    set_learning_rate,
    set_rng_state,
    update_average,
    warm_up,
)
from speechx.training.new_codebooks import start_codes
from speechx.training.optimizers import optimizers


@dataclass
class BestWeights:
    """The averaged weights at the evaluation with the least loss. first: loss before training; worse: evaluations since."""

    first: float
    loss: float
    worse: int
    tensors: dict[str, torch.Tensor]
    step: int | None = None  # absent in checkpoints of earlier releases


class LMTrainer:
    """Holds the model, its running average, the optimizer and the step. finished: the model to adapt."""

    def __init__(
        self, config: LMTrainConfig, model_config: LMConfig, device: str, finished: CodecLMCore | None = None,
        group: Group = Group(),
    ) -> None:  # fmt: skip
        torch.manual_seed(config.seed)
        self.config, self.model_config, self.device = config, model_config, torch.device(device)
        self.group = group
        self.model = (finished or CodecLMCore(model_config)).to(self.device)
        if finished is not None:
            add_lora(self.model, config.rank, config.seed, config.adapted)
            for language in filter(added_language, config.languages):
                add_language_row(self.model, language_token(language))
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.opts = optimizers(
            self.model, config.optimizer, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay,
            muon_steps=config.muon_steps,
        )  # fmt: skip
        self.step = 0
        self.share_of_time = 0.0
        self.minutes = 0.0  # of training, with those of the runs that this one resumed
        self.best: BestWeights | None = None  # where the recipe has `patience`
        self.first_row: torch.Tensor | None = None  # of a language that is added by this run
        if config.compile:
            self.model.compile_blocks()  # after the average was copied from it: a compiled block does not copy

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.config.bf16)

    def train_step(self, batch: LMBatch) -> Metrics:
        config = self.config
        done = max(self.share_of_time, self.step / config.steps)
        rate = config.lr * warm_up(self.step, config.warmup) * cosine(done, config.lr_final / config.lr)
        for opt in self.opts:
            set_learning_rate(opt, rate)
        self.model.train()
        out = self._forward(batch)
        self.model.zero_grad(set_to_none=True)
        out.loss.backward()
        metrics = self.group.sum_gradients(self.opts, out.metrics | {"loss": out.loss.detach()})
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        for opt in self.opts:
            opt.step()
        update_average(self.average, self.model, self.step, config.ema)
        self.step += 1
        return metrics | {"grad": norm}

    def _forward(self, batch: LMBatch) -> LMOutput:
        """Of several ranks, the share of this one. Global draws are the same in all of them, dropout is not."""
        group, whole = self.group, batch.whole_steps
        if whole is None:
            with self._autocast():
                return self.model(batch)
        drawn_M = self.model.draw_local_steps(whole)
        gpus = [torch.cuda.current_device()] if self.device.type == "cuda" else []
        with torch.random.fork_rng(gpus):
            torch.manual_seed((self.config.seed * 1_000_003 + self.step) * group.world + group.rank)
            with self._autocast():
                return self.model(batch, group, drawn_M)

    @torch.no_grad()
    def evaluate(self, batches: list[LMBatch]) -> dict[str, float]:
        """Mean metrics of the averaged weights, over the same steps of the local transformer each time."""
        self.average.eval()
        rows = []
        gpus = [torch.cuda.current_device()] if self.device.type == "cuda" else []
        with torch.random.fork_rng(gpus):
            torch.manual_seed(self.config.seed)
            for batch in batches:
                with self._autocast():
                    out = self.average(batch.to(self.device))
                rows.append(out.metrics | {"loss": out.loss})
        release_memory()
        return {k: float(torch.stack([r[k].float().cpu() for r in rows]).mean()) for k in rows[0]}

    def _trained(self) -> dict[str, torch.Tensor]:
        """The averaged weights that this run changes."""
        trained = [name for name, p in self.model.named_parameters() if p.requires_grad]
        state = self.average.state_dict()
        return {name: state[name] for name in trained}

    def note_dev_loss(self, loss: float) -> None:
        """Keeps a copy of the averaged weights if no evaluation before had a smaller loss."""
        before = self.best
        if before is not None and loss >= before.loss:
            before.worse += 1
            return
        tensors = {name: value.clone() for name, value in self._trained().items()}
        self.best = BestWeights(loss if before is None else before.first, loss, 0, tensors, self.step)

    def restore_best(self) -> None:
        """Puts the weights of the best evaluation into the average."""
        if self.best is not None:
            self.average.load_state_dict(self.best.tensors, strict=False)

    def state(self) -> Checkpoint:
        return {
            "step": self.step, "config": self.config.model_dump(), "model_config": self.model_config.to_dict(),
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "opt": [opt.state_dict() for opt in self.opts], "rng": rng_state(self.device),
            "best": None if self.best is None else asdict(self.best), "first_row": self.first_row,
        }  # fmt: skip

    def begin(
        self, start_from: str | None, adapter: LoRAAdapter | None, vectors_KVD: torch.Tensor | None
    ) -> None:
        """The first weights: of the checkpoint of another stage, of an adapter, or as they are."""
        if start_from:
            self.load(_first_weights(start_from), weights_only=True, vectors_KVD=vectors_KVD)
        elif adapter is not None:
            for model in (self.model, self.average):
                init_lora(model, adapter.tensors)

    def begin_language(self, dev_sets: dict[int, list[LMBatch]]) -> str:
        """Gives an added language the row of the one that speaks its held-out pairs with the least loss; that one's code."""
        losses: dict[str, float] = {}
        for language in LANGUAGES:
            self._start_language(language)
            losses[language] = sum(self.evaluate(batches)["loss"] for batches in dev_sets.values())
        nearest = min(losses, key=losses.__getitem__)
        self._start_language(nearest)
        row = find_language_row(self.average)
        assert row is not None
        self.first_row = row.row.detach().clone()
        return nearest

    def _start_language(self, language: str) -> None:
        for model in (self.model, self.average):
            start_language_row(model, language_token(language))

    def load(
        self, state: Checkpoint, weights_only: bool = False, vectors_KVD: torch.Tensor | None = None
    ) -> None:
        """`weights_only`: the next stage starts from these weights with a fresh optimizer and step 0.

        vectors_KVD: what the codec's codes stand for; what knows `new_codebooks` begins anew from them.
        """
        if weights_only:
            new, before = self.config.new_codebooks, state["model_config"]["codec_hash"]
            if not new and before != self.model_config.codec_hash:
                raise InputError(
                    f"the stage to start from was trained with codec {before}, these shards are of "
                    f"{self.model_config.codec_hash}: set new_codebooks in the recipe",
                    field="start_from",
                )
            for model in (self.model, self.average):
                missing, unknown = model.load_state_dict(state["average"], strict=False)
                wrong = [name for name in missing if not name.startswith("copy.")] + unknown
                if wrong:
                    raise InputError(
                        f"the stage to start from has another shape: {', '.join(wrong[:5])}",
                        field="start_from",
                    )
                if new:
                    start_codes(model, new, vectors_KVD, self.config.seed)
            return
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for opt, saved in zip(self.opts, state["opt"], strict=True):
            opt.load_state_dict(saved)
        set_rng_state(state["rng"], self.device)
        self.step = state["step"]
        self.first_row = state.get("first_row")
        kept = state.get("best")  # absent in checkpoints of earlier releases
        self.best = None if kept is None else BestWeights(**kept)


def _first_weights(path: str) -> Checkpoint:
    """What a new recipe starts from: a checkpoint's averaged weights, or those of a model folder without its adapters."""
    if Path(path).is_dir():
        finished = load_model(path, adapter=False)
        return {"average": finished.state_dict(), "model_config": finished.shape.to_dict()}
    return read_checkpoint(path, "average")


def train(
    config: LMTrainConfig, shards: Shards, dev: Shards | None, out: str, *, phone_table_version: int, codec: Codec,
    pause_phones: tuple[int, ...], resume: bool = False, device: str = "cpu", max_minutes: float | None = None,
    start_from: str | None = None, vectors_KVD: torch.Tensor | None = None, finished: CodecLMCore | None = None,
    adapter: LoRAAdapter | None = None, group: Group = Group(), store: CheckpointStore | None = None,
    show: Show | None = None,
) -> LMTrainer:  # fmt: skip
    """Runs the recipe until its steps or the minutes are over; leaves `last.pt` in `out`.

    finished: the model to adapt (`rank`); adapter: what the new one starts from. show: see TrainingRun. Raises ValueError
    where one is given without the other, and where no pair is in the scope of the recipe.
    """
    facts = {
        "codec_name": codec.name, "codec_hash": shards.codec_hash, "num_codebooks": codec.num_codebooks,
        "codebook_size": codec.codebook_size, "phone_table_version": phone_table_version,
        **LMConfig.pace(codec.frame_rate),
    }  # fmt: skip
    model_config = _model_config(config, finished, {"pause_phones": pause_phones, **facts})
    run = TrainingRun(out, max_minutes, group=group, store=store, show=show)
    trainer = LMTrainer(config, model_config, device, finished, group)
    if run.resumes(resume):
        trainer.load(run.load())
    else:
        trainer.begin(start_from, adapter, vectors_KVD)
    _check_scope(config, shards)
    feeder = LMBatchLoader(shards, config, model_config, group=group)
    dev_sets = {} if dev is None else dev_batches(dev, config, model_config)

    def train_step(batch: LMBatch) -> Metrics:
        metrics = trainer.train_step(batch.to(trainer.device, non_blocking=True))
        return metrics | {"steps": torch.tensor(batch.num_steps * group.world)}

    def summarize(recent: list[Metrics], seconds: float) -> dict[str, float]:
        seen = sum(int(metrics.pop("steps")) for metrics in recent)
        return mean_metrics(recent) | {"epoch": float(feeder.stream.epoch), "steps_per_s": seen / seconds}

    def scores_now() -> dict[str, float]:
        scores = {slot: trainer.evaluate(batches) for slot, batches in dev_sets.items()}
        if config.patience:
            trainer.note_dev_loss(sum(s["loss"] for s in scores.values()) / len(scores))
        return {
            f"dev{slot}_{k}": s[k] for slot, s in scores.items() for k in ("loss", "ce_1", "ce_2", "acc_1")
        }

    if config.patience and not dev_sets:
        raise InputError("a recipe with `patience` needs pairs of the dev split (--dev)", field="dev")
    _begin_language(trainer, dev_sets, adapter)
    if config.patience and trainer.best is None:
        run.log_first(trainer.step, scores_now())
    fit(
        trainer, run, feeder.steps(trainer.step, config.steps), train_step, log_every=config.log_every,
        anneal_minutes=config.anneal_minutes, summarize=summarize,
        evaluate=lambda: {} if trainer.step % config.eval_every else scores_now(),
        stop=lambda: trainer.best is not None and trainer.best.worse >= config.patience,
    )  # fmt: skip
    trainer.minutes = (run.before + run.seconds()) / 60
    if config.patience and trainer.step % config.eval_every:
        run.log_first(trainer.step, scores_now())
    trainer.restore_best()
    return trainer


def _begin_language(
    trainer: LMTrainer, dev_sets: dict[int, list[LMBatch]], adapter: LoRAAdapter | None
) -> None:
    """The first row of a language that is added, where no adapter or checkpoint has one. Raises ValueError without dev."""
    has_row = trainer.step > 0 or (adapter is not None and LANGUAGE_ROW in adapter.tensors)
    if find_language_row(trainer.model) is None or has_row:
        return
    if not dev_sets:
        raise InputError("a language that is added needs pairs of the dev split (--dev)", field="dev")
    nearest = trainer.begin_language(dev_sets)
    if trainer.group.first:
        print(
            f"{trainer.config.languages[0]} begins as {nearest}, the nearest of {', '.join(LANGUAGES)}",
            flush=True,
        )


def _model_config(config: LMTrainConfig, finished: CodecLMCore | None, facts: dict[str, object]) -> LMConfig:
    """Of a new model, or of the finished one with what the recipe changes. facts: what the model will be used with."""
    if (finished is None) != (config.rank == 0):
        raise InputError(
            "a recipe with `rank` needs a finished model to change (--adapt), and only such a recipe",
            field="adapt",
        )
    if finished is None:
        return LMConfig.preset(config.preset, **{**facts, **config.model})
    finished.shape = finished.shape.with_(**config.model)
    finished.train()
    return finished.shape


def _check_scope(config: LMTrainConfig, shards: Shards) -> None:
    """Raises ValueError where the adapter of a recipe would be used for none of the pairs."""
    if not config.rank or not (config.languages or config.slots):
        return
    for pair in shards:
        of_task = not config.slots or pair.prompt.slot in config.slots
        if of_task and (not config.languages or pair.prompt.language in (None, *config.languages)):
            return
    raise InputError(
        f"the adapter is for languages {', '.join(config.languages) or 'all'} and task slots "
        f"{', '.join(map(str, config.slots)) or 'all'}, and none of {len(shards)} training pairs is one of these",
        field="config",
    )

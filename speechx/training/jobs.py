"""What `speechx train` does, as values: they can be sent to the workers of a cluster.

job = AlignerJob(config, packs=("pack",), codec="codec")
job.run(RunOptions("runs/aligner"))        # trains, and writes OUT/last.pt, OUT/log.csv and OUT/model
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Protocol

from speechx.errors import InputError
from speechx.models.lora import LoRAScope
from speechx.training.aligner import AlignerTrainConfig
from speechx.training.codec_config import CodecTrainConfig
from speechx.training.group import Group
from speechx.training.lm_config import LMTrainConfig, PreferenceConfig
from speechx.training.loop import CheckpointStore
from speechx.training.refiner_recipe import RefinerTrainConfig

__all__ = [
    "AlignerJob",
    "CodecJob",
    "LMJob",
    "PreferenceJob",
    "RefinerJob",
    "RunOptions",
    "TrainCluster",
    "TrainingJob",
    "check_job",
    "resolve_resume",
]


@dataclass(frozen=True)
class RunOptions:
    """Where and for how long a job runs, and with whom.

    resume: go on from OUT/last.pt, or from the store's checkpoint. auto_resume: the same where there is one
    (`resolve_resume`), which lets a scheduler repeat one command.
    """

    out: str
    resume: bool = False
    device: str = "cpu"
    max_minutes: float | None = None
    group: Group = field(default_factory=Group)
    store: CheckpointStore | None = None
    auto_resume: bool = False


@dataclass(frozen=True)
class TrainCluster:
    """Ray workers of a training. gpus: one each. cpus: reserved for each. address: of a cluster; None: a Ray of its own."""

    workers: int
    gpus: bool = False
    cpus: float = 1.0
    address: str | None = None


class TrainingJob(Protocol):
    """One training: its recipe and its data. All paths are strings, absolute where another process will run it."""

    def run(self, options: RunOptions) -> str:
        """Train, and write the model folder OUT/model (rank 0); a line for the terminal."""
        ...


def resolve_resume(options: RunOptions, found: bool) -> RunOptions:
    """The options with `resume` as this run needs it. found: OUT has the checkpoint of an earlier run.

    Raises InputError where there is nothing to resume, or an earlier run would be overwritten.
    """
    if options.resume and not found:
        raise InputError(f"resume: there is no checkpoint in {options.out}", field="resume")
    if found and not (options.resume or options.auto_resume):
        raise InputError(
            f"output: {options.out} has the checkpoint of an earlier run; go on with it by --resume, "
            "or name another folder",
            field="output",
        )
    if options.auto_resume:
        print(f"{options.out} {'is resumed' if found else 'has no checkpoint: a new run'}", flush=True)
    return replace(options, resume=found)


def check_job(job: TrainingJob, workers: int, resume: bool = False) -> None:
    """What a cluster would say only after its start. Raises InputError, which names the field, for a folder or checkpoint
    that is not there, and for more workers than items in a batch.

    A codec may be a name: what opens it says whether there is one.
    """
    if isinstance(job, CodecJob) and not resume:
        job.check()
    if isinstance(job, CodecJob | RefinerJob):
        Group(0, workers).check_batch(job.config.batch)
    for item in fields(job):  # type: ignore[arg-type]  # all jobs are dataclasses
        value = None if item.name == "codec" else getattr(job, item.name)
        for path in value if isinstance(value, tuple) else (value,):
            if not isinstance(path, str):
                continue
            if not Path(path).exists():
                raise InputError(f"{item.name}: {path} does not exist", field=item.name)


@dataclass(frozen=True)
class CodecJob:
    config: CodecTrainConfig
    pack: str
    start_from: str | None = None

    def check(self) -> None:
        """Raises InputError where the recipe leaves parts of a codec as they are, and names none."""
        if self.config.leaves_parts and self.start_from is None:
            raise InputError(
                "start-from: the recipe leaves parts of a codec as they are; name that codec, for example box",
                field="start_from",
            )

    def run(self, options: RunOptions) -> str:
        from speechx.models.codec.folder import export_checkpoint
        from speechx.training.codec import train

        if not options.resume:
            self.check()
        train(
            self.config, self.pack, options.out, options.resume, options.device, options.max_minutes,
            self.start_from, options.group, options.store,
        )  # fmt: skip
        if not options.group.first:
            return ""
        out = Path(options.out)
        made = export_checkpoint(out / "last.pt", out / "model")
        return f"codec {made.name} {made.hash} -> {out / 'model'}"


@dataclass(frozen=True)
class AlignerJob:
    """start_from, adapt: aligner folders whose weights are continued, or of which a LoRA adapter is trained."""

    config: AlignerTrainConfig
    packs: tuple[str, ...]
    codec: str
    start_from: str | None = None
    adapt: str | None = None

    def run(self, options: RunOptions) -> str:
        from speechx.data.annotate.codes import read_tokens
        from speechx.data.annotate.frame_labels import read_frame_labels
        from speechx.models.aligner import Aligner
        from speechx.models.codec.sources import open_codec
        from speechx.training.aligner import train

        made = open_codec(self.codec)
        rows = [row for folder in self.packs for row in read_tokens(folder, made)]
        dev = [row for row in rows if row.row.split == "dev" and row.text is not None][:100]
        adapt, start = (
            None if folder is None else Aligner.load(folder, adapter=False)
            for folder in (self.adapt, self.start_from)
        )
        labels = {key: found for folder in self.packs for key, found in read_frame_labels(folder).items()}
        train(
            self.config, [r for r in rows if r.row.split == "train"], dev, made, options.out, options.resume,
            options.max_minutes, adapt, start, labels, options.group, options.store,
        )  # fmt: skip
        return f"aligner -> {Path(options.out) / 'model'}"


@dataclass(frozen=True)
class LMJob:
    """adapt: lm folder of which a LoRA adapter is trained, from the one that it has, if both are for some same requests."""

    config: LMTrainConfig
    shards: tuple[str, ...]
    codec: str
    dev: str | None = None
    start_from: str | None = None
    adapt: str | None = None

    def run(self, options: RunOptions) -> str:
        from speechx.data.shards import Shards
        from speechx.models.codec.sources import open_codec
        from speechx.models.lm.folder import last_adapter, load_model, save_model
        from speechx.text import PHONE_TABLE_VERSION
        from speechx.training.export import export_adapter, pause_phones
        from speechx.training.lm import train

        made, scope = open_codec(self.codec), LoRAScope(self.config.languages, self.config.slots)
        finished = None if self.adapt is None else load_model(self.adapt, codec_hash=made.hash, adapter=False)
        trainer = train(
            self.config,
            Shards(list(self.shards), made.hash),
            None if self.dev is None else Shards([self.dev], made.hash),
            options.out,
            phone_table_version=PHONE_TABLE_VERSION,
            codec=made,
            pause_phones=pause_phones(),
            resume=options.resume,
            device=options.device,
            max_minutes=options.max_minutes,
            start_from=self.start_from,
            vectors_KVD=made.code_vectors(),
            finished=finished,
            adapter=last_adapter(self.adapt, scope) if self.adapt else None,
            group=options.group,
            store=options.store,
        )
        out = Path(options.out)
        if not options.group.first:
            return ""
        if self.adapt is None:
            # Not those of last.pt: with `patience` the best ones are in the average alone.
            save_model(trainer.average.cpu(), out / "model")
        else:
            export_adapter(trainer.average, self.config, self.adapt, out / "model")
        return f"language model -> {out / 'model'}"


@dataclass(frozen=True)
class PreferenceJob:
    """start_from: folder of the finished language model. tries: file of its outputs (speechx.data.tries)."""

    config: PreferenceConfig
    shards: tuple[str, ...]
    tries: str
    codec: str
    start_from: str
    dev: str | None = None

    def run(self, options: RunOptions) -> str:
        from speechx.data.shards import Shards
        from speechx.data.tries import read_tries
        from speechx.models.codec.sources import open_codec
        from speechx.training.export import export_lm
        from speechx.training.preference import train

        made = open_codec(self.codec)
        dev = None if self.dev is None else Shards([self.dev], made.hash)
        train(
            self.config, Shards(list(self.shards), made.hash), read_tries(self.tries, made.hash), dev, options.out,
            start_from=self.start_from, codec=made, resume=options.resume, device=options.device,
            max_minutes=options.max_minutes,
        )  # fmt: skip
        out = Path(options.out)
        export_lm(out / "last.pt", out / "model")
        return f"language model -> {out / 'model'}"


@dataclass(frozen=True)
class RefinerJob:
    """anneal_minutes: the learning rate falls by the clock. adapt: refiner folder of which a LoRA adapter is trained."""

    config: RefinerTrainConfig
    pack: str
    estimates: str
    codec: str
    start_from: str | None = None
    adapt: str | None = None
    anneal_minutes: float | None = None

    def run(self, options: RunOptions) -> str:
        from speechx.models.codec.sources import open_codec
        from speechx.training.refiner import train

        train(
            self.config, self.pack, self.estimates, open_codec(self.codec), options.out, options.resume,
            options.max_minutes, self.anneal_minutes, self.start_from, self.adapt, options.group, options.store,
        )  # fmt: skip
        return f"refiner -> {Path(options.out) / 'model'}"

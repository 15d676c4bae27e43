"""`speechx train codec|aligner|lm|preference|refiner|smoke`: the recipes that made the shipped weights.

--workers trains on Ray: speechx.cli.training_cluster.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from speechx.cli.cluster import AddressOption
from speechx.cli.console import CODEC_HELP, output_option, part_folder
from speechx.cli.recipes import RecipeOption
from speechx.cli.training_cluster import GpusFlag, WorkerCpus, WorkersOption, train_job, training_cluster
from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.models.config import StrictConfig

Recipe = TypeVar("Recipe", bound="StrictConfig")

app = typer.Typer(
    help="Train the codec, the aligner, the language model or the refiner.", no_args_is_help=True
)

Out = Annotated[
    str, output_option("folder of checkpoints and logs; with --workers, a disk that all nodes share or a URL")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="go on exactly where the last checkpoint in --output stopped")
]
AutoResume = Annotated[
    bool,
    typer.Option(
        "--auto-resume", help="--resume where --output has a checkpoint, else begin: for schedulers"
    ),
]
Minutes = Annotated[float | None, typer.Option(help="stop, with a checkpoint, after so many minutes")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]
StartFrom = Annotated[
    Path | None, typer.Option(help="start a new recipe from the weights of this checkpoint")
]
Anneal = Annotated[
    float | None,
    typer.Option(
        help="bring the learning rate down, and stop, after so many minutes of all resumed runs together"
    ),
]
Codec = Annotated[str, typer.Option(help=CODEC_HELP)]


def _with_minutes(config: Recipe, minutes: float | None) -> Recipe:
    return config if minutes is None else config.model_copy(update={"anneal_minutes": minutes})


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _start(path: Path | None, part: str) -> str | None:
    """A checkpoint is a file; anything else is to be the folder of that part of a model."""
    return _path(path if path is None or path.is_file() else part_folder(path, part, "start-from"))


def _adapted(folder: Path | None, part: str) -> str | None:
    return _path(part_folder(folder, part, "adapt"))


@app.command()
def codec(
    config: RecipeOption,
    pack: Annotated[Path, typer.Option(help="audio pack made by `speechx data prepare`")],
    out: Out,
    resume: Resume = False,
    auto_resume: AutoResume = False,
    device: Device = "cpu",
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="start a new recipe from the weights of this checkpoint, or codec folder, or box"),
    ] = None,
    workers: WorkersOption = None,
    gpus: GpusFlag = False,
    cpus: WorkerCpus = 1.0,
    address: AddressOption = None,
) -> None:
    """Train the codec; writes the averaged weights to OUT/model."""
    from speechx.training.codec_config import CodecTrainConfig
    from speechx.training.jobs import CodecJob, RunOptions

    recipe = _with_minutes(CodecTrainConfig.read(config), anneal_minutes)
    job = CodecJob(recipe, str(pack.absolute()), _start(start_from, "codec"))
    cluster = training_cluster(workers, gpus, cpus, address)
    train_job(job, RunOptions(out, resume, device, max_minutes, auto_resume=auto_resume), cluster)


@app.command()
def aligner(
    config: RecipeOption,
    pack: Annotated[
        list[Path], typer.Option(help="audio pack, encoded by `speechx data encode`; may be repeated")
    ],
    codec: Codec,
    out: Out,
    resume: Resume = False,
    auto_resume: AutoResume = False,
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="aligner folder, or box, whose weights are continued, without the adapter that it has"
        ),
    ] = None,
    finished: Annotated[
        Path | None,
        typer.Option(
            "--adapt",
            help="aligner folder, or box, of which a low-rank change is learned, in place of the one that it has",
        ),
    ] = None,
    workers: WorkersOption = None,
    cpus: WorkerCpus = 1.0,
    address: AddressOption = None,
) -> None:
    """Train the aligner; writes it to OUT/model. `frame_weight` in the recipe uses the labels of `speechx data label`."""
    from speechx.models.codec.sources import absolute_source
    from speechx.training.aligner import AlignerTrainConfig
    from speechx.training.jobs import AlignerJob, RunOptions

    recipe = _with_minutes(AlignerTrainConfig.read(config), anneal_minutes)
    packs = tuple(str(folder.absolute()) for folder in pack)
    job = AlignerJob(
        recipe,
        packs,
        absolute_source(codec),
        _path(part_folder(start_from, "aligner", "start-from")),
        _adapted(finished, "aligner"),
    )
    cluster = training_cluster(workers, False, cpus, address)
    train_job(job, RunOptions(out, resume, max_minutes=max_minutes, auto_resume=auto_resume), cluster)


@app.command()
def lm(
    config: RecipeOption,
    shards: Annotated[
        list[Path], typer.Option(help="folder of training pairs made by `speechx data mix`; may be repeated")
    ],
    codec: Codec,
    out: Out,
    dev: Annotated[Path | None, typer.Option(help="folder of pairs of the dev split")] = None,
    resume: Resume = False,
    auto_resume: AutoResume = False,
    device: Device = "cpu",
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="start a new recipe from the weights of this checkpoint, or lm folder, or box"),
    ] = None,
    finished: Annotated[
        Path | None,
        typer.Option(
            "--adapt",
            help="lm folder, or box, of which a low-rank change is learned (`rank` in the recipe), from the one it has",
        ),
    ] = None,
    workers: WorkersOption = None,
    gpus: GpusFlag = False,
    cpus: WorkerCpus = 1.0,
    address: AddressOption = None,
) -> None:
    """Train the language model; writes the averaged weights to OUT/model."""
    from speechx.models.codec.sources import absolute_source
    from speechx.training.jobs import LMJob, RunOptions
    from speechx.training.lm_config import LMTrainConfig

    recipe = _with_minutes(LMTrainConfig.read(config), anneal_minutes)
    folders = tuple(str(folder.absolute()) for folder in shards)
    job = LMJob(
        recipe,
        folders,
        absolute_source(codec),
        _path(dev),
        _start(start_from, "lm"),
        _adapted(finished, "lm"),
    )
    cluster = training_cluster(workers, gpus, cpus, address)
    train_job(job, RunOptions(out, resume, device, max_minutes, auto_resume=auto_resume), cluster)


@app.command()
def preference(
    config: RecipeOption,
    shards: Annotated[
        list[Path], typer.Option(help="folder of ordinary pairs made by `speechx data mix`; may be repeated")
    ],
    tries: Annotated[Path, typer.Option(help="tries that a recognizer has heard (scripts/hear_tries.py)")],
    codec: Codec,
    out: Out,
    start_from: Annotated[Path, typer.Option(help="lm folder, or box, of the finished language model")],
    dev: Annotated[Path | None, typer.Option(help="folder of pairs of the dev split")] = None,
    resume: Resume = False,
    auto_resume: AutoResume = False,
    device: Device = "cpu",
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
) -> None:
    """Teach a finished language model the words that were understood in some of its tries; writes it to OUT/model."""
    from speechx.models.codec.sources import absolute_source
    from speechx.training.jobs import PreferenceJob, RunOptions
    from speechx.training.lm_config import PreferenceConfig

    recipe = _with_minutes(PreferenceConfig.read(config), anneal_minutes)
    folders = tuple(str(folder.absolute()) for folder in shards)
    start = part_folder(start_from, "lm", "start-from")
    job = PreferenceJob(
        recipe, folders, str(tries.absolute()), absolute_source(codec), str(start), _path(dev)
    )
    train_job(job, RunOptions(out, resume, device, max_minutes, auto_resume=auto_resume), None)


@app.command("mask", hidden=True)  # its name in the first release
@app.command()
def refiner(
    config: RecipeOption,
    pack: Annotated[Path, typer.Option(help="audio pack made by `speechx data prepare`")],
    estimates: Annotated[Path, typer.Option(help="folder of examples made by `speechx data estimate`")],
    codec: Codec,
    out: Out,
    resume: Resume = False,
    auto_resume: AutoResume = False,
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: StartFrom = None,
    finished: Annotated[
        Path | None,
        typer.Option(
            "--adapt",
            help="refiner folder, or box, to train a LoRA adapter of (`rank` and `slots` in the recipe)",
        ),
    ] = None,
    workers: WorkersOption = None,
    cpus: WorkerCpus = 1.0,
    address: AddressOption = None,
) -> None:
    """Train the refiner, the net that masks recordings; write it to OUT/model."""
    from speechx.models.codec.sources import absolute_source
    from speechx.training.jobs import RefinerJob, RunOptions
    from speechx.training.refiner_recipe import RefinerTrainConfig

    recipe = RefinerTrainConfig.read(config)
    job = RefinerJob(
        recipe, str(pack.absolute()), str(estimates.absolute()), absolute_source(codec), _path(start_from),
        _adapted(finished, "mask"), anneal_minutes,
    )  # fmt: skip
    cluster = training_cluster(workers, False, cpus, address)
    train_job(job, RunOptions(out, resume, max_minutes=max_minutes, auto_resume=auto_resume), cluster)


@app.command()
def slim(
    checkpoint: Annotated[Path, typer.Argument(help="last.pt of a codec or language model run", exists=True)],
    out: Annotated[Path, output_option("file to write")],
) -> None:
    """A checkpoint without optimizer, in half precision: for --start-from on another machine."""
    from speechx.data.chunks import slim_checkpoint

    slim_checkpoint(checkpoint, out)
    typer.echo(f"{out} {out.stat().st_size / 2**20:.1f} MiB")


@app.command()
def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="checkpoint of a codec or language model run", exists=True)
    ],
    out: Annotated[Path, output_option("model folder")],
    step: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.5,
            help="round matrices (of a codec, its decoder's) to a grid, as a share of their root mean square: 0.125 packs "
            "to half; 0 does not round",
        ),
    ] = 0.0,
) -> None:
    """Write the averaged weights of a checkpoint, slim or not, as a model folder."""
    from speechx.training.export import export_any

    typer.echo(f"{export_any(checkpoint, out, step)} -> {out}")


@app.command()
def smoke(
    minutes: Annotated[float, typer.Option(help="minutes for each of the three")] = 2.0,
    out: Annotated[Path, output_option("folder of everything that is made")] = Path("runs/train-smoke"),
) -> None:
    """Train codec, aligner and language model shortly on generated data; exit code 1 unless every loss falls."""
    import shutil

    from speechx.training.smoke import run_smoke

    if out.exists() and any(out.iterdir()):
        if not (out / "pack/truth.jsonl").is_file():
            raise InputError(f"output: {out} holds something else than an earlier smoke run", field="output")
        shutil.rmtree(out)
    results = run_smoke(out, minutes, say=typer.echo)
    for result in results:
        typer.echo(str(result))
    if not all(result.fallen for result in results):
        raise typer.Exit(1)


if __name__ == "__main__":  # where the package is not installed: python -m speechx.cli.train
    app()

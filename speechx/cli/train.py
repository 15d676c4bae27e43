"""`speechx train codec|aligner|lm|mask|smoke`: the recipes that made the shipped weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from speechx.cli.console import CODEC_HELP, output_option
from speechx.cli.recipes import RecipeOption
from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.models.config import StrictConfig

Recipe = TypeVar("Recipe", bound="StrictConfig")

app = typer.Typer(
    help="Train the codec, the aligner, the language model or the refiner.", no_args_is_help=True
)

Out = Annotated[Path, output_option("folder of checkpoints and logs")]
Resume = Annotated[
    bool, typer.Option("--resume", help="go on exactly where the last checkpoint in --output stopped")
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


def _check_resume(out: Path, resume: bool) -> None:
    """A run neither overwrites the checkpoint of another one nor resumes what is not there."""
    checkpoint = out / "last.pt"
    if resume and not checkpoint.is_file():
        raise InputError(f"resume: there is no checkpoint {checkpoint}", field="resume")
    if checkpoint.exists() and not resume:
        raise InputError(
            f"output: {out} has the checkpoint of an earlier run; go on with it by --resume, or name another folder",
            field="output",
        )


def _with_minutes(config: Recipe, minutes: float | None) -> Recipe:
    return config if minutes is None else config.model_copy(update={"anneal_minutes": minutes})


@app.command()
def codec(
    config: RecipeOption,
    pack: Annotated[Path, typer.Option(help="audio pack made by `speechx data prepare`")],
    out: Out,
    resume: Resume = False,
    device: Device = "cpu",
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: StartFrom = None,
) -> None:
    """Train the codec; writes the averaged weights to OUT/model."""
    _check_resume(out, resume)
    from speechx.models.codec.folder import export_checkpoint
    from speechx.training.codec import CodecTrainConfig, train

    start = None if start_from is None else str(start_from)
    train(
        _with_minutes(CodecTrainConfig.read(config), anneal_minutes),
        str(pack),
        str(out),
        resume,
        device,
        max_minutes,
        start,
    )
    made = export_checkpoint(out / "last.pt", out / "model")
    typer.echo(f"codec {made.name} {made.hash} -> {out / 'model'}")


@app.command()
def aligner(
    config: RecipeOption,
    pack: Annotated[
        list[Path], typer.Option(help="audio pack, encoded by `speechx data encode`; may be repeated")
    ],
    codec: Codec,
    out: Out,
    resume: Resume = False,
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="aligner folder whose weights are continued, without the adapter that it has"),
    ] = None,
    finished: Annotated[
        Path | None,
        typer.Option(
            "--adapt",
            help="aligner folder of which a low-rank change is learned, in place of the one that it has",
        ),
    ] = None,
) -> None:
    """Train the aligner; writes it to OUT/model. `frame_weight` in the recipe uses the labels of `speechx data label`."""
    _check_resume(out, resume)
    from speechx.data.annotate.codes import read_tokens
    from speechx.data.annotate.frame_labels import read_frame_labels
    from speechx.models.aligner import Aligner
    from speechx.models.codec.sources import open_codec
    from speechx.training.aligner import AlignerTrainConfig, train

    made = open_codec(codec)
    rows = [row for folder in pack for row in read_tokens(folder, made)]
    dev = [row for row in rows if row.row.split == "dev" and row.text is not None][:100]
    train(
        _with_minutes(AlignerTrainConfig.read(config), anneal_minutes),
        [r for r in rows if r.row.split == "train"],
        dev,
        made,
        str(out),
        resume,
        max_minutes,
        None if finished is None else Aligner.load(finished, adapter=False),
        None if start_from is None else Aligner.load(start_from, adapter=False),
        {key: labels for folder in pack for key, labels in read_frame_labels(folder).items()},
    )


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
    device: Device = "cpu",
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: StartFrom = None,
    finished: Annotated[
        Path | None,
        typer.Option(
            "--adapt",
            help="lm folder of which a low-rank change is learned (`rank` in the recipe), from the one it has",
        ),
    ] = None,
) -> None:
    """Train the language model; writes the averaged weights to OUT/model."""
    _check_resume(out, resume)
    from speechx.data.shards import Shards
    from speechx.models.codec.sources import open_codec
    from speechx.models.lm.folder import load_model, read_adapter, save_adapter, save_model
    from speechx.models.lora import LoRAScope, balanced_factors
    from speechx.text import PHONE_TABLE_VERSION
    from speechx.training.export import export_lm, pause_phones
    from speechx.training.lm import LMTrainConfig, train

    made = open_codec(codec)
    recipe = _with_minutes(LMTrainConfig.read(config), anneal_minutes)
    trainer = train(
        recipe,
        Shards(list(shards), made.hash),
        None if dev is None else Shards([dev], made.hash),
        str(out),
        phone_table_version=PHONE_TABLE_VERSION,
        codec=made,
        pause_phones=pause_phones(),
        resume=resume,
        device=device,
        max_minutes=max_minutes,
        start_from=None if start_from is None else str(start_from),
        vectors_KVD=made.code_vectors(),
        finished=None if finished is None else load_model(finished, codec_hash=made.hash, adapter=False),
        adapter=None if finished is None else read_adapter(finished),
    )
    if finished is None:
        export_lm(out / "last.pt", out / "model")
    else:
        save_model(load_model(finished, adapter=False), out / "model")
        scope = LoRAScope(recipe.languages, recipe.slots)
        save_adapter(out / "model", balanced_factors(trainer.average), recipe.grid, scope)
    typer.echo(f"language model -> {out / 'model'}")


@app.command("mask", hidden=True)  # its name in the first release
@app.command()
def refiner(
    config: RecipeOption,
    pack: Annotated[Path, typer.Option(help="audio pack made by `speechx data prepare`")],
    estimates: Annotated[Path, typer.Option(help="folder of examples made by `speechx data estimate`")],
    codec: Codec,
    out: Out,
    resume: Resume = False,
    max_minutes: Minutes = None,
    anneal_minutes: Anneal = None,
    start_from: StartFrom = None,
    finished: Annotated[
        Path | None,
        typer.Option(
            "--adapt",
            help="refiner folder to train a LoRA adapter of (`rank` and `slots` in the recipe)",
        ),
    ] = None,
) -> None:
    """Train the refiner, the net that masks recordings; write it to OUT/model."""
    _check_resume(out, resume)
    from speechx.models.codec.sources import open_codec
    from speechx.training.refiner import RefinerTrainConfig, train

    train(
        RefinerTrainConfig.read(config), str(pack), str(estimates), open_codec(codec), str(out), resume,
        max_minutes, anneal_minutes, None if start_from is None else str(start_from),
        None if finished is None else str(finished),
    )  # fmt: skip


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

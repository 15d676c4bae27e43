"""`speechx model info|verify|assemble|convert|push`: model folders, and the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from speechx.cli.cluster import launcher
from speechx.cli.console import CODEC_HELP, JsonOption, ModelOption, output_option, part_folder, put_json, say
from speechx.errors import InputError

app = typer.Typer(help="Inspect, check, convert and share model folders.", no_args_is_help=True)

Model = Annotated[
    Path | None,
    typer.Argument(help="model folder, or org/name[@revision] of the hub (default: the one in the package)"),
]


@app.command()
def info(model: Model = None, json: JsonOption = False) -> None:
    """Show the parts of a model: type, parameters, size, hashes."""
    from speechx.pipeline.loading import model_folder, weights_hash
    from speechx.pipeline.model_parts import model_parts

    folder = model_folder(model, parts=())
    parts = model_parts(folder)
    if json:
        facts = {"folder": str(folder), "hash": weights_hash(folder)}
        put_json({**facts, "parts": [part.as_dict() for part in parts]})
        return
    typer.echo(f"{folder}  {weights_hash(folder)}")
    for part in parts:
        size = f"{part.parameters / 1e6:7.1f} M {part.size_mb:8.1f} MB"
        typer.echo(f"{part.name:8}{part.model_type:20}{size}  codec {part.codec_hash or '-'}")


@app.command()
def verify(model: Model = None) -> None:
    """Load every part and check its hash, its shapes and the codec that it was trained on; exit code 2 for a fault."""
    from speechx.pipeline.loading import model_folder
    from speechx.pipeline.model_parts import verify_model

    folder = model_folder(model, parts=())
    typer.echo(f"{folder}: {verify_model(folder)}, all parts belong together")


def _part_option(name: str) -> Any:
    return typer.Option(f"--{name}", help=f"folder of its {name}, as a trainer writes it to OUT/model")


@app.command()
def assemble(
    out: Annotated[Path, output_option("model folder to write")],
    model: ModelOption = None,
    codec: Annotated[Path | None, _part_option("codec")] = None,
    lm: Annotated[Path | None, _part_option("lm")] = None,
    aligner: Annotated[Path | None, _part_option("aligner")] = None,
    mask: Annotated[Path | None, _part_option("mask")] = None,
) -> None:
    """Write a model folder with other parts than MODEL has, and check that all belong together."""
    import shutil

    from speechx.pipeline.loading import model_folder
    from speechx.pipeline.model_parts import verify_model

    given = {"codec": codec, "lm": lm, "aligner": aligner, "mask": mask}
    parts = {name: folder for name, folder in given.items() if folder is not None}
    if not parts:
        raise InputError("no part is given: name one with --codec, --lm, --aligner or --mask", field="mask")
    for name, folder in parts.items():
        part_folder(folder, name, name)
    if out.exists():
        raise InputError(f"output: {out} exists; choose another folder", field="output")
    made = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    try:
        shutil.copytree(model_folder(model), made)
        for name, folder in parts.items():
            shutil.rmtree(made / name, ignore_errors=True)
            shutil.copytree(folder, made / name)
        digest = verify_model(made)
        made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    say(f"{digest}: {', '.join(parts)} of {', '.join(map(str, parts.values()))} -> {out}")


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help=f"{CODEC_HELP}, or a file of pickled weights")],
    out: Annotated[Path, output_option("folder of the codec")],
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="read pickled weights: tensors alone are unpickled")
    ] = False,
) -> None:
    """Write a codec as a folder with safetensors, for a model folder's codec/ or for --codec."""
    from speechx.models.codec.sources import open_codec, unpickled, write_codec

    if (out / "config.json").exists():
        raise InputError(f"output: {out} holds a model already; choose another folder", field="output")
    path = Path(source)
    codec = unpickled(path) if allow_pickle and path.is_file() else open_codec(source)
    write_codec(codec, out)
    say(f"codec {codec.name} {codec.hash} ({codec.license}) -> {out}")


@app.command()
def push(
    model: Annotated[Path, typer.Argument(help="model folder")],
    repository: Annotated[str, typer.Argument(help="org/name on the hub")],
    report: Annotated[
        Path | None, typer.Option(help="report.json of `speechx eval run`, or its folder: tables of the card")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="make the repository private")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write the layout to this folder and upload nothing")
    ] = None,
) -> None:
    """Check a model and upload it with a model card. Needs `hf auth login`."""
    from tempfile import TemporaryDirectory

    from speechx.models.hub import upload_folder
    from speechx.pipeline.model_parts import model_parts, verify_model

    digest, parts = verify_model(model), model_parts(model)
    with TemporaryDirectory() as scratch:
        layout = output or Path(scratch)
        _lay_out(model, layout, [part.name for part in parts])
        launcher("hub-card")(layout / "README.md", repository, digest, parts, report)
        if output is None:
            say(upload_folder(layout, repository, private))
        else:
            say(f"{digest} with its card -> {output}")


def _lay_out(model: Path, layout: Path, parts: list[str]) -> None:
    """Copies configs and weights: no checkpoints, logs or anything else."""
    import shutil

    for part in parts:
        for path in (model / part).rglob("*"):
            if path.suffix in (".json", ".safetensors"):
                target = layout / path.relative_to(model)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


if __name__ == "__main__":  # where the package is not installed: python -m speechx.cli.model
    app()

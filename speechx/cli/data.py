"""`speechx data ...`, one function each: from recordings to training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speechx.cli.cluster import (
    ActorsOption,
    AddressOption,
    CpusOption,
    DeviceOption,
    GpusOption,
    RayOption,
    cluster_estimator,
    cluster_mixer,
    cluster_options,
)
from speechx.cli.console import (
    CODEC_HELP,
    CodecOption,
    ModelOption,
    output_option,
    part_folder,
    plain_language,
)

app = typer.Typer(help="Prepare training data.", no_args_is_help=True)

Pack = Annotated[Path, typer.Option(help="audio pack")]
Codec = Annotated[str, typer.Option(help=CODEC_HELP)]
Short = Annotated[float | None, typer.Option(help="share of the noises that are one short sound in silence")]


@app.command()
def prepare(
    sources: Annotated[
        list[Path], typer.Argument(help="corpus folders, CSV, TSV, JSONL or sound files, see docs/data.md")
    ],
    out: Annotated[Path, output_option("folder of the audio pack")],
    teacher: Annotated[
        Path | None, typer.Option(help="Whisper folder (CTranslate2): adds features for the codec")
    ] = None,
    workers: Annotated[int, typer.Option(help="processes that decode")] = 2,
    language: Annotated[
        str | None, typer.Option(callback=plain_language, help="language of speech whose corpus names none")
    ] = None,
    rate: Annotated[
        int, typer.Option(min=8000, max=48000, help="sample rate: the highest of the codecs to use")
    ] = 16000,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on after an interruption: decoded recordings are kept")
    ] = False,
) -> None:
    """Decode corpora to one audio pack, with the pitch of all speech."""
    from speechx.data.annotate.pitch import add_pitch
    from speechx.data.annotate.teacher import add_teacher, check_teacher
    from speechx.data.prepare import prepare_pack
    from speechx.data.progress import ticker

    if teacher is not None:
        check_teacher(teacher)
    if not resume or not (out / "index.jsonl").is_file():
        made = prepare_pack(
            sources, out, workers=workers, progress=ticker("decode"), language=language, rate=rate
        )
        typer.echo(
            f"{made.rows} recordings, {made.hours:.2f} h; {made.damaged} read in part, "
            f"{made.unreadable} unreadable, {made.held_out} left out (speaker held out elsewhere)"
        )
    if not (out / "pitch.jsonl").is_file():
        add_pitch(out, workers, ticker("pitch"))
    if teacher is not None and not (out / "teacher.jsonl").is_file():
        add_teacher(out, teacher, progress=ticker("teacher"))


@app.command()
def example(
    task: Annotated[str, typer.Argument(help="task, by name")],
    out: Annotated[Path, output_option("folder to write")],
    pack: Annotated[Path | None, typer.Option(help="audio pack; generated speech where not given")] = None,
    count: Annotated[int, typer.Option(min=1, help="number of examples")] = 3,
    seed: Annotated[int, typer.Option(help="same seed, same examples")] = 1,
    model: ModelOption = None,
    codec: CodecOption = None,
) -> None:
    """Write training examples of a task as wav files and JSON, to check before training."""
    from tempfile import TemporaryDirectory

    from speechx.data.example_files import write_examples
    from speechx.data.synthetic import synthetic_pack
    from speechx.pipeline.loading import load_front

    with TemporaryDirectory() as folder:
        source = pack or synthetic_pack(folder, utterances=24, speakers=4, noises=8)
        for path in write_examples(task, source, out, load_front(model, codec=codec), count=count, seed=seed):
            typer.echo(f"{path}: {(path / 'example.json').read_text('utf-8')}")


@app.command()
def transcribe(
    pack: Pack, whisper: Annotated[Path, typer.Option(help="Whisper folder (CTranslate2)")]
) -> None:
    """Transcribe the rows of a pack that have no text, by Whisper."""
    from speechx.data.annotate.transcripts import transcribe_pack
    from speechx.data.progress import ticker

    typer.echo(f"{transcribe_pack(pack, whisper, ticker('transcribe'), threads=2)} transcripts")


@app.command()
def perturb(
    pack: Pack,
    out: Annotated[Path, output_option("folder of the new pack")],
    seed: Annotated[
        int, typer.Option(min=0, help="odd and even seeds swap the directions; with --drop, other places")
    ] = 0,
    drop: Annotated[
        bool, typer.Option("--drop", help="drop bands and stretches instead; needs the extra speechbrain")
    ] = False,
) -> None:
    """Make a second pack of changed speech: every training utterance slower and lower, or faster and higher; or damaged."""
    from speechx.data.perturb import perturb_pack
    from speechx.data.progress import ticker

    typer.echo(f"{perturb_pack(pack, out, seed, ticker('perturb'), drop)} utterances")


@app.command()
def encode(pack: Pack, codec: Codec) -> None:
    """Add the codes of a codec, and the phones of the texts, to a pack."""
    from speechx.data.annotate.codes import encode_pack, phonemize_pack, texts_without_phones
    from speechx.data.progress import ticker
    from speechx.models.codec.sources import open_codec

    made = open_codec(codec)
    typer.echo(phonemize_pack(pack, ticker("phones")))
    for language, count in texts_without_phones(pack).items():
        typer.echo(f"{count} texts in {language} have no phones: they are not learned from")
    typer.echo(encode_pack(pack, made, ticker("codes")))


@app.command()
def label(
    pack: Pack,
    metadata: Annotated[
        list[Path], typer.Argument(help="metadata.jsonl files with `phones`, see docs/data.md")
    ],
) -> None:
    """Add frame labels for the aligner to a pack, from the phone times of a synthesizer."""
    from speechx.data.annotate.frame_labels import label_pack

    rows, words, unlabeled = label_pack(pack, metadata)
    typer.echo(f"{rows} recordings, {words} words, {unlabeled} of them without times")


@app.command()
def mix(
    pack: Pack,
    codec: Codec,
    aligner: Annotated[Path, typer.Option(help="aligner folder, or box: that of the package")],
    out: Annotated[Path, output_option("folder of the shards")],
    task: Annotated[list[str] | None, typer.Option(help="task; may be repeated; all by default")] = None,
    split: str = "train",
    count: Annotated[int, typer.Option(help="pairs for each task")] = 1000,
    seed: int = 1,
    rooms: Annotated[int, typer.Option(help="simulated rooms; 0: synthetic tails, no pyroomacoustics")] = 200,
    max_per: Annotated[
        float, typer.Option(help="phone error rate above which a recording is left out")
    ] = 0.6,
    from_codes: Annotated[
        bool,
        typer.Option(help="make pairs from codes alone, which is quick, also for a task that prefers audio"),
    ] = False,
    short: Short = None,
    ray: RayOption = False,
    address: AddressOption = None,
    actors: ActorsOption = "1",
    cpus: CpusOption = 1.0,
) -> None:
    """Make training pairs of tasks from a pack, as shards."""
    from speechx.data.pairs import mix_shards
    from speechx.data.progress import ticker

    mapper = None
    if ray or address:
        mapper = cluster_mixer(cluster_options(None, 1, address, actors, cpus, 0.0, "cpu"))

    report = mix_shards(
        pack,
        codec,
        part_folder(aligner, "aligner", "aligner") or aligner,
        out,
        tasks=task,
        split=split,
        count=count,
        seed=seed,
        rooms=rooms,
        max_per=max_per,
        from_codes=from_codes,
        short=short,
        progress=ticker("mix"),
        mapper=mapper,
    )
    for name, line in report.items():
        typer.echo(f"{name}: {line}")


@app.command()
def estimate(
    pack: Pack,
    out: Annotated[Path, output_option("folder of the examples; continues where it stopped")],
    task: Annotated[list[str], typer.Option(help="noise_suppression, ...; may be repeated")],
    model: Annotated[Path | None, typer.Option(help="model folder")] = None,
    split: str = "train",
    count: Annotated[int, typer.Option(help="examples of each task")] = 500,
    seed: int = 1,
    short: Short = None,
    codec: CodecOption = None,
    ray: RayOption = False,
    address: AddressOption = None,
    actors: ActorsOption = "1",
    slots: Annotated[int, typer.Option(min=1, help="requests in each engine")] = 8,
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
    device: DeviceOption = "cpu",
) -> None:
    """Make training examples for `speechx train refiner`: mixtures of known parts, answered by the language model."""
    from speechx.data.progress import ticker
    from speechx.data.refiner_examples import make_estimates
    from speechx.models.codec.sources import absolute_source
    from speechx.pipeline.loading import load_pipeline

    pipeline = mapper = None
    if ray or address:
        source = None if codec is None else absolute_source(codec)
        options = cluster_options(model, slots, address, actors, cpus, gpus, device, source)
        mapper = cluster_estimator(options)
    else:
        pipeline = load_pipeline(model, codec=codec, slots=slots, device=device)
    for name in task:
        typer.echo(
            make_estimates(
                pack, pipeline, out, task=name, split=split, count=count, seed=seed, short=short,
                progress=ticker(name), mapper=mapper,
            )
        )  # fmt: skip


@app.command()
def stats(pack: Pack) -> None:
    """Hours, speakers and languages of a pack, by corpus and split."""
    from speechx.data.packs import AudioPack

    groups: dict[tuple[str, str, str], list[float]] = {}
    speakers: dict[tuple[str, str, str], set[str | None]] = {}
    for row in AudioPack(pack).rows:
        key = (row.corpus, row.split, row.language or "noise")
        groups.setdefault(key, []).append(row.seconds)
        speakers.setdefault(key, set()).add(row.speaker)
    for key, seconds in sorted(groups.items()):
        name = " ".join(key)
        typer.echo(
            f"{name:40} {len(seconds):6} files {sum(seconds) / 3600:7.2f} h {len(speakers[key]):4} speakers"
        )


@app.command()
def split(
    path: Annotated[Path, typer.Argument(help="an audio pack, or one large file", exists=True)],
    out: Annotated[Path, output_option("folder of the parts")],
    max_mib: Annotated[float, typer.Option(help="no part is larger")] = 60.0,
    teacher_dims: Annotated[
        int, typer.Option(help="principal axes kept of the teacher's features; 0: none")
    ] = 64,
) -> None:
    """Cut a pack into self-contained parts, or a file into chunks, that can be moved one by one."""
    from speechx.data.chunks import split_file
    from speechx.data.progress import ticker
    from speechx.data.transport import split_pack

    if path.is_file():
        written = split_file(path, out, max_mib)
    else:
        written = split_pack(path, out, max_mib, teacher_dims, ticker("split"))
    for part in written:
        typer.echo(f"{part} {part.stat().st_size / 2**20:.1f} MiB")


@app.command()
def join(
    parts: Annotated[Path, typer.Argument(help="folder of parts, or NAME.chunks.json", exists=True)],
    out: Annotated[Path, output_option("folder of the pack, or of the file")],
    workers: Annotated[int, typer.Option(help="processes that decode")] = 2,
) -> None:
    """Restore a pack or a file from the parts that `split` made."""
    from speechx.data.chunks import join_chunks
    from speechx.data.progress import ticker
    from speechx.data.transport import join_parts

    if parts.is_file():
        typer.echo(join_chunks(parts, out))
        return
    made = join_parts(parts, out, workers, ticker("join"))
    typer.echo(f"{made.rows} recordings, {made.hours:.2f} h -> {out}")


if __name__ == "__main__":  # where the package is not installed: python -m speechx.cli.data
    app()

"""`speechx eval build|run|report|tries|compare|card|convert`: test sets, scores, reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechx.cli.cluster import (
    ActorsOption,
    AddressOption,
    CpusOption,
    DeviceOption,
    GpusOption,
    RayOption,
    cluster_options,
    cluster_runner,
)
from speechx.cli.console import (
    CodecOption,
    JsonOption,
    ModelOption,
    output_option,
    plain_language,
    put_json,
    say,
)
from speechx.cli.remote import RemoteOption, remote_facts
from speechx.errors import InputError
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.eval.items import JsonObject

app = typer.Typer(help="Measure how good each task is.", no_args_is_help=True)

WorkersOption = Annotated[
    int, typer.Option(min=0, help="processes that score, 1 GB each; 0 is one per core, at most 4")
]
TaskOption = Annotated[list[str], typer.Option("--task", help="task, more than once, or all")]


def task_names(chosen: list[str]) -> list[str]:
    if "all" in chosen:
        return list(registry.tasks())
    return [registry.task(name).name for name in chosen]


@app.command()
def build(
    sources: Annotated[
        list[Path], typer.Argument(help="audio packs, or corpora in any layout that `data prepare` reads")
    ],
    out: Annotated[Path, output_option("folder of the set")],
    task: TaskOption = ["all"],  # noqa: B006
    items: Annotated[int, typer.Option(help="items of each ability")] = 20,
    split: Annotated[str, typer.Option(help="test, dev, train or all")] = "test",
    seed: Annotated[int, typer.Option(help="same seed, same set")] = 1,
    seconds: Annotated[tuple[float, float], typer.Option(help="length of utterances")] = (4.0, 10.0),
    voice_seconds: Annotated[float, typer.Option(help="length of the enrollments of tts")] = 3.0,
    protocol: Annotated[str, typer.Option(help="of tts: cross-sentence or continuation")] = "cross-sentence",
    rooms: Annotated[int, typer.Option(help="simulated rooms (pyroomacoustics); 0: synthetic tails")] = 0,
    corpus: Annotated[list[str], typer.Option(help="only these corpora of the sources")] = [],  # noqa: B006
    noise_split: Annotated[str, typer.Option(help="split of the noises (default: as --split)")] = "",
    words: Annotated[
        bool, typer.Option(help="spans of edits begin and end between words, which the model's aligner finds")
    ] = True,
    model: ModelOption = None,
) -> None:
    """Make a test set out of clean recordings (and of noise, for the tasks that need it)."""
    from speechx.data.progress import ticker
    from speechx.eval.sets.build import BuildOptions, build_set, word_aligner
    from speechx.pipeline.loading import learn_languages, load_front

    options = BuildOptions(
        split, items, seed, seconds, voice_seconds, protocol, rooms, tuple(corpus), noise_split
    )
    by = word_aligner(load_front(model)) if words else None
    if not words:
        learn_languages(model)  # which the frontend has done otherwise
    print_counts(build_set(sources, out, task_names(task), options, ticker("build"), by))


def print_counts(about: JsonObject) -> None:
    for ability, count in about["abilities"].items():
        typer.echo(
            f"{ability}: {count} items"
            + (f", {about['short'][ability]} short" if ability in about["short"] else "")
        )
    for ability in about["short"].keys() - about["abilities"].keys():
        typer.echo(f"{ability}: none, the sources lack what it needs")


@app.command()
def convert(
    layout: Annotated[str, typer.Argument(help="dns, libri2mix or seed-tts-eval")],
    source: Annotated[Path, typer.Argument(help="its folder (seed-tts-eval: the .lst file)")],
    out: Annotated[Path, output_option("folder of the set")],
    items: Annotated[int, typer.Option(help="at most so many; 0 is all")] = 0,
    seed: int = 1,
    language: Annotated[str, typer.Option(callback=plain_language, help="of the recordings")] = "en",
    transcripts: Annotated[
        Path | None, typer.Option(help="a corpus with the texts and enrollments (LibriSpeech)")
    ] = None,
) -> None:
    """Convert a public test set of mixed recordings."""
    from speechx.eval.sets.convert import convert_set

    about = convert_set(layout, source, out, items or None, seed, language, transcripts)
    typer.echo(f"{sum(about['abilities'].values())} items in {out}")


@app.command()
def run(
    test_set: Annotated[Path, typer.Option("--set", help="folder of the test set")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the run")],
    task: TaskOption = ["all"],  # noqa: B006
    items: Annotated[int, typer.Option(help="at most so many of each ability; 0 is all")] = 0,
    system: Annotated[
        list[str], typer.Option(help="NAME=FOLDER of outputs, or silence, noise, wrong_speaker, leaked")
    ] = [],  # noqa: B006
    slots: Annotated[
        int, typer.Option(help="requests at once; with more than 1, RTF is not a lone request's")
    ] = 1,
    no_model: Annotated[bool, typer.Option("--no-model", help="references and --system alone")] = False,
    asr: Annotated[
        str, typer.Option(help="whisper-base, whisper:FOLDER_OR_SIZE, hubert[:FOLDER]")
    ] = "whisper-base",
    speaker: Annotated[str, typer.Option(help="ge2e, wavlm[:FOLDER], ecapa[:FOLDER]")] = "ge2e",
    mos: Annotated[list[str], typer.Option(help="besides DistillMOS and DNSMOS: utmos[:FILE]")] = [],  # noqa: B006
    workers: WorkersOption = 0,
    ray: RayOption = False,
    address: AddressOption = None,
    actors: ActorsOption = "1",
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
    device: DeviceOption = "cpu",
    model: ModelOption = None,
    codec: CodecOption = None,
    remote_tts: RemoteOption = None,
) -> None:
    """Score a model, references and baselines on a set; a second call continues an interrupted run."""
    from speechx.eval.run.session import EvalOptions, run_evaluation

    names = None if "all" in task else task_names(task)
    runner = None
    if ray or address:
        # Nobody is timed on a cluster: an engine may as well be full.
        runner = cluster_runner(
            cluster_options(model, max(slots, 8), address, actors, cpus, gpus, device, codec)
        )
    run_evaluation(
        EvalOptions(
            test_set, output, tasks=names, items=items, systems=system, slots=slots, speaks=not no_model, asr=asr,
            speaker=speaker, mos=mos, workers=workers, model=model, runner=runner, codec=codec,
            remote=remote_facts(remote_tts),
        ),
        say,
    )  # fmt: skip


@app.command("all")
def everything(
    sources: Annotated[
        list[Path], typer.Argument(help="folders of recordings with a test split, and of noise")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the run")] = Path("runs/eval"),
    items: Annotated[int, typer.Option(help="items of each ability")] = 20,
    full: Annotated[bool, typer.Option("--full", help="100 items of each ability")] = False,
    corpus: Annotated[list[str], typer.Option(help="only these corpora of the sources")] = [],  # noqa: B006
    no_model: Annotated[bool, typer.Option("--no-model", help="references alone")] = False,
    workers: WorkersOption = 0,
    model: ModelOption = None,
) -> None:
    """Make a test set, run the model on it, write the reports: what `make eval` does."""
    from speechx.data.progress import ticker
    from speechx.eval.run.session import EvalOptions, run_evaluation
    from speechx.eval.sets.build import BuildOptions, build_set, word_aligner
    from speechx.pipeline.loading import load_front

    count = 100 if full else items
    test_set = output / f"set-{count}"
    if not (test_set / "set.json").is_file():
        options = BuildOptions(count=count, corpora=tuple(corpus))
        words = word_aligner(load_front(model))
        print_counts(build_set(sources, test_set, task_names(["all"]), options, ticker("build"), words))
    run_evaluation(
        EvalOptions(test_set, output / f"run-{count}", speaks=not no_model, workers=workers, model=model), say
    )


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="folder of a run")],
    test_set: Annotated[
        Path | None, typer.Option("--set", help="its test set, for sounds in the page")
    ] = None,
) -> None:
    """Write the reports of a run again from its scores."""
    from speechx.eval.report.write import header_of, load_report, write_report
    from speechx.eval.sets.store import load_set

    header = header_of(load_report(folder))
    write_report(folder, header, list(load_set(test_set).items) if test_set else None)
    say(f"report in {folder / 'report.html'}")


@app.command()
def tries(
    test_set: Annotated[Path, typer.Option("--set", help="folder of a test set")],
    task: TaskOption = ["all"],  # noqa: B006
    count: Annotated[int, typer.Option(min=1, help="tries of each ability, with other seeds")] = 200,
    slots: Annotated[int, typer.Option(min=1, help="requests at once")] = 8,
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Count unusable outputs over many seeds: silence, loops, run-ons, words of the voice's own recording."""
    from speechx.eval.judges.judges import Judges
    from speechx.eval.run.faults import count_faults, faults_table
    from speechx.eval.run.session import load_model
    from speechx.eval.sets.store import load_set

    chosen = load_set(test_set).chosen(None if "all" in task else task_names(task))
    if not chosen:
        raise InputError(f"task: the set {test_set} has no items of {', '.join(task)}", field="task")
    system, _, model_hash = load_model(model, slots)
    try:
        found = count_faults(chosen, system, Judges(), count, say)
    finally:
        system.engine.close()
    if json:
        abilities = {name: counts.as_dict() for name, counts in found.items()}
        put_json({"model": model_hash, "abilities": abilities})
    else:
        typer.echo(faults_table(found))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="folder of a run")],
    b: Annotated[Path, typer.Argument(help="folder of another run on the same set")],
    systems: Annotated[
        tuple[str, str] | None, typer.Option(help="names of the systems in A and in B (default: the models)")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="markdown file")] = None,
) -> None:
    """Compare two runs on the same set, item by item."""
    from speechx.eval.report.compare import compare_runs, comparison_markdown
    from speechx.eval.report.write import load_report
    from speechx.eval.rows import read_rows

    left, right = load_report(a), load_report(b)
    if left["set"]["hash"] != right["set"]["hash"]:
        raise InputError("compare: the two runs are on different sets: nothing can be paired", field="b")
    rows = compare_runs(read_rows(a), read_rows(b), systems)
    if not rows:
        raise InputError("compare: the runs have no system in common; name them with --systems", field="b")
    text = comparison_markdown(rows, (str(a), str(b)))
    if output is not None:
        from speechx.files import atomic_write

        atomic_write(output, text.encode())
    typer.echo(text)


@app.command()
def card(
    source: Annotated[Path, typer.Argument(help="report.json, or the folder of a run")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the model card")] = Path("MODEL_CARD.md"),
) -> None:
    """Put the tables of a report between the markers of the model card."""
    from speechx.eval.report.markdown import update_card
    from speechx.eval.report.write import load_report

    update_card(output, load_report(source))
    say(f"tables of {source} in {output}")

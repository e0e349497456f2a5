"""The `neuropipe` command: one sub-command a rule of the workflow, and a few for people.

Nothing heavy is imported before a sub-command runs. Bad input ends in one line on standard error
and exit status 2.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from neuropipe import __version__
from neuropipe.errors import NeuropipeError, one_line

app = typer.Typer(
    name="neuropipe",
    help="From raw neural recordings to a report for every subject.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
manifest_app = typer.Typer(no_args_is_help=True, help="Add, lock and check datasets.")
connectivity_app = typer.Typer(no_args_is_help=True, help="Static functional connectivity.")
brainmae_app = typer.Typer(
    no_args_is_help=True, help="Masked autoencoding of ROI time series (BrainMAE)."
)
connectome_app = typer.Typer(
    no_args_is_help=True, help="Dynamic connectome: tensor factorization, block models."
)
trsa_app = typer.Typer(
    no_args_is_help=True, help="Geometry and topology of representations (RSA, tRSA)."
)
report_app = typer.Typer(no_args_is_help=True, help="Build report pages.")
app.add_typer(manifest_app, name="manifest")
app.add_typer(connectivity_app, name="connectivity")
app.add_typer(brainmae_app, name="brainmae")
app.add_typer(connectome_app, name="connectome")
app.add_typer(trsa_app, name="trsa")
app.add_typer(report_app, name="report")

Settings = Annotated[str, typer.Option(help="Validated settings as JSON.")]
Output = Annotated[Path, typer.Option(help="What to write; it appears whole or not at all.")]
Lock = Annotated[Path, typer.Option(help="Lock table of the dataset.")]
ManifestPath = Annotated[Path, typer.Option("--manifest", help="The data manifest.")]
MANIFEST = Path("data_manifest.yaml")


def main() -> None:
    """Run the command line; turn an expected error into one line and status 2."""
    if "PYTHONWARNINGS" not in os.environ:
        warnings.filterwarnings("ignore")
        # Libraries that log without being asked to would print on standard error.
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        app()
    except NeuropipeError as error:
        _complain(str(error))
        sys.exit(error.exit_status)
    except OSError as error:  # readers convert their own; what is left concerns an output
        what = error.filename2 or error.filename or "the output"
        reason = error.strerror or type(error).__name__
        _complain(f"{what}: {reason}; expected a place to write to; choose another, or free space")
        sys.exit(NeuropipeError.exit_status)
    except MemoryError:
        _complain(
            "the data do not fit into memory; expected a smaller recording; split it, or use a "
            "machine with more memory"
        )
        sys.exit(NeuropipeError.exit_status)


def _complain(message: str) -> None:
    print(f"neuropipe: {one_line(message)}", file=sys.stderr)


def _version(value: bool) -> None:
    if value:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From raw neural recordings to a report for every subject."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New folder of the study.")],
) -> None:
    """Start a study: write a commented manifest and configuration."""
    from neuropipe.init import init_study

    print(init_study(folder))


@app.command()
def doctor() -> None:
    """Tell what this machine has, and what to do about what is missing."""
    from neuropipe.doctor import print_diagnosis

    sys.exit(print_diagnosis())


@manifest_app.command("lock")
def manifest_lock(
    datasets: Annotated[list[str] | None, typer.Argument(help="Datasets to lock.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every enabled dataset.")] = False,
    manifest: ManifestPath = MANIFEST,
) -> None:
    """Resolve datasets once into tables of files with checksums."""
    from neuropipe.lock import lock_command

    lock_command(manifest=manifest, names=datasets or [], all_=all_)


@manifest_app.command("check")
def manifest_check(
    datasets: Annotated[list[str] | None, typer.Argument(help="Default: every enabled.")] = None,
    manifest: ManifestPath = MANIFEST,
) -> None:
    """Compare locks with the files they stand for."""
    from neuropipe.lock import check_command

    check_command(manifest=manifest, names=datasets or [])


@manifest_app.command("add")
def manifest_add(
    name: Annotated[str, typer.Argument(help="Name of the new dataset.")],
    source: Annotated[
        str, typer.Argument(help="A path, https URL, openneuro:ds000105 or dandi:000128/0.22.")
    ],
    modality: Annotated[str | None, typer.Option(help="Guessed from the files if absent.")] = None,
    title: Annotated[str | None, typer.Option(help="Read from the source if absent.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="As title.")] = None,
    citation: Annotated[str | None, typer.Option(help="As title.")] = None,
    manifest: ManifestPath = MANIFEST,
) -> None:
    """Add a dataset to the manifest and lock it."""
    from neuropipe.lock import add_command

    add_command(
        manifest=manifest, name=name, source=source, modality=modality, title=title,
        license_=license_, citation=citation,
    )  # fmt: skip


@app.command()
def simulate(
    kind: Annotated[str, typer.Argument(help="fmri, calcium, spikes, vision or representations.")],
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Write a dataset whose truth is known."""
    from neuropipe.simulate.commands import simulate as run

    run(kind, settings, output)


@app.command()
def fetch(
    recording: Annotated[str, typer.Argument(help="Recording named in the lock.")],
    dataset: Annotated[str, typer.Option(help="Name in the manifest.")],
    lock: Lock,
    root: Annotated[Path, typer.Option(help="Folder to download into.")],
) -> None:
    """Download the files of one recording and verify them."""
    from neuropipe.ingest.fetch import fetch_command

    fetch_command(dataset=dataset, recording=recording, lock=lock, root=root)


@app.command()
def atlas(
    name: Annotated[str, typer.Argument(help="Atlas as in the reading options.")],
    output: Output,
) -> None:
    """Fetch a named atlas through nilearn."""
    from neuropipe.ingest.atlases import fetch_atlas

    fetch_atlas(name, output)


@app.command()
def ingest(
    recording: Annotated[str, typer.Argument(help="Recording named in the lock.")],
    dataset: Annotated[str, typer.Option(help="Name in the manifest.")],
    modality: Annotated[str, typer.Option(help="fmri, calcium, spikes or images.")],
    lock: Lock,
    root: Annotated[Path, typer.Option(help="Folder the lock's paths are relative to.")],
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Read one recording into a NetCDF file."""
    from neuropipe.ingest.commands import ingest as run

    run(
        dataset=dataset, modality=modality, recording=recording, lock=lock, root=root,
        settings=settings, output=output,
    )  # fmt: skip


@app.command()
def quality(
    recording: Annotated[Path, typer.Argument(help="A recording's NetCDF file.")],
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Check one recording."""
    from neuropipe.quality.commands import quality as run

    run(recording=recording, settings=settings, output=output)


@connectivity_app.command("recording")
def connectivity_recording(
    recording: Annotated[Path, typer.Argument(help="A recording's NetCDF file.")],
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Functional connectivity of one recording."""
    from neuropipe.connectivity.commands import connectivity_recording as run

    run(recording=recording, settings=settings, output=output)


@connectivity_app.command("group")
def connectivity_group(
    dataset: Annotated[str, typer.Argument(help="Name in the manifest.")],
    lock: Lock,
    recordings: Annotated[Path, typer.Option(help="Folder of the recordings' NetCDF files.")],
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Functional connectivity over a dataset, and what it predicts of its subjects."""
    from neuropipe.connectivity.commands import connectivity_group as run

    run(dataset=dataset, lock=lock, recordings=recordings, settings=settings, output=output)


Models = Annotated[Path, typer.Option(help="Folder of the dataset's pretrained models.")]
Scratch = Annotated[
    Path | None, typer.Option(help="Where an interrupted training is kept, and taken up again.")
]
Recordings = Annotated[Path, typer.Option(help="Folder of the recordings' NetCDF files.")]


@brainmae_app.command("pretrain")
def brainmae_pretrain(
    dataset: Annotated[str, typer.Argument(help="Name in the manifest.")],
    model: Annotated[str, typer.Argument(help="final, or seed-<seed>_fold-<fold>.")],
    lock: Lock,
    recordings: Recordings,
    output: Output,
    settings: Settings = "{}",
    scratch: Scratch = None,
    with_lock: Annotated[
        list[Path] | None, typer.Option(help="Lock of another dataset that joins; repeatable.")
    ] = None,
    with_recordings: Annotated[
        list[Path] | None, typer.Option(help="Its recordings; one for each --with-lock.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Another dataset's model, used instead of training one.")
    ] = None,
) -> None:
    """Pretrain one model, and score it on the subjects that it leaves out."""
    from neuropipe.brainmae.commands import brainmae_pretrain as run

    run(
        dataset=dataset,
        model=model,
        lock=lock,
        recordings=recordings,
        settings=settings,
        output=output,
        scratch=scratch,
        more=list(zip(with_lock or [], with_recordings or [], strict=True)),
        weights=weights,
    )


@brainmae_app.command("finetune")
def brainmae_finetune(
    dataset: Annotated[str, typer.Argument(help="Name in the manifest.")],
    target: Annotated[str, typer.Argument(help="Column of the participants.")],
    lock: Lock,
    recordings: Recordings,
    models: Models,
    output: Output,
    settings: Settings = "{}",
    scratch: Scratch = None,
) -> None:
    """Predict one target by networks that are trained for it, in the folds of the dataset."""
    from neuropipe.brainmae.commands import brainmae_finetune as run

    run(
        dataset=dataset,
        target=target,
        lock=lock,
        recordings=recordings,
        models=models,
        settings=settings,
        output=output,
        scratch=scratch,
    )


@brainmae_app.command("recording")
def brainmae_recording(
    recording: Annotated[Path, typer.Argument(help="A recording's NetCDF file.")],
    models: Models,
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Embed one recording, and show how well its hidden ROIs are filled in."""
    from neuropipe.brainmae.commands import brainmae_recording as run

    run(recording=recording, models=models, settings=settings, output=output)


@brainmae_app.command("group")
def brainmae_group(
    dataset: Annotated[str, typer.Argument(help="Name in the manifest.")],
    lock: Lock,
    recordings: Recordings,
    models: Models,
    output: Output,
    settings: Settings = "{}",
    predictions: Annotated[
        list[Path] | None, typer.Option(help="Of `brainmae finetune`; repeatable.")
    ] = None,
) -> None:
    """BrainMAE over a dataset: reconstruction, embeddings, and what they predict."""
    from neuropipe.brainmae.commands import brainmae_group as run

    run(
        dataset=dataset,
        lock=lock,
        recordings=recordings,
        models=models,
        settings=settings,
        output=output,
        predictions=predictions or [],
    )


@connectome_app.command("group")
def connectome_group(
    dataset: Annotated[str, typer.Argument(help="Name in the manifest.")],
    lock: Lock,
    recordings: Recordings,
    output: Output,
    settings: Settings = "{}",
    wiring: Annotated[
        list[Path] | None, typer.Option(help="Table of a wiring diagram; repeatable.")
    ] = None,
) -> None:
    """Components, communities and motifs of a dataset."""
    from neuropipe.connectome.commands import connectome_group as run

    run(
        dataset=dataset,
        lock=lock,
        recordings=recordings,
        settings=settings,
        output=output,
        wiring=wiring or [],
    )


@connectome_app.command("recording")
def connectome_recording(
    recording: Annotated[str, typer.Argument(help="Recording named in the lock.")],
    group: Annotated[Path, typer.Option(help="Result folder of `connectome group`.")],
    output: Output,
    settings: Settings = "{}",
) -> None:
    """What a dataset's components say of one recording."""
    from neuropipe.connectome.commands import connectome_recording as run

    run(recording=recording, group=group, settings=settings, output=output)


ModelFiles = Annotated[
    list[Path] | None, typer.Option("--model", help="File of model RDMs; repeatable.")
]
IfFit = Annotated[
    bool, typer.Option("--optional", help="Where it does not apply, write a result that says so.")
]


@trsa_app.command("subject")
def trsa_subject(
    subject: Annotated[str, typer.Argument(help="Subject as in the lock.")],
    dataset: Annotated[str, typer.Option(help="Name in the manifest.")],
    lock: Lock,
    recordings: Recordings,
    output: Output,
    settings: Settings = "{}",
    model: ModelFiles = None,
    stimuli: Annotated[
        Path | None, typer.Option(help="Folder that the paths of images are relative to.")
    ] = None,
    optional: IfFit = False,
) -> None:
    """RDMs, models, shape and geometry of a subject's responses."""
    from neuropipe.trsa.commands import trsa_subject as run

    run(
        subject=subject,
        dataset=dataset,
        lock=lock,
        recordings=recordings,
        settings=settings,
        output=output,
        models=model or [],
        stimuli=stimuli,
        optional=optional,
    )


@trsa_app.command("group")
def trsa_group(
    dataset: Annotated[str, typer.Argument(help="Name in the manifest.")],
    subjects: Annotated[list[Path], typer.Argument(help="Result folders of `trsa subject`.")],
    output: Output,
    settings: Settings = "{}",
    optional: IfFit = False,
) -> None:
    """Representations of a dataset: models beside the ceiling, identification of regions."""
    from neuropipe.trsa.commands import trsa_group as run

    run(dataset=dataset, subjects=subjects, settings=settings, output=output, optional=optional)


@trsa_app.command("rdms")
def trsa_rdms(
    rdms: Annotated[list[Path], typer.Argument(help="Files of RDMs of the same conditions.")],
    output: Output,
    settings: Settings = "{}",
    model: ModelFiles = None,
    items: Annotated[
        Path | None, typer.Option(help="Table: subject, session, region of every RDM.")
    ] = None,
    conditions: Annotated[
        Path | None, typer.Option(help="Table of the conditions; its columns are models.")
    ] = None,
) -> None:
    """The same for RDMs that you bring (mat, npy, npz, csv, tsv, nc)."""
    from neuropipe.trsa.commands import trsa_rdms as run

    run(
        rdms=rdms,
        settings=settings,
        output=output,
        models=model or [],
        items=items,
        conditions=conditions,
    )


Card = Annotated[str, typer.Option(help="Name, title, modality, licence, citation as JSON.")]


@report_app.command("subject")
def report_subject(
    subject: Annotated[str, typer.Argument(help="Subject as in the lock.")],
    results: Annotated[list[Path], typer.Argument(help="Result folders of the subject.")],
    dataset: Card,
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Build the page of one subject."""
    from neuropipe.report.commands import report_subject as run

    run(dataset=dataset, subject=subject, results=results, settings=settings, output=output)


@report_app.command("index")
def report_index(
    results: Annotated[Path, typer.Argument(help="Results folder of the dataset.")],
    dataset: Card,
    lock: Lock,
    output: Output,
    settings: Settings = "{}",
) -> None:
    """Build the index of a dataset's subjects."""
    from neuropipe.report.commands import report_index as run

    run(dataset=dataset, results=results, lock=lock, settings=settings, output=output)


@report_app.command("home")
def report_home(
    indices: Annotated[list[Path], typer.Argument(help="Index pages of the datasets.")],
    output: Output,
) -> None:
    """Build the page that leads to all datasets."""
    from neuropipe.report.commands import report_home as run

    run(indices=indices, output=output)


@app.command()
def validate(
    name: Annotated[
        str, typer.Argument(help="simulate, connectivity, brainmae, connectome, trsa or geometry.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="JSON file for the figures; drawings go beside it.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The long proofs too.")] = False,
) -> None:
    """Prove a part on data whose truth is known: measured against threshold."""
    from neuropipe.validate import validate as run

    sys.exit(run(name, output=output, full=full))


@app.command()
def benchmark(
    name: Annotated[str, typer.Argument(help="ingest, brainmae, connectome, trsa or geometry.")],
    output: Annotated[Path | None, typer.Option(help="JSON file for the figures.")] = None,
) -> None:
    """Time a part beside its peers in one run."""
    from neuropipe.benchmarks import benchmark as run

    run(name, output=output)


@app.command(hidden=True)
def reference(
    folder: Annotated[Path, typer.Argument(help="Root of the checkout.")] = Path(),
    check: Annotated[bool, typer.Option("--check", help="Fail where a file is stale.")] = False,
) -> None:
    """Write what is generated from the settings models: defaults, schema, key reference."""
    from neuropipe.reference import write_reference

    sys.exit(write_reference(folder, check=check))


if __name__ == "__main__":
    main()

"""``bindoctor train``, ``predict`` and ``script``: a recipe's model."""

from pathlib import Path

import click

from bindoctor.cli.options import PATH, check_output, data_options, prepare_training, reading_options
from bindoctor.config import DataSettings
from bindoctor.errors import InputError
from bindoctor.files import write_beside
from bindoctor.readers import ReadOptions
from bindoctor.workspace import OUT_FOLDER, open_workspace


@click.command()
@data_options
@click.option("--output", type=PATH, help=f"The folder to write into (default: {OUT_FOLDER}).")
def train(data: DataSettings, output: Path | None) -> int:
    """Fit the recipe on all rows and write the model, its curve and its out-of-fold scores."""
    prepare_training()
    from bindoctor.confirm import summary
    from bindoctor.final import train_evidence, train_final
    from bindoctor.outputs import write_run
    from bindoctor.rows import rows_of
    from bindoctor.skops_files import NotStorable
    from bindoctor.store import save_model

    workspace = open_workspace(data)
    if output is None:
        workspace.require_own_settings()
    out = output or workspace.out
    evidence, note = train_evidence(workspace.evidence())
    if note:
        click.echo(f"bindoctor: {note}", err=True)
    assert evidence.recipe is not None and evidence.predictions is not None
    model = train_final(evidence.recipe, rows_of(workspace.dataset, evidence.recipe), seed=evidence.recipe.train.seed)
    metrics = summary(evidence.predictions)
    try:
        stored = save_model(out, model)
    except NotStorable as error:
        click.echo(f"bindoctor: {error}", err=True)
        stored = ()
    written = [
        *stored,
        *write_run(out, workspace.run_key(evidence), evidence.history, evidence.predictions, {"held_back": metrics}),
    ]
    for path in written:
        click.echo(f"written  {path}")
    kept = len(evidence.predictions.truth)
    click.echo(
        f"scores on {kept} rows held back: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    )
    return 0


@click.command()
@click.argument("model", type=PATH)
@click.argument("data", type=PATH)
@reading_options
@click.option("--output-file", type=PATH, required=True, help="CSV, or Parquet when it ends in .parquet.")
def predict(model: Path, data: Path, output_file: Path, reading: ReadOptions) -> int:
    """Score the rows of DATA with a trained MODEL: row, p_<class> for each class, and decision."""
    prepare_training()
    from bindoctor.config import find_config, load_config
    from bindoctor.readers import open_source
    from bindoctor.store import load_model

    check_output(output_file, data)
    named = load_model(model, lambda: load_config(find_config(Path())).recipe.model)
    table = named.table(open_source(data, reading))
    if output_file.suffix == ".parquet":
        import io

        buffer = io.BytesIO()
        table.write_parquet(buffer)
        write_beside(output_file, buffer.getvalue())
    elif output_file.suffix == ".csv":
        write_beside(output_file, table.write_csv())
    else:
        raise InputError(f"{output_file}: give a name that ends in .csv or .parquet.")
    click.echo(f"written  {output_file} ({table.height} rows)")
    return 0


@click.command()
@data_options
@click.option("--output-file", type=PATH, help="Write it there instead of to standard output.")
def script(data: DataSettings, output_file: Path | None) -> int:
    """Render the recipe as one standalone PyTorch and scikit-learn script."""
    prepare_training()
    from bindoctor.script import render_script

    workspace = open_workspace(data)
    check_output(output_file, *workspace.inputs)
    text = render_script(workspace.dataset, workspace.evidence())
    if output_file is None:
        click.echo(text, nl=False)
    else:
        write_beside(output_file, text)
        click.echo(f"written  {output_file}")
    return 0

"""How far a treatment has got, in one line that goes away when it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from bindoctor.course import Event


@contextmanager
def progress_line(*, shown: bool) -> "Iterator[Callable[[Event], None]]":
    """Show the stage, the trainings done and the fixes still in the race, on a terminal's standard error or a notebook.

    Yields what is to be called after every training.
    """
    err = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not (shown and (err.is_terminal or err.is_jupyter)),
    ) as bar:
        task = bar.add_task("scanning", total=None, note="")

        def show(event: "Event") -> None:
            bar.update(task, description=event.stage, note=_where(event))

        yield show


def _where(event: "Event") -> str:
    said = [f"{event.fitted} trainings"]
    if event.trials:
        said.append(f"{event.trials} fixes tried, {event.dropped} of them dropped early")
    if event.alive:
        said.append(f"{event.alive} in the race")
    if event.left is not None:
        said.append(f"about {event.left / 60:.0f} min left" if event.left >= 90 else f"about {event.left:.0f} s left")
    return ", ".join(said)

"""Watches a Hugging Face ``Trainer``: ``Trainer(..., callbacks=[BinDoctor()])``."""

from typing import Any

from bindoctor.errors import InputError
from bindoctor.live import Watch

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise InputError(
        "bindoctor.callbacks.transformers needs transformers; install it with: pip install 'transformers[torch]'"
    ) from error


class BinDoctor(TrainerCallback):  # type: ignore[misc]
    """Watches a training whose model returns its loss, and prints what was found at its end unless it is ``quiet``."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.watch: Watch | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Look at the model on a batch, and attach the hooks."""
        optimizer = given["optimizer"]
        # Accelerate wraps the optimizer that makes the steps.
        inner = getattr(optimizer, "optimizer", optimizer)
        self.watch = Watch(given["model"], None, inner, given.get("train_dataloader"), given.get("eval_dataloader"))
        self.watch.__enter__()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the hooks off, and print what was found, in the main process."""
        if self.watch is None:
            return
        self.watch.__exit__(None, None, None)
        if not self.quiet and state.is_world_process_zero:
            self.watch.report()

"""Watches the training of a skorch net: ``NeuralNetClassifier(..., callbacks=[BinDoctor()])``."""

from typing import Any

from bindoctor.errors import InputError
from bindoctor.live import Watch

try:
    from skorch.callbacks import Callback
except ImportError as error:
    raise InputError("bindoctor.callbacks.skorch needs skorch; install it with: pip install skorch") from error


class BinDoctor(Callback):  # type: ignore[misc]
    """Watches a fit, and prints what was found at its end unless it is ``quiet``; ``watch_`` holds it."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:
        """Look at the net on a batch, and attach the hooks."""
        loader = net.get_iterator(net.get_dataset(X, y), training=True) if X is not None else None
        self.watch_ = Watch(net.module_, net.criterion_, net.optimizer_, loader)
        self.watch_.__enter__()

    def on_train_end(self, net: Any, **_: Any) -> None:
        """Take the hooks off, and print what was found."""
        self.watch_.__exit__(None, None, None)
        if not self.quiet:
            self.watch_.report()

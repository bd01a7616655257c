"""Watches a Lightning ``Trainer``: ``Trainer(callbacks=[BinDoctor()])``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bindoctor.errors import InputError
from bindoctor.live import LOGGED, Watch

try:
    from lightning.pytorch import Callback, LightningModule
except ImportError:
    try:
        from pytorch_lightning import Callback, LightningModule
    except ImportError as error:
        raise InputError(
            "bindoctor.callbacks.lightning needs Lightning; install it with: pip install lightning"
        ) from error


if TYPE_CHECKING:
    from torch import nn


class BinDoctor(Callback):  # type: ignore[misc]
    """Watches a fit, and prints what was found at its end unless it is ``quiet``.

    Args:
        loss: the loss function where it is no module of the LightningModule; else its loss module is found.
        quiet: whether to print nothing; ``watch`` holds what was found.
    """

    def __init__(self, loss: Callable[..., Any] | None = None, quiet: bool = False) -> None:
        self.loss = loss
        self.quiet = quiet
        self.watch: Watch | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Look at the model on a batch, and attach the hooks."""
        from torch.nn.modules.loss import _Loss

        losses = [one for one in pl_module.modules() if isinstance(one, _Loss)]
        loss = self.loss if self.loss is not None else next(iter(losses), None)
        loaders = trainer.val_dataloaders
        valid = loaders[0] if isinstance(loaders, list) and loaders else loaders
        self.watch = Watch(_called_by_it(pl_module), loss, trainer.optimizers[0], trainer.train_dataloader, valid)
        self.watch.__enter__()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Take the losses and scores that were logged, where the loss itself could not be watched."""
        if self.watch is None or self.watch.watches_loss:
            return
        logged = {name: float(value) for name, value in trainer.callback_metrics.items() if name in LOGGED}
        if logged:
            self.watch.log(**logged)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Take the hooks off, and print what was found, in the main process."""
        if self.watch is None:
            return
        self.watch.__exit__(None, None, None)
        if not self.quiet and trainer.is_global_zero:
            self.watch.report()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Take the hooks off."""
        if self.watch is not None:
            self.watch.__exit__(type(exception), exception, None)


def _called_by_it(pl_module: "nn.Module") -> "nn.Module":
    """Return the module that a training step calls: the LightningModule, or the network in one without ``forward``."""
    if type(pl_module).forward is not LightningModule.forward:
        return pl_module
    inner = [one for one in pl_module.children() if next(one.parameters(), None) is not None]
    return inner[0] if len(inner) == 1 else pl_module

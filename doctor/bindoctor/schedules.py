"""How the learning rate changes from epoch to epoch, as PyTorch's schedulers change it."""

import math

from bindoctor.recipe_sections import Optimizer

DROP = 0.1
MIN_RELATIVE_FALL = 1e-4


class Schedule:
    """The learning rate of the epoch to come.

    It comes to the rates of PyTorch's CosineAnnealingLR, StepLR and ReduceLROnPlateau without an optimizer to change
    them in: making one imports PyTorch's compiler, which takes a second and 70 MB.
    """

    def __init__(self, optimizer: Optimizer, epochs: int) -> None:
        """Start with the first epoch of so many.

        Cosine goes to zero over all epochs (Loshchilov & Hutter 2017), "step" divides by ten after each third of them,
        and "plateau" by ten after a tenth of them without a lower loss.
        """
        self.rate = optimizer.learning_rate
        self._first, self._kind, self._epochs = optimizer.learning_rate, optimizer.schedule, epochs
        self._done, self._lowest, self._bad = 0, math.inf, 0

    def step(self, loss: float) -> None:
        """End an epoch that came to this loss."""
        self._done += 1
        match self._kind:
            case "cosine":
                self.rate = self._first * (1 + math.cos(math.pi * self._done / self._epochs)) / 2
            case "step":
                self.rate = self._first * DROP ** (self._done // max(1, self._epochs // 3))
            case "plateau":
                self._watch(loss)
            case "constant":
                pass

    def _watch(self, loss: float) -> None:
        if loss < self._lowest * (1 - MIN_RELATIVE_FALL):
            self._lowest, self._bad = loss, 0
        else:
            self._bad += 1
        if self._bad > max(1, self._epochs // 10):
            self._bad = 0
            # PyTorch leaves a rate alone once a change would be lost in rounding.
            if self.rate * (1 - DROP) > 1e-8:
                self.rate *= DROP

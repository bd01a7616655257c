"""The first loss of a training, with what the loop makes of the loader's batches and of the model's outputs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bindoctor.undisturbed import Batch


@dataclass(frozen=True, eq=False)
class FirstLoss:
    """The first loss of a training: the batch as the loop made it, the outputs before and after what it does to them.

    ``made`` and ``outputs`` carry their graph.
    """

    batch: Batch
    made: Tensor
    outputs: Tensor
    value: Tensor

    @property
    def untouched(self) -> bool:
        """Tell whether the loop hands the model's outputs on as they are, but for their shape."""
        made, outputs = self.made.detach(), self.outputs.detach()
        same_size = made.numel() == outputs.numel() and made.dtype == outputs.dtype
        return same_size and bool(torch.equal(made.reshape(-1), outputs.reshape(-1)))

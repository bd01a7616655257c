"""Hooks that read a training loop as it runs, and change nothing that it computes."""

import math
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from bindoctor.calling import loss_in, modes_of, tensor_in
from bindoctor.first_loss import FirstLoss
from bindoctor.inspection import StepFacts
from bindoctor.passes import Pass, Passes
from bindoctor.undisturbed import Batch

MAX_SHARE = 0.005
"""How much of the steps' time looking at gradients may take: k follows from it."""
FIRST_LOOKS = 5
"""Steps at the start that are all looked at."""
MAX_WATCHED_WEIGHTS = 4
MAX_WATCHED_SIZE = 1_000_000
RESET_LOOKS = 8
LEARNING_STEPS = 32
"""Steps by which it is known whether the loop makes one backward pass a step, as most do.

From then on the last pass before a step is known to be the one that was trained on, and need not be told by its
backward pass, which costs as much as all else that is watched.
"""


class Hooks:
    """Attached to a model, a loss and an optimizer; ``remove`` takes every trace off again.

    Attributes:
        passes: the passes so far, sorted into training and validation.
        rate: the highest learning rate so far.
        failure: what went wrong in watching, which then ended; "" as long as nothing did.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[..., Any] | None,
        optimizer: torch.optim.Optimizer,
        passes: Passes,
        on_first_loss: Callable[[FirstLoss], None],
    ) -> None:
        self.passes = passes
        self.failure = ""
        self.rate = 0.0
        self._model, self._optimizer = model, optimizer
        self._modes = modes_of(model)
        self._current: Pass | None = None
        self._given: tuple[Sequence[Any], Mapping[str, Any], Tensor] | None = None
        self._on_first_loss: Callable[[FirstLoss], None] | None = on_first_loss
        self._gradients = _Gradients(model, optimizer)
        self._steps = self._backwards = self._evaluating = 0
        self._stepped = False
        self._learning = self._alternates = True
        self._with_gradient = 0
        self._not_reset = self._looked_for_reset = 0
        self._loaded_after = 0
        self._handles = [
            model.register_forward_hook(self._guarded(self._forward), with_kwargs=True),
            optimizer.register_step_pre_hook(self._guarded(self._before_step)),
            optimizer.register_step_post_hook(self._guarded(self._after_step)),
            model.register_load_state_dict_post_hook(self._guarded(self._loaded)),  # type: ignore[no-untyped-call]
        ]
        if isinstance(loss, nn.Module):
            self._handles.append(loss.register_forward_hook(self._guarded(self._loss)))

    def remove(self) -> None:
        """Take all hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._given = None
        self._guarded(self.passes.settle)(at_end=True)

    def _guarded(self, watching: Callable[..., None]) -> Callable[..., None]:
        """Return a hook that gives up watching where it fails: the training goes on."""

        def guarded(*arguments: Any, **named: Any) -> None:
            if self.failure:
                return
            try:
                watching(*arguments, **named)
            except Exception as error:  # a loop may hand on anything
                self.failure = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"

        return guarded

    @property
    def steps(self) -> int:
        """Return how many optimizer steps there were."""
        return self._steps

    @property
    def restored(self) -> bool:
        """Tell whether weights were loaded after the last step, as early stopping goes back to the best epoch."""
        return 0 < self._loaded_after == self._steps

    def facts(self) -> StepFacts:
        """Return what the steps so far showed."""
        taken = self._gradients
        return StepFacts(
            self._backwards,
            self._steps,
            tuple(taken.steps),
            tuple(taken.norms),
            taken.update_ratio,
            self._not_reset,
            self._looked_for_reset,
            self._evaluating / self._backwards if self._backwards else 0.0,
            self.passes.first_not_finite,
        )

    def _loaded(self, *_: object) -> None:
        self._loaded_after = self._steps

    def _forward(self, _: nn.Module, arguments: Sequence[Any], keywords: Mapping[str, Any], output: Any) -> None:
        outputs = tensor_in(output)
        if outputs is None:
            return
        mixed = bool(self._modes) and any(one.training for one in self._modes)
        current = Pass(self._model.training, mixed, self._steps, outputs.detach())
        self._current = current
        if outputs.requires_grad:
            if self._on_first_loss is not None:
                self._given = arguments, keywords, outputs
            self._with_gradient += 1
            if self._learning or not self._alternates:
                outputs.register_hook(lambda _: self._guarded(self._backward)(current))  # type: ignore[no-untyped-call]
        else:
            current.without_gradient = True
        self.passes.add(current)
        own = loss_in(output)
        if own is not None:
            labels = keywords.get("labels")
            self._seen(current, own, outputs, labels if isinstance(labels, Tensor) else None)

    def _loss(self, _: nn.Module, arguments: Sequence[Any], value: Any) -> None:
        if len(arguments) >= 2:
            self.lost(arguments[0], arguments[1], value)

    def lost(self, outputs: Any, labels: Any, value: Any) -> None:
        """Record a loss that was computed from the outputs of the last pass."""
        if isinstance(value, tuple | list) and value:
            value = value[0]
        if isinstance(value, Tensor) and isinstance(outputs, Tensor) and self._current is not None:
            self._seen(self._current, value, outputs, labels if isinstance(labels, Tensor) else None)

    def _seen(self, current: Pass, value: Tensor, outputs: Tensor, labels: Tensor | None) -> None:
        if current.loss is None:
            current.loss = value.detach()
            current.rows = len(outputs) if outputs.ndim else 1
        if current.without_gradient:
            current.outputs, current.labels = outputs.detach(), None if labels is None else labels.detach()
            return
        current.outputs = None
        if self._on_first_loss is not None and self._given is not None and labels is not None:
            arguments, keywords, made = self._given
            self._given = None
            report, self._on_first_loss = self._on_first_loss, None
            report(FirstLoss(Batch(tuple(arguments), dict(keywords), labels.detach()), made, outputs, value.detach()))

    def _backward(self, current: Pass) -> None:
        self._trained(current)
        if self._stepped:
            self._stepped = False
            if self._looked_for_reset < RESET_LOOKS:
                self._looked_for_reset += 1
                self._not_reset += self._gradients.are_left()

    def _trained(self, current: Pass) -> None:
        current.trained = True
        self._backwards += 1
        self._evaluating += bool(self._modes) and not current.training and not current.mixed

    def _before_step(self, *_: Any) -> None:
        if self._learning:
            self._alternates &= self._backwards == self._with_gradient == self._steps + 1
        elif self._alternates and self._current is not None and not self._current.trained:
            self._trained(self._current)
        self._gradients.before_step(self._steps)

    def _after_step(self, *_: Any) -> None:
        self._gradients.after_step()
        self._steps += 1
        self._stepped = True
        if self._learning and self._steps == LEARNING_STEPS:
            self._learning = False
            self._on_first_loss = self._given = None
        rate = float(self._optimizer.param_groups[0].get("lr", math.nan))
        if rate > self.rate:
            self.rate = rate
        self.passes.stepped(rate)


class _Gradients:
    """Takes the norm of all gradients, and the change of a few weights, every so many steps."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.steps: list[int] = []
        self.norms: list[float] = []
        self._ratios: list[float] = []
        self._parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        weights = [p for p in self._parameters if p.ndim > 1 and p.numel() <= MAX_WATCHED_SIZE] or self._parameters[:1]
        apart = max(1, len(weights) // MAX_WATCHED_WEIGHTS)
        self._weights = weights[::apart][:MAX_WATCHED_WEIGHTS]
        self._before: list[Tensor] | None = None
        self._next = 0
        self._every = 1
        self._cost = 0.0
        self._clock = 0.0
        self._last = 0.0

    @property
    def update_ratio(self) -> float | None:
        return max((_median(ratios) for ratios in (self._ratios, self._ratios[:FIRST_LOOKS]) if ratios), default=None)

    def are_left(self) -> bool:
        """Tell whether any gradient of the step before is still there."""
        return any(p.grad is not None and bool(p.grad.detach().any()) for p in self._parameters[:8])

    def before_step(self, step: int) -> None:
        began = perf_counter()
        self._since_last(step, began)
        if step < self._next:
            return
        gradients = [p.grad.detach() for p in self._parameters if p.grad is not None and not p.grad.is_sparse]
        if gradients:
            norms = torch._foreach_norm(gradients)
            self.steps.append(step)
            self.norms.append(float(torch.linalg.vector_norm(torch.stack([one.to(norms[0].device) for one in norms]))))
        self._before = [p.detach().clone() for p in self._weights]
        self._cost = perf_counter() - began

    def after_step(self) -> None:
        if self._before is None:
            return
        began = perf_counter()
        changes = torch._foreach_norm(torch._foreach_sub([p.detach() for p in self._weights], self._before))
        sizes = torch._foreach_norm(self._before)
        ratios = [float(c) / float(s) for c, s in zip(changes, sizes, strict=True) if float(s) > 0]
        if ratios:
            self._ratios.append(max(ratios))
        self._before = None
        self._cost += perf_counter() - began
        step = self.steps[-1] if self.steps else 0
        self._next = step + (1 if step < FIRST_LOOKS else self._every)

    def _since_last(self, step: int, now: float) -> None:
        """Learn how long a step takes, and look at as many as keeps to the share of the time."""
        if self._last:
            took = now - self._last
            self._clock = took if not self._clock else min(self._clock * 1.05, took)
            self._every = max(1, math.ceil(self._cost / (MAX_SHARE * max(self._clock, 1e-6))))
        self._last = now


def _median(values: Sequence[float]) -> float:
    ascending = sorted(math.inf if math.isnan(one) else one for one in values)
    return ascending[len(ascending) // 2]

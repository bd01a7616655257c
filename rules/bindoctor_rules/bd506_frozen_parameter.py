"""Parameters that the training does not train."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from bindoctor import Confidence, Finding, Inspection, ParameterFacts, Severity, StepFacts, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, WEIGHTS, advice, replaced, seen
from bindoctor_rules._wording import listed

Found = tuple[str, Severity, tuple[str, ...]]


def _changed(position: int, **facts: Any) -> tuple[ParameterFacts, ...]:
    return tuple(replaced(one, **facts) if at // 2 == position else one for at, one in enumerate(WEIGHTS))


def _named(parameters: Sequence[ParameterFacts]) -> str:
    return listed([one.name for one in parameters])


def _layer(parameter: ParameterFacts) -> str:
    return parameter.name.rpartition(".")[0]


def _unregistered(model: Inspection) -> Iterator[Found]:
    unknown = [one for one in model.parameters if not one.registered and one.trainable]
    left_out = [one for one in unknown if not one.in_optimizer]
    advised = ("Keep layers in nn.ModuleList or nn.ModuleDict, tensors in nn.Parameter",)
    if left_out:
        where = "outside of what the model registers, so that model.parameters() lacks them"
        yield f"{_named(left_out)}: {where}, and they are not trained", Severity.ERROR, advised
    elif unknown:
        what = "is trained, but the model does not register it: it is not saved, and does not move to a GPU with it"
        yield f"{_named(unknown)} {what}", Severity.WARNING, advised


def _not_updated(model: Inspection) -> Iterator[Found]:
    known = [one for one in model.parameters if one.registered and one.trainable]
    left_out = [one for one in known if one.in_optimizer is False]
    advised = ("Give the optimizer model.parameters(), after the model has its final layers and device",)
    if left_out and len(left_out) == len(known):
        yield "none of the model's parameters is in the optimizer: it updates others", Severity.ERROR, advised
    elif left_out:
        yield (
            f"{_named(left_out)} {'asks' if len(left_out) == 1 else 'ask'} for a gradient and "
            f"{'is' if len(left_out) == 1 else 'are'} not in the optimizer",
            Severity.ERROR,
            (*advised, "Or freeze them with requires_grad_(False), if that is meant"),
        )


def _frozen(model: Inspection) -> Iterator[Found]:
    known = [one for one in model.parameters if one.registered]
    frozen = [one for one in known if not one.trainable]
    if not frozen:
        return
    share = sum(math.prod(one.shape) for one in frozen) / max(1, sum(math.prod(one.shape) for one in known))
    if len(frozen) == len(known):
        yield "every parameter is frozen (requires_grad is False)", Severity.ERROR, ("Unfreeze what is to be learnt",)
        return
    last = _layer(known[-1])
    if all(not one.trainable for one in known if _layer(one) == last):
        yield (
            f"the last layer is frozen ({_named([one for one in frozen if _layer(one) == last])}): the layers before "
            "it can only learn to serve its random weights",
            Severity.ERROR,
            ("Unfreeze the last layer: requires_grad_(True)",),
        )
        return
    random = [one for one in frozen if one.untrained or (one.weight and one.constant is not None)]
    if random:
        yield (
            f"{_named(random)} {'is' if len(random) == 1 else 'are'} frozen as PyTorch drew "
            f"{'it' if len(random) == 1 else 'them'}: nothing has been learnt there, and nothing will be",
            Severity.WARNING,
            ("Load trained weights before freezing, or unfreeze",),
        )
        return
    yield f"{share:.0%} of the parameters are frozen ({_named(frozen)})", Severity.NOTE, ()


def _not_reached(model: Inspection) -> Iterator[Found]:
    if model.loss_error or math.isnan(model.first_loss):
        return
    known = [one for one in model.parameters if one.registered and one.trainable]
    unreached = [one for one in known if one.gradient is None]
    advised = ("Look for detach(), no_grad(), .item(), .data, argmax or a comparison between it and the loss",)
    if not unreached:
        return
    if len(unreached) == len(known):
        yield "no gradient reaches any parameter: the loss does not hang on the weights", Severity.ERROR, advised
    elif unreached == known[: len(unreached)] and any(one.weight for one in unreached):
        yield f"no gradient reaches {_named(unreached)}: the graph is cut behind it", Severity.ERROR, advised
    else:
        yield f"no gradient reaches {_named(unreached)}: the outputs do not use it", Severity.NOTE, ()


def _never_stepped(model: Inspection, min_backwards: int) -> Iterator[Found]:
    training = model.training
    if training is not None and training.steps == 0 and training.backwards >= min_backwards:
        yield (
            f"the optimizer made no step in {training.backwards} backward passes",
            Severity.ERROR,
            ("Call optimizer.step() after loss.backward(), on the optimizer that was given",),
        )


@rule(
    "BD506",
    severity=Severity.ERROR,
    explains=("BD503", "BD508", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example(
            "a layer that the optimizer lacks",
            model=seen(parameters=_changed(0, in_optimizer=False)),
            says="are not in the optimizer",
        ),
        example("the last layer is frozen", model=seen(parameters=_changed(1, trainable=False)), says="last layer is"),
        example(
            "a random layer is frozen",
            model=seen(parameters=_changed(0, trainable=False, untrained=True)),
            says="nothing has been learnt there",
        ),
        example(
            "a trained layer is frozen", model=seen(parameters=_changed(0, trainable=False)), says="of the parameters"
        ),
        example(
            "layers in a plain list",
            model=seen(
                parameters=(*WEIGHTS, ParameterFacts("layers[0].weight", (8, 8), True, False, 0.1, registered=False))
            ),
            says="model.parameters() lacks them",
        ),
        example("a cut graph", model=seen(parameters=_changed(0, gradient=None)), says="the graph is cut"),
        example("no step is made", model=seen(training=StepFacts(backwards=40)), says="no step in 40 backward passes"),
    ],
    passes=[
        example("all trained", model=seen()),
        example("no optimizer yet", model=seen(parameters=tuple(_changed(0, in_optimizer=None)))),
        example("the loss could not be computed", model=seen(parameters=_changed(0, gradient=None), loss_error="no")),
    ],
)
def frozen_parameter(model: Inspection, *, min_backwards: int = 10) -> Iterator[Finding]:
    """A parameter is frozen, has no gradient, is missing from the optimizer, or is not registered in the model.

    An error: all are frozen, or the last layer is; a trainable one that the optimizer lacks; layers in a plain Python
    list; a graph that is cut before the first layers; an optimizer that makes no step. A warning: a linear or
    convolution layer frozen with weights that are still spread as PyTorch draws them. A note: frozen layers that were
    trained before, as a pretrained backbone, and parameters that the outputs do not use.

    ## Why it matters
    Nothing fails: the loss falls as far as the other layers allow, and the frozen ones stay random.

    ## When to ignore it
    When a layer is frozen on purpose.

    ## References
    - PyTorch documentation: autograd mechanics (requires_grad), torch.nn.ModuleList, torch.optim (constructing it).
    - Yosinski, J., Clune, J., Bengio, Y., & Lipson, H. (2014). How transferable are features in deep neural networks?
      NeurIPS.
    """
    every = (
        *_unregistered(model),
        *_not_updated(model),
        *_frozen(model),
        *_not_reached(model),
        *_never_stepped(model, min_backwards),
    )
    if not every:
        return
    loudest = max(severity.rank for _, severity, _ in every)
    chosen = [found for found in every if found[1].rank == loudest]
    frozen = sum(1 for one in model.parameters if not one.trainable)
    yield Finding(
        "; ".join(message for message, _, _ in chosen),
        Where("model"),
        {"parameters": len(model.parameters), "frozen": frozen, "min_backwards": min_backwards},
        advice(*(remedy for _, _, remedies in chosen for remedy in remedies)),
        Confidence.HIGH,
        chosen[0][1],
    )

"""What model rules share: an example's inspection, and which findings about a run follow from one about its model."""

from typing import Any

from bindoctor import Aim, Fix, Inspection, LabelFacts, OptimizerFacts, OutputFacts, ParameterFacts

RUN_SYMPTOMS = ("BD401", "BD404", "BD405", "BD406", "BD407", "BD410", "BD411", "BD412", "BD415", "BD416")
"""What a faulty model or step makes of a run's curve."""
ANSWER_SYMPTOMS = ("BD601", "BD602", "BD603", "BD604")
"""What it makes of the answers."""

WEIGHTS = (
    ParameterFacts("0.weight", (16, 8), True, True, 0.01, weight=True),
    ParameterFacts("0.bias", (16,), True, True, 0.01),
    ParameterFacts("2.weight", (1, 16), True, True, 0.02, weight=True),
    ParameterFacts("2.bias", (1,), True, True, 0.02),
)


def seen(**others: Any) -> Inspection:
    """Make an example's inspection: a healthy network of one output and one hidden layer, but for what is given."""
    return Inspection(
        **{
            "loss": "BCEWithLogitsLoss",
            "takes": "logits",
            "outputs": OutputFacts((64, 1), -0.4, 0.3),
            "labels": LabelFacts((64, 1), "float32", (0.0, 1.0)),
            "first_loss": 0.7,
            "parameters": WEIGHTS,
            "optimizer": OptimizerFacts("Adam", 0.001),
            **others,
        }
    )


def replaced(parameter: ParameterFacts, **facts: Any) -> ParameterFacts:
    """Return a parameter with other facts."""
    return ParameterFacts(**{name: facts.get(name, getattr(parameter, name)) for name in parameter.__struct_fields__})


def labelled(shape: tuple[int, ...], *values: float, dtype: str = "float32", broadcast: bool = False) -> LabelFacts:
    """Make an example's labels."""
    return LabelFacts(shape, dtype, tuple(map(float, values)), broadcast=broadcast)


def advice(*titles: str) -> tuple[Fix, ...]:
    """Return remedies in the user's own code, which nobody can apply for them."""
    return tuple(Fix(title, aim=Aim.ADVISE) for title in titles)


def stuck_at_zero(model: Inspection) -> list[str]:
    """Return the names of the weights before the last layer that start at zero and get no gradient."""
    weights = [one for one in model.parameters if one.registered and one.trainable and len(one.shape) > 1]
    return [one.name for one in weights[:-1] if one.weight and one.constant == 0 and one.gradient == 0]


def unconfirmed(model: Inspection) -> bool:
    """Tell whether a training went on, but what it handed to the loss was not seen: it may differ from the loader's."""
    return model.training is not None and model.labels.seen_in == "loader"

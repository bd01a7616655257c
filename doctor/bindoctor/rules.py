"""What a rule is: a documented function from evidence to findings, with its own examples."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bindoctor.audit import Audit
from bindoctor.dataset import Table
from bindoctor.evidence import EVIDENCE_NAMES
from bindoctor.findings import Finding, Severity
from bindoctor.history import History
from bindoctor.inspection import Inspection
from bindoctor.predictions import Predictions, SimpleModel
from bindoctor.profile import EVERYTHING, State
from bindoctor.recipe import Recipe
from bindoctor.task import Task

Check = Callable[..., Iterator[Finding]]


class Example(msgspec.Struct, frozen=True):
    """A small situation that a rule must flag, or must pass over.

    ``table`` becomes the dataset and, scanned under ``recipe``, the profile, so that a fix's effect on the data shows.
    ``valid`` and ``test`` become the parts that the user keeps apart, with the columns of ``table``.
    ``says`` is a part of the expected message; ``options`` are the rule's options in this example; ``audit`` is what
    the other rules are to have said, for a rule about bindoctor itself.
    """

    title: str
    table: Table | None = None
    recipe: Recipe | None = None
    history: History | None = None
    predictions: Predictions | None = None
    says: str = ""
    options: Mapping[str, Any] | None = None
    audit: Audit | None = None
    valid: Table | None = None
    test: Table | None = None
    simple_models: tuple[SimpleModel, ...] | None = None
    model: Inspection | None = None
    task: Task | None = None


example = Example


def counts(**rows_of_class: int) -> Table:
    """Return a table with a target only: ``counts(no=970, yes=30)``."""
    cells: list[str] = []
    for label, rows in rows_of_class.items():
        cells += [label] * rows
    return Table({"y": cells})


class Option(msgspec.Struct, frozen=True):
    """One tunable of a rule: its name, its default and its type."""

    name: str
    default: Any


class Rule(msgspec.Struct, frozen=True):
    """A rule, derived from its check function.

    ``needs`` names the evidence that it is called with, in order; of these it takes ``optional`` as None as well.
    ``arrays`` tells whether it has something to say about rows that are arrays, which have no columns.
    """

    code: str
    slug: str
    severity: Severity
    check: Check
    needs: tuple[str, ...]
    options: tuple[Option, ...]
    summary: str
    documentation: str
    flags: tuple[Example, ...]
    passes: tuple[Example, ...]
    root: bool
    explains: tuple[str, ...] = ()
    opt_in: bool = False
    optional: tuple[str, ...] = ()
    scans: frozenset[State] = EVERYTHING
    arrays: bool = True

    def __call__(self, *args: Any, **kwargs: Any) -> Iterator[Finding]:
        """Run the check function, as a plain function would be called."""
        return self.check(*args, **kwargs)


def rule(
    code: str,
    *,
    severity: Severity,
    flags: Sequence[Example],
    passes: Sequence[Example],
    root: bool = False,
    explains: Sequence[str] = (),
    opt_in: bool = False,
    scans: Sequence[State] | None = None,
    arrays: bool = False,
) -> Callable[[Check], Rule]:
    """Make a rule of a check function.

    Positional parameters name the evidence it needs (one with the default None does without), keyword-only ones are its
    options, its docstring is its page, its name is the slug.

    Args:
        code: the stable code, a prefix of capitals and three digits.
        severity: how loud its findings are, unless one says otherwise.
        flags: situations that it must flag.
        passes: situations that it must pass over.
        root: its findings about a column explain other rules' findings about the same column, which are then named by
            this one and not reported. A finding about several columns is explained when each of them is.
        explains: codes of rules whose findings about the same kind of place (and the same name, where both have one)
            follow from this rule's, unless those are notes.
        opt_in: it runs only where its own code or slug is selected.
        scans: the parts of the scan that it reads beyond the classes; what no selected rule names is not computed.
            Its examples are scanned for these alone.
        arrays: it holds for rows that are arrays as well, although it reads the scan or the data set. Of their columns
            it sees one cell of each channel a row. A rule that reads neither always does.

    Raises:
        TypeError: something that is no code, a positional parameter that is no evidence, an option without default,
            or no docstring.
    """

    def make(check: Check) -> Rule:
        for name in (code, *explains):
            if not re.fullmatch(r"[A-Z]+\d{3}", name):
                raise TypeError(f"{name!r} is no rule code: capitals and three digits, as in 'BD101'.")
        documentation = inspect.getdoc(check)
        if not documentation:
            raise TypeError(f"{code} ({check.__name__}) has no docstring; it is the rule's page.")
        needs, optional, options = [], [], []
        for parameter in inspect.signature(check).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                if parameter.default is parameter.empty:
                    raise TypeError(f"{code}: option {parameter.name!r} needs a default.")
                options.append(Option(parameter.name, parameter.default))
            elif parameter.name not in EVIDENCE_NAMES:
                raise TypeError(
                    f"{code}: {parameter.name!r} is no evidence; a rule can ask for {', '.join(EVIDENCE_NAMES)}."
                )
            else:
                needs.append(parameter.name)
                if parameter.default is None:
                    optional.append(parameter.name)
        chosen = EVERYTHING if scans is None else frozenset(scans)
        reads = chosen if {"profile", "parts"} & {*needs} else frozenset[State]()
        return Rule(
            code,
            check.__name__.replace("_", "-"),
            severity,
            check,
            tuple(needs),
            tuple(options),
            documentation.splitlines()[0],
            documentation,
            tuple(flags),
            tuple(passes),
            root,
            tuple(explains),
            opt_in,
            tuple(optional),
            reads,
            arrays or not (reads or "dataset" in needs),
        )

    return make

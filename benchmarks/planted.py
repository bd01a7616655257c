"""Twelve faults that are planted into three data sets, and what `bindoctor check` should say to each."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.random import Generator
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

TARGET = "target"


@dataclass(frozen=True)
class Planted:
    """A train and a test part, one of them tampered with.

    ``columns`` are those that a finding must name, ``rows`` the numbers of the train rows that it may list.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    columns: frozenset[str] = frozenset()
    rows: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Fault:
    """A way to tamper with data, and what a check should say to it.

    Attributes:
        codes: any one of these rules is right.
        command: options of ``bindoctor check``; ``--test`` stands for the test file, too.
        lists_rows: a finding without rows does not count.
        min_precision: share of the listed rows that must have been planted.
        min_recall: share of the planted rows that must be listed; of the columns, that must be named. Of duplicates
            both count as planted, and one of each pair is enough.
    """

    number: int
    name: str
    codes: tuple[str, ...]
    plant: Callable[[Planted, Generator], Planted]
    command: tuple[str, ...] = ()
    lists_rows: bool = False
    min_precision: float = 0.5
    min_recall: float = 0.9

    @property
    def slug(self) -> str:
        return f"{self.number:02}-{re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')}"


def duplicate_rows(clean: Planted, random: Generator) -> Planted:
    train = mixed(pd.concat([clean.train, some(clean.train, 0.05, random)]), random)
    return replace(clean, train=train, rows=where(train.duplicated(keep=False)))


def conflicting_labels(clean: Planted, random: Generator) -> Planted:
    copies = some(clean.train, 0.03, random)
    copies[TARGET] = flipped(copies[TARGET])
    train = mixed(pd.concat([clean.train, copies]), random)
    return replace(clean, train=train, rows=where(train.drop(columns=TARGET).duplicated(keep=False)))


def flipped_labels(clean: Planted, random: Generator) -> Planted:
    train, rows = clean.train.copy(), some(clean.train, 0.08, random).index
    train.loc[rows, TARGET] = flipped(train.loc[rows, TARGET])
    return replace(clean, train=train, rows=frozenset(rows))


def identifier(clean: Planted, random: Generator) -> Planted:
    train = clean.train.copy()
    train.insert(0, "entry", np.arange(1, len(train) + 1))
    return replace(clean, train=train, columns=frozenset({"entry"}))


def target_copy(clean: Planted, random: Generator) -> Planted:
    noise = random.normal(0, 0.1, len(clean.train))
    train = clean.train.assign(aux=(clean.train[TARGET] == "yes") + noise)
    return replace(clean, train=train, columns=frozenset({"aux"}))


def constant_column(clean: Planted, random: Generator) -> Planted:
    return replace(clean, train=clean.train.assign(batch=7), columns=frozenset({"batch"}))


def huge_feature(clean: Planted, random: Generator) -> Planted:
    column = str(random.choice(varied(clean.train)))
    train = clean.train.assign(**{column: clean.train[column] * 1e6})
    return replace(clean, train=train, columns=frozenset({column}))


def junk_text(clean: Planted, random: Generator) -> Planted:
    column, rows = str(random.choice(varied(clean.train))), some(clean.train, 0.05, random).index
    train = clean.train.astype({column: object})
    train.loc[rows, column] = random.choice(["see lab sheet", "err", "1o.5", "#REF!", "~3"], len(rows))
    return replace(clean, train=train, columns=frozenset({column}))


def imbalance(clean: Planted, random: Generator) -> Planted:
    negative = clean.train[clean.train[TARGET] == "no"]
    positive = clean.train[clean.train[TARGET] == "yes"]
    kept = positive.sample(max(2, round(len(negative) / 50)), random_state=random)
    return replace(clean, train=mixed(pd.concat([negative, kept]), random))


def test_rows_from_training(clean: Planted, random: Generator) -> Planted:
    replaced = some(clean.test, 0.1, random).index
    copies = clean.train.sample(len(replaced), random_state=random).set_index(replaced)
    return replace(clean, test=pd.concat([clean.test.drop(index=replaced), copies]).sort_index())


def shifted_test(clean: Planted, random: Generator) -> Planted:
    features = clean.train.shape[1] - 1
    columns = random.choice(varied(clean.train), round(features / 5), replace=False).tolist()
    test = clean.test.copy()
    test[columns] += 1.5 * clean.train[columns].std()
    return replace(clean, test=test, columns=frozenset(columns))


def extreme_values(clean: Planted, random: Generator) -> Planted:
    column, rows = str(random.choice(varied(clean.train))), some(clean.train, 0.02, random).index
    values, train = clean.train[column], clean.train.astype({column: float})
    train.loc[rows, column] = (values.mean() + values.std() * random.normal(15, 0.5, len(rows))).round(4)
    return replace(clean, train=train, rows=frozenset(rows))


FAULTS = (
    Fault(1, "5 % exact duplicate rows", ("BD113",), duplicate_rows, lists_rows=True, min_recall=0.5),
    Fault(2, "3 % conflicting labels", ("BD114",), conflicting_labels, lists_rows=True),
    Fault(3, "8 % flipped labels", ("BD607",), flipped_labels, ("--train",), lists_rows=True, min_recall=0.0),
    Fault(4, "sequential identifier", ("BD110",), identifier),
    Fault(5, "noisy copy of the target", ("BD115",), target_copy),
    Fault(6, "constant column", ("BD109",), constant_column),
    Fault(7, "one feature x 1e6", ("BD103",), huge_feature),
    Fault(8, "5 % junk text in numbers", ("BD117", "BD106"), junk_text),
    Fault(9, "imbalance 1:50", ("BD101", "BD102"), imbalance),
    Fault(10, "10 % of test from training", ("BD202",), test_rows_from_training, ("--test",)),
    Fault(11, "a fifth of test shifted 1.5 sd", ("BD207",), shifted_test, ("--test",), min_recall=0.5),
    Fault(12, "2 % of rows at 15 sd", ("BD120", "BD131"), extreme_values, lists_rows=True),
)


def clean_parts(seed: int) -> dict[str, Planted]:
    """Return the data sets as binary problems ("yes", "no"), split 70/30."""
    sets = {
        "breast_cancer": (load_breast_cancer(as_frame=True), [0]),
        "wine": (load_wine(as_frame=True), [0]),
        "digits": (load_digits(as_frame=True), [5, 6, 7, 8, 9]),
    }
    parts = {}
    for name, (loaded, positive) in sets.items():
        labels = np.where(loaded.target.isin(positive), "yes", "no")
        table = loaded.data.assign(**{TARGET: labels})
        train, test = train_test_split(table, test_size=0.3, stratify=labels, random_state=seed)
        parts[name] = Planted(train.reset_index(drop=True), test.reset_index(drop=True))
    return parts


def varied(train: pd.DataFrame) -> list[str]:
    """Return the features that differ between the quartiles: in a pixel that is mostly blank, 1.5 sd are nothing."""
    features = train.drop(columns=TARGET)
    return features.columns[features.quantile(0.75) > features.quantile(0.25)].tolist()


def some(table: pd.DataFrame, share: float, random: Generator) -> pd.DataFrame:
    return table.sample(round(share * len(table)), random_state=random)


def mixed(table: pd.DataFrame, random: Generator) -> pd.DataFrame:
    return table.sample(frac=1, random_state=random).reset_index(drop=True)


def flipped(labels: pd.Series) -> pd.Series:
    return labels.map({"yes": "no", "no": "yes"})


def where(mask: pd.Series) -> frozenset[int]:
    return frozenset(np.flatnonzero(mask).tolist())

"""A feature holds e-mail addresses, payment cards or bank accounts."""

import re
from collections.abc import Callable, Iterator

from bindoctor import Aim, Dataset, Finding, Fix, Recipe, Severity, Table, Where, example, rule

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(60)]
CONTACTS = Table({"contact": [f"reader.{i}@example.org" for i in range(60)], "y": CLASSES})
CARDS = Table({"paid with": ["4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009"] * 20, "y": CLASSES})
ACCOUNTS = Table({"account": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"] * 30, "y": CLASSES})
NUMBERS = Table(
    {"serial": [4111111111111112 + 10 * i for i in range(60)], "handle": ["@anna", "@ben"] * 30, "y": CLASSES}
)

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
CARD = re.compile(r"[3-6]\d{12,18}")
IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


@rule(
    "ACME102",
    severity=Severity.ERROR,
    root=True,
    flags=[
        example("addresses", CONTACTS, Recipe(), says="'contact' holds e-mail addresses: 60 of the first 60 cells"),
        example("payment cards", CARDS, Recipe(), says="'paid with' holds payment card numbers: 60 of the first 60"),
        example("bank accounts", ACCOUNTS, Recipe(), says="'account' holds bank accounts (IBAN): 60 of the first 60"),
    ],
    passes=[
        example("left out", CONTACTS, Recipe().edited({"data.drop": ["contact"]})),
        example("numbers and handles that only look alike", NUMBERS, Recipe()),
    ],
)
def personal_data(
    dataset: Dataset, recipe: Recipe, *, min_share: float = 0.5, min_cells: int = 5, max_rows: int = 500
) -> Iterator[Finding]:
    """A feature holds e-mail addresses, payment cards or bank accounts.

    It reads the first `max_rows` rows and knows cards by Luhn's check digit and accounts by that of ISO 13616, which
    one in ten and one in ninety-seven other numbers pass by chance; hence `min_share` of the cells must.

    ## Why it matters
    A model needs none of them, and a data set that holds them must be protected, may not leave the house, and cannot be
    shown in a notebook. The rules of payment cards forbid to keep a whole number at all.

    ## When to ignore it
    When the cells are made up, as in test data.

    ## References
    - Regulation (EU) 2016/679 (General Data Protection Regulation), article 5: data minimisation.
    - ISO/IEC 7812-1 (2017). Identification cards: identification of issuers.
    - ISO 13616-1 (2020). Financial services: international bank account number (IBAN).
    """
    for name, cells in _first_cells(dataset, recipe, max_rows).items():
        for what, test in KINDS.items():
            matching = sum(test(cell) for cell in cells)
            if matching >= max(min_cells, min_share * len(cells)):
                yield Finding(
                    f"'{name}' holds {what}: {matching} of the first {len(cells)} cells",
                    Where("column", name),
                    {"cells": matching, "of": len(cells), "min_share": min_share, "min_cells": min_cells},
                    (Fix(f"Leave out '{name}'", {"data.drop+": [name]}, Aim.CORRECT),),
                )
                break


def _first_cells(dataset: Dataset, recipe: Recipe, max_rows: int) -> dict[str, list[str]]:
    """Return the feature columns' non-blank cells in the first rows."""
    names = [name for name in dataset.source.columns if name != dataset.target and name not in recipe.data.drop]
    cells: dict[str, list[str]] = {name: [] for name in names}
    left = max_rows
    for batch in dataset.source.batches():
        for name in names:
            cells[name] += batch[name].head(left).drop_nulls().to_list()
        left -= len(batch)
        if left <= 0:
            break
    return cells


def is_email(cell: str) -> bool:
    """Tell whether a cell is one e-mail address."""
    return bool(EMAIL.fullmatch(cell.strip()))


def is_card(cell: str) -> bool:
    """Tell whether a cell is a payment card's number: its length, its first digit, and Luhn's check digit."""
    digits = re.sub(r"[ -]", "", cell.strip())
    if not CARD.fullmatch(digits):
        return False
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_iban(cell: str) -> bool:
    """Tell whether a cell is an international bank account number: its form, and 1 as the remainder by 97."""
    text = cell.replace(" ", "").upper()
    if not IBAN.fullmatch(text):
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


KINDS: dict[str, Callable[[str], bool]] = {
    "e-mail addresses": is_email,
    "payment card numbers": is_card,
    "bank accounts (IBAN)": is_iban,
}

"""The pack's rules keep their promises, and its tests of cells are right about known numbers."""

import pytest
from acme_rules.acme101_protected_attribute import protected_attribute
from acme_rules.acme102_personal_data import is_card, is_email, is_iban, personal_data

from bindoctor import Rule
from bindoctor.testing import check_rule


@pytest.mark.parametrize("rule", [protected_attribute, personal_data], ids=lambda rule: rule.code)
def test_a_rule_keeps_its_promises(rule: Rule) -> None:
    check_rule(rule)


@pytest.mark.parametrize("cell", ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"])
def test_a_card_is_known_by_its_check_digit(cell: str) -> None:
    assert is_card(cell)
    assert not is_card(cell[:-1] + str((int(cell[-1]) + 1) % 10))


@pytest.mark.parametrize("cell", ["GB82 WEST 1234 5698 7654 32", "fr1420041010050500013m02606"])
def test_an_account_is_known_by_its_check_digits(cell: str) -> None:
    assert is_iban(cell)
    assert not is_iban(cell.replace("2", "3", 1))


def test_an_address_has_a_name_and_a_domain() -> None:
    assert is_email(" anna@example.org ")
    assert not any(map(is_email, ["@anna", "anna@home", "a b@example.org", "anna@x.org, ben@x.org"]))

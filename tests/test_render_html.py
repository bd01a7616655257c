"""The report as HTML: complete, alone, and proof against what data may hold."""

from html.parser import HTMLParser
from pathlib import Path

import polars as pl
from conftest import Cli
from hypothesis import given, settings
from hypothesis import strategies as st

import bindoctor
from bindoctor import Report
from bindoctor.render.html import report_html, report_page

NASTY = [
    "<script>alert(1)</script>",
    'a" onmouseover="alert(1)',
    "</style><img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m",
    "&lt;b&gt;",
    "\u202egpj.exe",
]
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "section", "div", "h2", "h3", "p", "b", "i", "span", "code"),
    *("details", "summary", "ul", "li", "pre", "del", "ins", "table", "tr", "th", "td", "br"),
}
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Collects what a browser would see: tags, attributes, text; and whether every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Page:
    page = Page(text)
    assert page.open == []
    assert page.tags <= TAGS
    assert page.attributes <= {"class", "style", "aria-hidden", "lang", "charset", "name", "content"}
    return page


def nasty_report() -> Report:
    rows = 240
    frame = pl.DataFrame(
        {
            NASTY[0]: [1e6 * (k % 17) for k in range(rows)],
            NASTY[1]: list(range(rows)),
            NASTY[2]: [NASTY[k % 6] for k in range(rows)],
            "x": [None if k % 9 == 0 else k % 11 for k in range(rows)],
        }
    )
    return bindoctor.check(frame, pl.Series(NASTY[3], [NASTY[k % 2 + 3] for k in range(rows)]))


def test_names_and_cells_of_the_data_are_text_and_never_markup() -> None:
    report = nasty_report()
    assert len(report.findings) > 4
    html = report_html(report)
    page = read(html)
    for name in NASTY[:2]:
        assert name in page.text
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "\\x1b[31mred" in page.text


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_no_name_and_no_label_breaks_the_page(name: str, label: str) -> None:
    frame = pl.DataFrame({name: range(40)})
    try:
        report = bindoctor.check(frame, [label + "0", label + "1"] * 20)
    except bindoctor.InputError:
        return
    read(report_page(report))


def test_a_treatment_shows_its_verdict_its_scores_and_its_trials(small_loan: Path) -> None:
    result = bindoctor.fix(
        small_loan, target="Personal Loan", recipe={"train.epochs": 5}, select=["BD103", "BD110", "BD411"]
    )
    page = read(result._repr_html_())
    gain = result.treatment.gain
    assert gain is not None
    for said in (
        "verified",
        "240 locked rows",
        f"{gain.shrunken:.4f} (95 % interval {gain.low:.4f} to {gain.high:.4f}",
        f"{result.treatment.after['log-loss']:.4f}",
        "+ features.scale = ",
        "placebo 1",
        "BD103",
        *(trial.title for trial in result.treatment.trials),
    ):
        assert said in " ".join(page.text.split()), said


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    html = report_page(nasty_report())
    read(html)
    for word in ("http:", "https:", "url(", "@import", "<script", "javascript:"):
        assert word not in html
    assert html.startswith("<!doctype html>")
    assert "color-scheme: light dark" in html


def test_what_rules_could_not_say_is_shown() -> None:
    page = read(report_html(nasty_report()))
    assert "did not run" in page.text
    assert "needs history" in page.text


def test_the_command_writes_the_page(cli: Cli, tmp_path: Path, loan: Path) -> None:
    done = cli(
        "check",
        loan,
        "--target",
        "Personal Loan",
        "--output-format",
        "html",
        "--output-file",
        "report.html",
        "--fail-on",
        "never",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "class-imbalance" in read(written).text
    printed = cli("check", loan, "--target", "Personal Loan", "--output-format", "html", "--fail-on", "never")
    assert printed.stdout == written

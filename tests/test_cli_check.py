"""``bindoctor check`` as a user meets it: exit codes, output, and one clear line for bad input."""

import json
import random
from pathlib import Path

import pytest
from conftest import Cli

RANDOM = random.Random(5)
HEALTHY = "x,z,y\n" + "".join(
    f"{RANDOM.gauss(0, 1):.4f},{RANDOM.gauss(0, 1):.4f},{RANDOM.choice(['yes', 'no'])}\n" for _ in range(400)
)


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def codes(report: dict) -> set[str]:  # type: ignore[type-arg]
    return {finding["code"] for finding in report["findings"]}


def symptoms(report: dict) -> set[str]:  # type: ignore[type-arg]
    return {code for finding in report["findings"] for code in (finding["code"], *finding["explains"])}


def test_the_loan_data_shows_its_known_faults(cli: Cli, loan: Path) -> None:
    done = cli("check", loan, "--target", "Personal Loan", "--output-format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert {"BD101", "BD103", "BD110", "BD121"} <= codes(report)
    identifier = next(finding for finding in report["findings"] if finding["code"] == "BD110")
    assert identifier["where"] == {"kind": "column", "name": "ID"}


def test_the_json_has_the_documented_shape(cli: Cli, loan: Path) -> None:
    report = json.loads(cli("check", loan, "--target", "Personal Loan", "--output-format", "json").stdout)
    assert list(report) == ["schema", "tool", "data", "findings", "ignored", "outcomes", "exit_code"]
    assert report["schema"] == 1
    assert set(report["tool"]) == {"name", "version"}
    roles = report["data"].pop("roles")
    assert (roles["ID"], roles["Income"], roles["Personal Loan"]) == ("identifier", "number", "target")
    assert len(roles) == 14
    assert report["data"] == {
        "path": str(loan),
        "rows": 5000,
        "columns": 14,
        "target": "Personal Loan",
        "positive": "1",
        "classes": {"0": 4520, "1": 480},
        "parts": {},
        "remarks": [],
    }
    keys = {"code", "slug", "severity", "confidence", "message", "where", "measured", "rows", "fixes", "explains"}
    for finding in report["findings"]:
        assert set(finding) == keys
        assert set(finding["where"]) == {"kind", "name"}
        assert set(finding["rows"]) == {"count", "first"}
        for fix in finding["fixes"]:
            assert set(fix) == {"title", "aim", "edits"}
    assert len({outcome["code"] for outcome in report["outcomes"]}) == len(report["outcomes"])
    assert {outcome["status"] for outcome in report["outcomes"]} <= {
        "findings",
        "passed",
        "skipped",
        "ignored",
        "error",
    }


def test_data_without_faults_exits_0(cli: Cli, tmp_path: Path) -> None:
    done = cli("check", write(tmp_path, HEALTHY), "--ignore", "BD205")
    assert done.returncode == 0, done.stdout


def test_parts_are_held_against_the_training_rows(cli: Cli, tmp_path: Path) -> None:
    data = write(tmp_path, HEALTHY)
    lines = HEALTHY.splitlines()
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *lines[1:41]]) + "\n")
    done = cli("check", data, "--target", "y", "--test", "test.csv", "--output-format", "json")
    report = json.loads(done.stdout)
    part = report["data"]["parts"]["test"]
    assert (part["path"], part["rows"], sum(part["classes"].values())) == ("test.csv", 40, 40)
    (overlap,) = [finding for finding in report["findings"] if finding["code"] == "BD202"]
    assert overlap["severity"] == "error"
    assert overlap["rows"] == {"count": 40, "first": list(range(40))}
    text = cli("check", data, "--target", "y", "--test", "test.csv").stdout
    assert "test.csv: 40 rows kept apart to test ('" in text
    assert "40 of 40 rows of the test part also stand among the training rows" in text


def test_a_part_may_lack_the_target_but_no_feature(cli: Cli, tmp_path: Path) -> None:
    data = write(tmp_path, HEALTHY)
    table = [line.split(",") for line in HEALTHY.splitlines()]
    at = table[0].index("y")
    (tmp_path / "new.csv").write_text("\n".join(",".join(c for i, c in enumerate(row) if i != at) for row in table))
    done = cli("check", data, "--target", "y", "--valid", "new.csv", "--output-format", "json")
    report = json.loads(done.stdout)
    assert report["data"]["parts"]["valid"]["classes"] == {}
    assert "BD202" in codes(report)
    (tmp_path / "bare.csv").write_text("y\n" + "\n".join(row[at] for row in table[1:]) + "\n")
    done = cli("check", data, "--target", "y", "--valid", "bare.csv")
    assert done.returncode == 2
    assert "lacks the column" in done.stderr


def test_a_guessed_target_is_said(cli: Cli, tmp_path: Path) -> None:
    assert "BD903" in cli("check", write(tmp_path, HEALTHY)).stdout


def test_fail_on_decides_the_exit_code(cli: Cli, loan: Path) -> None:
    assert cli("check", loan, "--target", "Personal Loan", "--fail-on", "never").returncode == 0
    assert cli("check", loan, "--target", "Personal Loan", "--fail-on", "error", "--select", "BD103").returncode == 0


def test_rules_are_selected_by_prefix_slug_and_list(cli: Cli, loan: Path) -> None:
    def asked(*options: str) -> set[str]:
        report = json.loads(cli("check", loan, "--target", "Personal Loan", "--output-format", "json", *options).stdout)
        return {outcome["code"] for outcome in report["outcomes"]}

    assert asked("--select", "BD101,identifier-column") == {"BD101", "BD110"}
    assert asked("--select", "BD30", "--ignore", "BD301") == {f"BD30{n}" for n in (2, 3, 4, 5, 6, 7, 8)}
    assert asked("--select", "BD101", "--extend-select", "BD201") == {"BD101", "BD201"}


def test_the_report_goes_to_a_file_when_asked(cli: Cli, loan: Path, tmp_path: Path) -> None:
    done = cli("check", loan, "--target", "Personal Loan", "--output-format", "json", "--output-file", "report.json")
    assert done.stdout == ""
    assert json.loads((tmp_path / "report.json").read_text())["exit_code"] == done.returncode == 1


def test_settings_in_the_folder_need_no_argument(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, HEALTHY)
    write(
        tmp_path,
        '[data]\npath = "data.csv"\ntarget = "y"\n\n[check.ignore]\nBD205 = "only a toy"\n',
        "bindoctor.toml",
    )
    report = json.loads(cli("check", "--output-format", "json").stdout)
    ignored = [outcome for outcome in report["outcomes"] if outcome["status"] == "ignored"]
    assert [(outcome["code"], outcome["why"]) for outcome in ignored] == [("BD205", "only a toy")]


def test_a_cell_cannot_steer_the_terminal(cli: Cli, tmp_path: Path) -> None:
    evil = "na\x1b[31mme"
    rows = "".join(f"1,{i % 7},{'ab'[i % 2]}\n" for i in range(100))
    done = cli("check", write(tmp_path, f"{evil},b,y\n{rows}"))
    assert "BD109" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_history_and_predictions_from_elsewhere_are_linted(cli: Cli, tmp_path: Path) -> None:
    data = write(tmp_path, HEALTHY)
    flat = "epoch,loss,val_loss\n" + "".join(f"{epoch},0.6931,0.6931\n" for epoch in range(1, 31))
    answers = "y_true,y_prob\n" + "".join(f"{'yes' if i % 2 else 'no'},0.4\n" for i in range(200))
    report = json.loads(
        cli(
            *("check", data, "--target", "y", "--output-format", "json"),
            *("--run", write(tmp_path, flat, "log.csv"), "--predictions", write(tmp_path, answers, "p.csv")),
        ).stdout
    )
    assert {"BD405", "BD602"} <= codes(report)
    assert "BD604" in symptoms(report)


BAD = {
    "no such file": ("nowhere.csv", None, (), "nowhere.csv"),
    "an empty file": ("data.csv", "", (), "empty"),
    "a header and nothing else": ("data.csv", "a,b,y\n", (), "data.csv"),
    "a target that is not there": ("data.csv", HEALTHY, ("--target", "yy"), "'y'"),
    "a target with one class": ("data.csv", "x,y\n1,a\n2,a\n3,a\n", ("--target", "y"), "in every row"),
    "a target that is all missing": ("data.csv", "x,y\n1,\n2,\n3,\n", ("--target", "y"), "missing"),
    "a rule that does not exist": ("data.csv", HEALTHY, ("--select", "BD999"), "--select"),
    "a ragged line": ("data.csv", "x,y\n1,a\n2,b,c\n3,a\n", ("--target", "y"), "data.csv:3"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_gets_one_clear_line(cli: Cli, tmp_path: Path, case: str) -> None:
    name, text, options, says = BAD[case]
    if text is not None:
        write(tmp_path, text, name)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = cli("check", name, *options)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("[recipe.model]\nhiden = [3]\n", "recipe.model.hiden"),
        ('[recipe.train]\nepochs = "many"\n', "recipe.train.epochs"),
        ("[recipe\n", "not valid TOML"),
    ],
)
def test_bad_settings_are_named(cli: Cli, tmp_path: Path, settings: str, says: str) -> None:
    write(tmp_path, HEALTHY)
    write(tmp_path, settings, "bindoctor.toml")
    done = cli("check", "data.csv")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mixed_column_is_no_crash(cli: Cli, tmp_path: Path) -> None:
    rows = "".join(f"{'oops' if i % 9 == 0 else i},{'ab'[i % 2]}\n" for i in range(90))
    done = cli("check", write(tmp_path, "x,y\n" + rows), "--target", "y")
    assert done.returncode in (0, 1)


def test_without_data_or_settings_the_user_learns_what_to_do(cli: Cli) -> None:
    done = cli("check")
    assert done.returncode == 2
    assert "bindoctor init" in done.stderr


def test_init_writes_what_it_guessed_and_never_overwrites(cli: Cli, loan: Path, tmp_path: Path) -> None:
    (tmp_path / "loan.csv").write_bytes(loan.read_bytes())
    done = cli("init", "loan.csv", "--target", "Personal Loan")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "bindoctor.toml").read_text()
    assert 'target = "Personal Loan"' in text
    assert "name the row: ID" in text
    assert cli("check", "--fail-on", "never").returncode == 0
    again = cli("init", "loan.csv")
    assert again.returncode == 2
    assert (tmp_path / "bindoctor.toml").read_text() == text


def test_a_rules_page_shows_its_examples_executed(cli: Cli) -> None:
    page = cli("rule", "BD101").stdout
    assert "class-imbalance" in page
    assert "is 3.0% of 1000 rows" in page
    assert cli("rule", "class-imbalance").stdout == page
    assert cli("rule", "BD000").returncode == 2


def test_rules_lists_every_rule(cli: Cli) -> None:
    listed = cli("rules").stdout
    assert "BD101" in listed
    assert "no-better-than-constant" in listed


def test_train_lets_the_rules_on_runs_and_predictions_speak(cli: Cli, tmp_path: Path) -> None:
    done = cli("check", write(tmp_path, HEALTHY), "--target", "y", "--train", "--output-format", "json")
    report = json.loads(done.stdout)
    skipped = {outcome["why"] for outcome in report["outcomes"] if outcome["status"] == "skipped"}
    assert skipped == {
        "needs parts: give --valid FILE or --test FILE",
        "needs model: give a training loop to bindoctor.watch",
    }
    assert "BD604" in symptoms(report)
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_a_training_that_collapses_is_a_finding_and_is_said(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, HEALTHY)
    write(tmp_path, '[data]\npath = "data.csv"\n[recipe.optimizer]\nlearning-rate = 1e9\n', "bindoctor.toml")
    done = cli("check", "--train", "--output-format", "json")
    assert "of 5 trainings collapsed" in done.stderr
    assert "BD604" in symptoms(json.loads(done.stdout))


def test_a_report_that_cannot_be_written_is_said(cli: Cli, tmp_path: Path) -> None:
    data = write(tmp_path, HEALTHY)
    done = cli("check", data, "--output-file", data / "report.txt")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "data.csv" in done.stderr


def test_a_recipe_that_names_no_loss_gets_the_one_for_its_classes(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "x,y\n" + "".join(f"{RANDOM.gauss(i % 3, 1):.4f},{'abc'[i % 3]}\n" for i in range(300)))
    write(tmp_path, '[data]\npath = "data.csv"\ntarget = "y"\n[recipe.train]\nepochs = 3\n', "bindoctor.toml")
    done = cli("check", "--train", "--fail-on", "never")
    assert done.returncode == 0, done.stderr
    write(tmp_path, '[data]\npath = "data.csv"\ntarget = "y"\n[recipe.loss]\nkind = "bce"\n', "bindoctor.toml")
    done = cli("check", "--train")
    assert done.returncode == 2
    assert "cross-entropy" in done.stderr


def test_a_report_never_goes_over_what_it_is_about(cli: Cli, tmp_path: Path) -> None:
    data = write(tmp_path, HEALTHY)
    done = cli("check", data, "--output-file", "data.csv")
    assert done.returncode == 2
    assert data.read_text() == HEALTHY


def test_settings_about_another_file_are_not_rewritten(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, HEALTHY, "other.csv")
    text = '[data]\npath = "data.csv"\ntarget = "y"\n'
    settings = write(tmp_path, text, "bindoctor.toml")
    done = cli("fix", "other.csv", "--target", "y", "--apply")
    assert done.returncode == 2
    assert "is about data.csv" in done.stderr
    assert settings.read_text() == text


def test_an_error_cannot_steer_the_terminal(cli: Cli, tmp_path: Path) -> None:
    done = cli("check", write(tmp_path, "\x1b]0;pwned\x07A,B\n" + "".join(f"{i},{i}\n" for i in range(50))))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_a_rule_that_trains_beside_predictions_can_be_asked_alone(cli: Cli, tmp_path: Path) -> None:
    data = write(tmp_path, HEALTHY)
    answers = "y_true,y_prob\n" + "".join(f"{'yes' if i % 2 else 'no'},0.{3 + i % 3}\n" for i in range(200))
    done = cli("check", data, "--target", "y", "--predictions", write(tmp_path, answers, "p.csv"), "--select", "BD605")
    assert done.returncode in (0, 1), done.stderr

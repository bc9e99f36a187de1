"""``tierstream fit`` as a user runs it, on CDNOW and on Complete Journey."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from deploy.demo import complete_journey
from services.scorer.core.models.parameters import Model
from tests.histories import cdnow

SECONDS_MAX = 120.0
PURCHASES = 20_000  # of CDNOW's 69,659: the first third of its customers
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Said:
    """How the command ended. ``words`` is what it wrote, with line breaks as blanks."""

    code: int
    words: str


def fit(*arguments: object, folder: Path) -> Said:
    """Run the command; a traceback is never an answer."""
    environment = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP"}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "fit", *map(str, arguments)],
        cwd=folder,
        env={**environment, "COLUMNS": "400", "NO_COLOR": "1", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, " ".join((done.stdout + done.stderr).split()))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a file with a part of CDNOW."""
    path = tmp_path_factory.mktemp("fit") / "cdnow.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in islice(cdnow.events(), PURCHASES))
    yield path
    path.unlink()


def test_a_fit_with_a_hold_out_reports_draws_and_gives_a_policys_section(
    history: Path, tmp_path: Path
) -> None:
    """Everything that is asked for is written, and they agree with each other."""
    said = fit(
        *("--events", history, "--model", "bg_nbd", "--unit", "week", "--until", "1997-09-30"),
        *("--json", "fit.json", "--picture", "fit.png", "--policy-section", "model.yaml"),
        folder=tmp_path,
    )

    assert said.code == 0, said.words
    assert "usable for warnings" in said.words
    report = json.loads((tmp_path / "fit.json").read_text())
    assert (report["model"], report["unit"], report["until"]) == ("bg_nbd", "week", "1997-09-30")
    assert report["customers"] > 6_000
    assert 2_000 < report["repeat_customers"] < report["customers"]
    assert set(report["parameters"]) == set(report["standard_errors"]) == {"r", "alpha", "a", "b"}
    assert 0.2 < report["parameters"]["r"] < 0.3
    assert report["log_likelihood"] < 0
    assert (report["degenerate"], report["reason"], report["usable_for_warnings"]) == (False, None, True)
    assert report["spend"]["p"] == pytest.approx(6.25, rel=0.2)
    assert sum(bucket["customers"] for bucket in report["calibration"]) == report["customers"]
    assert report["held_out_days"] == 273
    assert (tmp_path / "fit.png").read_bytes().startswith(PNG)
    section = YAML(typ="safe").load((tmp_path / "model.yaml").read_text())
    model = msgspec.convert(section["model"], Model)
    assert model.purchases.alpha == report["parameters"]["alpha"]
    assert model.spend is not None
    assert model.spend.gamma_minor == pytest.approx(report["spend"]["gamma"] * 100)


def test_without_an_end_everything_is_fitted(history: Path, tmp_path: Path) -> None:
    """The default is MBG/NBD in days up to the last purchase; nothing is held out then."""
    said = fit("--events", history, "--json", "fit.json", folder=tmp_path)

    assert said.code == 0, said.words
    report = json.loads((tmp_path / "fit.json").read_text())
    assert (report["model"], report["unit"], report["until"]) == ("mbg_nbd", "day", None)
    assert (report["calibration"], report["held_out_days"]) == ([], 0)
    assert report["calibrated_through"] == "1998-06-30"


def test_a_degenerate_fit_is_said_in_words_and_refused_for_warnings(tmp_path: Path) -> None:
    """Complete Journey: hardly a household drops out, so P(alive) tells nothing; that is no failure."""
    complete_journey.write(tmp_path / "journey.jsonl")
    said = fit(
        *("--events", "journey.jsonl", "--time-zone", "America/New_York"),
        *("--json", "fit.json", "--policy-section", "model.yaml"),
        folder=tmp_path,
    )

    assert said.code == 0, said.words
    assert "P(alive) stays at 1 for everybody" in said.words
    assert "judge by recency (the silence rules) and by P(no purchase) instead" in said.words
    report = json.loads((tmp_path / "fit.json").read_text())
    assert report["customers"] == 2_469
    assert report["dropout_share"] < 0.005
    assert (report["degenerate"], report["usable_for_warnings"]) == (True, False)
    section = YAML(typ="safe").load((tmp_path / "model.yaml").read_text())
    assert msgspec.convert(section["model"], Model).purchases.degenerate  # the scorer sees it by itself


def test_a_fit_without_a_peak_gives_no_policys_section(tmp_path: Path) -> None:
    """Five customers determine nothing: said, reported, and nothing to put into a policy."""
    with (tmp_path / "few.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in islice(cdnow.events(), 12))
    said = fit(
        "--events", "few.jsonl", "--json", "fit.json", "--policy-section", "model.yaml", folder=tmp_path
    )

    assert said.code == 0, said.words
    assert "too few customers" in said.words
    assert "no spend model, so no predicted value: " in said.words
    assert "no policy section was written" in said.words
    assert not (tmp_path / "model.yaml").exists()
    assert json.loads((tmp_path / "fit.json").read_text())["usable_for_warnings"] is False


def test_lines_that_are_no_events_are_left_out_and_named(tmp_path: Path) -> None:
    """As a backtest does: the fit goes on without them."""
    with (tmp_path / "few.jsonl").open("w", encoding="utf-8") as file:
        file.write("no event\n")
        file.writelines(json.dumps(event) + "\n" for event in islice(cdnow.events(), 12))
    said = fit("--events", "few.jsonl", "--json", "fit.json", folder=tmp_path)

    assert said.code == 0, said.words
    assert "lines that are no events were left out: 1" in said.words
    assert "few.jsonl:1: NOT_JSON: " in said.words
    assert json.loads((tmp_path / "fit.json").read_text())["bad_lines"]["by_reason"] == {"NOT_JSON": 1}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to fit: give --events, or --kafka-bootstrap"),
        (["--events", "HISTORY", "--until", "1996-12-31"], "nobody had bought anything yet by --until"),
        (["--events", "HISTORY", "--until", "soon"], "--until 'soon' is no time: give 2026-01-31"),
        (["--events", "HISTORY", "--picture", "p.png"], "--picture shows what was held out: give --until"),
        (["--events", "HISTORY", "--currency", "GBP"], "no purchases in GBP, only in USD: give --currency"),
        (["--events", "HISTORY", "--json", "nowhere/fit.json"], "there is no folder"),
        (["--events", "nobody.jsonl"], "does not exist"),
        (["--events", "HISTORY", "--policy", "nobody.yaml"], "give a file that is there"),
        (["--events", "HISTORY", "--currency", "EURO"], "'EURO' is not an ISO 4217 code in use"),
        (["--events", "HISTORY", "--model", "pareto"], "'pareto' is not one of"),
    ],
)
def test_what_can_not_be_done_is_said_with_a_remedy(
    history: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    """One line, no traceback, 2 as for every misuse, and nothing written."""
    named = [str(history) if argument == "HISTORY" else argument for argument in arguments]
    said = fit("--json", "fit.json", *named, folder=tmp_path)

    assert said.code == 2
    assert says in said.words
    assert not list(tmp_path.iterdir())

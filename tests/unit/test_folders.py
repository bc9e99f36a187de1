"""A folder that can't be written to is refused in words, before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import session as session_module
from deploy.local.errors import StartError
from deploy.local.folders import make_writable
from deploy.local.session import Options, session
from services.scorer.core.policy import Policy


def test_it_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    """For us alone, and nothing is left in it."""
    folder = tmp_path / "out" / "logs"
    for _ in range(2):
        make_writable(folder, what="logs", remedy="x")
        assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_file_in_its_place_is_named_with_the_remedy(tmp_path: Path) -> None:
    """Root is refused here too."""
    (tmp_path / "out").write_text("")
    with pytest.raises(
        StartError, match=r"logs can't be written to .*out/logs: Not a directory; go elsewhere"
    ):
        make_writable(tmp_path / "out" / "logs", what="logs", remedy="go elsewhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """It exists, so only writing shows it."""
    tmp_path.chmod(0o500)
    with pytest.raises(StartError, match="Permission denied"):
        make_writable(tmp_path, what="logs", remedy="x")


def test_nothing_starts_when_the_logs_have_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``tierstream local`` in such a folder says at once what to do."""
    (tmp_path / "out").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session_module, "local_stack", None)  # calling it would raise TypeError

    with (
        pytest.raises(StartError, match="or name one with --data-dir, which takes the logs too"),
        session(Options(Policy.default()), Console(quiet=True), replays=False),
    ):
        pass

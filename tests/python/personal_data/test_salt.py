"""The salt is made once, whoever comes first, and is for its owner alone."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.personal_data.salt import read_salt


def test_two_first_runs_get_one_salt_and_an_open_one_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TENURE_HASH_SALT", raising=False)
    settings = Settings(tmp_path)
    code = (
        "import sys; from pathlib import Path; from scripts.personal_data.salt import read_salt; "
        "from scripts.core.settings import Settings; print(read_salt(Settings(Path(sys.argv[1]))))"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    salts = {run.communicate()[0].strip() for run in runs}
    assert salts == {settings.salt_file.read_text().strip()}
    assert [path.name for path in tmp_path.iterdir()] == [".salt"]
    settings.salt_file.chmod(0o644)
    read_salt(settings)
    assert stat.S_IMODE(settings.salt_file.stat().st_mode) == 0o600
    assert "could be read by others" in caplog.text

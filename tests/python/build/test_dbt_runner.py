"""dbt is run as it should be, and what it finds is told in words; on a project of two models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from scripts.build.dbt_runner import (
    BuildFailedError,
    build,
    build_command,
    dbt_arguments,
    dbt_environment,
    start_dbt,
    withheld_predictions,
)
from scripts.core.errors import CheckFailedError, ConfigurationError, LockedError, MachineError
from scripts.core.settings import PROJECT_ROOT, Settings

PROJECT = """
name: tenure
version: "1.0"
profile: tenure
model-paths: [models]
vars: {as_of_date: null}
on-run-start: ["select 1"]
"""
# `orders` passes, and its unit test would fail: a night that ran it would not end well.
MODELS = {
    "orders.sql": "select 1 as order_id, '{{ var('as_of_date') }}' as as_of",
    "customers.sql": "select order_id as customer_id from {{ ref('orders') }}",
    "models.yml": """
models:
  - name: orders
    columns:
      - name: order_id
        data_tests: [unique, not_null]
unit_tests:
  - name: fails_always
    model: orders
    given: []
    expect: {rows: [{order_id: 2}]}
""",
}

# A view would not notice.
BROKEN = "{{ config(materialized='table') }} select cast('x' as integer) as customer_id"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project of two models and a warehouse in which something was landed."""
    settings = Settings(warehouse=tmp_path / "warehouse", project_root=tmp_path / "project")
    write_project(settings)
    settings.warehouse.mkdir()
    duckdb.connect(str(settings.build_database)).close()
    return settings


def write_project(settings: Settings, **models: str) -> None:
    """Write the project; `models` are the contents of further models or other ones, by name."""
    folder = settings.project_root / "models"
    folder.mkdir(parents=True, exist_ok=True)
    (settings.project_root / "dbt_project.yml").write_text(PROJECT)
    (settings.project_root / "profiles.yml").write_text((PROJECT_ROOT / "profiles.yml").read_text())
    for name, content in MODELS.items():
        (folder / name).write_text(content)
    for name, content in models.items():
        (folder / f"{name}.sql").write_text(content)


def query(settings: Settings, sql: str) -> list[tuple]:
    with duckdb.connect(str(settings.build_database)) as connection:
        return connection.execute(sql).fetchall()


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_arguments_name_every_path(tmp_path: Path) -> None:
    settings = Settings(warehouse=tmp_path / "w", project_root=tmp_path / "p")
    arguments = dbt_arguments(settings, "build", as_of=None)
    assert option(arguments, "--project-dir") == option(arguments, "--profiles-dir") == str(tmp_path / "p")
    assert option(arguments, "--target-path") == str(tmp_path / "w" / "dbt" / "target")
    assert option(arguments, "--log-path") == str(tmp_path / "w" / "dbt" / "logs")
    assert option(arguments, "--exclude-resource-type") == "unit_test"
    assert "--no-send-anonymous-usage-stats" in arguments
    assert "--vars" not in arguments
    assert "--full-refresh" not in arguments


def test_arguments_pass_on_what_was_asked_for(tmp_path: Path) -> None:
    settings = Settings(warehouse=tmp_path)
    arguments = dbt_arguments(settings, "build", as_of=date(2011, 6, 30), full_refresh=True, select="a")
    assert option(arguments, "--vars") == '{"as_of_date": "2011-06-30"}'
    assert option(arguments, "--select") == "a"
    assert "--full-refresh" in arguments
    # dbt reads the project anew when it is told other vars.
    assert option(dbt_arguments(settings, "parse", as_of=date(2011, 6, 30)), "--vars") == option(
        arguments, "--vars"
    )


def test_environment_holds_no_secret(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin",
        "TENURE_WAREHOUSE": "elsewhere",
        "TENURE_HASH_SALT": "salt",
        "SHOP_POSTGRES_URL": "postgresql://reader:secret@db.example/shop",
        "HTTPS_PROXY": "http://me:secret@proxy.example:3128",
        "HOMEPAGE": "https://example.com/a:b@c",
    }
    environment = dbt_environment(Settings(warehouse=tmp_path), given)
    assert environment["TENURE_WAREHOUSE"] == str(tmp_path)
    assert environment["PATH"] == "/bin"
    assert environment["HOMEPAGE"] == "https://example.com/a:b@c"
    assert not {"TENURE_HASH_SALT", "SHOP_POSTGRES_URL", "HTTPS_PROXY"} & set(environment)


def test_withheld_predictions_are_told_with_their_reasons(settings: Settings) -> None:
    assert withheld_predictions(settings.build_database) == ()
    query(
        settings,
        """
        create schema marts;
        create table marts.fct_clv_models as
        select * from (values
            ('bg_nbd', 'none', 'all', 'all', true, null, null, null),
            ('sbg', 'year', 'all', 'all', false, 'too few', false, 'too few'),
            ('sbg', 'month', 'all', 'all', true, null, false, 'failed the value gate'),
            ('sbg', 'week', 'all', 'all', true, null, true, null),
            ('gamma_gamma', 'none', 'country', 'VN', false, 'failed the gate', false, 'failed the gate'),
            ('bg_nbd', 'none', 'all', 'all', null, null, null, null)
        ) as t (
            model, billing_interval, segment_type, segment_value, is_published, withheld_reason,
            is_value_published, value_withheld_reason
        )
        """,
    )
    assert withheld_predictions(settings.build_database) == (
        "gamma_gamma for country VN: failed the gate",
        "sbg for contracts by the year: too few",
        "sbg, money for contracts by the month: failed the value gate",
    )


def test_other_macros_start_incremental_models_over(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """dbt does not tell a model of the macros it calls: without a full refresh old rows would stay."""
    write_project(
        settings,
        customers="{{ config(materialized='incremental') }} select {{ wage() }} as customer_id "
        "{% if is_incremental() %} where false {% endif %}",
    )
    query(
        settings,
        """
        create schema intermediate;
        create table intermediate.incremental_state as
            select 'customers' as model_name, 1 as batch_id, null::date as as_of_date, 'code' as fingerprint
        """,
    )
    macro = settings.project_root / "macros/wage.sql"
    macro.parent.mkdir()
    for wage, starts_over in ((1, True), (1, False), (2, True)):
        macro.write_text(f"{{% macro wage() %}} {wage} {{% endmacro %}}")
        caplog.clear()
        with caplog.at_level("INFO"):
            result = build(settings)
        assert result.computed_anew == (("customers",) if starts_over else ())
        assert ("everything is computed anew" in caplog.text) is starts_over
        assert query(settings, "select customer_id from main.customers") == [(wage,)]


def test_build_runs_models_and_data_tests(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_HASH_SALT", "pepper-and-salt")
    monkeypatch.chdir("/")
    result = build(settings, date(2011, 6, 30))
    assert result.nodes == {"model": 2, "test": 2}
    assert result.warnings == ()
    # Opens for writing: dbt's lock on the file has ended with it.
    assert query(settings, "select as_of from main.orders") == [("2011-06-30",)]
    assert sorted(path.name for path in settings.project_root.iterdir()) == [
        "dbt_project.yml",
        "models",
        "profiles.yml",
    ]
    for log in result.log_file.parent.iterdir():
        assert "pepper-and-salt" not in log.read_text()


def test_failures_are_named_with_their_rows_and_sql(settings: Settings) -> None:
    write_project(
        settings,
        orders="select 1 as order_id union all select 1 union all select null",
        customers=BROKEN,
    )
    with pytest.raises(BuildFailedError) as told:
        build(settings)
    assert told.value.result.nodes == {"model": 2, "test": 2}
    assert len(told.value.result.failures) == 3
    message = str(told.value)
    assert "3 dbt models or tests failed" in message
    assert "model customers: Runtime Error" in message
    assert "Could not convert string 'x' to INT32" in message
    assert "test unique_orders_order_id: 1 row where none should be" in message
    assert "test not_null_orders_order_id: 1 row where none should be" in message
    compiled = next(line.strip() for line in message.splitlines() if "unique_orders_order_id.sql" in line)
    assert "having count(*) > 1" in Path(compiled).read_text()


def test_warnings_do_not_stop_a_build(settings: Settings) -> None:
    yml = MODELS["models.yml"].replace(
        "[unique, not_null]", "[{accepted_values: {arguments: {values: [7]}, config: {severity: warn}}}]"
    )
    (settings.project_root / "models" / "models.yml").write_text(yml)
    result = build(settings)
    assert len(result.warnings) == 1
    assert "accepted_values_orders_order_id__7: 1 row where none should be" in result.warnings[0]


def test_project_that_dbt_refuses(settings: Settings) -> None:
    write_project(settings, customers=BROKEN)
    with pytest.raises(CheckFailedError):
        build(settings)
    write_project(settings, customers="select * from {{ ref('no_such_model') }}")
    with pytest.raises(ConfigurationError) as told:
        build(settings)
    assert "no_such_model" in str(told.value)
    assert "Could not convert" not in str(told.value)


def test_file_in_use_is_told_as_a_lock(settings: Settings) -> None:
    hold = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(settings.build_database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        with pytest.raises(LockedError, match=rf"PID {client.pid}"):
            build(settings)
        client.communicate()


def test_nothing_landed(settings: Settings) -> None:
    settings.build_database.unlink()
    with pytest.raises(ConfigurationError, match="python -m scripts land"):
        build(settings)
    assert not settings.build_database.exists()


def test_one_dbt_runs_several_commands_and_gives_the_file_back_between_them(settings: Settings) -> None:
    with start_dbt(settings, date(2011, 6, 30)) as dbt:
        for select in (None, "customers", "orders"):
            result = build(settings, date(2011, 6, 30), select=select, dbt=dbt)
            assert result.nodes["model"] == (2 if select is None else 1)
            # Opens for writing, in another process than dbt's.
            query(settings, "create or replace table main.between as select 1 as n")
        write_project(settings, customers=BROKEN)
    with start_dbt(settings) as dbt:
        for _ in range(2):
            with pytest.raises(BuildFailedError, match="Could not convert string"):
                build(settings, dbt=dbt)
            query(settings, "create or replace table main.between as select 1 as n")
    assert not is_running(dbt.pid)


def test_killed_dbt_is_told_as_such(settings: Settings) -> None:
    with start_dbt(settings) as dbt:
        os.kill(dbt.pid, signal.SIGKILL)
        with pytest.raises(MachineError, match="stopped by signal 9"):
            build(settings, dbt=dbt)


def test_dbt_ends_with_the_run_that_started_it(settings: Settings) -> None:
    """Killed alone, a night leaves no dbt behind that waits for commands and holds the lock."""
    program = """
import sys, time
from pathlib import Path
from scripts.build.dbt_runner import start_dbt
from scripts.core.settings import Settings
dbt = start_dbt(Settings(warehouse=Path(sys.argv[1]), project_root=Path(sys.argv[2])))
print(dbt.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(settings.warehouse), str(settings.project_root)],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        run.kill()
        run.communicate()
    while is_running(pid):
        os.sched_yield()


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended; what nobody waits for stays as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_interrupted_build_stops_dbt(settings: Settings) -> None:
    # A query that takes hours and no memory, after a model: once that is reported, dbt is in the other.
    write_project(
        settings,
        customers="{{ config(materialized='table') }} select sum(sin(a.range)) as n, "
        "'{{ ref('orders') }}' as after from range(1000000000000000) as a",
    )
    program = """
import sys
from pathlib import Path
from scripts import cli
from scripts.core.settings import Settings
settings = Settings(warehouse=Path(sys.argv[1]), project_root=Path(sys.argv[2]))
Settings.from_environment = classmethod(lambda cls: settings)
sys.argv = ["scripts", "build"]
cli.main()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(settings.warehouse), str(settings.project_root)],
        cwd=PROJECT_ROOT,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if "build: 3 of 4 done" in line:
                break
        run.send_signal(signal.SIGTERM)
        run.communicate()
    assert run.returncode == 143
    # Only possible when dbt is gone.
    assert query(settings, "select order_id from main.orders") == [(1,)]


def test_command_line_refuses_a_date_that_is_none() -> None:
    outcome = CliRunner().invoke(build_command, ["--as-of", "2011-02-30"])
    assert outcome.exit_code == 2
    assert "2011-02-30" in outcome.output


def test_command_line_says_what_was_built(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "from_environment", classmethod(lambda cls: settings))
    outcome = CliRunner().invoke(build_command, ["--full-refresh"])
    assert outcome.exit_code == 0, outcome.output
    assert "2 models, 2 tests" in outcome.stdout
    assert [line.split("build: ")[1] for line in outcome.stderr.splitlines()] == [
        f"{done} of 4 done" for done in range(1, 5)
    ]

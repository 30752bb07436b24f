"""The command line. Each command lives in the module that does its work, imported only when it is named."""

from __future__ import annotations

import signal
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from scripts.core.errors import (
    EXIT_DEFECT,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    MachineError,
    TenureError,
)

COMMANDS = {
    "nightly": "scripts.nightly",
    "land": "scripts.landing.land",
    "build": "scripts.build.dbt_runner",
    "validate": "scripts.validation.validate",
    "publish": "scripts.publication.publications",
    "rollback": "scripts.publication.publications",
    "report": "scripts.publication.report",
    "forget": "scripts.forget.forget",
    "demo-data": "scripts.demo.demo_data",
    "new-source": "scripts.starter.new_source",
    "doctor": "scripts.doctor",
    "benchmark": "scripts.benchmark.command",
}


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for: `--help` of one does not load dbt for all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(COMMANDS[cmd_name])
        return getattr(module, cmd_name.replace("-", "_") + "_command")


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
def cli() -> None:
    """Tenure: land, build, validate and publish a customer-loyalty warehouse.

    \b
    Exit codes: 0 published or done · 1 a check found something, nothing published · 2 usage or configuration
    3 input that can't be landed · 4 another run holds the lock · 5 a defect of ours
    6 the machine gave out: disk full, no memory
    130 interrupted (Ctrl-C) · 143 terminated (SIGTERM)
    """


def _terminate(number: int, frame: FrameType | None) -> None:
    """Unwind as after Ctrl-C: dbt is stopped, the lock given back, the record of the run written."""
    sys.exit(EXIT_TERMINATED)


def _tell(error: TenureError) -> NoReturn:
    """Say it and end with its code, even if the log it goes to lies on the disk that is full."""
    with suppress(OSError):
        click.echo(f"Error: {error}", err=True)
    sys.exit(error.exit_code)


def _machine_error(error: Exception) -> MachineError | None:
    # Imported here: it brings DuckDB, which `--help` should not wait for.
    from scripts.core.resource_errors import machine_error
    from scripts.core.settings import Settings

    return machine_error(Settings.from_environment(), error)


def main() -> None:
    """Run the command line; errors for people become one message on stderr and their exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except click.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except TenureError as error:
        _tell(error)
    except Exception as error:
        told = _machine_error(error)
        if told is not None:
            _tell(told)
        traceback.print_exc()
        click.echo(
            "\nThis is a defect of Tenure, not of your data: please report it with the lines above.", err=True
        )
        sys.exit(EXIT_DEFECT)

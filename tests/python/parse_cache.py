"""dbt reads the whole project anew for each warehouse, ten seconds of it: tests share what one has read.

dbt keeps what it has parsed with a hash of the connection, of which only the path of the warehouse differs
here. With that hash exchanged it goes on from there, and compares the project's files itself.
"""

from __future__ import annotations

import hashlib
import os
import pprint
from functools import cache

import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from scripts.build.dbt_runner import dbt_target_path
from scripts.core.databases import memory_limit
from scripts.core.settings import PROJECT_ROOT, Settings

_SHARED = PROJECT_ROOT / "target" / "tests"
_NAME = "partial_parse.msgpack"


def take(settings: Settings) -> None:
    """Give a warehouse what another one has read, if there is any.

    It may have a parse of its own; in the copy of a warehouse that is of the other one, and of no use.
    """
    own = dbt_target_path(settings) / _NAME
    shared = sorted(_SHARED.glob(f"*.{_NAME}"))
    if settings.project_root != PROJECT_ROOT or not shared:
        return
    checksum = _connection_hash(str(settings.warehouse)).encode()
    if own.exists() and checksum in own.read_bytes():
        return
    former = shared[0].name.removesuffix(f".{_NAME}").encode()
    content = shared[0].read_bytes()
    if content.count(former) == 1:
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(content.replace(former, checksum))


def keep(settings: Settings) -> None:
    """Keep what a warehouse has read for those to come; the first one's stays."""
    own = dbt_target_path(settings) / _NAME
    if settings.project_root != PROJECT_ROOT or not own.exists() or any(_SHARED.glob(f"*.{_NAME}")):
        return
    checksum = _connection_hash(str(settings.warehouse))
    if own.read_bytes().count(checksum.encode()) == 1:
        _SHARED.mkdir(parents=True, exist_ok=True)
        part = _SHARED / f"{os.getpid()}.part"
        part.write_bytes(own.read_bytes())
        part.replace(_SHARED / f"{checksum}.{_NAME}")


@cache
def _connection_hash(warehouse: str) -> str:
    """As dbt computes it, see ManifestLoader.build_manifest_state_check."""
    profile = yaml.safe_load((PROJECT_ROOT / "profiles.yml").read_text(encoding="utf-8"))["tenure"]
    output = profile["outputs"][profile["target"]]
    output["path"] = f"{warehouse}/build.duckdb"
    output["settings"] |= {"memory_limit": memory_limit()}
    output["config_options"] |= {"temp_directory": f"{warehouse}/.scratch"}
    output.pop("threads")
    output.pop("type")
    credentials = DuckDBCredentials.from_dict(output)
    return hashlib.sha256(pprint.pformat(sorted(credentials.connection_info())).encode()).hexdigest()

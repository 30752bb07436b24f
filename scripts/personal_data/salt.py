"""The secret that stands between personal data and their hashes."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from contextlib import suppress

from scripts.core.errors import ConfigurationError
from scripts.core.progress import LOGGER
from scripts.core.runs import write_once
from scripts.core.settings import Settings


def read_salt(settings: Settings) -> str:
    """The salt of the e-mail hashes: TENURE_HASH_SALT, else the salt file, which the first run makes.

    The file is for its owner alone; one that others can read is closed again, with a warning. Raises
    ConfigurationError if it is empty or cannot be closed.
    """
    salt = os.environ.get("TENURE_HASH_SALT")
    if salt:
        return salt
    file = settings.salt_file
    if not file.exists():
        # Another first run may be quicker: then its salt holds. On the disk before any hash made with it is.
        with suppress(FileExistsError):
            write_once(file, secrets.token_hex(32) + "\n", mode=0o600)
    status = file.stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        try:
            file.chmod(0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{file} can be read by others, and is not ours to close: {error}. Let its owner say "
                f"`chmod 600 {file}`."
            ) from error
        LOGGER.warning(
            "%s could be read by others (mode %o) and is closed now. Whoever has read it can tell which "
            "hash belongs to an address they know.",
            file,
            stat.S_IMODE(status.st_mode),
        )
    salt = file.read_text(encoding="utf-8").strip()
    if not salt:
        raise ConfigurationError(
            f"{file} is empty: restore it from a backup, or set TENURE_HASH_SALT. "
            "With another salt all hashes change."
        )
    return salt


def hash_address(salt: str, address: str) -> str:
    """What landing stores in the place of an e-mail address (`cleaned_select` in landing/row_rules.py)."""
    return hashlib.sha256((salt + address.strip().lower()).encode()).hexdigest()

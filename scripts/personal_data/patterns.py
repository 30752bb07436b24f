"""What an e-mail address and a telephone number look like, wherever they stand in a text."""

from __future__ import annotations

import re

# An address as a person would recognise it: no spaces, one @, a dot in the domain. Generous, for privacy.
# Both Python and DuckDB (RE2) understand it.
EMAIL_PATTERN = (
    r"""[^\s@<>()\[\],;:|/\\"'][^\s@<>()\[\],;:|/\\]*"""
    r"""@(?:[^\s@<>()\[\],;:|/\\"'=?&!.]+\.)+[^\s@<>()\[\],;:|/\\"'=?&!.0-9]+"""
)
# A telephone number as people write it: with +, 00 or 0 before it, or (415) 555-0132. What stands before it
# is group 1: a letter, a digit, or a mark as in #0123456789 and 1.0123456789 means an order or an amount.
# Dates and numbers with thousands marks do not match. Both Python and DuckDB (RE2, without look-around)
# understand it.
PHONE_PATTERN = (
    r"""(^|[^\w#.+/-])(?:"""
    r"""\+[1-9](?:[ .()/-]{0,2}[0-9]){8,14}"""
    r"""|00[1-9](?:[ -]?[0-9]){8,13}"""
    r"""|0[1-9][0-9]{7,9}"""
    r"""|\(?0[1-9][0-9]{0,3}\)?[ .-][0-9]{3,4}[ .-]?[0-9]{3,4}"""
    r"""|\(?0[1-9][0-9]{1,4}\)?[ /-][0-9]{5,8}"""
    r"""|0[1-9](?:[ .-][0-9]{2}){4}"""
    r"""|(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[0-9]{3}[.-][0-9]{4}"""
    r""")\b"""
)

# A mapping puts it before a telephone number or a name that has to serve as the id of a customer: landing
# keeps the salted hash alone, as of an e-mail address. No plain id has this sign.
PERSONAL_MARK = "personal#"


def without_addresses(text: str) -> str:
    """The text with every e-mail address replaced by `[e-mail]`; every message about data goes through here.

    >>> without_addresses("cannot convert 'ann@example.com' to a number")
    "cannot convert '[e-mail]' to a number"
    """
    return re.sub(EMAIL_PATTERN, "[e-mail]", text) if "@" in text else text

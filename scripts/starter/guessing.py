"""Guess which files are which raw tables and which columns are which, by names and by content.

A file gets a table only if every required column of it is found (or can be derived), and a column is
matched only above a threshold: what is not known is left for a person to say.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

from scripts.contract.raw_tables import TABLES, Column, Kind, Table
from scripts.starter import vocabulary
from scripts.starter.profiling import Numbers, Profile
from scripts.starter.scanning import FileGroup
from scripts.starter.vocabulary import DISTINCTIVE, THRESHOLD, fold, meaning, name_score, word_set

# Values that shops write where there is no customer: WooCommerce gives guests the number 0.
GUESTS = frozenset({"0", "-1", "guest", "gast", "khach le", "invite", "n/a", "-", "none", "null"})
_TRUTHS = word_set("true false t f yes no y n 1 0 ja nein oui non si co khong")
_VALUES = {
    ("orders", "status"): (vocabulary.ORDER_STATUSES, 0.5),
    ("subscriptions", "billing_interval"): (vocabulary.BILLING_INTERVALS, 0.9),
    ("subscriptions", "cancel_type"): (vocabulary.CANCEL_TYPES, 0.9),
}
# Tables whose exports often have no number of their own: what identifies a row then, in the order of trying.
_MAKESHIFT_KEYS = {
    "orders": ("customer_id", "ordered_at"),
    "refunds": ("order_id", "refunded_at"),
    "departures": ("customer_id", "departed_on"),
    "survey_invitations": ("customer_id", "sent_at"),
    "survey_responses": ("customer_id", "responded_at"),
    "support_tickets": ("customer_id", "opened_at"),
    "payment_failures": ("customer_id", "failed_at"),
}
# Tables whose key is what is counted: several rows of one key are summed.
SUMMED = {"usage_events": ("uses", "minutes"), "marketing_spend": ("amount",)}
_CUSTOMER_TABLES = tuple(
    name for name in TABLES if name != "customers" and "customer_id" in TABLES[name].column_names
)
_FK_SHARE = 0.8


@dataclass
class Match:
    """A source column taken for a canonical one; `score` 0 to 1."""

    profile: Profile
    score: float


@dataclass
class Guess:
    """One file group taken for one table.

    `makeshift_key` are the canonical columns that make up a missing key, `None` standing for the row
    number. `lines`: the file has a row per line of an order. `derived`: canonical columns that come from
    others.
    """

    table: Table
    group: FileGroup
    profiles: list[Profile]
    matches: dict[str, Match]
    named: float
    missing: tuple[str, ...] = ()
    precedence: float = 0.0
    # A file of payments that might stand for orders.
    payments: bool = False
    makeshift_key: tuple[str | None, ...] = ()
    derived: tuple[str, ...] = ()
    lines: bool = False
    # customers only: made from the orders, where there is no file of customers.
    from_orders: bool = False
    merged: list[FileGroup] = field(default_factory=list)
    # orders only: where the amount comes from, if not from its own column.
    amount_from: AmountSource | None = None
    discount_is_taken_off: bool | None = None
    discount_is_certain: bool = False
    per_line: frozenset[str] = frozenset()
    cancelled_at: Profile | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def rank(self) -> float:
        """Orders the guesses for one file, and the files for one table."""
        required = sum(
            match.score for name, match in self.matches.items() if self.table.column(name).required
        )
        others = sum(
            match.score for name, match in self.matches.items() if not self.table.column(name).required
        )
        return required + 0.4 * others + 0.5 * len(self.derived) + 1.5 * self.named - 0.7 * len(self.missing)

    @property
    def confidence(self) -> float:
        """0 to 1: the mean of what the required columns' matches score, lowered where a key had to be
        made up.
        """
        scores = [match.score for name, match in self.matches.items() if self.table.column(name).required]
        scores += [0.7] * len(self.derived if self.table.name != "order_items" else ())
        named = 1.0 if self.named else 0.85
        return named * sum(scores) / len(scores) if scores else 0.0

    def profile(self, name: str) -> Profile | None:
        """The source column matched to a canonical one."""
        match = self.matches.get(name)
        return match.profile if match else None


@dataclass(frozen=True)
class AmountSource:
    """A file whose rows add up to an order's amount: quantity × price of its lines, or its payments."""

    group: FileGroup
    order_id: Profile
    amount: Profile
    quantity: Profile | None = None


@dataclass
class Guesses:
    """`tables`: what is known. `incomplete`: files that look like a table but lack a required column of
    it.
    """

    tables: dict[str, Guess]
    incomplete: list[Guess]
    unused: list[FileGroup]


def guess(groups: list[FileGroup], profiles: list[list[Profile]]) -> Guesses:
    """Assign tables to file groups, one group per table unless several are parts of one export."""
    candidates = [_candidates(group, columns) for group, columns in zip(groups, profiles, strict=True)]
    for several in candidates:
        _prefer_orders_to_lines(several)
    chosen = _choose(
        [one for several in candidates for one in several if not one.missing and not one.payments]
    )
    taken = {id(one.group) for one in chosen.values()}
    _orders_with_amounts_elsewhere(chosen, candidates, taken)
    _orders_of_items(chosen, candidates)
    _orders_of_payments(chosen, candidates)
    _split_lines(chosen)
    taken = {id(group) for one in chosen.values() for group in (one.group, *one.merged)}
    _link_customers(chosen)
    _customers_of_orders(chosen)
    for one in chosen.values():
        _look_closer(one)
    incomplete = []
    unused = []
    for group, several in zip(groups, candidates, strict=True):
        if id(group) in taken or any(
            one.amount_from is not None and one.amount_from.group is group for one in chosen.values()
        ):
            continue
        near = [
            one
            for one in several
            if one.missing
            and one.table.name not in chosen
            and one.named == 1.0
            and len(one.missing) < len([c for c in one.table.required_columns if c not in one.derived])
        ]
        if near:
            incomplete.append(max(near, key=lambda one: one.rank))
        else:
            unused.append(group)
    order = list(TABLES)
    tables = dict(sorted(chosen.items(), key=lambda item: order.index(item[0])))
    return Guesses(tables, incomplete, unused)


# -------------------------------------------------------------------------- one file against one table


def _price_is_of_one(guess_: Guess) -> None:
    """`Price` beside `Quantity` is the price of one, as tills write it: the amount is to be multiplied."""
    match = guess_.matches.get("gross_amount")
    if match is None or guess_.table.name != "orders":
        return
    of_one = name_score(match.profile.name, "order_items", "unit_price")
    if of_one < THRESHOLD or of_one < name_score(match.profile.name, "orders", "gross_amount"):
        return
    del guess_.matches["gross_amount"]
    if not line_columns(guess_):
        guess_.matches["gross_amount"] = match


def _candidates(group: FileGroup, profiles: list[Profile]) -> list[Guess]:
    named = vocabulary.tables_named(group.files[0])
    strongest = max(named.values(), default=0.0)
    spoken_of = {name for name, weight in named.items() if weight == strongest}
    folded = {fold(column.name) for column in profiles}
    guesses = []
    for table in TABLES.values():
        if spoken_of and not _may_be(table.name, spoken_of, group):
            continue
        matches = _assign(table, profiles, folded, bool(named.get(table.name)))
        guess_ = Guess(table, group, profiles, matches, named.get(table.name, 0.0))
        guess_.payments = spoken_of == {"other"}
        _price_is_of_one(guess_)
        _derive(guess_)
        if guess_.missing or guess_.named or guess_.payments or _is_distinctive(guess_):
            guesses.append(guess_)
    return sorted(guesses, key=lambda one: -one.rank)


def _may_be(table: str, spoken_of: set[str], group: FileGroup) -> bool:
    """A file that says it is refunds is not orders. Orders and their lines come in one file, though."""
    if table in spoken_of:
        return True
    if spoken_of == {"other"}:
        words = set(fold(group.files[0]).split())
        return table == "orders" and bool(words & {"payments", "charges", "zahlungen", "paiements"})
    return {table} | spoken_of <= {"orders", "order_items"}


def _is_distinctive(guess_: Guess) -> bool:
    """A file whose name says nothing must say by its columns what it is."""
    key = guess_.table.key[0]
    if guess_.table.name == "customers":
        match = guess_.matches.get("customer_id")
        return bool(
            match and match.score >= DISTINCTIVE and match.profile.is_unique and len(guess_.matches) >= 3
        )
    if guess_.makeshift_key:
        return False
    if guess_.table.name in SUMMED or guess_.table.name == "exchange_rates":
        return (
            all(match.score >= DISTINCTIVE for match in guess_.matches.values()) and len(guess_.matches) >= 3
        )
    match = guess_.matches.get(key)
    return bool(match and match.score >= DISTINCTIVE)


def _assign(table: Table, profiles: list[Profile], folded: set[str], is_named: bool) -> dict[str, Match]:
    """The best one-to-one matches, greedily by score; of equals the required column and the left-most
    file column win.
    """
    scored = []
    for place, column in enumerate(table.columns):
        if column.is_composed:
            continue
        for position, profile in enumerate(profiles):
            score = _score(table, column, profile, profiles, folded, is_named)
            if score >= THRESHOLD:
                scored.append((-score, not column.required, position, place, column, profile))
    matches: dict[str, Match] = {}
    used: set[str] = set()
    for score, _, _, _, column, profile in sorted(scored, key=lambda item: item[:4]):
        if column.name not in matches and profile.name not in used:
            matches[column.name] = Match(profile, min(-score, 1.0))
            used.add(profile.name)
    return matches


def _score(
    table: Table, column: Column, profile: Profile, profiles: list[Profile], folded: set[str], is_named: bool
) -> float:
    if not profile.filled or not fits(table, column, profile):
        return 0.0
    score = name_score(profile.name, table.name, column.name)
    for needed, known_table, names in vocabulary.KNOWN_EXPORTS:
        if known_table == table.name and needed <= folded and names.get(column.name) == fold(profile.name):
            score = 1.0
    if column.name == "customer_id" and table.name == "customers" and profile.is_email:
        score = 0.0
    if profile.is_person and column.name.endswith("_id"):
        score = min(score, 0.62)
    if column.is_email and not score:
        score = 0.9
    if column.is_currency and not score and not column.required and len(profile.counts) <= 20:
        score = 0.8
    if (
        not score
        and is_named
        and column.name == "ordered_at"
        and sum(p.dates is not None for p in profiles) == 1
    ):
        score = 0.65
    if column.required and profile.filled_share < 0.98:
        # Shopify's `Id` stands on the first line of an order only, and a required column may not be empty.
        score *= 0.7 if profile.filled_share > 0.5 else 0.5
    # Of two dates with equal names the one that is filled more often; of two keys the unique one.
    if table.key == (column.name,) and profile.is_unique:
        score += 0.005
    return score - 0.02 * (1 - profile.filled_share) if score else 0.0


def fits(table: Table, column: Column, profile: Profile) -> bool:
    """Whether the values can be the column's."""
    values = _VALUES.get((table.name, column.name))
    if values:
        words, share = values
        known = sum(count for value, count in profile.counts.items() if meaning(value, words))
        return len(profile.counts) <= 40 and known / profile.filled >= share
    if column.is_email:
        return profile.is_email
    if column.is_currency:
        return profile.is_currency
    if column.kind in (Kind.TIMESTAMP, Kind.DATE):
        return profile.dates is not None
    if column.kind is Kind.BOOLEAN:
        return {fold(value) for value in profile.counts} <= _TRUTHS
    if column.kind in (Kind.DECIMAL, Kind.RATE, Kind.INTEGER):
        return _fits_number(column, profile)
    if column.name.endswith("_id"):
        return _fits_identifier(profile)
    if profile.dates is not None or profile.is_email:
        return False
    if column.name == "country":
        return profile.numbers is None and len(profile.counts) <= 300
    if column.name in ("acquisition_channel", "channel", "feature", "survey", "plan", "priority"):
        return len(profile.counts) <= max(20, 0.5 * profile.rows) and (
            profile.numbers is None or column.name == "priority"
        )
    return True


def _fits_number(column: Column, profile: Profile) -> bool:
    numbers = profile.numbers
    if numbers is None or (profile.dates is not None and profile.is_text) or profile.is_phone:
        return False
    if column.kind is Kind.INTEGER and not numbers.whole:
        return False
    if column.maximum is not None and column.minimum is not None:
        inside = sum(
            count
            for value, count in profile.counts.items()
            if (number := number_of(value, numbers)) is not None
            and column.minimum <= number <= column.maximum
        )
        return inside / profile.filled >= 0.9
    return True


def _fits_identifier(profile: Profile) -> bool:
    if profile.dates is not None or profile.is_currency:
        return False
    if profile.numbers is not None and not profile.numbers.whole:
        return False
    longest = max(len(value) for value in profile.counts)
    return longest <= 200 and not (
        {fold(value) for value in profile.counts} <= _TRUTHS and profile.filled > 10
    )


def _derive(guess_: Guess) -> None:
    """Fill what can be made from other columns, and note what is then still missing."""
    table, matches = guess_.table, guess_.matches
    derived = []
    if table.name == "order_items":
        line = matches.get("line_number")
        if line and not _is_key(guess_, ("order_id", "line_number")):
            del matches["line_number"]
        if "line_number" not in matches:
            derived.append("line_number")
        if "product_id" not in matches and "product_name" in matches:
            derived.append("product_id")
    if table.name == "orders" and "gross_amount" not in matches and line_columns(guess_):
        derived.append("gross_amount")
    key = table.key[0]
    parts = _MAKESHIFT_KEYS.get(table.name, ())
    makes_sense = guess_.named == 1.0 and all(part in matches for part in parts)
    if key not in matches and parts and makes_sense:
        guess_.makeshift_key = parts if _is_key(guess_, parts) else (*parts, None)
        derived.append(key)
        if "gross_amount" in derived:
            # Lines without a number of their order cannot be put together.
            derived.remove("gross_amount")
    guess_.derived = tuple(derived)
    guess_.missing = tuple(
        name for name in table.required_columns if name not in matches and name not in derived
    )


def _is_key(guess_: Guess, names: tuple[str, ...]) -> bool:
    columns = [
        guess_.group.values[guess_.matches[name].profile.name] for name in names if name in guess_.matches
    ]
    rows = [row for row in zip(*columns, strict=True) if None not in row]
    return len(columns) == len(names) and len(set(rows)) == len(rows)


def line_columns(guess_: Guess) -> tuple[Match, Match] | None:
    """Quantity and price per piece in a file that may hold orders."""
    items = TABLES["order_items"]
    folded = {fold(column.name) for column in guess_.profiles}
    free = [
        p for p in guess_.profiles if p.name not in {match.profile.name for match in guess_.matches.values()}
    ]
    matches = _assign(items, free, folded, is_named=False)
    if "quantity" in matches and "unit_price" in matches:
        return matches["quantity"], matches["unit_price"]
    return None


# ----------------------------------------------------------------------------------- all files at once


def _prefer_orders_to_lines(several: list[Guess]) -> None:
    """A file with orders and their lines is taken for orders: the items come along."""
    complete = {one.table.name: one for one in several if not one.missing}
    orders, items = complete.get("orders"), complete.get("order_items")
    if orders and items and not items.named and not orders.makeshift_key:
        orders.precedence = max(0.0, items.rank - orders.rank + 0.01)


def _choose(complete: list[Guess]) -> dict[str, Guess]:
    """Files to tables, the surest first."""
    chosen: dict[str, Guess] = {}
    taken: set[int] = set()
    for guess_ in sorted(complete, key=lambda one: -(one.rank + one.precedence)):
        table = guess_.table.name
        if id(guess_.group) in taken:
            continue
        if table not in chosen:
            chosen[table] = guess_
            taken.add(id(guess_.group))
        elif _continues(chosen[table], guess_):
            chosen[table].merged.append(guess_.group)
            taken.add(id(guess_.group))
    return chosen


def _continues(first: Guess, other: Guess) -> bool:
    """Two parts of one export (by shop, by region): the same columns, other keys."""
    a, b = first.group.layout, other.group.layout
    if replace(a, types=()) != replace(b, types=()) or first.makeshift_key or other.named < first.named:
        return False
    key = first.profile(first.table.key[0])
    if key is None:
        return False
    ours, theirs = set(first.group.values[key.name]), set(other.group.values[key.name])
    return len(ours & theirs) <= 0.05 * min(len(ours), len(theirs))


def _orders_with_amounts_elsewhere(
    chosen: dict[str, Guess], candidates: list[list[Guess]], taken: set[int]
) -> None:
    """Orders without an amount, whose lines or payments lie in another file."""
    if "orders" in chosen:
        return
    orders = [
        one
        for several in candidates
        for one in several
        if one.table.name == "orders"
        and one.missing == ("gross_amount",)
        and one.named == 1.0
        and id(one.group) not in taken
    ]
    for one in sorted(orders, key=lambda one: -one.rank):
        order_id = one.profile("order_id")
        if order_id is None:
            continue
        ids = set(order_id.counts)
        items = chosen.get("order_items")
        source = None
        if items and _overlap(items.matches["order_id"].profile, ids) >= _FK_SHARE:
            source = AmountSource(
                items.group,
                items.matches["order_id"].profile,
                items.matches["unit_price"].profile,
                items.matches["quantity"].profile,
            )
        else:
            source = _payments(candidates, ids, taken | {id(one.group)})
        if source:
            one.amount_from = source
            one.missing = ()
            one.derived = (*one.derived, "gross_amount")
            chosen["orders"] = one
            return


def _payments(candidates: list[list[Guess]], ids: set[str], taken: set[int]) -> AmountSource | None:
    for several in candidates:
        for one in several:
            words = set(fold(one.group.files[0]).split())
            if id(one.group) in taken or not words & {"payments", "payment", "zahlungen", "paiements"}:
                continue
            for profile in one.profiles:
                amount = one.profile("gross_amount")
                is_order = name_score(profile.name, "order_items", "order_id") >= THRESHOLD
                if (
                    amount
                    and is_order
                    and profile.name != amount.name
                    and _overlap(profile, ids) >= _FK_SHARE
                ):
                    return AmountSource(one.group, profile, amount)
    return None


def _overlap(profile: Profile, ids: set[str]) -> float:
    """The share of a column's different values that are among the ids."""
    return sum(value in ids for value in profile.counts) / max(len(profile.counts), 1)


def _orders_of_items(chosen: dict[str, Guess], candidates: list[list[Guess]]) -> None:
    """No file of orders, but the lines tell of them: number, date and amounts."""
    items = chosen.get("order_items")
    if items is None or "orders" in chosen:
        return
    for one in itertools.chain.from_iterable(candidates):
        if (
            one.group is items.group
            and one.table.name == "orders"
            and not one.missing
            and not one.makeshift_key
        ):
            chosen["orders"] = one


def _split_lines(chosen: dict[str, Guess]) -> None:
    """An orders file with a row per line gives order items too."""
    orders = chosen.get("orders")
    if orders is None or orders.makeshift_key:
        return
    order_id = orders.profile("order_id")
    if order_id is None:
        return
    # A few repeated numbers are mistakes for landing to refuse, not lines.
    repeated = order_id.filled - len(order_id.counts)
    orders.lines = repeated > 0.02 * order_id.filled and orders.amount_from is None
    if orders.amount_from is not None:
        return
    folded = {fold(column.name) for column in orders.profiles}
    used = {
        match.profile.name
        for name, match in orders.matches.items()
        if name in ("order_id", "gross_amount", "ordered_at")
    }
    free = [p for p in orders.profiles if p.name not in used]
    matches = _assign(TABLES["order_items"], free, folded, is_named=False)
    matches["order_id"] = orders.matches["order_id"]
    items = Guess(
        TABLES["order_items"], orders.group, orders.profiles, matches, named=0.0, merged=orders.merged
    )
    _derive(items)
    if items.missing:
        if "gross_amount" in orders.derived:
            orders.lines = True
        return
    if repeated or "gross_amount" in orders.derived:
        orders.lines = True
        if "order_items" not in chosen:
            items.lines = True
            chosen["order_items"] = items


def _orders_of_payments(chosen: dict[str, Guess], candidates: list[list[Guess]]) -> None:
    """Where nothing else tells of orders, payments do; but not those of a subscription business."""
    payments = [one for several in candidates for one in several if one.payments and not one.missing]
    if payments and not {"orders", "subscriptions"} & set(chosen):
        best = max(payments, key=lambda one: one.rank)
        best.remarks.append("payments are taken for orders: right only if each order is paid once")
        chosen["orders"] = best


def _link_customers(chosen: dict[str, Guess]) -> None:
    """Make the tables speak of the same customers: by the customers file's key, else by e-mail address."""
    customers = chosen.get("customers")
    if customers is None:
        return
    key = customers.matches["customer_id"].profile
    ids = _comparable(key.counts)
    linked = 0
    lost = []
    for name in _CUSTOMER_TABLES:
        guess_ = chosen.get(name)
        if guess_ is None:
            continue
        current = guess_.profile("customer_id")
        if current and _shared(current, ids) >= 0.2:
            linked += 1
            continue
        better = _reference(guess_, ids)
        if better:
            guess_.matches["customer_id"] = Match(better, 0.85)
            _free(guess_, better)
            linked += 1
        else:
            lost.append(guess_)
    if not lost:
        return
    email = next((p for p in customers.profiles if p.is_email and len(p.counts) >= 0.95 * p.filled), None)
    if email is not None and not linked:
        addresses = _comparable(email.counts)
        for guess_ in lost:
            reference = next(
                (p for p in guess_.profiles if p.is_email and _shared(p, addresses) >= 0.5), None
            )
            if reference:
                guess_.matches["customer_id"] = Match(reference, 0.85)
                _free(guess_, reference)
                customers.matches["customer_id"] = Match(email, 0.85)
                linked += 1
    for guess_ in lost:
        profile = guess_.profile("customer_id")
        key = customers.matches["customer_id"].profile
        if profile and _shared(profile, _comparable(key.counts)) < 0.2:
            guess_.remarks.append(
                f"few of its customers are in {customers.group.label}: is customer_id the right column?"
            )


def _customers_of_orders(chosen: dict[str, Guess]) -> None:
    """Where there is no file of customers, take country and channel from the orders."""
    orders = chosen.get("orders")
    reference = orders.matches.get("customer_id") if orders else None
    if orders is None or reference is None or "customers" in chosen:
        return
    used = {match.profile.name for match in orders.matches.values()}
    free = [profile for profile in orders.profiles if profile.name not in used]
    folded = {fold(profile.name) for profile in orders.profiles}
    found = _assign(TABLES["customers"], free, folded, is_named=False)
    matches = {name: found[name] for name in ("country", "acquisition_channel") if name in found}
    if matches:
        matches["customer_id"] = reference
        guess_ = Guess(
            TABLES["customers"], orders.group, orders.profiles, matches, orders.named, merged=orders.merged
        )
        guess_.from_orders = True
        chosen["customers"] = guess_


def _free(guess_: Guess, profile: Profile) -> None:
    for name in [n for n, match in guess_.matches.items() if match.profile is profile and n != "customer_id"]:
        if not guess_.table.column(name).required:
            del guess_.matches[name]


def _comparable(values: Iterable[str]) -> set[str]:
    return {re.sub(r"\.0$", "", value.strip().lower()) for value in values}


def _shared(profile: Profile, ids: set[str]) -> float:
    ours = _comparable(profile.counts) - GUESTS
    return len(ours & ids) / max(len(ours), 1)


def _reference(guess_: Guess, ids: set[str]) -> Profile | None:
    """A column whose values are customers' keys. Small whole numbers are everywhere: those need a
    telling name.
    """
    required = {
        m.profile.name
        for n, m in guess_.matches.items()
        if guess_.table.column(n).required and n != "customer_id"
    }
    for profile in guess_.profiles:
        if profile.name in required or len(profile.counts) < 5 or not _fits_identifier(profile):
            continue
        small = all(re.fullmatch(r"\d{1,4}", value) for value in profile.counts)
        if _shared(profile, ids) >= _FK_SHARE and not (
            small and not set(fold(profile.name).split()) & {"id", "nr", "no"}
        ):
            return profile
    return None


# --------------------------------------------------------------------------------------- a closer look


def _look_closer(guess_: Guess) -> None:
    if guess_.table.name == "orders":
        guess_.cancelled_at = next(
            (
                p
                for p in guess_.profiles
                if p.dates is not None
                and fold(p.name) in ("cancelled at", "canceled at", "date cancelled", "cancelled on")
            ),
            None,
        )
        _look_at_amounts(guess_)


def _look_at_amounts(orders: Guess) -> None:
    """Decide whether amounts stand on each line or once per order, and whether a discount is already
    taken off.
    """
    amount, discount = orders.profile("gross_amount"), orders.profile("discount_amount")
    numbers = _order_numbers(orders)
    per_line = set()
    if orders.lines:
        for name in ("gross_amount", "discount_amount", "cost_amount"):
            profile = orders.profile(name)
            if profile and _is_per_line(orders, profile, numbers.get("lines")):
                per_line.add(name)
    orders.per_line = frozenset(per_line)
    if amount is None or discount is None:
        return
    words = set(fold(amount.name).split())
    orders.discount_is_taken_off = bool(
        words & {"total", "paid", "grand", "net", "netto", "ttc", "gesamtbetrag"}
    ) and not words & {
        "gross",
        "brutto",
        "subtotal",
        "items",
    }
    if "lines" in numbers and not per_line:
        certain = _discount_taken_off(orders, numbers["lines"], amount, discount)
        if certain is not None:
            orders.discount_is_taken_off = certain
            orders.discount_is_certain = True


def _order_numbers(orders: Guess) -> dict[str, dict[str, list[Decimal]]]:
    """The amounts of the lines of each order of the sample, where the file has lines."""
    found = line_columns(orders)
    order_id = orders.profile("order_id")
    if not found or order_id is None:
        return {}
    quantity, price = found
    lines: dict[str, list[Decimal]] = defaultdict(list)
    values = orders.group.values
    for key, pieces, each in zip(
        values[order_id.name], values[quantity.profile.name], values[price.profile.name], strict=True
    ):
        a, b = number_of(pieces, quantity.profile.numbers), number_of(each, price.profile.numbers)
        if key is not None and a is not None and b is not None:
            lines[key].append(a * b)
    return {"lines": lines}


def _per_order(orders: Guess, profile: Profile) -> dict[str, list[Decimal]]:
    order_id = orders.profile("order_id")
    result: dict[str, list[Decimal]] = defaultdict(list)
    if order_id is None:
        return result
    for key, value in zip(orders.group.values[order_id.name], orders.group.values[profile.name], strict=True):
        number = number_of(value, profile.numbers)
        if key is not None and number is not None:
            result[key].append(number)
    return result


def _is_per_line(orders: Guess, profile: Profile, lines: dict[str, list[Decimal]] | None) -> bool:
    several = {key: amounts for key, amounts in _per_order(orders, profile).items() if len(amounts) > 1}
    if not several:
        return False
    if lines:
        own = [sorted(amounts) == sorted(lines.get(key, [])) for key, amounts in several.items()]
        if sum(own) > 0.9 * len(own):
            return True
    same = sum(len(set(amounts)) == 1 for amounts in several.values())
    return same < 0.9 * len(several)


def _discount_taken_off(
    orders: Guess, lines: dict[str, list[Decimal]], amount: Profile, discount: Profile
) -> bool | None:
    """Hold totals against the lines of discounted orders; None where neither reading explains four of
    five.
    """
    totals, discounts = _per_order(orders, amount), _per_order(orders, discount)
    extras = [
        _per_order(orders, profile)
        for profile in orders.profiles
        if profile.numbers is not None
        and set(fold(profile.name).split())
        & {"shipping", "taxes", "tax", "vat", "freight", "versand", "mwst", "tva", "livraison"}
        and profile.name not in {match.profile.name for match in orders.matches.values()}
    ][:4]
    shares: Counter[bool] = Counter()
    seen = 0
    for key, several in totals.items():
        off = abs(discounts.get(key, [Decimal(0)])[0])
        if not off or key not in lines:
            continue
        seen += 1
        total = sum(lines[key], Decimal(0))
        sums = [
            sum((extra[key][0] for extra in some if key in extra), Decimal(0))
            for size in range(len(extras) + 1)
            for some in itertools.combinations(extras, size)
        ]
        for taken_off in (True, False):
            expected = total - off if taken_off else total
            if any(abs(several[0] - expected - extra) <= Decimal("0.02") for extra in sums):
                shares[taken_off] += 1
    if seen < 2:
        return None
    best, count = shares.most_common(1)[0] if shares else (None, 0)
    other = shares[not best] if best is not None else 0
    return best if count >= 0.8 * seen and other < 0.5 * seen else None


def number_of(value: str | None, numbers: Numbers | None) -> Decimal | None:
    """The number a text stands for in its column's writing; None if none."""
    if value is None or numbers is None:
        return None
    bare = value.strip()
    for mark in numbers.marks:
        bare = bare.replace(mark, "")
    for mark in numbers.thousands:
        bare = bare.replace(mark, "")
    try:
        number = Decimal(bare.strip().replace(numbers.decimal, "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None

"""What could change a number and is not decided by the files: asked, and landing waits for the answer."""

from __future__ import annotations

from collections.abc import Iterable

from scripts.core.sql import identifier
from scripts.starter.guessing import Guess, Guesses, line_columns
from scripts.starter.profiling import Profile
from scripts.starter.vocabulary import ORDER_STATUSES, THRESHOLD, fold, meaning, name_score, word_set

# Tables whose rows are money, and the words of columns that are money, or part of it.
_TABLES_OF_MONEY = ("orders", "refunds", "subscriptions")
_MONEY = word_set(
    "shipping freight delivery tax taxes vat gst duty duties tip tips fee fees refund refunded discount "
    "discounts coupon subtotal total amount price paid balance outstanding gift credit net gross versand "
    "mwst steuer rabatt gesamt betrag trinkgeld livraison tva remise montant frais impot envio impuesto "
    "descuento"
)
_MONEY_PHRASES = (
    "phi van chuyen",
    "phi ship",
    "phi giao hang",
    "thue",
    "giam gia",
    "chiet khau",
    "tong tien",
    "tong cong",
    "thanh tien",
    "hoan tien",
    "khach can tra",
    "khach da tra",
    "tien tip",
)
_NO_MONEY = word_set(
    "id no nr number code key zip postal postcode plz phone tel fax sku ean barcode index row line count "
    "items item qty quantity pieces units weight age year month day week hour rating score stars points "
    "version size width height days ip device menge anzahl sl so luong ma"
)
_STATUS = word_set(
    "status state financial fulfillment trial trialing test testmode livemode voided void deleted cancelled "
    "canceled statut etat estado bestellstatus zahlungsstatus storniert annule"
)
_STATUS_PHRASES = ("trang thai", "tinh trang", "da huy")
_PIECES = word_set("quantity qty seats seat units licenses users menge anzahl quantite cantidad")
_PIECES_PHRASES = ("so luong", "so ghe")
# What the CHOOSE lines of these things ask changes a number; other looks lead to rows that are refused.
_DECISIVE = (
    "before or after discount",
    "taken for",
    " → ",
    "day or month",
    "names of people",
    "several currencies",
)
_MOST_STATES = 20


def questions_of(guess: Guess, looks: Iterable[str], guesses: Guesses) -> list[str]:
    """The questions that a guessed table leaves open."""
    questions = [f"{look}: see CHOOSE below" for look in looks if any(part in look for part in _DECISIVE)]
    if guess.table.name in _TABLES_OF_MONEY:
        for profile in _unused(guess, guesses):
            question = _question(guess, profile)
            if question:
                questions.append(question)
    questions += _identity(guess)
    return questions


def _unused(guess: Guess, guesses: Guesses) -> list[Profile]:
    """The filled columns of its files that no table uses."""
    used: set[str] = set()
    for other in guesses.tables.values():
        if other.group is guess.group:
            used |= {match.profile.name for match in other.matches.values()}
            if other.cancelled_at is not None:
                used.add(other.cancelled_at.name)
            if "gross_amount" in other.derived and (found := line_columns(other)):
                used |= {match.profile.name for match in found}
    return [profile for profile in guess.profiles if profile.filled and profile.name not in used]


def _question(guess: Guess, profile: Profile) -> str | None:
    name, shown = identifier(profile.name), ", ".join(profile.samples(3))
    amount = "amount" if guess.table.name in ("refunds", "subscriptions") else "gross_amount"
    is_number = profile.numbers is not None and profile.dates is None
    has_values = any(value.strip("0.,- ") for value in profile.counts)
    # A number whose name says nothing may be money too.
    says_what = bool(_NO_MONEY & set(fold(profile.name).split())) or profile.is_phone or profile.is_unique
    is_money = _speaks_of(profile, _MONEY, _MONEY_PHRASES) or not says_what
    if is_number and has_values and is_money:
        return f"{name} (for example {shown}) is not used: is it in {amount}, and should it be?"
    of_pieces = guess.table.name == "subscriptions" and _speaks_of(profile, _PIECES, _PIECES_PHRASES)
    if is_number and of_pieces:
        return f"{name} (for example {shown}) is not used: is amount the price of one, or of all?"
    alone = next(iter(profile.counts)) if len(profile.counts) == 1 else None
    is_certain = alone is not None and meaning(alone, ORDER_STATUSES) == "completed"
    has_states = len(profile.counts) <= _MOST_STATES and not is_certain
    is_state = has_states or (profile.dates is not None and "trial" in fold(profile.name))
    if is_state and not profile.is_personal and _speaks_of(profile, _STATUS, _STATUS_PHRASES):
        return f"{name} (for example {shown}) is not used: does each of its values bring money?"
    return None


def _speaks_of(profile: Profile, words: frozenset[str], phrases: Iterable[str]) -> bool:
    folded = fold(profile.name)
    return bool(words & set(folded.split())) or any(phrase in folded for phrase in phrases)


def _identity(guess: Guess) -> list[str]:
    """Whether the id of a customer is one: of an order there is another on each row."""
    match = guess.matches.get("customer_id")
    if match is None and guess.table.name == "orders":
        return [
            "Which column says who ordered? None is recognised, and without one every order is a guest's."
        ]
    if match is None or guess.table.name not in ("orders", "subscriptions") or guess.lines:
        return []
    profile = match.profile
    if profile.filled < 20 or len(profile.counts) < 0.98 * profile.filled:
        return []
    others = [
        identifier(other.name)
        for other in guess.profiles
        if other is not profile
        and other.filled
        and len(other.counts) < 0.98 * other.filled
        and (other.is_email or name_score(other.name, guess.table.name, "customer_id") >= THRESHOLD)
    ]
    rather = f" {' or '.join(others)} repeats: is it that?" if others else ""
    return [
        f"customer_id is {identifier(profile.name)}, another on nearly every row: is it the customer's, or "
        f"the {guess.table.name.removesuffix('s')}'s?{rather}"
    ]

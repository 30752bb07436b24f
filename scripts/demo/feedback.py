"""What customers say: survey invitations and responses, cancellation comments, support tickets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.demo.parameters import (
    COUNTRIES,
    DAY_SECONDS,
    REASONS,
    Parameters,
    seconds_of_day,
)
from scripts.demo.people import People
from scripts.demo.shop import COMPLETED, Shop
from scripts.demo.subscriptions import VOLUNTARY, Subscriptions
from scripts.demo.texts import (
    ENGLISH,
    THEME_NAMES,
    VIETNAMESE,
    VIETNAMESE_PLAIN,
    cancel_sentences,
    theme_sentences,
)

RELATIONSHIP, POST_PURCHASE = range(2)
SURVEYS = ("relationship", "post_purchase")
PRIORITIES = ("low", "normal", "high", "urgent")
NO_SCORE = -1
NO_TEXT = -1
_FAR = np.iinfo(np.int64).max // 2


@dataclass(frozen=True)
class Feedback:
    """Comments are indexes into `sentences`, -1 for none; `cancel_texts`: one per subscription row."""

    sentences: list[str]
    cancel_texts: np.ndarray
    invitations: dict[str, np.ndarray]
    responses: dict[str, np.ndarray]
    tickets: dict[str, np.ndarray]


def _languages(random: np.random.Generator, people: People, customer: np.ndarray) -> np.ndarray:
    """Most Vietnamese write Vietnamese, one in five of those without diacritics; everybody else English."""
    is_vietnamese = (customer >= 0) & (people.country[np.maximum(customer, 0)] == COUNTRIES.index("VN"))
    u = random.random(customer.size)
    return np.where(is_vietnamese & (u < 0.9), np.where(u < 0.72, VIETNAMESE, VIETNAMESE_PLAIN), ENGLISH)


def _departures(people: People, subscriptions: Subscriptions) -> tuple[np.ndarray, np.ndarray]:
    """Per customer the day of the last voluntary notice (_FAR for none) and how bad it felt before."""
    spells = subscriptions.spells
    weight = np.full(len(REASONS), 0.6)
    for reason, value in (
        ("poor_service", 1.8),
        ("competitor", 1.2),
        ("missing_feature", 1.2),
        ("price", 0.9),
    ):
        weight[REASONS.index(reason)] = value
    for reason in ("business_closed", "moved"):
        weight[REASONS.index(reason)] = 0.0
    notice = np.full(people.signed_up.size, _FAR)
    damage = np.zeros(people.signed_up.size)
    leaving = np.flatnonzero(spells["cancel_type"] == VOLUNTARY)
    customer = spells["customer"][leaving]
    notice[customer] = spells["requested"][leaving]
    damage[customer] = weight[spells["true_reason"][leaving]]
    return notice, damage


def make_feedback(
    parameters: Parameters, people: People, shop: Shop, subscriptions: Subscriptions
) -> Feedback:
    """Draw invitations, responses and tickets."""
    random = parameters.random("feedback")
    last_day = parameters.last_day
    count = people.signed_up.size
    final = shop.orders["is_final"] & (shop.orders["customer"] >= 0)
    order_customer = shop.orders["customer"][final]
    order_day = shop.orders["seconds"][final] // DAY_SECONDS
    counts = shop.orders["status"][final] == COMPLETED

    # The relationship: from the first purchase or subscription to half a year after the last sign of life.
    begin = np.full(count, _FAR)
    finish = np.full(count, -1)
    np.minimum.at(begin, order_customer, order_day)
    np.maximum.at(finish, order_customer, order_day + 150)
    spells = subscriptions.spells
    np.minimum.at(begin, spells["customer"], spells["started"])
    spell_end = np.where(spells["ended"] >= 0, spells["ended"], last_day)
    np.maximum.at(finish, spells["customer"], spell_end)
    finish = np.minimum(finish, last_day)

    invited: list[np.ndarray] = []
    invited_day: list[np.ndarray] = []
    survey: list[np.ndarray] = []
    for wave in range(12):
        day = begin + 30 + wave * 120 + random.integers(-12, 13, count)
        who = np.flatnonzero(day <= finish)
        invited.append(who)
        invited_day.append(day[who])
        survey.append(np.full(who.size, RELATIONSHIP))
    asked = np.flatnonzero(counts & (random.random(order_day.size) < 0.12))
    asked_day = order_day[asked] + random.integers(3, 7, asked.size)
    in_time = asked_day <= last_day
    invited.append(order_customer[asked][in_time])
    invited_day.append(asked_day[in_time])
    survey.append(np.full(int(in_time.sum()), POST_PURCHASE))
    customer, day = np.concatenate(invited), np.concatenate(invited_day)
    survey_code = np.concatenate(survey)
    order = np.lexsort((customer, day))
    customer, day, survey_code = customer[order], day[order], survey_code[order]
    sent = day * DAY_SECONDS + 9 * 3600 + random.integers(0, 3600, customer.size)
    invitations = {
        "delivered": day,
        "invitation": np.arange(customer.size),
        "customer": customer,
        "survey": survey_code.astype(np.int8),
        "seconds": sent,
    }

    notice, damage = _departures(people, subscriptions)
    sentences, per_group = theme_sentences()
    cancel, _ = cancel_sentences(REASONS)

    # Who answers, when, and how they feel then.
    answers = random.random(customer.size) < np.clip(0.34 + 0.04 * people.satisfaction[customer], 0.1, 0.6)
    customer, survey_code = customer[answers], survey_code[answers]
    seconds = sent[answers] + (random.exponential(1.3, customer.size) * DAY_SECONDS).astype(np.int64) + 60
    in_time = seconds // DAY_SECONDS <= last_day
    customer, survey_code, seconds = customer[in_time], survey_code[in_time], seconds[in_time]
    size = customer.size
    until_notice = notice[customer] - seconds // DAY_SECONDS
    is_leaving = (until_notice >= -30) & (until_notice <= 75)
    experience = (
        people.satisfaction[customer]
        - np.where(is_leaving, damage[customer], 0)
        + np.where(survey_code == POST_PURCHASE, 0.2, 0.0)
    )
    score = np.clip(np.round(7.9 + 1.55 * experience + random.normal(0, 0.9, size)), 0, 10).astype(np.int64)

    has_comment = random.random(size) < np.where((score <= 6) | (score == 10), 0.6, 0.35)
    is_happy = np.where(score >= 9, 1, np.where(score <= 6, 0, random.random(size) < 0.6)).astype(np.int64)
    themes = len(THEME_NAMES)
    shares = np.array([0.18, 0.16, 0.18, 0.17, 0.14, 0.08, 0.09])
    theme = random.choice(themes, size=size, p=shares)
    second_theme = random.choice(themes - 1, size=size)
    has_second = has_comment & (random.random(size) < 0.2) & (second_theme != theme) & (theme < themes - 1)
    language = _languages(random, people, customer)

    def sentence(of_theme: np.ndarray) -> np.ndarray:
        return ((of_theme * 2 + is_happy) * 3 + language) * per_group + random.integers(0, per_group, size)

    text, more_text = sentence(theme), sentence(second_theme)
    order = np.argsort(seconds, kind="stable")
    late = random.random(size) < 0.01
    delivered = np.minimum(seconds // DAY_SECONDS + np.where(late, random.integers(1, 8, size), 0), last_day)
    is_anonymous = random.random(size) < 0.006
    responses = {
        "delivered": delivered[order],
        "response": np.arange(size),
        "customer": np.where(is_anonymous, -1, customer)[order],
        "survey": survey_code[order].astype(np.int8),
        "seconds": seconds[order],
        "score": np.where(random.random(size) < 0.02, NO_SCORE, score)[order],
        "text": np.where(has_comment, text, NO_TEXT)[order],
        "more_text": np.where(has_second, more_text, NO_TEXT)[order],
        "theme": np.where(has_comment, theme, -1)[order],
        "more_theme": np.where(has_second, second_theme, -1)[order],
        "true_customer": customer[order],
    }

    # Comments on leaving come after the themes in the list of sentences.
    rows = subscriptions.rows
    says = (rows["cancel_type"] == VOLUNTARY) & (random.random(rows["customer"].size) < 0.45)
    group = np.maximum(rows["true_reason"], 0).astype(np.int64) * 3 + _languages(
        random, people, rows["customer"]
    )
    cancel_text = len(sentences) + group * 2 + random.integers(0, 2, group.size)

    return Feedback(
        sentences=sentences + cancel,
        cancel_texts=np.where(says, cancel_text, NO_TEXT),
        invitations=invitations,
        responses=responses,
        tickets=_make_tickets(parameters, people, begin, finish, notice, damage),
    )


def _make_tickets(
    parameters: Parameters,
    people: People,
    begin: np.ndarray,
    finish: np.ndarray,
    notice: np.ndarray,
    damage: np.ndarray,
) -> dict[str, np.ndarray]:
    """Tickets over the relationship, more of the discontent, and some before they leave over the service."""
    random = parameters.random("tickets")
    last_day = parameters.last_day
    length = np.where(finish >= begin, finish - begin + 1, 0)
    expected = length / 365 * 0.8 * np.exp(-0.35 * people.satisfaction)
    number = random.poisson(expected)
    customer = np.repeat(np.arange(number.size), number)
    day = begin[customer] + (random.random(customer.size) * length[customer]).astype(np.int64)

    before = np.flatnonzero((damage > 1.5) & (notice <= last_day))
    before = np.repeat(before, 2)
    before_day = np.maximum(notice[before] - random.integers(3, 46, before.size), begin[before])
    customer, day = np.concatenate([customer, before]), np.concatenate([day, before_day])
    is_bad = np.arange(customer.size) >= customer.size - before.size

    order = np.lexsort((customer, day))
    customer, day, is_bad = customer[order], day[order], is_bad[order]
    count = customer.size
    opened = day * DAY_SECONDS + seconds_of_day(random, count)
    hours = random.exponential(np.where(is_bad, 130.0, 30.0), count) + 0.3
    closed = opened + (hours * 3600).astype(np.int64)
    is_closed = (closed // DAY_SECONDS <= last_day) & (random.random(count) < 0.97)
    feeling = (
        3.7 + 0.7 * people.satisfaction[customer] - np.where(is_bad, 2.0, 0.0) + random.normal(0, 0.8, count)
    )
    rates = is_closed & (random.random(count) < 0.4)
    satisfaction = np.where(rates, np.clip(np.round(feeling), 1, 5), 0).astype(np.int64)
    priority = random.choice(len(PRIORITIES), size=count, p=[0.2, 0.55, 0.19, 0.06])

    closed_rows = np.flatnonzero(is_closed)
    rows = np.concatenate([np.arange(count), closed_rows])
    is_second = np.arange(rows.size) >= count
    return {
        "delivered": np.where(is_second, closed[rows], opened[rows]) // DAY_SECONDS,
        "ticket": rows,
        "customer": customer[rows],
        "opened": opened[rows],
        "closed": np.where(is_second, closed[rows], -1),
        "priority": priority[rows].astype(np.int8),
        "satisfaction": np.where(is_second, satisfaction[rows], 0),
        "is_final": is_second | ~is_closed[rows],
    }

-- Stops, naming the code and what is wrong with it: a code with capitals or blanks that nothing can match, codes of one
-- reason that disagree about it, `not_given`, `unknown` or `payment_failed` missing.

with reasons as (
    select * from {{ ref('churn_reasons') }}
),

needed as (
    select 'not_given' as reason_code
    union all
    select 'unknown' as reason_code
    union all
    select 'payment_failed' as reason_code
),

problems as (
    select
        reason_code,
        concat('the code `', reason_code, '`: write it in lower case, without blanks around it.') as problem
    from reasons
    where reason_code <> lower(trim(reason_code))

    union all

    select
        reasons.reason_code,
        concat(
            'the code `', reasons.reason_code, '` disagrees with `', reasons.reason, '` on what the reason is.'
        ) as problem
    from reasons
    inner join reasons as same_reason on reasons.reason = same_reason.reason_code
    where
        reasons.reason <> same_reason.reason
        or reasons.category <> same_reason.category
        or reasons.is_controllable <> same_reason.is_controllable
        or reasons.owning_team <> same_reason.owning_team
        or coalesce(reasons.churn_type, '') <> coalesce(same_reason.churn_type, '')

    union all

    select
        needed.reason_code,
        concat('the code `', needed.reason_code, '` is missing.') as problem
    from needed
    left join reasons on needed.reason_code = reasons.reason_code
    where reasons.reason_code is null
)

select *
from problems
where {{ raise_error("concat(" ~ rule_file('churn_reasons') ~ ", ': ', problem)") }}

-- Grain: one row per currency and published rate, with the days on which it holds: from its date until the
-- next rate, at most exchange_rate_max_age_days longer. The reporting currency itself is always 1.

with rates as (
    select * from {{ ref('stg_exchange_rates') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

followed as (
    select
        rates.currency,
        rates.rate_date,
        rates.rate_to_reporting,
        lead(rates.rate_date) over (partition by rates.currency order by rates.rate_date) as next_rate_date
    from rates
    inner join settings on rates.currency <> settings.reporting_currency
),

final as (
    select
        followed.currency,
        followed.rate_date as valid_from,
        cast(
            least(
                coalesce(followed.next_rate_date, cast('9999-12-31' as date)),
                {{ add_days('followed.rate_date', 'settings.exchange_rate_max_age_days + 1') }}
            ) as date
        ) as valid_until,
        followed.rate_to_reporting
    from followed
    cross join settings

    union all

    select
        settings.reporting_currency as currency,
        cast('0001-01-01' as date) as valid_from,
        cast('9999-12-31' as date) as valid_until,
        cast(1 as decimal(28, 12)) as rate_to_reporting
    from settings
)

select * from final

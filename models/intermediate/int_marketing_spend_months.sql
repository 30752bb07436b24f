-- Grain: one row per month and channel with marketing spend reported in it by as_of_date, in the reporting
-- currency, each day at its own rate. A channel without a row in a month was not reported: whether that means
-- nothing was spent is for the reader to say.

with marketing_spend as (
    select * from {{ ref('stg_marketing_spend') }}
),

exchange_rates as (
    select * from {{ ref('int_exchange_rates') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

converted as (
    select
        marketing_spend.channel,
        {{ month_start('marketing_spend.spent_on') }} as month,
        {{ to_reporting_currency(
            'marketing_spend.amount',
            'exchange_rates.rate_to_reporting',
            'marketing_spend.currency',
            'marketing_spend.spent_on'
        ) }} as amount
    from marketing_spend
    inner join settings on marketing_spend.spent_on <= settings.as_of_date
    {{ join_exchange_rate('marketing_spend', 'spent_on') }}
),

final as (
    select
        month,
        channel,
        cast(sum(amount) as {{ type_money() }}) as marketing_spend
    from converted
    group by month, channel
)

select * from final

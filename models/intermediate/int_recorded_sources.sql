-- Grain: one row: since when the company records use, tickets and failed payments at all, as far as as_of_date; null for
-- what it does not. Before that, no event does not mean that none happened. A late delivery may move such a day: then what
-- is incremental and asks for it is computed anew, by `fingerprint`.

with settings as (
    select * from {{ ref('int_settings') }}
),

feature_months as (
    select * from {{ ref('int_customer_feature_months') }}
),

support_tickets as (
    select * from {{ ref('stg_support_tickets') }}
),

payment_failures as (
    select * from {{ ref('stg_payment_failures') }}
),

bounds as (
    select
        (select min(feature_months.first_used_on) from feature_months) as usage_from,
        (
            select min(support_tickets.opened_on)
            from support_tickets
            inner join settings on support_tickets.opened_on <= settings.as_of_date
        ) as tickets_from,
        (
            select min(payment_failures.failed_on)
            from payment_failures
            inner join settings on payment_failures.failed_on <= settings.as_of_date
        ) as payments_from
),

final as (
    select
        usage_from,
        tickets_from,
        payments_from,
        concat(
            coalesce(cast(usage_from as {{ dbt.type_string() }}), '-'),
            ' ',
            coalesce(cast(tickets_from as {{ dbt.type_string() }}), '-'),
            ' ',
            coalesce(cast(payments_from as {{ dbt.type_string() }}), '-')
        ) as fingerprint
    from bounds
)

select * from final

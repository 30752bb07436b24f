-- Grain: one row per way to us (referred by a customer or not) and acquisition channel, and over all channels: do
-- referred customers buy more, and stay? Judged by everybody's first twelve months, over those whose twelve months
-- are over: channels that are young would look worse. For the advocates see rpt_referrals.

with people as (
    select * from {{ ref('int_customers') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

bills as (
    select * from {{ ref('int_subscription_bills') }}
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

lifetime_values as (
    select * from {{ ref('fct_customer_lifetime_value') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

classified as (
    select
        people.customer_id,
        coalesce(people.acquisition_channel, 'unknown') as acquisition_channel,
        people.is_customer,
        people.first_purchase_on,
        -- The first day after their first year with us.
        {{ add_months('people.first_purchase_on', 12) }} as year_until,
        coalesce(people.referred_by_customer_id <> people.customer_id, false) as is_referred,
        coalesce({{ add_months('people.first_purchase_on', 12) }} <= settings.as_of_date, false) as is_observed
    from people
    cross join settings
),

order_values as (
    select
        classified.customer_id,
        sum(customer_days.net_revenue) as net_revenue
    from classified
    inner join customer_days on classified.customer_id = customer_days.customer_id
    where classified.is_observed and customer_days.activity_on < classified.year_until
    group by classified.customer_id
),

subscription_values as (
    select
        classified.customer_id,
        sum(bills.billed_amount) as subscription_value
    from classified
    inner join bills on classified.customer_id = bills.customer_id
    where classified.is_observed and bills.billed_on < classified.year_until
    group by classified.customer_id
),

retained as (
    select distinct classified.customer_id
    from classified
    inner join spells
        on
            classified.customer_id = spells.customer_id
            and spells.active_from <= classified.year_until
            and {{ open_end('spells.active_until') }} > classified.year_until
    where classified.is_observed
),

measured as (
    select
        classified.is_referred,
        classified.acquisition_channel,
        case when classified.is_customer then 1 else 0 end as customers,
        case when classified.is_observed then 1 else 0 end as observed_customers,
        case when retained.customer_id is not null then 1 else 0 end as retained_customers,
        coalesce(order_values.net_revenue, 0)
        + coalesce(subscription_values.subscription_value, 0) as first_year_value,
        coalesce(lifetime_values.historic_value, 0) as historic_value
    from classified
    left join order_values on classified.customer_id = order_values.customer_id
    left join subscription_values on classified.customer_id = subscription_values.customer_id
    left join retained on classified.customer_id = retained.customer_id
    left join lifetime_values on classified.customer_id = lifetime_values.customer_id
),

segmented as (
    select
        'all' as segment_type,
        'all' as segment_value,
        measured.*
    from measured

    union all

    select
        'acquisition_channel' as segment_type,
        acquisition_channel as segment_value,
        measured.*
    from measured
),

segment_values as (
    select
        'all' as segment_type,
        'all' as segment_value
    union
    select
        segment_type,
        segment_value
    from segmented
),

ways as (
    select true as is_referred
    union all
    select false as is_referred
),

spine as (
    select
        segment_values.segment_type,
        segment_values.segment_value,
        ways.is_referred
    from segment_values
    cross join ways
),

totals as (
    select
        spine.is_referred,
        spine.segment_type,
        spine.segment_value,
        count(segmented.is_referred) as people,
        coalesce(sum(segmented.customers), 0) as customers,
        coalesce(sum(segmented.historic_value), 0) as historic_value,
        coalesce(sum(segmented.observed_customers), 0) as observed_customers,
        coalesce(sum(segmented.retained_customers), 0) as retained_customers,
        coalesce(sum(segmented.first_year_value), 0) as first_year_value
    from spine
    left join segmented
        on
            spine.is_referred = segmented.is_referred
            and spine.segment_type = segmented.segment_type
            and spine.segment_value = segmented.segment_value
    group by spine.is_referred, spine.segment_type, spine.segment_value
),

final as (
    select
        cast(is_referred as boolean) as is_referred,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(people as {{ dbt.type_bigint() }}) as people,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(observed_customers as {{ dbt.type_bigint() }}) as observed_customers,
        cast(retained_customers as {{ dbt.type_bigint() }}) as retained_customers,
        cast(historic_value as {{ type_money() }}) as historic_value,
        cast(first_year_value as {{ type_money() }}) as first_year_value,
        cast(
            {{ ratio('first_year_value', 'observed_customers') }} as {{ type_money() }}
        ) as first_year_value_per_customer,
        {{ ratio('customers', 'people') }} as conversion_rate,
        {{ ratio('retained_customers', 'observed_customers') }} as first_year_retention_rate
    from totals
)

select * from final

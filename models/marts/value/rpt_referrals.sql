-- Grain: one row per advocate, somebody whom the source names as the one who referred another person: whom they
-- brought, and what these brought. Nobody refers themselves. Whether referred customers are better ones see
-- rpt_referral_comparison.

with people as (
    select * from {{ ref('int_customers') }}
),

lifetime_values as (
    select * from {{ ref('fct_customer_lifetime_value') }}
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

responses as (
    select * from {{ ref('fct_nps_responses') }}
    where is_last_of_customer
),

settings as (
    select * from {{ ref('int_settings') }}
),

active_customers as (
    select distinct spells.customer_id
    from spells
    inner join settings
        on
            spells.active_from <= settings.as_of_date
            and {{ open_end('spells.active_until') }} > settings.as_of_date
),

referred as (
    select
        people.referred_by_customer_id as customer_id,
        people.is_customer,
        people.signed_up_on,
        people.first_purchase_on,
        active_customers.customer_id is not null as is_active,
        coalesce(lifetime_values.net_revenue, 0) as net_revenue,
        coalesce(lifetime_values.historic_value, 0) as historic_value
    from people
    left join active_customers on people.customer_id = active_customers.customer_id
    left join lifetime_values on people.customer_id = lifetime_values.customer_id
    where people.referred_by_customer_id <> people.customer_id
),

totals as (
    select
        customer_id,
        count(*) as referred_people,
        sum(case when is_customer then 1 else 0 end) as referred_customers,
        sum(case when is_customer and is_active then 1 else 0 end) as referred_active_customers,
        sum(net_revenue) as referred_net_revenue,
        sum(historic_value) as referred_historic_value,
        min(coalesce(signed_up_on, first_purchase_on)) as first_referred_on,
        max(coalesce(signed_up_on, first_purchase_on)) as last_referred_on
    from referred
    group by customer_id
),

final as (
    select
        cast(totals.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(responses.nps_category as {{ dbt.type_string() }}) as last_nps_category,
        cast(totals.first_referred_on as date) as first_referred_on,
        cast(totals.last_referred_on as date) as last_referred_on,
        cast(totals.referred_people as {{ dbt.type_bigint() }}) as referred_people,
        cast(totals.referred_customers as {{ dbt.type_bigint() }}) as referred_customers,
        cast(totals.referred_active_customers as {{ dbt.type_bigint() }}) as referred_active_customers,
        cast(totals.referred_net_revenue as {{ type_money() }}) as referred_net_revenue,
        cast(totals.referred_historic_value as {{ type_money() }}) as referred_historic_value,
        cast(coalesce(lifetime_values.historic_value, 0) as {{ type_money() }}) as own_historic_value,
        {{ ratio('totals.referred_customers', 'totals.referred_people') }} as conversion_rate,
        {{ ratio('totals.referred_active_customers', 'totals.referred_customers') }} as active_rate,
        cast(people.customer_id is not null as boolean) as is_known
    from totals
    left join people on totals.customer_id = people.customer_id
    left join lifetime_values on totals.customer_id = lifetime_values.customer_id
    left join responses on totals.customer_id = responses.customer_id
)

select * from final

-- Grain: one row per period (month, quarter, year, all) in which a customer brought anything: a fingerprint of what
-- each of them brought, by which int_revenue_deciles tells which periods have to be ranked again. Most never change.

with customer_revenue as (
    select * from {{ ref('int_customer_revenue') }}
),

customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

settings as (
    select * from {{ ref('int_settings') }}
),

months as (
    select
        customer_revenue.month,
        sum(
            {{ row_fingerprint([
                'customer_revenue.customer_id',
                'customers.segment_group',
                'customer_revenue.basis',
                'customer_revenue.purchase_count',
                'customer_revenue.gross_revenue',
                'customer_revenue.net_revenue',
            ]) }}
        ) as fingerprint
    from customer_revenue
    inner join customers on customer_revenue.customer_id = customers.customer_id
    group by customer_revenue.month
),

periods as (
    {%- for period_type in ['month', 'quarter', 'year'] %}
        select
            '{{ period_type }}' as period_type,
            {{ period_start(period_type, 'month') }} as period_start,
            month,
            fingerprint
        from months

        union all
    {%- endfor %}

    select
        'all' as period_type,
        {{ month_start('settings.first_event_on') }} as period_start,
        months.month,
        months.fingerprint
    from months
    cross join settings
),

final as (
    select
        cast(period_type as {{ dbt.type_string() }}) as period_type,
        period_start,
        min(month) as first_month,
        max(month) as last_month,
        cast(sum(fingerprint) as {{ dbt.type_string() }}) as fingerprint
    from periods
    group by period_type, period_start
)

select * from final

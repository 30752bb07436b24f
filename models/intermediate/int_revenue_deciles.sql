{{
    config(
        materialized='incremental',
        incremental_strategy='replace_periods',
        unique_key=['period_type', 'period_start', 'segment_type', 'segment_value', 'decile'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per period (month, quarter, year, all), segment and decile of the customers who bought in it, the best
-- first, deciles without anybody left out. Ranking all customers of each period and segment is what costs here: periods
-- in which nothing has changed since they were ranked are kept. For shares see fct_revenue_concentration.

with customer_revenue as (
    select * from {{ ref('int_customer_revenue') }}
),

periods as (
    select
        *,
        cast(row_number() over (order by period_type, period_start) as integer) as period_number
    from {{ ref('int_revenue_periods') }}
    where {{ only_changed_periods() }}
),

-- Ties at the border of a decile go by customer_id, so that a second run gives the same rows. Numbers sort faster.
customers as (
    select
        customer_id,
        segment_group,
        cast(row_number() over (order by customer_id) as integer) as customer_number
    from {{ ref('int_customers') }}
    where is_customer
),

segment_groups as (
    select
        *,
        cast(dense_rank() over (order by segment_type, segment_value) as integer) as segment_number
    from {{ ref('int_segment_groups') }}
),

revenue as (
    select
        customers.customer_number,
        customers.segment_group,
        customer_revenue.month,
        customer_revenue.purchase_count,
        customer_revenue.gross_revenue,
        customer_revenue.net_revenue
    from customer_revenue
    inner join customers on customer_revenue.customer_id = customers.customer_id
),

all_of_it as (
    select max(period_number) as period_number
    from periods
    where period_type = 'all'
),

period_revenue as (
    {%- for period_type in ['month', 'quarter', 'year'] %}
        select
            periods.period_number,
            revenue.customer_number,
            revenue.segment_group,
            revenue.purchase_count,
            revenue.gross_revenue,
            revenue.net_revenue
        from revenue
        inner join periods on {{ period_start(period_type, 'revenue.month') }} = periods.period_start
        where periods.period_type = '{{ period_type }}'

        union all
    {%- endfor %}

    select
        all_of_it.period_number,
        revenue.customer_number,
        revenue.segment_group,
        revenue.purchase_count,
        revenue.gross_revenue,
        revenue.net_revenue
    from revenue
    cross join all_of_it
    where all_of_it.period_number is not null
),

-- All who bought, for nothing too; who only got money back did not buy.
customer_periods as (
    select
        period_number,
        customer_number,
        segment_group,
        cast(sum(gross_revenue) as {{ type_order_money() }}) as gross_revenue,
        cast(sum(net_revenue) as {{ type_order_money() }}) as net_revenue
    from period_revenue
    group by period_number, customer_number, segment_group
    having sum(gross_revenue) > 0 or sum(purchase_count) > 0
),

ranked as (
    select
        customer_periods.period_number,
        segment_groups.segment_number,
        customer_periods.gross_revenue,
        customer_periods.net_revenue,
        row_number() over (
            partition by customer_periods.period_number, segment_groups.segment_number
            order by customer_periods.gross_revenue desc, customer_periods.customer_number asc
        ) as position
    from customer_periods
    inner join segment_groups on customer_periods.segment_group = segment_groups.segment_group
),

counts as (
    select
        period_number,
        segment_number,
        count(*) as customer_count,
        -- The best 20 %, rounded up to a whole customer.
        ceil(count(*) * 0.2) as top_customer_count
    from ranked
    group by period_number, segment_number
),

decile_totals as (
    select
        ranked.period_number,
        ranked.segment_number,
        ceil(cast(10 * ranked.position as {{ type_ratio() }}) / counts.customer_count) as decile,
        max(counts.customer_count) as customer_count,
        count(*) as customers,
        sum(ranked.gross_revenue) as gross_revenue,
        sum(ranked.net_revenue) as net_revenue,
        sum(
            case when ranked.position <= counts.top_customer_count then ranked.gross_revenue else 0 end
        ) as top_revenue,
        sum((counts.customer_count + 1 - ranked.position) * ranked.gross_revenue) as ranked_revenue
    from ranked
    inner join counts
        on
            ranked.period_number = counts.period_number
            and ranked.segment_number = counts.segment_number
    group by
        ranked.period_number,
        ranked.segment_number,
        ceil(cast(10 * ranked.position as {{ type_ratio() }}) / counts.customer_count)
),

period_totals as (
    select
        period_number,
        segment_number,
        sum(gross_revenue) as gross_revenue,
        sum(top_revenue) as top_revenue,
        -- G = 2 sum(i x_i) / (n sum(x)) - (n + 1) / n, with i from the smallest; ours runs from the largest.
        case
            when sum(gross_revenue) > 0
                then
                    2 * cast(sum(ranked_revenue) as {{ type_ratio() }})
                    / (max(customer_count) * cast(sum(gross_revenue) as {{ type_ratio() }}))
                    - (max(customer_count) + 1.0) / max(customer_count)
        end as gini
    from decile_totals
    group by period_number, segment_number
),

segment_values as (
    select distinct
        segment_number,
        segment_type,
        segment_value
    from segment_groups
),

final as (
    select
        periods.period_type,
        periods.period_start,
        segment_values.segment_type,
        segment_values.segment_value,
        cast(decile_totals.decile as {{ dbt.type_bigint() }}) as decile,
        cast(decile_totals.customers as {{ dbt.type_bigint() }}) as customers,
        cast(decile_totals.gross_revenue as {{ type_money() }}) as gross_revenue,
        cast(decile_totals.net_revenue as {{ type_money() }}) as net_revenue,
        cast(period_totals.gross_revenue as {{ type_money() }}) as period_gross_revenue,
        cast(period_totals.top_revenue as {{ type_money() }}) as top_revenue,
        cast(period_totals.gini as {{ type_ratio() }}) as gini,
        periods.fingerprint
    from decile_totals
    inner join period_totals
        on
            decile_totals.period_number = period_totals.period_number
            and decile_totals.segment_number = period_totals.segment_number
    inner join periods on decile_totals.period_number = periods.period_number
    inner join segment_values on decile_totals.segment_number = segment_values.segment_number
)

select * from final

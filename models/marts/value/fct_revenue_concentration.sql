-- Grain: one row per period (month, quarter, year, all), segment and decile of the customers who bought in it,
-- the best first: how much of the gross revenue hangs on how few. The top-20 % share and the Gini coefficient
-- are the period's and stand in each of its ten rows.

with customer_months as (
    select * from {{ ref('int_customer_months') }}
),

months as (
    select * from {{ ref('int_months') }}
),

customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

segments as (
    select * from {{ ref('int_customer_segments') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segments
),

settings as (
    select * from {{ ref('int_settings') }}
),

periods as (
    {%- for period_type in ['month', 'quarter', 'year'] %}
        select distinct
            '{{ period_type }}' as period_type,
            {{ period_start(period_type, 'months.month') }} as period_start,
            months.month,
            {{ period_end(period_type, 'months.month') }} <= settings.as_of_date as is_complete
        from months
        cross join settings

        union all
    {%- endfor %}

    -- All there is, up to as_of_date: never incomplete.
    select
        'all' as period_type,
        {{ month_start('settings.first_event_on') }} as period_start,
        months.month,
        true as is_complete
    from months
    cross join settings
),

customer_periods as (
    select
        periods.period_type,
        periods.period_start,
        customer_months.customer_id,
        sum(customer_months.gross_revenue) as gross_revenue,
        sum(customer_months.net_revenue) as net_revenue
    from customer_months
    inner join customers on customer_months.customer_id = customers.customer_id
    inner join periods on customer_months.month = periods.month
    group by periods.period_type, periods.period_start, customer_months.customer_id
    having sum(customer_months.gross_revenue) > 0
),

-- Ties at the border of a decile go by customer_id, so that a second run gives the same rows.
ranked as (
    select
        customer_periods.*,
        segments.segment_type,
        segments.segment_value,
        row_number() over (
            partition by
                customer_periods.period_type,
                customer_periods.period_start,
                segments.segment_type,
                segments.segment_value
            order by customer_periods.gross_revenue desc, customer_periods.customer_id asc
        ) as position,
        count(*) over (
            partition by
                customer_periods.period_type,
                customer_periods.period_start,
                segments.segment_type,
                segments.segment_value
        ) as customer_count
    from customer_periods
    inner join segments on customer_periods.customer_id = segments.customer_id
),

period_totals as (
    select
        period_type,
        period_start,
        segment_type,
        segment_value,
        sum(gross_revenue) as gross_revenue,
        -- The best 20 %, rounded up to a whole customer.
        sum(case when position <= ceil(customer_count * 0.2) then gross_revenue else 0 end) as top_revenue,
        -- G = 2 sum(i x_i) / (n sum(x)) - (n + 1) / n, with i from the smallest; ours runs from the largest.
        2 * cast(sum((customer_count + 1 - position) * gross_revenue) as {{ type_ratio() }})
        / (max(customer_count) * cast(sum(gross_revenue) as {{ type_ratio() }}))
        - (max(customer_count) + 1.0) / max(customer_count) as gini
    from ranked
    group by period_type, period_start, segment_type, segment_value
),

decile_totals as (
    select
        period_type,
        period_start,
        segment_type,
        segment_value,
        ceil(position * 10.0 / customer_count) as decile,
        count(*) as customers,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from ranked
    group by period_type, period_start, segment_type, segment_value, ceil(position * 10.0 / customer_count)
),

deciles as (
    {{ number_series(1, 10) }}
),

distinct_periods as (
    select distinct
        period_type,
        period_start,
        is_complete
    from periods
),

spine as (
    select
        distinct_periods.period_type,
        distinct_periods.period_start,
        distinct_periods.is_complete,
        segment_values.segment_type,
        segment_values.segment_value,
        deciles.number as decile
    from distinct_periods
    cross join segment_values
    cross join deciles
),

combined as (
    select
        spine.period_type,
        spine.period_start,
        spine.is_complete,
        spine.segment_type,
        spine.segment_value,
        spine.decile,
        coalesce(decile_totals.customers, 0) as customers,
        coalesce(decile_totals.gross_revenue, 0) as gross_revenue,
        coalesce(decile_totals.net_revenue, 0) as net_revenue,
        period_totals.gross_revenue as period_gross_revenue,
        period_totals.top_revenue,
        period_totals.gini,
        sum(coalesce(decile_totals.gross_revenue, 0)) over (
            partition by spine.period_type, spine.period_start, spine.segment_type, spine.segment_value
            order by spine.decile
            rows between unbounded preceding and current row
        ) as cumulative_revenue
    from spine
    left join decile_totals
        on
            spine.period_type = decile_totals.period_type
            and spine.period_start = decile_totals.period_start
            and spine.segment_type = decile_totals.segment_type
            and spine.segment_value = decile_totals.segment_value
            and spine.decile = decile_totals.decile
    left join period_totals
        on
            spine.period_type = period_totals.period_type
            and spine.period_start = period_totals.period_start
            and spine.segment_type = period_totals.segment_type
            and spine.segment_value = period_totals.segment_value
),

final as (
    select
        cast(period_type as {{ dbt.type_string() }}) as period_type,
        cast(period_start as date) as period_start,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(decile as {{ dbt.type_bigint() }}) as decile,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(gross_revenue as {{ type_money() }}) as gross_revenue,
        cast(net_revenue as {{ type_money() }}) as net_revenue,
        case when is_complete then {{ ratio('gross_revenue', 'period_gross_revenue') }} end as revenue_share,
        case
            when is_complete then {{ ratio('cumulative_revenue', 'period_gross_revenue') }}
        end as cumulative_revenue_share,
        case when is_complete then {{ ratio('top_revenue', 'period_gross_revenue') }} end as top_20_percent_share,
        case when is_complete then cast(gini as {{ type_ratio() }}) end as gini_coefficient,
        cast(is_complete as boolean) as is_complete
    from combined
)

select * from final

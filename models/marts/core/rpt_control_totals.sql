-- Grain: one row per month and measure that the company wrote down in control_totals: what its own screen says, what
-- the warehouse says, and which other definition would give the same. Figures of a month as everywhere: orders by the
-- day of the order, refunds by the day of the refund, both in business time; subscriptions as the month closed.

{#- Which orders: name, condition, and what it means if the other side counts so. The first of a measure is ours. -#}
{%- set which = {
    'counted': 'orders.is_counted',
    'booked': 'orders.is_booked',
    'placed': 'orders.order_id is not null',
    'known': 'orders.is_counted and not orders.is_guest',
    'known_booked': 'orders.is_booked and not orders.is_guest',
} -%}
{%- set refunded, no_refunded = 'fully refunded orders count there', 'fully refunded orders do not count there' -%}
{%- set cancelled, guests = 'cancelled orders count there', 'guests do not count there' -%}
{%- set discounts, refunds_off = 'discounts are taken off there', 'refunds are taken off there' -%}
{%- set by_order, not_off = 'refunds stand on the day of their order there', 'refunds are not taken off there' -%}
{#- Measure, expression over a month of orders, and how it differs from ours. -#}
{%- set of_orders = [
    ('orders', 'counted_orders', []),
    ('orders', 'booked_orders', [refunded]),
    ('orders', 'placed_orders', [cancelled]),
    ('orders', 'known_orders', [guests]),
    ('customers', 'counted_customers', []),
    ('customers', 'booked_customers', [refunded]),
    ('customers', 'placed_customers', [cancelled]),
    ('customers', 'counted_customers + counted_guests', ['each order of a guest is a customer there']),
    ('gross_sales', 'booked_gross', []),
    ('gross_sales', 'counted_gross', [no_refunded]),
    ('gross_sales', 'placed_gross', [cancelled]),
    ('gross_sales', 'known_booked_gross', [guests]),
    ('gross_sales', 'booked_gross - booked_discount', [discounts]),
    ('gross_sales', 'counted_gross - counted_discount', [discounts, no_refunded]),
    ('gross_sales', 'placed_gross - placed_discount', [discounts, cancelled]),
    ('gross_sales', 'known_booked_gross - known_booked_discount', [discounts, guests]),
    ('gross_sales', 'booked_gross - booked_discount - booked_refunded', [discounts, refunds_off]),
    ('net_sales', 'booked_gross - booked_discount - refunds_of_the_month', []),
    ('net_sales', 'booked_gross - booked_discount - booked_refunded', [by_order]),
    ('net_sales', 'booked_gross - booked_discount', [not_off]),
    ('net_sales', 'counted_gross - counted_discount', [not_off, no_refunded]),
    ('net_sales', 'known_booked_gross - known_booked_discount - known_booked_refunded', [by_order, guests]),
    ('refunds', 'refunds_of_the_month', []),
    ('refunds', 'booked_refunded', [by_order]),
] -%}
{%- set of_subscriptions = [
    ('mrr', 'closing_mrr', []),
    ('mrr', 'opening_mrr', ['it is the MRR of the day before the month there']),
    ('subscribers', 'closing_customers', []),
    ('subscribers', 'opening_customers', ['they are those of the day before the month there']),
] -%}
{%- set cuts = {'business': 'orders.ordered_month', 'UTC': month_start('cast(orders.ordered_at as date)')} -%}
{%- set measures = ['orders', 'customers', 'gross_sales', 'refunds', 'net_sales', 'mrr', 'subscribers'] %}

with totals as (
    select * from {{ ref('control_totals') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

refunds as (
    select * from {{ ref('int_refunds_valued') }}
),

subscription_months as (
    select *
    from {{ ref('rpt_subscription_retention') }}
    where segment_type = 'all'
),

months as (
    select * from {{ ref('dim_months') }}
),

control as (
    {%- for measure in measures %}
        select
            month,
            '{{ measure }}' as measure,
            cast({{ measure }} as {{ type_money() }}) as control_value
        from totals
        where {{ measure }} is not null
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

wanted as (
    select distinct month from totals
),

refund_months as (
    select
        {{ month_start('refunds.refunded_on') }} as month,
        sum(refunds.refunded_amount) as refunded_amount
    from refunds
    where refunds.is_booked
    group by {{ month_start('refunds.refunded_on') }}
),

order_months as (
    {%- for cut, month in cuts.items() %}
        select
            '{{ cut }}' as month_cut,
            wanted.month,
            {%- for name, condition in which.items() %}
                count(case when {{ condition }} then 1 end) as {{ name }}_orders,
                count(distinct case when {{ condition }} then orders.customer_id end) as {{ name }}_customers,
                count(case when {{ condition }} and orders.is_guest then 1 end) as {{ name }}_guests,
                coalesce(sum(case when {{ condition }} then orders.gross_amount end), 0) as {{ name }}_gross,
                coalesce(sum(case when {{ condition }} then orders.discount_amount end), 0) as {{ name }}_discount,
                coalesce(sum(case when {{ condition }} then orders.refunded_amount end), 0) as {{ name }}_refunded
                {{- ',' if not loop.last }}
            {%- endfor %}
        from wanted
        left join orders on wanted.month = {{ month }}
        group by wanted.month
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

shop_months as (
    select
        order_months.*,
        coalesce(refund_months.refunded_amount, 0) as refunds_of_the_month
    from order_months
    left join refund_months on order_months.month = refund_months.month
),

definitions as (
    {%- for cut in cuts %}
        {%- for measure, expression, differences in of_orders %}
            {%- set differs = differences + (['months are cut in UTC there'] if cut == 'UTC' else []) %}
            select
                month,
                '{{ measure }}' as measure,
                cast({{ expression }} as {{ type_money() }}) as own_value,
                {{ differs | length }} as differences,
                '{{ differs | join('; ') }}' as explanation
            from shop_months
            where month_cut = '{{ cut }}'
            union all
        {%- endfor %}
    {%- endfor %}
    {%- for measure, expression, differences in of_subscriptions %}
        select
            month,
            '{{ measure }}' as measure,
            cast({{ expression }} as {{ type_money() }}) as own_value,
            {{ differences | length }} as differences,
            '{{ differences | join('; ') }}' as explanation
        from subscription_months
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

-- What somebody copied from a screen without its cents agrees to the nearest whole.
compared as (
    select
        control.month,
        control.measure,
        control.control_value,
        definitions.own_value,
        definitions.differences,
        definitions.explanation,
        months.is_complete,
        abs(coalesce(definitions.own_value, 0) - control.control_value) as distance,
        case when control.control_value = round(control.control_value, 0) then 0.5 else 0.005 end as tolerance
    from control
    inner join months on control.month = months.month
    left join definitions on control.month = definitions.month and control.measure = definitions.measure
),

ranked as (
    select
        *,
        row_number() over (
            partition by month, measure
            order by case when distance < tolerance then 0 else 1 end, differences, distance, explanation
        ) as place
    from compared
),

own as (
    select
        *,
        distance < tolerance as is_agreed
    from ranked
    where coalesce(differences, 0) = 0
),

orders_agree as (
    select month
    from own
    where measure = 'orders' and is_agreed
),

observed as (
    select
        own.month,
        own.measure,
        own.control_value,
        coalesce(own.own_value, 0) as warehouse_value,
        own.is_agreed,
        own.is_complete,
        case
            when own.is_agreed then null
            when best.distance < best.tolerance then best.explanation
            when not own.is_complete then 'the month is not over here'
            when
                own.measure in ('gross_sales', 'net_sales')
                and orders_agree.month is not null
                and own.control_value > own.own_value
                then 'unexplained; orders agree, so shipping, tax or tips may be in it there'
            else 'unexplained'
        end as explanation
    from own
    left join ranked as best on own.month = best.month and own.measure = best.measure and best.place = 1
    left join orders_agree on own.month = orders_agree.month
),

-- A month before the first event or after the last day: there is nothing to compare with.
unobserved as (
    select
        control.month,
        control.measure,
        control.control_value,
        cast(null as {{ type_money() }}) as warehouse_value,
        false as is_agreed,
        false as is_complete,
        'no data of this month here' as explanation
    from control
    left join months on control.month = months.month
    where months.month is null
),

both_kinds as (
    select
        month,
        measure,
        control_value,
        warehouse_value,
        is_agreed,
        is_complete,
        explanation
    from observed
    union all
    select
        month,
        measure,
        control_value,
        warehouse_value,
        is_agreed,
        is_complete,
        explanation
    from unobserved
),

final as (
    select
        cast(month as date) as month,
        cast(measure as {{ dbt.type_string() }}) as measure,
        cast(control_value as {{ type_money() }}) as control_value,
        cast(warehouse_value as {{ type_money() }}) as warehouse_value,
        cast(warehouse_value - control_value as {{ type_money() }}) as difference,
        cast({{ ratio('warehouse_value - control_value', 'control_value') }} as {{ type_ratio() }})
            as difference_share,
        cast(is_agreed as {{ dbt.type_boolean() }}) as is_agreed,
        cast(explanation as {{ dbt.type_string() }}) as explanation,
        cast(is_complete as {{ dbt.type_boolean() }}) as is_complete
    from both_kinds
)

select * from final

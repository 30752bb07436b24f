-- Fails for a month whose purchases, those of guests included, are not the counted orders of its days.

with months as (
    select
        month,
        order_count + guest_order_count as order_count
    from {{ ref('fct_customer_base') }}
    where segment_type = 'all'
),

orders as (
    select
        {{ month_start('ordered_on') }} as month,
        count(*) as order_count
    from {{ ref('fct_orders') }}
    where is_counted
    group by {{ month_start('ordered_on') }}
)

select
    coalesce(months.month, orders.month) as month,
    months.order_count as months_orders,
    orders.order_count
from months
full outer join orders on months.month = orders.month
where coalesce(months.order_count, 0) <> coalesce(orders.order_count, 0)

-- Grain: one row per window, level (`product`, `category`), item bought and item to offer: of the customers who had
-- bought the one, how many had bought the other too? Only pairs that enough customers have bought, and more often than
-- chance brings together; of each item the five that its buyers bought most, so that a customer of many purchases does
-- not get all there is. Of products and all of the history these are the pairs of rpt_product_affinity.

{%- set rules_of_an_item = 5 %}

with item_purchases as (
    select * from {{ ref('int_item_purchases') }}
),

affinity as (
    select * from {{ ref('rpt_product_affinity') }}
),

windows as (
    select * from {{ ref('int_clv_windows') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- The pairs of products over all of the history are made already.
purchases as (
    select
        windows.window_name,
        item_purchases.level,
        item_purchases.customer_id,
        item_purchases.item_id
    from item_purchases
    inner join windows on item_purchases.first_bought_on <= windows.observed_until
    where windows.window_name <> 'full' or item_purchases.level <> 'product'
),

buyers as (
    select
        window_name,
        level,
        count(distinct customer_id) as buyers
    from purchases
    group by window_name, level
),

thresholds as (
    select
        buyers.*,
        greatest(
            settings.affinity_minimum_customers, settings.affinity_minimum_support * buyers.buyers
        ) as minimum_customers
    from buyers
    cross join settings
),

items as (
    select
        window_name,
        level,
        item_id,
        count(*) as customers
    from purchases
    group by window_name, level, item_id
),

frequent_items as (
    select
        items.*,
        thresholds.buyers,
        thresholds.minimum_customers
    from items
    inner join thresholds
        on
            items.window_name = thresholds.window_name
            and items.level = thresholds.level
            and items.customers >= thresholds.minimum_customers
),

frequent_purchases as (
    select purchases.*
    from purchases
    inner join frequent_items
        on
            purchases.window_name = frequent_items.window_name
            and purchases.level = frequent_items.level
            and purchases.item_id = frequent_items.item_id
),

made_pairs as (
    select
        bought.window_name,
        bought.level,
        bought.item_id,
        offered.item_id as offered_item_id,
        count(*) as customers
    from frequent_purchases as bought
    inner join frequent_purchases as offered
        on
            bought.window_name = offered.window_name
            and bought.level = offered.level
            and bought.customer_id = offered.customer_id
            and bought.item_id <> offered.item_id
    group by bought.window_name, bought.level, bought.item_id, offered.item_id
),

pairs as (
    select
        made_pairs.*,
        bought.customers as item_customers,
        offered.customers as offered_item_customers,
        bought.buyers
    from made_pairs
    inner join frequent_items as bought
        on
            made_pairs.window_name = bought.window_name
            and made_pairs.level = bought.level
            and made_pairs.item_id = bought.item_id
            and made_pairs.customers >= bought.minimum_customers
    inner join frequent_items as offered
        on
            made_pairs.window_name = offered.window_name
            and made_pairs.level = offered.level
            and made_pairs.offered_item_id = offered.item_id

    {%- for one, other in [('a', 'b'), ('b', 'a')] %}

        union all

        select
            'full' as window_name,
            'product' as level,
            product_{{ one }}_id as item_id,
            product_{{ other }}_id as offered_item_id,
            customers,
            product_{{ one }}_customers as item_customers,
            product_{{ other }}_customers as offered_item_customers,
            buyers
        from affinity
    {%- endfor %}
),

ranked as (
    select
        *,
        row_number() over (
            partition by window_name, level, item_id
            order by customers desc, offered_item_customers asc, offered_item_id asc
        ) as place
    from pairs
    where customers * buyers > item_customers * offered_item_customers
),

final as (
    select
        cast(window_name as {{ dbt.type_string() }}) as window_name,
        cast(level as {{ dbt.type_string() }}) as level,
        cast(item_id as {{ dbt.type_string() }}) as item_id,
        cast(offered_item_id as {{ dbt.type_string() }}) as offered_item_id,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(item_customers as {{ dbt.type_bigint() }}) as item_customers,
        cast(offered_item_customers as {{ dbt.type_bigint() }}) as offered_item_customers,
        cast(buyers as {{ dbt.type_bigint() }}) as buyers,
        {{ ratio('customers', 'buyers') }} as support,
        {{ ratio('customers', 'item_customers') }} as confidence,
        {{ ratio('customers * buyers', 'item_customers * offered_item_customers') }} as lift
    from ranked
    where place <= {{ rules_of_an_item }}
)

select * from final

-- Grain: one row per level (`product`, `category`): on purchases that it had not seen, was what buyers of the same
-- bought a better guess at what a customer buys next than the obvious one, the best-sellers that they had not bought?
-- Both name as many items to the same customers, three at most; a hit is a customer who bought one of theirs for the
-- first time in the part of the history held out. Only where it was better are there candidates:
-- rpt_cross_sell_candidates.

{%- set best_sellers_looked_at = 30 %}

with item_purchases as (
    select * from {{ ref('int_item_purchases') }}
),

offers as (
    select *
    from {{ ref('int_cross_sell_offers') }}
    where window_name = 'calibration'
),

windows as (
    select *
    from {{ ref('int_clv_windows') }}
    where window_name = 'calibration'
),

settings as (
    select * from {{ ref('int_settings') }}
),

levels as (
    select 'product' as level
    union all
    select 'category' as level
),

known_purchases as (
    select item_purchases.*
    from item_purchases
    inner join windows on item_purchases.first_bought_on <= windows.observed_until
),

later_purchases as (
    select item_purchases.*
    from item_purchases
    inner join windows
        on
            item_purchases.first_bought_on > windows.observed_until
            and item_purchases.first_bought_on <= windows.holdout_until
),

-- Who had bought before, and bought something new afterwards.
returned as (
    select distinct
        level,
        customer_id
    from later_purchases
),

tested as (
    select
        offers.level,
        offers.customer_id,
        count(*) as offered_items
    from offers
    inner join returned on offers.level = returned.level and offers.customer_id = returned.customer_id
    group by offers.level, offers.customer_id
),

best_sellers as (
    select
        level,
        item_id,
        row_number() over (partition by level order by count(*) desc, item_id asc) as place
    from known_purchases
    group by level, item_id
),

best_seller_offers as (
    select
        tested.level,
        tested.customer_id,
        tested.offered_items,
        best_sellers.item_id,
        row_number() over (
            partition by tested.level, tested.customer_id order by best_sellers.place
        ) as candidate_rank
    from tested
    inner join best_sellers on tested.level = best_sellers.level
    left join known_purchases
        on
            tested.level = known_purchases.level
            and tested.customer_id = known_purchases.customer_id
            and best_sellers.item_id = known_purchases.item_id
    where known_purchases.customer_id is null and best_sellers.place <= {{ best_sellers_looked_at }}
),

both_offers as (
    select
        level,
        customer_id,
        offered_item_id as item_id,
        1 as is_cross_sell,
        0 as is_best_seller
    from offers

    union all

    select
        level,
        customer_id,
        item_id,
        0 as is_cross_sell,
        1 as is_best_seller
    from best_seller_offers
    where candidate_rank <= offered_items
),

hits as (
    select
        both_offers.level,
        both_offers.customer_id,
        max(both_offers.is_cross_sell) as is_cross_sell_hit,
        max(both_offers.is_best_seller) as is_best_seller_hit
    from both_offers
    inner join later_purchases
        on
            both_offers.level = later_purchases.level
            and both_offers.customer_id = later_purchases.customer_id
            and both_offers.item_id = later_purchases.item_id
    group by both_offers.level, both_offers.customer_id
),

counted as (
    select
        tested.level,
        count(*) as tested_customers,
        coalesce(sum(hits.is_cross_sell_hit), 0) as cross_sell_hits,
        coalesce(sum(hits.is_best_seller_hit), 0) as best_seller_hits,
        coalesce(sum(hits.is_cross_sell_hit * (1 - hits.is_best_seller_hit)), 0) as only_cross_sell_hits,
        coalesce(sum(hits.is_best_seller_hit * (1 - hits.is_cross_sell_hit)), 0) as only_best_seller_hits
    from tested
    left join hits on tested.level = hits.level and tested.customer_id = hits.customer_id
    group by tested.level
),

judged as (
    select
        levels.level,
        windows.observed_until,
        windows.holdout_until,
        coalesce(counted.tested_customers, 0) as tested_customers,
        coalesce(counted.cross_sell_hits, 0) as cross_sell_hits,
        coalesce(counted.best_seller_hits, 0) as best_seller_hits,
        coalesce(counted.only_cross_sell_hits, 0) as only_cross_sell_hits,
        coalesce(counted.only_best_seller_hits, 0) as only_best_seller_hits,
        case
            when coalesce(counted.tested_customers, 0) < settings.comparison_minimum_customers
                then 'too few customers to tell'
            -- Customers for whom both hit or both miss tell nothing (McNemar 1947).
            when
                counted.only_cross_sell_hits - counted.only_best_seller_hits
                <= {{ normal_quantile_95() }} * sqrt(counted.only_cross_sell_hits + counted.only_best_seller_hits)
                then 'not better than the best-sellers'
        end as withheld_reason
    from levels
    cross join settings
    left join counted on levels.level = counted.level
    left join windows on 1 = 1
),

final as (
    select
        cast(level as {{ dbt.type_string() }}) as level,
        cast(observed_until as date) as observed_until,
        cast(holdout_until as date) as holdout_until,
        cast(tested_customers as {{ dbt.type_bigint() }}) as tested_customers,
        cast(cross_sell_hits as {{ dbt.type_bigint() }}) as cross_sell_hits,
        cast(best_seller_hits as {{ dbt.type_bigint() }}) as best_seller_hits,
        cast(only_cross_sell_hits as {{ dbt.type_bigint() }}) as only_cross_sell_hits,
        cast(only_best_seller_hits as {{ dbt.type_bigint() }}) as only_best_seller_hits,
        {{ ratio('cross_sell_hits', 'tested_customers') }} as cross_sell_hit_rate,
        {{ ratio('best_seller_hits', 'tested_customers') }} as best_seller_hit_rate,
        cast(withheld_reason is null as boolean) as is_published,
        cast(withheld_reason as {{ dbt.type_string() }}) as withheld_reason
    from judged
)

select * from final

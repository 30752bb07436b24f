-- Grain: one row per level (`product`, `category`), customer and item, three at most: what to offer to whom, since
-- buyers of something they bought bought it too, and they have not. Only levels where that told what customers bought
-- next better than the best-sellers did, on purchases it had not seen: fct_cross_sell_backtest says so, or why there is
-- no row.

with offers as (
    select *
    from {{ ref('int_cross_sell_offers') }}
    where window_name = 'full'
),

backtest as (
    select *
    from {{ ref('fct_cross_sell_backtest') }}
    where is_published
),

item_names as (
    select
        level,
        item_id,
        max(item_name) as item_name
    from {{ ref('int_item_purchases') }}
    group by level, item_id
),

final as (
    select
        cast(offers.level as {{ dbt.type_string() }}) as level,
        cast(offers.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(offers.candidate_rank as {{ dbt.type_bigint() }}) as candidate_rank,
        cast(offers.offered_item_id as {{ dbt.type_string() }}) as item_id,
        cast(offered_names.item_name as {{ dbt.type_string() }}) as item_name,
        cast(offers.item_id as {{ dbt.type_string() }}) as because_of_item_id,
        cast(bought_names.item_name as {{ dbt.type_string() }}) as because_of_item_name,
        cast(offers.customers as {{ dbt.type_bigint() }}) as customers_of_both,
        cast(offers.item_customers as {{ dbt.type_bigint() }}) as because_of_customers,
        cast(offers.offered_item_customers as {{ dbt.type_bigint() }}) as item_customers,
        cast(offers.buyers as {{ dbt.type_bigint() }}) as buyers,
        cast(offers.support as {{ type_ratio() }}) as support,
        cast(offers.confidence as {{ type_ratio() }}) as confidence,
        cast(offers.lift as {{ type_ratio() }}) as lift,
        cast(backtest.cross_sell_hit_rate as {{ type_ratio() }}) as backtest_hit_rate,
        cast(backtest.best_seller_hit_rate as {{ type_ratio() }}) as backtest_best_seller_hit_rate
    from offers
    inner join backtest on offers.level = backtest.level
    left join item_names as offered_names
        on offers.level = offered_names.level and offers.offered_item_id = offered_names.item_id
    left join item_names as bought_names
        on offers.level = bought_names.level and offers.item_id = bought_names.item_id
)

select * from final

-- Grain: one row per window, level, customer and item offered to them, three at most: what most of the buyers of
-- something that they have bought bought too, and they had not by the end of the window. Before it is known whether
-- that is better than offering the best-seller: fct_cross_sell_backtest, so not for readers; they have
-- rpt_cross_sell_candidates.

with item_purchases as (
    select * from {{ ref('int_item_purchases') }}
),

rules as (
    select * from {{ ref('int_cross_sell_rules') }}
),

windows as (
    select * from {{ ref('int_clv_windows') }}
),

last_purchases as (
    select
        level,
        customer_id,
        max(first_bought_on) as last_new_item_on
    from item_purchases
    group by level, customer_id
),

-- Of the calibration, who bought something new afterwards: nobody else can be held against it.
purchases as (
    select
        windows.window_name,
        item_purchases.level,
        item_purchases.customer_id,
        item_purchases.item_id
    from item_purchases
    inner join last_purchases
        on
            item_purchases.level = last_purchases.level
            and item_purchases.customer_id = last_purchases.customer_id
    inner join windows
        on
            item_purchases.first_bought_on <= windows.observed_until
            and (windows.window_name = 'full' or last_purchases.last_new_item_on > windows.observed_until)
),

offers as (
    select
        purchases.customer_id,
        rules.*
    from purchases
    inner join rules
        on
            purchases.window_name = rules.window_name
            and purchases.level = rules.level
            and purchases.item_id = rules.item_id
),

-- What they have is no offer.
new_offers as (
    select offers.*
    from offers
    left join purchases
        on
            offers.window_name = purchases.window_name
            and offers.level = purchases.level
            and offers.customer_id = purchases.customer_id
            and offers.offered_item_id = purchases.item_id
    where purchases.customer_id is null
),

-- Of several reasons for one item, the strongest.
reasoned as (
    select
        *,
        row_number() over (
            partition by window_name, level, customer_id, offered_item_id
            order by confidence desc, customers desc, item_id asc
        ) as reason_number
    from new_offers
),

ranked as (
    select
        *,
        row_number() over (
            partition by window_name, level, customer_id
            order by confidence desc, lift desc, offered_item_id asc
        ) as candidate_rank
    from reasoned
    where reason_number = 1
),

final as (
    select
        window_name,
        level,
        customer_id,
        cast(candidate_rank as {{ dbt.type_bigint() }}) as candidate_rank,
        offered_item_id,
        item_id,
        customers,
        item_customers,
        offered_item_customers,
        buyers,
        support,
        confidence,
        lift
    from ranked
    where candidate_rank <= 3
)

select * from final

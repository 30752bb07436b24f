-- Fails for each candidate of cross-selling that the customer has bought already.

select
    candidates.level,
    candidates.customer_id,
    candidates.item_id
from {{ ref('rpt_cross_sell_candidates') }} as candidates
inner join {{ ref('int_item_purchases') }} as purchases
    on
        candidates.level = purchases.level
        and candidates.customer_id = purchases.customer_id
        and candidates.item_id = purchases.item_id

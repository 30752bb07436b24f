{{ config(materialized='view') }}

-- Grain: one row per pair of segment types that the company crosses, which is a segment type itself: `plan x country`.
-- The values are in int_segment_groups; where plan and interval are those held at a time, in the mart (macro
-- held_segments).

with settings as (
    select * from {{ ref('int_settings') }}
),

pairs as (
    {{ split_to_rows('settings', ['crossed_segments'], 'crossed_segments', ',') }}
),

parts as (
    select distinct
        trim(left(part, position(' x ' in part) - 1)) as first_type,
        trim(substring(part, position(' x ' in part) + 3)) as second_type
    from pairs
    where position(' x ' in part) > 0
),

final as (
    select
        concat(first_type, ' x ', second_type) as segment_type,
        first_type,
        second_type,
        first_type in {{ held_types() }} or second_type in {{ held_types() }} as is_held,
        case
            when first_type not in {{ held_types() }} then first_type
            when second_type not in {{ held_types() }} then second_type
        end as other_type
    from parts
)

select * from final

-- Grain: one row per person and segment type: ('all', 'all') always, then the types that the setting
-- `segments` lists. The year he came is none of them: the cohort marts tell it by the month. All values there are,
-- listed or not, are in int_customer_segment_values.

with segment_values as (
    select *
    from {{ ref('int_customer_segment_values') }}
    where segment_type <> 'cohort_year'
),

settings as (
    select * from {{ ref('int_settings') }}
),

final as (
    select
        segment_values.customer_id,
        segment_values.segment_type,
        segment_values.segment_value
    from segment_values
    cross join settings
    where
        segment_values.segment_type = 'all'
        or concat(',', replace(settings.segments, ' ', ''), ',') like concat('%,', segment_values.segment_type, ',%')
)

select * from final

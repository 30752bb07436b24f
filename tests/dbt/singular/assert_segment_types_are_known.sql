-- Fails for each customer when the setting `segments` lists a type that int_customer_segments does not know: nobody
-- would miss a misspelt segment in a mart.

with settings as (
    select segments from {{ ref('int_settings') }}
),

counted as (
    select
        customer_id,
        -- ('all', 'all') stands for the type that no comma follows.
        count(*) - 1 as segment_types
    from {{ ref('int_customer_segments') }}
    group by customer_id
)

select counted.*
from counted
cross join settings
where
    counted.segment_types <> case
        when settings.segments = '' then 0
        else length(settings.segments) - length(replace(settings.segments, ',', '')) + 1
    end

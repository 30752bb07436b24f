-- Fails for each customer when the setting `segments` or `crossed_segments` names a type that int_customer_segments
-- does not know: nobody would miss a misspelt segment in a mart.

with settings as (
    select
        segments,
        company_segments,
        crossed_segments
    from {{ ref('int_settings') }}
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
    counted.segment_types <> (
        {%- for setting in ['segments', 'company_segments', 'crossed_segments'] %}
            case
                when settings.{{ setting }} = '' then 0
                else length(settings.{{ setting }}) - length(replace(settings.{{ setting }}, ',', '')) + 1
            end{{ ' +' if not loop.last }}
        {%- endfor %}
    )

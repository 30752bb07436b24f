-- Grain: one row, the company's settings: `--vars`, else what its adapter says, else the default of
-- dbt_project.yml. With the resolved as_of_date see int_settings.

with final as (
    select
        {{ setting('as_of_date', 'date') }} as given_as_of_date,
        {%- for name, type in company_settings().items() %}
            {{ setting(name, type) }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
)

select
    *,
    -- What rows already computed depend on: when it changes, incremental models of staging start over.
    concat(business_timezone, ' ', reporting_currency, ' ', exchange_rate_max_age_days) as fingerprint
from final

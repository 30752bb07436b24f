-- Grain: one row per billing interval, segment and number of renewals: how many contracts came so far, and how many
-- would by the shifted beta-geometric model, to twice the renewals that have been seen. Seen rates stand beside
-- projected ones; the projection is null where the model is not published. In days, without a model: fct_survival.

with curves as (
    select * from {{ ref('int_clv_renewal_curves') }}
),

cells as (
    select *
    from {{ ref('int_clv_renewal_cells') }}
    where window_name = 'full'
),

models as (
    select *
    from {{ ref('fct_clv_models') }}
    where window_name = 'full' and model = 'sbg'
),

-- Who has renewed n times came up for 1 .. n, and, if they left, for n + 1 too.
observed as (
    select
        curves.segment_type,
        curves.segment_value,
        curves.billing_interval,
        curves.renewals,
        sum(
            case
                when cells.renewals >= curves.renewals or (cells.is_ended and cells.renewals = curves.renewals - 1)
                    then cells.contracts
                else 0
            end
        ) as due_contracts,
        sum(case when cells.renewals >= curves.renewals then cells.contracts else 0 end) as renewed_contracts
    from curves
    inner join cells
        on
            curves.segment_type = cells.segment_type
            and curves.segment_value = cells.segment_value
            and curves.billing_interval = cells.billing_interval
    group by curves.segment_type, curves.segment_value, curves.billing_interval, curves.renewals
),

final as (
    select
        cast(curves.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(curves.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(curves.billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(curves.renewals as {{ dbt.type_bigint() }}) as renewals,
        cast(observed.due_contracts as {{ dbt.type_bigint() }}) as due_contracts,
        cast(observed.renewed_contracts as {{ dbt.type_bigint() }}) as renewed_contracts,
        case
            when curves.renewals > 0 then {{ ratio('observed.renewed_contracts', 'observed.due_contracts') }}
        end as observed_renewal_rate,
        cast(case when models.is_published then curves.renewal_rate end as {{ type_ratio() }}) as renewal_rate,
        cast(case when models.is_published then curves.survival_rate end as {{ type_ratio() }}) as survival_rate,
        cast(
            case when models.is_published then curves.discounted_residual_terms end as {{ type_ratio() }}
        ) as discounted_residual_terms,
        models.is_published,
        cast(models.withheld_reason as {{ dbt.type_string() }}) as withheld_reason
    from curves
    inner join models
        on
            curves.segment_type = models.segment_type
            and curves.segment_value = models.segment_value
            and curves.billing_interval = models.billing_interval
    left join observed
        on
            curves.segment_type = observed.segment_type
            and curves.segment_value = observed.segment_value
            and curves.billing_interval = observed.billing_interval
            and curves.renewals = observed.renewals
)

select * from final

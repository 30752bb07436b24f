-- Grain: one row per period (month, quarter, all), survey (and all of them together), NPS category and theme: why
-- promoters promote and detractors do not. From the comments of scored responses, all of a customer's, several
-- themes to a comment: mentions do not add up to comments. For themes over time, with what is said on leaving, see
-- rpt_feedback_themes.

with responses as (
    select *
    from {{ ref('fct_nps_responses') }}
    where is_counted
),

comments as (
    select *
    from {{ ref('int_comments') }}
    where comment_type = 'survey'
),

comment_themes as (
    select *
    from {{ ref('int_comment_themes') }}
    where comment_type = 'survey'
),

themes as (
    {{ feedback_theme_list() }}
),

bands as (
    select * from {{ ref('nps_bands') }}
),

months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

periods as (
    {{ month_periods(['month', 'quarter']) }}
),

-- `all` is every survey together; one that the source calls so as well is in it once.
commented as (
    select
        response_id,
        survey
    from responses
    union
    select
        response_id,
        'all' as survey
    from responses
),

events as (
    select
        periods.period_type,
        periods.period_start,
        commented.survey,
        responses.nps_category,
        responses.response_id,
        responses.customer_id,
        responses.responded_at,
        comments.mrr,
        comments.exposed_revenue
    from commented
    inner join responses on commented.response_id = responses.response_id
    inner join comments on commented.response_id = comments.comment_id
    inner join periods on {{ month_start('responses.responded_on') }} = periods.month
),

surveys as (
    select 'all' as survey
    union
    select survey from responses
),

spine as (
    select distinct
        periods.period_type,
        periods.period_start,
        periods.is_complete,
        surveys.survey,
        bands.band as nps_category,
        themes.theme,
        themes.category,
        themes.owning_team
    from periods
    cross join surveys
    cross join bands
    cross join themes
),

comment_totals as (
    select
        period_type,
        period_start,
        survey,
        nps_category,
        count(*) as comments
    from events
    group by period_type, period_start, survey, nps_category
),

mentions as (
    select
        events.*,
        comment_themes.theme,
        row_number() over (
            partition by
                events.period_type,
                events.period_start,
                events.survey,
                events.nps_category,
                comment_themes.theme,
                events.customer_id
            order by events.responded_at desc, events.response_id desc
        ) as recency
    from events
    inner join comment_themes on events.response_id = comment_themes.comment_id
),

mention_totals as (
    select
        period_type,
        period_start,
        survey,
        nps_category,
        theme,
        count(*) as mentions,
        count(distinct customer_id) as customers,
        sum(case when customer_id is not null and recency = 1 then mrr else 0 end) as exposed_mrr,
        sum(case when customer_id is not null and recency = 1 then exposed_revenue else 0 end) as exposed_revenue
    from mentions
    group by period_type, period_start, survey, nps_category, theme
),

combined as (
    select
        spine.*,
        coalesce(comment_totals.comments, 0) as comments,
        coalesce(mention_totals.mentions, 0) as mentions,
        coalesce(mention_totals.customers, 0) as customers,
        coalesce(mention_totals.exposed_mrr, 0) as exposed_mrr,
        coalesce(mention_totals.exposed_revenue, 0) as exposed_revenue,
        -- Comments without a theme come last, so that they push no theme down.
        rank() over (
            partition by spine.period_type, spine.period_start, spine.survey, spine.nps_category
            order by
                case when spine.theme = 'unclassified' then 1 else 0 end,
                coalesce(mention_totals.mentions, 0) desc
        ) as theme_rank
    from spine
    left join comment_totals
        on
            spine.period_type = comment_totals.period_type
            and spine.period_start = comment_totals.period_start
            and spine.survey = comment_totals.survey
            and spine.nps_category = comment_totals.nps_category
    left join mention_totals
        on
            spine.period_type = mention_totals.period_type
            and spine.period_start = mention_totals.period_start
            and spine.survey = mention_totals.survey
            and spine.nps_category = mention_totals.nps_category
            and spine.theme = mention_totals.theme
),

final as (
    select
        cast(period_type as {{ dbt.type_string() }}) as period_type,
        cast(period_start as date) as period_start,
        cast(survey as {{ dbt.type_string() }}) as survey,
        cast(nps_category as {{ dbt.type_string() }}) as nps_category,
        cast(theme as {{ dbt.type_string() }}) as theme,
        cast(category as {{ dbt.type_string() }}) as theme_category,
        cast(owning_team as {{ dbt.type_string() }}) as owning_team,
        cast(comments as {{ dbt.type_bigint() }}) as comments,
        cast(mentions as {{ dbt.type_bigint() }}) as mentions,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(
            case when mentions > 0 and theme <> 'unclassified' then theme_rank end as {{ dbt.type_bigint() }}
        ) as theme_rank,
        cast(exposed_mrr as {{ type_money() }}) as exposed_mrr,
        cast(exposed_revenue as {{ type_money() }}) as exposed_revenue,
        case when is_complete then {{ ratio('mentions', 'comments') }} end as mention_share,
        cast(is_complete as boolean) as is_complete
    from combined
)

select * from final

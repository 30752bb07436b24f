-- Grain: one row per period (month, quarter, all), survey (and all of them together) and segment. NPS from votes,
-- never from an average of scores: a customer has one vote per period, their latest scored response; a response
-- without a customer is a vote of its own. Invitations count in the period they were sent in, votes in the
-- period of the response. For the responses themselves see fct_nps_responses.

with responses as (
    select * from {{ ref('fct_nps_responses') }}
),

invitations as (
    select invitations.*
    from {{ ref('stg_survey_invitations') }} as invitations
    inner join {{ ref('int_settings') }} as settings on invitations.sent_on <= settings.as_of_date
),

months as (
    select * from {{ ref('int_months') }}
),

customers as (
    select
        customer_id,
        segment_group
    from {{ ref('int_customers') }}
),

segment_groups as (
    select * from {{ ref('int_segment_groups') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

segment_types as (
    select 'all' as segment_type
    union
    select segment_type from segment_groups
),

periods as (
    {{ month_periods(['month', 'quarter']) }}
),

-- Who is no customer we know stands in the segment `unknown` of each type.
groups_and_segments as (
    select
        segment_group,
        segment_type,
        segment_value
    from segment_groups

    union all

    select
        'nobody we know' as segment_group,
        segment_type,
        case when segment_type = 'all' then 'all' else 'unknown' end as segment_value
    from segment_types
),

answered_invitations as (
    select distinct invitation_id
    from responses
    where is_counted and invitation_id is not null
),

invitations_by_month as (
    select
        {{ month_start('invitations.sent_on') }} as month,
        invitations.survey,
        coalesce(customers.segment_group, 'nobody we know') as segment_group,
        count(*) as invited,
        count(answered_invitations.invitation_id) as answered_invitations
    from invitations
    left join customers on invitations.customer_id = customers.customer_id
    left join answered_invitations on invitations.invitation_id = answered_invitations.invitation_id
    group by
        {{ month_start('invitations.sent_on') }},
        invitations.survey,
        coalesce(customers.segment_group, 'nobody we know')
),

-- `all` is every survey together; one that the source calls so as well is in it once.
surveyed_invitations as (
    select
        month,
        survey,
        segment_group,
        invited,
        answered_invitations
    from invitations_by_month
    where survey is null or survey <> 'all'

    union all

    select
        month,
        'all' as survey,
        segment_group,
        invited,
        answered_invitations
    from invitations_by_month
),

invitation_totals as (
    select
        periods.period_type,
        periods.period_start,
        surveyed_invitations.survey,
        groups_and_segments.segment_type,
        groups_and_segments.segment_value,
        sum(surveyed_invitations.invited) as invited,
        sum(surveyed_invitations.answered_invitations) as answered_invitations
    from surveyed_invitations
    inner join periods on surveyed_invitations.month = periods.month
    inner join groups_and_segments on surveyed_invitations.segment_group = groups_and_segments.segment_group
    group by
        periods.period_type,
        periods.period_start,
        surveyed_invitations.survey,
        groups_and_segments.segment_type,
        groups_and_segments.segment_value
),

surveyed_responses as (
    select
        response_id,
        survey,
        customer_id,
        {{ month_start('responded_on') }} as month,
        is_counted,
        nps_category,
        responded_at
    from responses
    where survey is null or survey <> 'all'

    union all

    select
        response_id,
        'all' as survey,
        customer_id,
        {{ month_start('responded_on') }} as month,
        is_counted,
        nps_category,
        responded_at
    from responses
),

-- The latest scored response of a customer in the period is their vote.
votes as (
    select
        periods.period_type,
        periods.period_start,
        surveyed_responses.survey,
        surveyed_responses.customer_id,
        surveyed_responses.is_counted,
        surveyed_responses.nps_category,
        row_number() over (
            partition by
                periods.period_type,
                periods.period_start,
                surveyed_responses.survey,
                surveyed_responses.is_counted,
                surveyed_responses.customer_id,
                case when surveyed_responses.customer_id is null then surveyed_responses.response_id end
            order by surveyed_responses.responded_at desc, surveyed_responses.response_id desc
        ) as recency
    from surveyed_responses
    inner join periods on surveyed_responses.month = periods.month
),

group_votes as (
    select
        votes.period_type,
        votes.period_start,
        votes.survey,
        coalesce(customers.segment_group, 'nobody we know') as segment_group,
        count(case when votes.is_counted then 1 end) as responses,
        count(case when not votes.is_counted then 1 end) as unscored_responses,
        count(case when votes.recency = 1 and votes.nps_category = 'promoter' then 1 end) as promoters,
        count(case when votes.recency = 1 and votes.nps_category = 'passive' then 1 end) as passives,
        count(case when votes.recency = 1 and votes.nps_category = 'detractor' then 1 end) as detractors
    from votes
    left join customers on votes.customer_id = customers.customer_id
    group by
        votes.period_type,
        votes.period_start,
        votes.survey,
        coalesce(customers.segment_group, 'nobody we know')
),

vote_totals as (
    select
        group_votes.period_type,
        group_votes.period_start,
        group_votes.survey,
        groups_and_segments.segment_type,
        groups_and_segments.segment_value,
        sum(group_votes.responses) as responses,
        sum(group_votes.unscored_responses) as unscored_responses,
        sum(group_votes.promoters) as promoters,
        sum(group_votes.passives) as passives,
        sum(group_votes.detractors) as detractors
    from group_votes
    inner join groups_and_segments on group_votes.segment_group = groups_and_segments.segment_group
    group by
        group_votes.period_type,
        group_votes.period_start,
        group_votes.survey,
        groups_and_segments.segment_type,
        groups_and_segments.segment_value
),

surveys as (
    select 'all' as survey
    union
    select survey from surveyed_invitations
    union
    select survey from surveyed_responses
),

segment_values as (
    select
        'all' as segment_type,
        'all' as segment_value
    union
    select
        segment_type,
        segment_value
    from segment_groups
    union
    select
        segment_type,
        segment_value
    from invitation_totals
    union
    select
        segment_type,
        segment_value
    from vote_totals
),

spine as (
    select distinct
        periods.period_type,
        periods.period_start,
        periods.period_end,
        surveys.survey,
        segment_values.segment_type,
        segment_values.segment_value,
        periods.period_end <= settings.as_of_date as is_complete,
        {{ add_days('periods.period_end', 'settings.survey_response_days') }}
        <= settings.as_of_date as is_response_complete,
        settings.nps_minimum_votes
    from periods
    cross join surveys
    cross join segment_values
    cross join settings
),

combined as (
    select
        spine.*,
        coalesce(invitation_totals.invited, 0) as invited,
        coalesce(invitation_totals.answered_invitations, 0) as answered_invitations,
        coalesce(vote_totals.responses, 0) as responses,
        coalesce(vote_totals.unscored_responses, 0) as unscored_responses,
        coalesce(vote_totals.promoters, 0) as promoters,
        coalesce(vote_totals.passives, 0) as passives,
        coalesce(vote_totals.detractors, 0) as detractors,
        coalesce(vote_totals.promoters + vote_totals.passives + vote_totals.detractors, 0) as votes
    from spine
    left join invitation_totals
        on
            spine.period_type = invitation_totals.period_type
            and spine.period_start = invitation_totals.period_start
            and spine.survey = invitation_totals.survey
            and spine.segment_type = invitation_totals.segment_type
            and spine.segment_value = invitation_totals.segment_value
    left join vote_totals
        on
            spine.period_type = vote_totals.period_type
            and spine.period_start = vote_totals.period_start
            and spine.survey = vote_totals.survey
            and spine.segment_type = vote_totals.segment_type
            and spine.segment_value = vote_totals.segment_value
),

shares as (
    select
        *,
        case when is_complete then {{ ratio('promoters', 'votes') }} end as promoter_share,
        case when is_complete then {{ ratio('detractors', 'votes') }} end as detractor_share,
        case when is_complete then {{ ratio('(promoters - detractors)', 'votes') }} end as net_share
    from combined
),

scores as (
    select
        *,
        100 * net_share as nps,
        100 * sqrt((promoter_share + detractor_share - net_share * net_share) / nullif(votes, 0)) as standard_error
    from shares
),

compared as (
    select
        *,
        lag(nps) over periods_of_segment as previous_nps,
        lag(standard_error) over periods_of_segment as previous_standard_error,
        lag(votes) over periods_of_segment as previous_votes
    from scores
    window periods_of_segment as (
        partition by period_type, survey, segment_type, segment_value order by period_start
    )
),

final as (
    select
        cast(period_type as {{ dbt.type_string() }}) as period_type,
        cast(period_start as date) as period_start,
        cast(survey as {{ dbt.type_string() }}) as survey,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(invited as {{ dbt.type_bigint() }}) as invited,
        cast(answered_invitations as {{ dbt.type_bigint() }}) as answered_invitations,
        cast(responses as {{ dbt.type_bigint() }}) as responses,
        cast(unscored_responses as {{ dbt.type_bigint() }}) as unscored_responses,
        cast(votes as {{ dbt.type_bigint() }}) as votes,
        cast(promoters as {{ dbt.type_bigint() }}) as promoters,
        cast(passives as {{ dbt.type_bigint() }}) as passives,
        cast(detractors as {{ dbt.type_bigint() }}) as detractors,
        -- Until the last invitation of the period has had its days, the rate would be too low. Of all there is,
        -- the latest invitations are few.
        case
            when is_response_complete or period_type = 'all' then {{ ratio('answered_invitations', 'invited') }}
        end as response_rate,
        cast(nps as {{ type_ratio() }}) as nps,
        cast(standard_error as {{ type_ratio() }}) as standard_error,
        -- Nobody can score outside -100 and 100. Votes that all agree have no error to reckon with: that is no
        -- certainty.
        cast(
            case
                when standard_error > 0 then greatest(nps - {{ normal_quantile_95() }} * standard_error, -100)
            end as {{ type_ratio() }}
        ) as nps_lower_95,
        cast(
            case
                when standard_error > 0 then least(nps + {{ normal_quantile_95() }} * standard_error, 100)
            end as {{ type_ratio() }}
        ) as nps_upper_95,
        cast(previous_nps as {{ type_ratio() }}) as previous_nps,
        cast(nps - previous_nps as {{ type_ratio() }}) as nps_change,
        -- Two-sample z test at 95 %. With few votes the normal curve is no guide, and a single vote has no error.
        cast(
            case
                when votes >= nps_minimum_votes and previous_votes >= nps_minimum_votes
                    then abs(nps - previous_nps) > {{ normal_quantile_95() }} * sqrt(
                        standard_error * standard_error + previous_standard_error * previous_standard_error
                    )
            end as boolean
        ) as is_change_significant,
        cast(is_complete as boolean) as is_complete
    from compared
)

select * from final

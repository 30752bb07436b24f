-- Grain: one row per period (month, quarter, all), survey (and all of them together) and segment. NPS from votes,
-- never from an average of scores: a customer has one vote per period, his latest scored response; a response
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

segments as (
    select * from {{ ref('int_customer_segments') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

segment_types as (
    select 'all' as segment_type
    union
    select segment_type from segments
),

periods as (
    {%- for period_type in ['month', 'quarter'] %}
        select
            '{{ period_type }}' as period_type,
            {{ period_start(period_type, 'months.month') }} as period_start,
            {{ period_end(period_type, 'months.month') }} as period_end,
            months.month
        from months

        union all
    {%- endfor %}

    -- All there is, up to as_of_date: never incomplete.
    select
        'all' as period_type,
        {{ month_start('settings.first_event_on') }} as period_start,
        settings.as_of_date as period_end,
        months.month
    from months
    cross join settings
),

-- `all` is every survey together; one that the source calls so as well is in it once.
events as (
    select
        'response' as event_type,
        response_id as event_id,
        survey,
        customer_id,
        {{ month_start('responded_on') }} as month
    from responses

    union

    select
        'response' as event_type,
        response_id as event_id,
        'all' as survey,
        customer_id,
        {{ month_start('responded_on') }} as month
    from responses

    union

    select
        'invitation' as event_type,
        invitation_id as event_id,
        survey,
        customer_id,
        {{ month_start('sent_on') }} as month
    from invitations

    union

    select
        'invitation' as event_type,
        invitation_id as event_id,
        'all' as survey,
        customer_id,
        {{ month_start('sent_on') }} as month
    from invitations
),

-- Who is no customer we know stands in the segment `unknown` of each type.
segmented as (
    select
        periods.period_type,
        periods.period_start,
        events.event_type,
        events.event_id,
        events.survey,
        events.customer_id,
        segment_types.segment_type,
        coalesce(
            segments.segment_value, case when segment_types.segment_type = 'all' then 'all' else 'unknown' end
        ) as segment_value
    from events
    inner join periods on events.month = periods.month
    cross join segment_types
    left join segments
        on
            events.customer_id = segments.customer_id
            and segment_types.segment_type = segments.segment_type
),

surveys as (
    select 'all' as survey
    union
    select survey from events
),

segment_values as (
    select
        'all' as segment_type,
        'all' as segment_value
    union
    select
        segment_type,
        segment_value
    from segments
    union
    select
        segment_type,
        segment_value
    from segmented
),

answered_invitations as (
    select distinct invitation_id
    from responses
    where is_counted and invitation_id is not null
),

invitation_totals as (
    select
        segmented.period_type,
        segmented.period_start,
        segmented.survey,
        segmented.segment_type,
        segmented.segment_value,
        count(*) as invited,
        count(answered_invitations.invitation_id) as answered_invitations
    from segmented
    left join answered_invitations on segmented.event_id = answered_invitations.invitation_id
    where segmented.event_type = 'invitation'
    group by
        segmented.period_type,
        segmented.period_start,
        segmented.survey,
        segmented.segment_type,
        segmented.segment_value
),

-- The latest scored response of a customer in the period is his vote.
votes as (
    select
        segmented.*,
        responses.is_counted,
        responses.nps_category,
        row_number() over (
            partition by
                segmented.period_type,
                segmented.period_start,
                segmented.survey,
                segmented.segment_type,
                segmented.segment_value,
                responses.is_counted,
                segmented.customer_id,
                case when segmented.customer_id is null then segmented.event_id end
            order by responses.responded_at desc, responses.response_id desc
        ) as recency
    from segmented
    inner join responses on segmented.event_id = responses.response_id
    where segmented.event_type = 'response'
),

vote_totals as (
    select
        period_type,
        period_start,
        survey,
        segment_type,
        segment_value,
        sum(case when is_counted then 1 else 0 end) as responses,
        sum(case when is_counted then 0 else 1 end) as unscored_responses,
        sum(case when recency = 1 and nps_category = 'promoter' then 1 else 0 end) as promoters,
        sum(case when recency = 1 and nps_category = 'passive' then 1 else 0 end) as passives,
        sum(case when recency = 1 and nps_category = 'detractor' then 1 else 0 end) as detractors
    from votes
    group by period_type, period_start, survey, segment_type, segment_value
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

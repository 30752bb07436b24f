-- Stops with the score from 0 to 10 that seeds/nps_bands.csv puts into no band or into two, or with the band that it
-- gives a wrong name or order: somebody who gave a 6 would silently be left out, or counted twice.

with bands as (
    select * from {{ ref('nps_bands') }}
),

scores as (
    {{ number_series(0, 10) }}
),

of_scores as (
    select
        scores.number,
        count(bands.band) as bands
    from scores
    left join bands on scores.number between bands.minimum_score and bands.maximum_score
    group by scores.number
),

problems as (
    select
        concat(
            'the score ', cast(number as {{ dbt.type_string() }}), ' is in ', cast(bands as {{ dbt.type_string() }}),
            ' bands: every whole score from 0 to 10 is in one'
        ) as problem
    from of_scores
    where bands <> 1

    union all

    select concat('the band `', coalesce(band, ''), '` is none of promoter, passive, detractor') as problem
    from bands
    where band is null or band not in ('promoter', 'passive', 'detractor')

    union all

    select concat('the band `', band, '` does not lie within 0 and 10, its minimum first') as problem
    from bands
    where
        minimum_score is null
        or maximum_score is null
        or minimum_score > maximum_score
        or minimum_score < 0
        or maximum_score > 10

    union all

    select concat('the band `', lower_band.band, '` lies above `', upper_band.band, '`') as problem
    from bands as lower_band
    inner join bands as upper_band on lower_band.minimum_score > upper_band.minimum_score
    where
        (lower_band.band = 'detractor' and upper_band.band in ('passive', 'promoter'))
        or (lower_band.band = 'passive' and upper_band.band = 'promoter')
)

select *
from problems
where {{ raise_error("concat(" ~ rule_file('nps_bands') ~ ", ': ', problem)") }}

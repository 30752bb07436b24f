{#-
    Incremental models that equal a full refresh.

    Each incremental model remembers, in `intermediate.incremental_state`, up to which landing batch, for which
    as_of_date and with which settings and code it was last built; the note is written in the same transaction as the
    rows. From it follows what has to be computed again:

    - staging (`replace_rows`): the keys that later batches brought, changed or removed;
    - customer grains (`replace_customers`): the customers whom later batches touched, and those with an event between
      the former as_of_date and the new one, whichever of the two is the later; what sums bills
      (`replace_customers_and_billed`) those too who were billed between them;
    - customers by the month (`replace_customer_months`): all months of these customers, and of everybody else those that
      the former as_of_date, or the new one, had not seen to their end;
    - periods (`replace_periods`): those whose fingerprint in int_revenue_periods is another one than when they were ranked.

    With other settings or other code everything is computed again, and where a model asks since when the company records
    something at all (int_recorded_sources), also when that has changed. What was computed before goes, key by key, also
    where nothing comes in its place: that is what dbt's own delete+insert does not do.
-#}

{% macro incremental_state_relation() -%}
    {{ return(api.Relation.create(database=target.database, schema='intermediate', identifier='incremental_state')) }}
{%- endmacro %}

{% macro create_incremental_state() -%}
    create schema if not exists intermediate;
    create table if not exists {{ incremental_state_relation() }} (
        model_name {{ dbt.type_string() }},
        batch_id {{ dbt.type_bigint() }},
        as_of_date date,
        fingerprint {{ dbt.type_string() }}
    )
{%- endmacro %}

{#-
    What the rows of this model are computed by: the checksums of its own code and that of all models before it, views
    among them, and of the seeds; a company's own rules are put over these, see macros/own_rules.sql. (Macros are not in dbt's graph: scripts/build/incremental_state.py compares them, and a
    night starts over when they have changed.)
-#}
{% macro nodes_before() -%}
    {%- if not execute -%} {{ return({}) }} {%- endif -%}
    {%- set checksums = {} -%}
    {%- set found = [model.unique_id] -%}
    {#- Jinja has no while: each node is looked at once at most. -#}
    {%- for step in graph.nodes -%}
        {%- if loop.index0 < found | length and found[loop.index0] in graph.nodes -%}
            {%- set node = graph.nodes[found[loop.index0]] -%}
            {%- do checksums.update({node.unique_id: node.checksum.checksum}) -%}
            {%- for parent in node.depends_on.nodes
                if parent.split('.')[0] in ('model', 'seed') and parent not in found -%}
                {%- do found.append(parent) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(checksums) }}
{%- endmacro %}

{#- The settings that a model's rows depend on, and its code. `settings` is stg_settings or int_settings. -#}
{% macro increment_fingerprint(settings) -%}
    {%- set checksums = nodes_before() -%}
    {%- set recorded = 'model.' ~ model.package_name ~ '.int_recorded_sources' -%}
    {%- set own_rules = own_rules_hashes(checksums) -%}
    (
        select
            s.fingerprint || ' {{ local_md5(checksums | dictsort | join(' ')) }}'
            {%- if recorded in checksums %} || ' ' || r.fingerprint {%- endif %}
            {%- if own_rules %} || {{ own_rules }} {%- endif %}
        from {{ settings }} as s
        {%- if recorded in checksums %}
            cross join {{ api.Relation.create(
                database=target.database,
                schema=graph.nodes[recorded].schema,
                identifier=graph.nodes[recorded].alias
            ) }} as r
        {%- endif %}
    )
{%- endmacro %}

{#- The last state that is still good for this model: one row, or none, when everything has to be computed. -#}
{% macro increment_state(settings) -%}
    (
        select *
        from {{ incremental_state_relation() }}
        where model_name = '{{ this.identifier }}' and fingerprint = {{ increment_fingerprint(settings) }}
    )
{%- endmacro %}

{#- Post-hook of an incremental model; the as_of_date of staging is null: staging keeps all that has arrived. -#}
{% macro remember_increment(settings, as_of_date='null') -%}
    delete from {{ incremental_state_relation() }} where model_name = '{{ this.identifier }}';
    insert into {{ incremental_state_relation() }} (model_name, batch_id, as_of_date, fingerprint)
    select
        '{{ this.identifier }}',
        (select coalesce(max(batch_id), 0) from {{ ref('stg_loads') }}),
        {{ 'null' if as_of_date == 'null' else '(select as_of_date from ' ~ settings ~ ')' }},
        {{ increment_fingerprint(settings) }}
{%- endmacro %}

{#- Staging: the keys to compute again. Of order lines, all of an order: which of them count depends on the others. -#}
{% macro touched_rows(table) -%}
    {%- set since = 'coalesce((select max(batch_id) from ' ~ increment_state(ref('stg_settings')) ~ '), 0)' -%}
    {%- set changed -%}
        select _row_key from {{ source('raw', table) }} where _batch_id > {{ since }}
        union
        select row_key from {{ source('raw', 'removed_rows') }} where table_name = '{{ table }}' and batch_id > {{ since }}
    {%- endset -%}
    {{ changed }}
    {%- if table == 'order_items' %}
        union
        select _row_key
        from {{ source('raw', table) }}
        where
            {{ order_of_line('_row_key') }} in (
                select {{ order_of_line('_row_key') }} from ({{ changed }}) as changed_lines
            )
    {%- endif %}
{%- endmacro %}

{#- The order in the key of one of its lines: all before the last bar. -#}
{% macro order_of_line(row_key) -%}
    left({{ row_key }}, length({{ row_key }}) - position('|' in reverse({{ row_key }})))
{%- endmacro %}

{#-
    Staging: the current version of each row of a raw table. A key may stand in several files: the file delivered last
    counts, and a corrected file keeps the place of the one it corrects. Few keys do, so only these are sorted.
-#}
{% macro current_rows(table) -%}
    {%- set among = '' -%}
    {%- if is_incremental() -%} {%- set among = 'where _row_key in (' ~ touched_rows(table) ~ ')' -%} {%- endif -%}
    {%- set repeated -%}
        select _row_key from {{ source('raw', table) }} {{ among }} group by _row_key having count(*) > 1
    {%- endset -%}
    select
        raw_rows.*,
        1 as _version
    from {{ source('raw', table) }} as raw_rows
    left join ({{ repeated }}) as repeated on raw_rows._row_key = repeated._row_key
    where
        repeated._row_key is null
        {%- if is_incremental() %} and raw_rows._row_key in ({{ touched_rows(table) }}) {%- endif %}

    union all

    select *
    from (
        select
            raw_rows.*,
            row_number() over (
                partition by raw_rows._row_key order by raw_rows._file_sequence desc, raw_rows._source_row desc
            ) as _version
        from {{ source('raw', table) }} as raw_rows
        inner join ({{ repeated }}) as repeated on raw_rows._row_key = repeated._row_key
    ) as versions
    where _version = 1
{%- endmacro %}

{#-
    Staging: since which file the lines of an order count, for orders that were delivered again: one row per such order.
    A file that repeats a line begins another delivery of the order, and its former lines that it does not repeat are gone.
    Files with other lines only, as the pages of a long export, belong to the same delivery.
-#}
{% macro last_deliveries(table) -%}
    {%- set among = '' -%}
    {%- if is_incremental() -%} {%- set among = 'where _row_key in (' ~ touched_rows(table) ~ ')' -%} {%- endif -%}
    select
        order_id,
        min(case when delivery = last_delivery then _file_sequence end) as since
    from (
        select
            *,
            max(delivery) over (partition by order_id) as last_delivery
        from (
            select
                order_id,
                _file_sequence,
                max(max(times)) over (partition by order_id order by _file_sequence) as delivery
            from (
                select
                    order_id,
                    _file_sequence,
                    row_number() over (partition by _row_key order by _file_sequence) as times
                from {{ source('raw', table) }}
                where
                    order_id in (
                        select order_id from {{ source('raw', table) }} {{ among }}
                        group by order_id, _row_key
                        having count(*) > 1
                    )
            ) as lines
            group by order_id, _file_sequence
        ) as files
    ) as deliveries
    group by order_id
{%- endmacro %}

{% macro get_incremental_replace_rows_sql(arg_dict) -%}
    {%- set table = model.name | replace('stg_', '', 1) -%}
    {{ replace_keys_sql(arg_dict, '_row_key', touched_rows(table), ref('stg_settings')) }}
{%- endmacro %}

{#- Customer grains: the customers to compute again. -#}
{% macro touched_customers() -%}
    {%- set state = increment_state(ref('int_settings')) -%}
    select c.customer_id
    from {{ ref('stg_customer_changes') }} as c
    where c.batch_id > coalesce((select max(batch_id) from {{ state }}), 0)
    union
    select e.customer_id
    from {{ ref('int_customer_event_dates') }} as e
    inner join {{ state }} as former on 1 = 1
    inner join {{ ref('int_settings') }} as present on 1 = 1
    where
        e.event_on > least(former.as_of_date, present.as_of_date)
        and e.event_on <= greatest(former.as_of_date, present.as_of_date)
{%- endmacro %}

{% macro get_incremental_replace_customers_sql(arg_dict) -%}
    {{ replace_keys_sql(arg_dict, 'customer_id', touched_customers(), ref('int_settings')) }}
{%- endmacro %}

{#-
    Customers by what they were billed: those too whose bills fell due between the former as_of_date and the new one. Bills
    are made of periods, and are no events of the data.
-#}
{% macro touched_or_billed_customers() -%}
    {%- set state = increment_state(ref('int_settings')) -%}
    {{ touched_customers() }}
    union
    select b.customer_id
    from {{ ref('int_subscription_bills') }} as b
    inner join {{ state }} as former on b.billed_on > former.as_of_date
    union
    -- When as_of_date goes back, bills go: those of the periods that run.
    select p.customer_id
    from {{ ref('int_subscription_periods') }} as p
    inner join {{ state }} as former on 1 = 1
    inner join {{ ref('int_settings') }} as present on present.as_of_date < former.as_of_date
    where p.is_paid and p.ended_on is null
{%- endmacro %}

{% macro get_incremental_replace_customers_and_billed_sql(arg_dict) -%}
    {{ replace_keys_sql(arg_dict, 'customer_id', touched_or_billed_customers(), ref('int_settings')) }}
{%- endmacro %}

{% macro replace_keys_sql(arg_dict, key, touched, settings, or_where='1 = 0') -%}
    {%- set columns = get_quoted_csv(arg_dict.dest_columns | map(attribute='name')) -%}
    delete from {{ arg_dict.target_relation }}
    where
        {{ key }} in ({{ touched }})
        or {{ or_where }}
        or not exists (select 1 from {{ increment_state(settings) }} as s);

    insert into {{ arg_dict.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict.temp_relation }}
{%- endmacro %}

{#- Customer grains: keep the touched customers only, in an incremental run. -#}
{% macro only_touched_customers(column='customer_id') -%}
    {%- set touched = touched_customers() -%}
    {%- set valid = increment_state(ref('int_settings')) -%}
    {%- if is_incremental() -%}
        ({{ column }} in ({{ touched }}) or not exists (select 1 from {{ valid }} as s))
    {%- else -%}
        1 = 1
    {%- endif -%}
{%- endmacro %}

{% macro only_touched_or_billed_customers() -%}
    {%- set touched = touched_or_billed_customers() -%}
    {%- set valid = increment_state(ref('int_settings')) -%}
    {%- if is_incremental() -%}
        (customer_id in ({{ touched }}) or not exists (select 1 from {{ valid }} as s))
    {%- else -%}
        1 = 1
    {%- endif -%}
{%- endmacro %}

{#-
    The first month that the former as_of_date, or the new one, had not seen to its end: from it on everybody's months are
    computed again. Far ahead if the day is the same; the beginning of time if everything is to be computed.
-#}
{% macro open_since() -%}
    coalesce(
        (
            select
                max(
                    case
                        when former.as_of_date = present.as_of_date then cast('9999-12-01' as date)
                        else {{ month_start(add_days('least(former.as_of_date, present.as_of_date)', 1)) }}
                    end
                )
            from {{ increment_state(ref('int_settings')) }} as former
            inner join {{ ref('int_settings') }} as present on 1 = 1
        ),
        cast('0001-01-01' as date)
    )
{%- endmacro %}

{% macro get_incremental_replace_customer_months_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict.dest_columns | map(attribute='name')) -%}
    delete from {{ arg_dict.target_relation }}
    where customer_id in ({{ touched_customers() }}) or month >= {{ open_since() }};

    insert into {{ arg_dict.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict.temp_relation }}
{%- endmacro %}

{#-
    Orders: those of the customers to compute again, and all guests'. Nobody is touched with a guest's order, and who was a
    guest's order may have become a customer's.
-#}
{% macro only_touched_orders() -%}
    {%- set of_customers = only_touched_customers() -%}
    {%- if is_incremental() -%} (customer_id is null or {{ of_customers }}) {%- else -%} {{ of_customers }} {%- endif -%}
{%- endmacro %}

{% macro get_incremental_replace_orders_sql(arg_dict) -%}
    {{ replace_keys_sql(arg_dict, 'customer_id', touched_customers(), ref('int_settings'), or_where='customer_id is null') }}
{%- endmacro %}

{#- Periods: those that have changed since they were ranked. Over int_revenue_periods. -#}
{% macro only_changed_periods() -%}
    {%- set valid = increment_state(ref('int_settings')) -%}
    {%- if is_incremental() -%}
        (
            not exists (select 1 from {{ valid }} as s)
            or concat(period_type, ' ', period_start, ' ', fingerprint) not in (
                select concat(period_type, ' ', period_start, ' ', fingerprint) from {{ this }}
            )
        )
    {%- else -%}
        1 = 1
    {%- endif -%}
{%- endmacro %}

{% macro get_incremental_replace_periods_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict.dest_columns | map(attribute='name')) -%}
    delete from {{ arg_dict.target_relation }}
    where
        not exists (select 1 from {{ increment_state(ref('int_settings')) }} as s)
        or concat(period_type, ' ', period_start, ' ', fingerprint) not in (
            select concat(period_type, ' ', period_start, ' ', fingerprint) from {{ ref('int_revenue_periods') }}
        );

    insert into {{ arg_dict.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict.temp_relation }}
{%- endmacro %}

{#- Customers by the month: keep the months to compute again, in an incremental run. -#}
{% macro only_touched_customer_months(customer='customer_id', month='month') -%}
    {%- set touched = touched_customers() -%}
    {%- set since = open_since() -%}
    {%- if is_incremental() -%} ({{ month }} >= {{ since }} or {{ customer }} in ({{ touched }})) {%- else -%} 1 = 1 {%- endif -%}
{%- endmacro %}

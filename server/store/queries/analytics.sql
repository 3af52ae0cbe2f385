-- name: cursor
-- How far events were folded; locked, so that two workers never fold the same ones.
select number from loop_cursor where tenant = :tenant and name = 'analytics' {for_update};

-- name: begin
-- The cursor's row, before anything was folded.
insert into loop_cursor (tenant, name, number) values (:tenant, 'analytics', 0) on conflict do nothing;

-- name: move
-- Folded up to here.
update loop_cursor set number = cast(:number as bigint) where tenant = :tenant and name = 'analytics';

-- name: events
-- What happened after a number and can change a figure, oldest first.
select number, conversation_id, kind, body, created_at from event
where tenant = :tenant and number > cast(:after as bigint) and kind in ('case_opened', 'case_closed', 'state', 'message',
    'feedback', 'turn_ended', 'survey', 'sla')
order by number limit cast(:count as integer);

-- name: as_of
-- How far the facts are, and when that happened.
select c.number, e.created_at as at from loop_cursor c
left join event e on e.tenant = c.tenant and e.number = c.number
where c.tenant = :tenant and c.name = 'analytics';

-- name: thread
-- Where folding stands in a conversation; what an unknown one is, is read from the conversation itself.
select c.id as conversation_id, c.channel, c.account, c.language as locale, t.language, t.status, t.case_id,
    t.last_case_id, t.span_from
from conversation c left join fact_thread t on t.conversation_id = c.id where c.id = :conversation_id;

-- name: keep_thread
-- What folding knows of a conversation.
insert into fact_thread (conversation_id, tenant, channel, account, language, status, case_id, last_case_id, span_from)
values (:conversation_id, :tenant, :channel, :account, :language, :status, :case_id, :last_case_id,
    cast(:span_from as bigint))
on conflict (conversation_id) do update set status = excluded.status, case_id = excluded.case_id,
    last_case_id = excluded.last_case_id, span_from = excluded.span_from;

-- name: case
-- One case's facts.
select * from fact_case where case_id = :case_id;

-- name: keep_case
-- One case's facts, as they are now.
insert into fact_case (case_id, tenant, conversation_id, channel, account, language, release_id, opened_at,
    opened_number, number, closed_at, closed_by, last_at, next_at, asked_at, customer_messages, bot_messages,
    staff_messages, bot_s, staff_s, handed_at, handed_reason, handle_s, turns, answered, prompt_tokens,
    completion_tokens, tools_done, tools_failed, thumbs_up, thumbs_down, sla_met, sla_breached, csat_asked, csat,
    nps_asked, nps)
values (:case_id, :tenant, :conversation_id, :channel, :account, :language, :release_id,
    cast(:opened_at as double precision), cast(:opened_number as bigint), cast(:number as bigint),
    cast(:closed_at as double precision), :closed_by, cast(:last_at as double precision),
    cast(:next_at as double precision), cast(:asked_at as double precision), :customer_messages, :bot_messages,
    :staff_messages, cast(:bot_s as double precision), cast(:staff_s as double precision),
    cast(:handed_at as double precision), :handed_reason, cast(:handle_s as double precision), :turns, :answered,
    :prompt_tokens, :completion_tokens, :tools_done, :tools_failed, :thumbs_up, :thumbs_down, :sla_met, :sla_breached,
    :csat_asked, :csat, :nps_asked, :nps)
on conflict (case_id) do update set release_id = excluded.release_id, number = excluded.number,
    closed_at = excluded.closed_at, closed_by = excluded.closed_by, last_at = excluded.last_at,
    next_at = excluded.next_at, asked_at = excluded.asked_at, customer_messages = excluded.customer_messages,
    bot_messages = excluded.bot_messages, staff_messages = excluded.staff_messages, bot_s = excluded.bot_s,
    staff_s = excluded.staff_s, handed_at = excluded.handed_at, handed_reason = excluded.handed_reason,
    handle_s = excluded.handle_s, turns = excluded.turns, answered = excluded.answered,
    prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
    tools_done = excluded.tools_done, tools_failed = excluded.tools_failed, thumbs_up = excluded.thumbs_up,
    thumbs_down = excluded.thumbs_down, sla_met = excluded.sla_met, sla_breached = excluded.sla_breached,
    csat_asked = excluded.csat_asked, csat = excluded.csat, nps_asked = excluded.nps_asked, nps = excluded.nps;

-- name: span
-- A running wait or claim.
select kind, from_at from fact_span where case_id = :case_id and from_number = cast(:from_number as bigint);

-- name: keep_span
-- A wait or a claim, with its end once it has one.
insert into fact_span (case_id, from_number, tenant, kind, from_at, to_at)
values (:case_id, cast(:from_number as bigint), :tenant, :kind, cast(:from_at as double precision),
    cast(:to_at as double precision))
on conflict (case_id, from_number) do update set to_at = excluded.to_at;

-- name: answer
-- Whose answer a rating is about, and what it was rated before.
select case_id, value from fact_answer where message_id = :message_id;

-- name: keep_answer
-- An answer of the bot with the last word on it; where nothing was said, what was said before stays.
insert into fact_answer (message_id, case_id, value) values (:message_id, :case_id, :value)
on conflict (message_id) do update set value = case when cast(:rated as integer) = 1 then excluded.value
    else fact_answer.value end;

-- name: forget
-- Facts whose events are all still there, before they are folded anew; older ones stay as they are.
delete from fact_case where case_id in (
    select f.case_id from fact_case f join event e on e.tenant = f.tenant and e.number = f.opened_number
    where f.tenant = :tenant limit cast(:limit as bigint));

-- name: forget_threads
-- Where folding stood.
delete from fact_thread where conversation_id in (
    select conversation_id from fact_thread where tenant = :tenant limit cast(:limit as bigint));

-- name: cases
-- Facts of cases that opened in a time, oldest first, behind a position.
select case_id, conversation_id, channel, language, release_id, opened_at, last_at, next_at, customer_messages,
    bot_messages, staff_messages, bot_s, staff_s, handed_at, handed_reason, handle_s, answered, prompt_tokens,
    completion_tokens, tools_done, tools_failed, thumbs_up, thumbs_down, sla_met, sla_breached, csat_asked, csat,
    nps_asked, nps
from fact_case
where tenant = :tenant and opened_at >= cast(:since as double precision) and opened_at < cast(:until as double precision)
    and (opened_at > cast(:at as double precision) or (opened_at = cast(:at as double precision) and case_id > :id))
    and (:channel = '' or channel = :channel) and (:language = '' or language = :language)
    and (:release = '' or coalesce(release_id, '') = :release)
order by opened_at, case_id limit cast(:count as integer);

-- name: spans
-- Waits and claims that touch a time.
select s.case_id, s.from_at, s.to_at, f.channel, f.language, f.release_id from fact_span s
join fact_case f on f.case_id = s.case_id
where s.tenant = :tenant and s.from_at <= cast(:until as double precision)
    and (s.to_at is null or s.to_at > cast(:since as double precision))
    and (:channel = '' or f.channel = :channel) and (:language = '' or f.language = :language)
    and (:release = '' or coalesce(f.release_id, '') = :release);

-- name: choices
-- Which channels, languages and releases there are to filter by.
select 'channel' as what, channel as value, count(*) as n from fact_case where tenant = :tenant group by channel
union all
select 'language', language, count(*) from fact_case where tenant = :tenant group by language
union all
select 'release', release_id, count(*) from fact_case where tenant = :tenant and release_id is not null
group by release_id;

-- name: promotions
-- When another release went live.
select at, release_id, action from release_change
where tenant = :tenant and action in ('promoted', 'rolled_back', 'published')
    and at >= cast(:since as double precision) and at < cast(:until as double precision) order by at limit 100;

-- name: turn_calls
-- How the tool calls of a turn ended.
select state, count(*) as n from step
where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint) and state in ('done', 'failed')
group by state;

-- name: drill
-- The conversations within a scope behind a figure, the newest first.
select f.*, k.name as customer_name from fact_case f
join conversation c on c.id = f.conversation_id join customer k on k.id = c.customer_id
where f.tenant = :tenant and {within c} and f.opened_at >= cast(:since as double precision)
    and f.opened_at < cast(:until as double precision)
    and (f.opened_at < cast(:at as double precision) or (f.opened_at = cast(:at as double precision) and f.case_id < :id))
    and (:channel = '' or f.channel = :channel) and (:language = '' or f.language = :language)
    and (:release = '' or coalesce(f.release_id, '') = :release)
    and case :which when 'all' then true
        when 'handed' then f.handed_at is not null and (:reason = '' or f.handed_reason = :reason)
        when 'contained' then f.handed_at is null
        when 'deflected' then f.handed_at is null and f.answered > 0 and f.staff_messages = 0 and f.thumbs_down = 0
        when 'thumbs_down' then f.thumbs_down > 0
        when 'thumbs_up' then f.thumbs_up > 0
        when 'csat' then f.csat is not null
        when 'nps' then f.nps is not null
        when 'sla_breached' then f.sla_breached > 0
        when 'tools_failed' then f.tools_failed > 0
        when 'came_back' then f.next_at is not null and f.next_at - f.last_at <= cast(:back_s as double precision)
        else false end
order by f.opened_at desc, f.case_id desc limit cast(:count as integer);

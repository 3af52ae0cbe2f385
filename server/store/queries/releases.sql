-- name: add
-- A bundle; the same digest is the same release.
insert into release (id, tenant, body, created_at, created_by)
values (:id, :tenant, :body, cast(:now as double precision), :created_by) on conflict do nothing;

-- name: get
-- One bundle.
select * from release where id = :id;

-- name: alias
-- Which release an alias names.
select release_id from release_alias where tenant = :tenant and alias = :alias;

-- name: lock_live
-- The alias that every change of releases begins with, so that changes follow one another.
select release_id from release_alias where tenant = :tenant and alias = 'live' {for_update};

-- name: point
-- Let an alias name a release.
insert into release_alias (tenant, alias, release_id, changed_by, changed_at)
values (:tenant, :alias, :release_id, :changed_by, cast(:now as double precision))
on conflict (tenant, alias) do update set release_id = excluded.release_id, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at;

-- name: now
-- What new cases get: the live release and the running canary, if there is one.
select (select a.release_id from release_alias a where a.tenant = cast(:tenant as text) and a.alias = 'live') as live_id,
    c.id as canary_id, c.release_id as canary_release, c.share, c.cap, c.cases, c.started_at
from (select 1 as one) o left join canary c on c.tenant = cast(:tenant as text) and c.state = 'running';

-- name: add_card
-- A new release's card; one that is there keeps its verdict.
insert into release_card (tenant, release_id, state, report, run_id, dataset_id, parent_id, created_at, changed_at)
values (:tenant, :release_id, :state, '{}', :run_id, :dataset_id, :parent_id, cast(:now as double precision),
    cast(:now as double precision))
on conflict do nothing;

-- name: card
-- What became of one release, with its bundle.
select k.*, r.body, r.created_by from release_card k join release r on r.id = k.release_id
where k.tenant = :tenant and k.release_id = :release_id;

-- name: cards
-- Every release before a position, the newest first; empty state = all.
select k.release_id, k.state, k.verdict, k.run_id, k.dataset_id, k.parent_id, k.created_at, k.changed_at, r.created_by,
    r.body
from release_card k join release r on r.id = k.release_id
where k.tenant = :tenant and (cast(:state as text) = '' or k.state = cast(:state as text))
    and (k.created_at < cast(:at as double precision)
        or (k.created_at = cast(:at as double precision) and k.release_id < :id))
order by k.created_at desc, k.release_id desc limit cast(:count as integer);

-- name: move
-- A release's card goes to another state.
update release_card set state = :state, changed_at = cast(:now as double precision)
where tenant = :tenant and release_id = :release_id;

-- name: judge
-- What the gate says.
update release_card set verdict = :verdict, report = :report, changed_at = cast(:now as double precision)
where tenant = :tenant and release_id = :release_id;

-- name: want
-- Keep a release's adapters served until a time.
update release_card set wanted_until = cast(:until as double precision)
where tenant = :tenant and release_id = :release_id and wanted_until < cast(:until as double precision);

-- name: add_adapter
-- An adapter inside a bundle.
insert into release_adapter (tenant, release_id, language, name) values (:tenant, :release_id, :language, :name)
on conflict do nothing;

-- name: note
-- One line of the timeline; this table is never updated.
insert into release_change (id, tenant, at, action, release_id, previous_id, actor_kind, actor_id, reason, detail)
values (:id, :tenant, cast(:at as double precision), :action, :release_id, :previous_id, :actor_kind, :actor_id, :reason,
    :detail);

-- name: changes
-- The timeline before a position, newest first; empty release = all.
select id, at as created_at, action, release_id, previous_id, actor_kind, actor_id, reason, detail from release_change
where tenant = :tenant
    and (cast(:release_id as text) = '' or release_id = cast(:release_id as text)
        or previous_id = cast(:release_id as text))
    and (at < cast(:at as double precision) or (at = cast(:at as double precision) and id < :id))
order by at desc, id desc limit cast(:count as integer);

-- name: previous
-- The release that was live before and was not taken back: where a rollback goes.
select h.release_id from release_change h
join release_card k on k.tenant = h.tenant and k.release_id = h.release_id and k.state = 'retired'
where h.tenant = :tenant and h.action in ('published', 'promoted', 'rolled_back')
order by h.at desc, h.id desc limit 1;

-- name: start_canary
-- A trial begins.
insert into canary (id, tenant, release_id, live_id, share, cap, state, figures, started_at)
values (:id, :tenant, :release_id, :live_id, cast(:share as double precision), :cap, 'running', '{}',
    cast(:now as double precision));

-- name: lock_canary
-- The running trial, held still.
select * from canary where tenant = :tenant and state = 'running' {for_update};

-- name: share
-- Other conversations are drawn from now on.
update canary set share = cast(:share as double precision), cap = cast(:cap as integer)
where id = :id and state = 'running';

-- name: end_canary
-- A trial ends, once.
update canary set state = :state, reason = :reason, figures = :figures, ended_at = cast(:now as double precision)
where id = :id and state = 'running';

-- name: canaries
-- Trials, the newest first.
select * from canary where tenant = :tenant order by started_at desc, id desc limit cast(:count as integer);

-- name: draw
-- Tie a case to one side of a trial.
update support_case set release_id = :release_id, canary_id = :canary_id, canary_arm = cast(:arm as integer),
    canary_share = cast(:share as double precision)
where id = :case_id and release_id is null;

-- name: count_case
-- One more of the cases that a trial may get.
update canary set cases = cases + 1 where id = :id;

-- name: pin
-- Tie a case to a release outside any trial.
update support_case set release_id = :release_id where id = :case_id and release_id is null;

-- name: repin
-- Tie an open case to another release, after the one it had was taken back.
update support_case set release_id = :release_id where id = :case_id and release_id = :old;

-- name: pinned
-- What a case is tied to.
select release_id from support_case where id = :case_id;

-- name: outcomes
-- How the cases of a trial went, by side and share: a conversation counts once, with its first case, and only when its
-- release was really used. Bad is a thumb down, a hand-over that no fault of ours caused, a failed tool call.
with mine as (
    select s.id, s.conversation_id, s.canary_arm as arm, s.canary_share as share, s.closed_at, s.opened_at,
        s.handed_at, s.handed_reason,
        case when s.canary_arm = 1 then c.release_id else c.live_id end as used
    from support_case s join canary c on c.id = s.canary_id
    where s.canary_id = :canary_id and not exists (
        select 1 from support_case e
        where e.canary_id = s.canary_id and e.conversation_id = s.conversation_id and e.opened_at < s.opened_at)
), judged as (
    select m.arm, m.share,
        case when m.closed_at is not null or m.opened_at < cast(:settled_before as double precision)
            then 1 else 0 end as settled,
        case when exists (select 1 from feedback f join message g on g.id = f.message_id
            where f.conversation_id = m.conversation_id and g.case_id = m.id and f.kind = 'rating'
                and f.value = 'down' and f.release_id = m.used) then 1 else 0 end as thumbs,
        case when m.handed_at is not null and m.handed_reason not in ('model_down', 'bot_off', 'undelivered')
            then 1 else 0 end as handoff,
        case when exists (select 1 from turn t join step p on p.conversation_id = t.conversation_id
            and p.first_seq = t.first_seq where t.case_id = m.id and p.state = 'failed') then 1 else 0 end as tools
    from mine m where exists (select 1 from turn t where t.case_id = m.id and t.release_id = m.used)
)
select arm, share, count(*) as cases, sum(settled) as settled, sum(thumbs) as thumbs, sum(handoff) as handoff,
    sum(tools) as tools, sum(case when thumbs + handoff + tools > 0 then 1 else 0 end) as any_bad
from judged group by arm, share order by share, arm;

-- name: baseline
-- How the cases of one release went in a span of time before a trial.
with mine as (
    select s.id, s.conversation_id, s.handed_at, s.handed_reason from support_case s
    where s.tenant = :tenant and s.release_id = cast(:release_id as text)
        and s.opened_at >= cast(:since as double precision) and s.opened_at < cast(:until as double precision)
        and exists (select 1 from turn t where t.case_id = s.id and t.release_id = s.release_id)
), judged as (
    select
        case when exists (select 1 from feedback f join message g on g.id = f.message_id
            where f.conversation_id = m.conversation_id and g.case_id = m.id and f.kind = 'rating'
                and f.value = 'down' and f.release_id = cast(:release_id as text)) then 1 else 0 end as thumbs,
        case when m.handed_at is not null and m.handed_reason not in ('model_down', 'bot_off', 'undelivered')
            then 1 else 0 end as handoff,
        case when exists (select 1 from turn t join step p on p.conversation_id = t.conversation_id
            and p.first_seq = t.first_seq where t.case_id = m.id and p.state = 'failed') then 1 else 0 end as tools
    from mine m
)
select count(*) as cases, coalesce(sum(thumbs), 0) as thumbs, coalesce(sum(handoff), 0) as handoff,
    coalesce(sum(tools), 0) as tools,
    coalesce(sum(case when thumbs + handoff + tools > 0 then 1 else 0 end), 0) as any_bad
from judged;

-- name: wanted
-- Adapters that must be served: of live, canary, releases that were asked for, fresh candidates, and open cases that
-- have not gone idle.
select distinct a.name from release_adapter a
join release_card k on k.tenant = a.tenant and k.release_id = a.release_id
where a.tenant = :tenant and (
    k.state in ('live', 'canary')
    or (k.state <> 'withdrawn' and k.wanted_until > cast(:now as double precision))
    or (k.state = 'candidate' and k.verdict is null and k.created_at > cast(:fresh_since as double precision))
    or (k.state <> 'withdrawn' and exists (
        select 1 from support_case s join conversation c on c.case_id = s.id
        where s.tenant = a.tenant and s.release_id = a.release_id and s.closed_at is null
            and c.said_at > cast(:active_since as double precision)))
)
order by a.name;

-- name: erased
-- Adapters of a release that learned from somebody who was erased, or from what was withdrawn since.
select a.name from release_adapter r join adapter a on a.tenant = r.tenant and a.name = r.name
where r.tenant = :tenant and r.release_id = :release_id and a.erased_at is not null order by a.name;

-- name: adapters_of
-- The adapters of one release.
select name from release_adapter where tenant = :tenant and release_id = :release_id;

-- name: served
-- What a model server has loaded.
insert into model_replica (tenant, replica, served, failed, seen_at)
values (:tenant, :replica, :served, :failed, cast(:now as double precision))
on conflict (tenant, replica) do update set served = excluded.served, failed = excluded.failed,
    seen_at = excluded.seen_at;

-- name: replicas
-- Model servers that were seen since a time.
select replica, served, failed, seen_at from model_replica
where tenant = :tenant and seen_at > cast(:since as double precision) order by replica;

-- name: lineage
-- A reply, its release, the adapter for its conversation's language, and the rows and messages that trained it;
-- messages outside a scope stay unnamed.
select m.id as message_id, m.conversation_id, m.release_id, k.state, a.name as adapter, d.id as dataset_id,
    d.digest as dataset_digest, coalesce(b.run_id, k.run_id) as run_id, w.example_id, w.split,
    s.id as source_message, s.conversation_id as source_conversation
from message m
join conversation c on c.id = m.conversation_id
left join release_card k on k.tenant = m.tenant and k.release_id = m.release_id
left join release_adapter a on a.tenant = m.tenant and a.release_id = m.release_id and a.language = (
    select max(l.language) from release_adapter l
    where l.tenant = m.tenant and l.release_id = m.release_id
        and l.language in ('', lower(coalesce(c.language, '')), substr(lower(coalesce(c.language, '')), 1, 2)))
left join adapter b on b.name = a.name and b.tenant = m.tenant
left join dataset d on d.id = coalesce(b.dataset_id, k.dataset_id) and a.name is not null
left join dataset_row w on w.dataset_id = d.id
left join message s on s.id = w.message_id and s.tenant = m.tenant and {of s.conversation_id}
where m.tenant = :tenant and m.id = :message_id
order by w.split desc, w.example_id limit cast(:count as integer);

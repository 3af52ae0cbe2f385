-- name: page
-- Conversations of a view before a position, with what a line of the list shows; every filter is optional.
-- A put-off conversation is in its own view only; a customer's message since then brings it back.
with base as (
    select c.id, c.updated_at, c.status, c.owner, c.channel, c.account, c.waiting_since,
        coalesce(d.priority, 1) as priority, d.snoozed_until,
        case when d.snoozed_until > cast(:now as double precision) and c.said_at <= d.snoozed_at then 1 else 0 end
            as snoozed
    from conversation c left join desk_state d on d.conversation_id = c.id
    where c.tenant = :tenant
), hit as (
    select b.*, case cast(:sort as text)
        when 'waiting' then case when b.waiting_since is null then -1e12 else 0 - b.waiting_since end
        when 'priority' then b.priority * 1e11 + b.updated_at
        else b.updated_at end as place
    from base b
    where (cast(:ids as text) = '' or cast(:ids as text) like '%,' || b.id || ',%')
        and {within b}
        and (cast(:view as text) = ''
            or (b.snoozed = 1 and cast(:view as text) = 'snoozed')
            or (b.status = 'closed' and cast(:view as text) = 'closed')
            or (b.snoozed = 0 and b.status <> 'closed' and (cast(:view as text) = 'all'
                or (cast(:view as text) = 'mine' and b.owner = cast(:person as text))
                or (cast(:view as text) = 'unassigned' and b.owner is null)
                or (cast(:view as text) in ('bot', 'waiting') and b.status = cast(:view as text))))
            or (cast(:view as text) = 'mentions' and b.id in (select m.conversation_id from mention m
                where m.tenant = :tenant and m.person_id = cast(:person as text) and m.seen_at is null)))
        and (cast(:channel as text) = '' or b.channel = cast(:channel as text))
        and (cast(:account as text) = '' or b.account = cast(:account as text))
        and (cast(:owner as text) = '' or b.owner = cast(:owner as text))
        and (cast(:priority as integer) < 0 or b.priority = cast(:priority as integer))
        and (cast(:team as text) = '' or b.id in (select ct.conversation_id from conversation_team ct
            where ct.team_id = cast(:team as text)))
        and (cast(:label as text) = '' or b.id in (select l.conversation_id from conversation_label l
            where l.label_id = cast(:label as text)))
        and (cast(:low1 as text) = '' or b.id in (
            select w.conversation_id from message_word w
            where w.tenant = :tenant and w.word >= cast(:low1 as text) and w.word <= cast(:high1 as text)
                and (cast(:low2 as text) = '' or exists (select 1 from message_word v where v.message_id = w.message_id
                    and v.word >= cast(:low2 as text) and v.word <= cast(:high2 as text)))
                and (cast(:low3 as text) = '' or exists (select 1 from message_word v where v.message_id = w.message_id
                    and v.word >= cast(:low3 as text) and v.word <= cast(:high3 as text)))
                and (cast(:low4 as text) = '' or exists (select 1 from message_word v where v.message_id = w.message_id
                    and v.word >= cast(:low4 as text) and v.word <= cast(:high4 as text))))
            or b.id in (select n.id from conversation n join customer k on k.id = n.customer_id
                where n.tenant = :tenant and lower(k.name) like cast(:name as text)))
), page as (
    select id, priority, snoozed, snoozed_until, place from hit
    where place < cast(:at as double precision) or (place = cast(:at as double precision) and id < :id)
    order by place desc, id desc limit cast(:count as integer)
)
select c.id, c.channel, c.account, c.status, c.reason, c.waiting_since, c.owner, p.name as owner_name,
    k.id as customer_id, k.name as customer_name, c.language, c.created_at, c.updated_at, c.said_at, c.opted_out_at,
    c.blocked_at, g.priority, g.snoozed, g.snoozed_until, g.place,
    (select min(s.due_at) from sla_clock s where s.conversation_id = c.id and s.ended_at is null) as sla_due_at,
    (select ct.team_id from conversation_team ct where ct.conversation_id = c.id) as team_id,
    m.text as last_text, m.role as last_role, m.created_at as last_at,
    case when coalesce((select max(q.seq) from message q where q.conversation_id = c.id and q.role = 'customer'), 0)
        > coalesce((select s.seq from seen s where s.conversation_id = c.id and s.person_id = cast(:person as text)), 0)
        then 1 else 0 end as unread
from page g
join conversation c on c.id = g.id
join customer k on k.id = c.customer_id
left join person p on p.id = c.owner and p.tenant = c.tenant
left join message m on m.conversation_id = c.id
    and m.seq = (select max(x.seq) from message x where x.conversation_id = c.id)
order by g.place desc, g.id desc;

-- name: labels_of
-- The labels of some conversations; ids are between commas.
select l.conversation_id, l.label_id from conversation_label l join label n on n.id = l.label_id
where l.tenant = :tenant and n.deleted_at is null and cast(:ids as text) like '%,' || l.conversation_id || ',%';

-- name: counts
-- How many conversations each view has; the longest wait starts at `oldest`.
select count(case when t.live = 1 then 1 end) as all_open,
    count(case when t.live = 1 and t.owner = cast(:person as text) then 1 end) as mine,
    count(case when t.live = 1 and t.owner is null then 1 end) as unassigned,
    count(case when t.live = 1 and t.status = 'bot' then 1 end) as bot,
    count(case when t.live = 1 and t.status = 'waiting' then 1 end) as waiting,
    count(case when t.snoozed = 1 then 1 end) as snoozed,
    count(case when t.status = 'closed' then 1 end) as closed,
    min(case when t.live = 1 and t.status = 'waiting' then t.waiting_since end) as oldest,
    (select count(distinct m.conversation_id) from mention m
        where m.tenant = :tenant and m.person_id = cast(:person as text) and m.seen_at is null
            and {of m.conversation_id}) as mentions
from (
    select b.status, b.owner, b.waiting_since, b.snoozed,
        case when b.snoozed = 0 and b.status <> 'closed' then 1 else 0 end as live
    from (
        select c.status, c.owner, c.waiting_since,
            case when d.snoozed_until > cast(:now as double precision) and c.said_at <= d.snoozed_at then 1 else 0 end
                as snoozed
        from conversation c left join desk_state d on d.conversation_id = c.id
        where c.tenant = :tenant
            and {within c}
    ) b
) t;

-- name: open_by_channel
-- How many open conversations each channel account has.
select c.channel, c.account, count(*) as n from conversation c
where c.tenant = :tenant and c.status <> 'closed'
    and {within c}
group by c.channel, c.account order by c.channel, c.account;

-- name: open_by_label
-- How many open conversations carry each label.
select l.label_id, count(*) as n from conversation_label l join conversation c on c.id = l.conversation_id
where l.tenant = :tenant and c.status <> 'closed'
    and {within c}
group by l.label_id;

-- name: saved
-- The views somebody may use, by name.
select id, person_id, name, query, shared, created_at from saved_view
where tenant = :tenant and (person_id = :person or shared = 1) order by name, id;

-- name: save
-- Keep a set of filters.
insert into saved_view (id, tenant, person_id, name, query, shared, created_at)
values (:id, :tenant, :person, :name, :query, :shared, cast(:now as double precision));

-- name: change
-- Rename, refill or share one of one's own.
update saved_view set name = :name, query = :query, shared = :shared
where tenant = :tenant and id = :id and person_id = :person;

-- name: drop
-- Remove one; an admin may remove what others share.
delete from saved_view where tenant = :tenant and id = :id and (person_id = :person or cast(:admin as integer) = 1);

-- name: seen
-- Somebody has read a conversation up to here.
insert into seen (person_id, conversation_id, seq) values (:person, :id, cast(:seq as bigint))
on conflict (conversation_id, person_id) do update set seq = case when excluded.seq > seen.seq then excluded.seq
    else seen.seq end;

-- name: mentions_seen
-- Somebody has seen where they were mentioned.
update mention set seen_at = cast(:now as double precision)
where tenant = :tenant and conversation_id = :id and person_id = :person and seen_at is null;

-- name: priority
-- How urgent a conversation is.
insert into desk_state (conversation_id, tenant, priority) values (:id, :tenant, cast(:priority as integer))
on conflict (conversation_id) do update set priority = excluded.priority;

-- name: state
-- What staff decided about a conversation.
select priority, snoozed_at, snoozed_until, snoozed_by from desk_state where tenant = :tenant and conversation_id = :id;

-- name: snooze
-- Put a conversation off.
insert into desk_state (conversation_id, tenant, snoozed_at, snoozed_until, snoozed_by)
values (:id, :tenant, cast(:now as double precision), cast(:until as double precision), :person)
on conflict (conversation_id) do update set snoozed_at = excluded.snoozed_at, snoozed_until = excluded.snoozed_until,
    snoozed_by = excluded.snoozed_by;

-- name: unsnooze
-- It is back; nothing changes when it was back already.
update desk_state set snoozed_at = null, snoozed_until = null, snoozed_by = null
where tenant = :tenant and conversation_id = :id and snoozed_until is not null;

-- name: returned
-- Conversations whose time came, or whose customer wrote meanwhile.
select d.conversation_id, case when c.said_at > d.snoozed_at then 'message' else 'time' end as why
from desk_state d join conversation c on c.id = d.conversation_id
where d.tenant = :tenant and d.snoozed_until is not null
    and (d.snoozed_until <= cast(:now as double precision) or c.said_at > d.snoozed_at)
order by d.snoozed_until limit 200;

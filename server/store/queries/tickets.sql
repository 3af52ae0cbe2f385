-- name: page
-- Tickets before a position, the newest first; empty filters do not limit.
select t.id, t.conversation_id, t.category, t.priority, t.summary, t.suggested_action, t.state, t.assignee,
    p.name as assignee_name, k.name as customer_name, c.channel, t.created_at, t.updated_at, t.closed_at
from ticket t join conversation c on c.id = t.conversation_id join customer k on k.id = c.customer_id
left join person p on p.id = t.assignee
where t.tenant = :tenant and (cast(:state as text) = '' or t.state = cast(:state as text))
    and (cast(:priority as text) = '' or t.priority = cast(:priority as text))
    and (cast(:category as text) = '' or t.category = cast(:category as text))
    and (cast(:assignee as text) = '' or t.assignee = cast(:assignee as text))
    and (cast(:conversation as text) = '' or t.conversation_id = cast(:conversation as text))
    and {within c}
    and (t.created_at < cast(:at as double precision) or (t.created_at = cast(:at as double precision) and t.id < :id))
order by t.created_at desc, t.id desc limit cast(:count as integer);

-- name: one
-- A ticket.
select t.id, t.conversation_id, t.category, t.priority, t.summary, t.suggested_action, t.state, t.assignee,
    p.name as assignee_name, k.name as customer_name, c.channel, t.created_at, t.updated_at, t.closed_at
from ticket t join conversation c on c.id = t.conversation_id join customer k on k.id = c.customer_id
left join person p on p.id = t.assignee
where t.tenant = :tenant and t.id = :id;

-- name: lock
-- A ticket, held until the commit.
select * from ticket where tenant = :tenant and id = :id {for_update};

-- name: add
-- A ticket that staff open; the same key again opens none.
insert into ticket (id, tenant, conversation_id, category, priority, summary, suggested_action, state, assignee,
    idempotency_key, created_at, updated_at)
values (:id, :tenant, :conversation_id, :category, :priority, :summary, :suggested_action, 'open', :assignee, :key,
    cast(:now as double precision), cast(:now as double precision))
on conflict do nothing;

-- name: by_key
-- The ticket a key opened.
select id from ticket where tenant = :tenant and idempotency_key = :key;

-- name: edit
-- Better words, another priority, somebody else's.
update ticket set category = :category, priority = :priority, summary = :summary, suggested_action = :suggested_action,
    assignee = :assignee, updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id;

-- name: set_state
-- Done with it, or not after all.
update ticket set state = :state, closed_by = :closed_by, closed_at = cast(:closed_at as double precision),
    updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id;

-- name: touch
-- Write something small: proves that the database accepts writes.
insert into store_state (name, value) values ('touched_at', cast(cast(:now_s as double precision) as text))
on conflict (name) do update set value = excluded.value;

-- name: raise_event_tail
-- Give out the next numbers of a tenant; the row stays locked until the commit, so numbers are commit-ordered.
insert into tenant (id, event_tail, created_at)
values (:tenant, cast(:count as bigint), cast(:now_s as double precision))
on conflict (id) do update set event_tail = tenant.event_tail + excluded.event_tail
returning event_tail;

-- name: events_since
-- Events of a tenant after a number, oldest first: what a resuming reader asks for.
select number, conversation_id, seq, kind, audience, body, created_at
from event where tenant = :tenant and number > :after
order by number limit :limit;

-- name: event_tail
-- The last number given out and committed.
select event_tail from tenant where id = :tenant;

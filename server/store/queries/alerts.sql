-- name: due
-- Customers who wait for a person since before a time, of whom the browsers were not told, the longest wait first;
-- nobody stands behind those of the simulator.
select c.id, c.waiting_since from conversation c left join desk_state d on d.conversation_id = c.id
where c.tenant = :tenant and c.status = 'waiting' and c.banned_at is null
    and c.account not like '~%' and c.waiting_since <= cast(:before as double precision)
    and (d.snoozed_until is null or d.snoozed_until <= cast(:now as double precision) or c.said_at > d.snoozed_at)
    and not exists (select 1 from alert a where a.conversation_id = c.id and a.waiting_since = c.waiting_since)
order by c.waiting_since, c.id limit 200;

-- name: tell
-- Remember that it was told; of two that tell exactly one changes a row.
insert into alert (conversation_id, waiting_since, tenant, created_at)
values (:id, cast(:since as double precision), :tenant, cast(:now as double precision))
on conflict do nothing;

-- name: open
-- Waits that go on, of which the shop's systems or the mailboxes were not told, the longest first.
select a.conversation_id, a.waiting_since, a.hook_at, a.letter_at, a.letter_tries, c.channel, c.account, c.reason
from alert a join conversation c on c.id = a.conversation_id
where a.tenant = :tenant and c.status = 'waiting' and c.waiting_since = a.waiting_since
    and (a.hook_at is null or a.letter_at is null)
order by a.waiting_since, a.conversation_id limit 200;

-- name: hooked
-- The webhook of a wait is queued.
update alert set hook_at = cast(:now as double precision)
where conversation_id = :id and waiting_since = cast(:since as double precision) and hook_at is null;

-- name: try_letter
-- A letter about a wait is about to be handed over.
update alert set letter_tries = letter_tries + 1
where conversation_id = :id and waiting_since = cast(:since as double precision) and letter_at is null;

-- name: lettered
-- It was.
update alert set letter_at = cast(:now as double precision)
where conversation_id = :id and waiting_since = cast(:since as double precision);

-- name: recent
-- The latest alerts.
select conversation_id, waiting_since, created_at, hook_at, letter_at, letter_tries from alert
where tenant = :tenant order by created_at desc, conversation_id limit cast(:count as integer);

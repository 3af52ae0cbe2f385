-- name: count
-- Deliveries of one account that were answered alike on one day.
insert into door (tenant, channel, account, day, status, reason, deliveries, last_at)
values (:tenant, :channel, :account, cast(:day as bigint), cast(:status as integer), :reason,
    cast(:deliveries as bigint), cast(:last_at as double precision))
on conflict (tenant, channel, account, day, status, reason) do update set
    deliveries = door.deliveries + excluded.deliveries, last_at = excluded.last_at;

-- name: since
-- How deliveries were answered from a day on, by account.
select channel, account, status, reason, sum(deliveries) as deliveries, max(last_at) as last_at from door
where tenant = :tenant and day >= cast(:day as bigint)
group by channel, account, status, reason order by channel, account, status, reason;

-- name: forget
-- Days nobody looks at any more.
delete from door where tenant = :tenant and day < cast(:day as bigint);

-- name: sent
-- What became of parts since a time, and when one last went out, by account.
select channel, account, state, count(*) as parts, max(sent_at) as last_at from part
where tenant = :tenant and updated_at >= cast(:since as double precision)
group by channel, account, state;

-- name: test
-- A test message: what became of it, and of its parts.
select m.id, o.channel, o.account, o.state, o.reason, o.updated_at, p.code, p.detail
from message m join conversation c on c.id = m.conversation_id join outbox o on o.message_id = m.id
left join part p on p.outbox_id = o.id
where m.tenant = :tenant and m.id = :id and c.address like '~test:%' order by p.number limit 1;

-- name: simulated
-- A conversation of the simulator by its address.
select id, status, language, case_id from conversation
where tenant = :tenant and channel = :channel and account = :account and address = :address;

-- name: said
-- The latest messages of a conversation in their order, with what was sent for each.
select * from (
    select m.id, m.seq, m.role, m.author, m.text, m.body, m.created_at, m.turn_id, o.id as outbox_id, o.state, o.reason
    from message m left join outbox o on o.message_id = m.id
    where m.tenant = :tenant and m.conversation_id = :id order by m.seq desc limit cast(:count as integer)
) s order by s.seq;

-- name: parts
-- The platform messages of a conversation in the order of its answers.
select p.outbox_id, p.number, p.payload, p.state from part p join outbox o on o.id = p.outbox_id
where o.tenant = :tenant and o.conversation_id = :id order by o.created_at, o.id, p.number;

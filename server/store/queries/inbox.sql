-- name: page
-- Conversations before a position, the latest change first, with who writes and who owns them.
select c.id, c.channel, c.account, c.status, c.reason, c.waiting_since, c.owner, p.name as owner_name,
    k.name as customer_name, c.language, c.created_at, c.updated_at, c.opted_out_at, c.blocked_at, c.banned_at,
    (select m.text from message m where m.conversation_id = c.id order by m.seq desc limit 1) as last_text,
    (select m.role from message m where m.conversation_id = c.id order by m.seq desc limit 1) as last_role
from conversation c
join customer k on k.id = c.customer_id
left join person p on p.id = c.owner and p.tenant = c.tenant
where c.tenant = :tenant and (cast(:status as text) = '' or c.status = cast(:status as text))
    and {within c}
    and (c.updated_at < cast(:at as double precision)
        or (c.updated_at = cast(:at as double precision) and c.id < :id))
order by c.updated_at desc, c.id desc limit cast(:count as integer);

-- name: one
-- A conversation with who writes and who owns it.
select c.id, c.channel, c.account, c.status, c.reason, c.waiting_since, c.owner, p.name as owner_name,
    k.name as customer_name, c.language, c.created_at, c.updated_at, c.opted_out_at,
    c.blocked_at, c.banned_at, c.case_id
from conversation c
join customer k on k.id = c.customer_id
left join person p on p.id = c.owner and p.tenant = c.tenant
where c.tenant = :tenant and c.id = :id;

-- name: messages
-- The latest messages before a sequence, newest first.
select id, seq, role, author, text, body, turn_id, release_id, created_at, edited_at from message
where tenant = :tenant and conversation_id = :id and seq < cast(:before as bigint)
order by seq desc limit cast(:count as integer);

-- name: ratings
-- Standing ratings of a conversation's messages, oldest first: the customer's, and this person's own.
select message_id, giver_kind, value, reason, comment from feedback
where tenant = :tenant and conversation_id = :id and kind = 'rating' and value is not null
    and (giver_kind = 'customer' or giver_id = :person)
order by updated_at;

-- name: turns
-- How the latest turns ended, newest first.
select id, first_seq, last_seq, attempt, outcome, reason, release_id, message_id, prompt_tokens, completion_tokens,
    timings, grounding, ended_at
from turn where tenant = :tenant and conversation_id = :id order by first_seq desc limit cast(:count as integer);

-- name: case
-- The episode a conversation is in.
select id, release_id, opened_at, closed_at, closed_by, csat from support_case
where tenant = :tenant and id = :id;

-- name: deliveries
-- What became of the latest messages sent to a platform; of several parts the last failure is shown.
select o.message_id, o.kind, o.state, o.reason, o.parts, o.updated_at,
    (select p.code from part p where p.outbox_id = o.id and p.code is not null order by p.number desc limit 1) as code,
    (select p.detail from part p where p.outbox_id = o.id and p.code is not null order by p.number desc limit 1)
        as detail,
    (select coalesce(sum(p.repeats), 0) from part p where p.outbox_id = o.id) as repeats
from outbox o where o.tenant = :tenant and o.conversation_id = :id and o.message_id is not null
order by o.created_at desc limit cast(:count as integer);

-- name: files
-- What came with the latest messages of a conversation.
select f.id, f.message_id, f.number, f.source, f.state, f.reason, f.mime, f.size_bytes, f.transcript from media f
where f.tenant = :tenant and f.conversation_id = :id
order by f.created_at desc, f.number limit cast(:count as integer);

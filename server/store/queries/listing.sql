-- name: requests
-- Tool calls within a scope that wait or waited for a yes, before a position, the newest first; empty kind or state
-- = all.
select id, conversation_id, first_seq, number, tool, arguments, kind, state, summary, result, expires_at, decided_by,
    decided_at, created_at
from tool_request r
where tenant = :tenant and {of r.conversation_id} and (cast(:kind as text) = '' or kind = cast(:kind as text))
    and (cast(:state as text) = '' or state = cast(:state as text))
    and (created_at < cast(:at as double precision) or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: deliveries
-- Events for the shop's own systems before a position, the newest first; empty state = all.
select id, url, kind, state, attempts, code, next_at, created_at from webhook_delivery
where tenant = :tenant and (cast(:state as text) = '' or state = cast(:state as text))
    and (created_at < cast(:at as double precision) or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: leads
-- People who want to be called, within a scope before a position, the newest first.
select id, conversation_id, name, contact, interest, created_at from lead l
where tenant = :tenant and {of l.conversation_id}
    and (created_at < cast(:at as double precision) or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: tickets
-- Tickets within a scope before a position, the newest first; empty state = all.
select id, conversation_id, category, priority, summary, suggested_action, state, created_at, updated_at from ticket t
where tenant = :tenant and {of t.conversation_id} and (cast(:state as text) = '' or state = cast(:state as text))
    and (created_at < cast(:at as double precision) or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: ticket
-- One ticket's state.
select id, state from ticket where tenant = :tenant and id = :id;

-- name: close_ticket
-- Done with it; closing it again changes nothing.
update ticket set state = 'closed', updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and state = 'open';

-- name: tool_outcomes
-- How often each tool was called since a time, by how it ended.
select tool, state, count(*) as calls, max(created_at) as last_at from step
where tenant = :tenant and created_at >= cast(:since as double precision)
group by tool, state;

-- name: steps
-- The tool calls of a conversation, the newest first.
select first_seq, number, tool, arguments, state, result, created_at, ended_at from step
where tenant = :tenant and conversation_id = :id
order by first_seq desc, number desc limit cast(:count as integer);

-- name: misses
-- Questions within a scope that nothing answered, before a position, the newest first.
select m.id, m.conversation_id, m.turn_id, m.question, m.confidence, m.created_at, c.channel, c.language
from question_miss m join conversation c on c.id = m.conversation_id
where m.tenant = :tenant and {within c}
    and (m.created_at < cast(:at as double precision)
        or (m.created_at = cast(:at as double precision) and m.id < :id))
order by m.created_at desc, m.id desc limit cast(:count as integer);

-- name: forget_miss
-- It has been answered, or does not matter; only within a scope.
delete from question_miss where tenant = :tenant and id = :id and {of question_miss.conversation_id};

-- name: documents_by_state
-- How many documents there are in each state; gone ones do not count.
select state, count(*) as documents from document
where tenant = :tenant and deleted_at is null group by state;

-- name: counts
-- How many passages are stored, the newest revision, what is not findable yet, and what nothing answered.
select (select count(*) from chunk where tenant = :tenant) as chunks,
    (select coalesce(max(revision), 0) from document where tenant = :tenant) as revision,
    (select count(*) from document where tenant = :tenant and deleted_at is null and digest <> ''
        and digest <> indexed_digest) as waiting,
    (select count(*) from question_miss where tenant = :tenant) as gaps;

-- name: alarms
-- What is wrong with the index, by name.
select name, value from knowledge_state where tenant = :tenant and name like 'alarm%' and value <> '' order by name;

-- name: passages
-- The passages of one document, in order.
select id, number, heading, text from chunk where tenant = :tenant and document_id = :document_id
order by number limit cast(:count as integer);

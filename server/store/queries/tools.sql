-- name: steps
-- The tool calls of one turn, in order.
select number, tool, arguments, state, result, key, call_id, round, attempts from step
where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint) order by number;

-- name: add_step
-- A call is written down before anything happens; writing it again changes nothing.
insert into step (conversation_id, first_seq, number, tenant, tool, arguments, state, created_at, key, call_id, round)
values (:conversation_id, cast(:first_seq as bigint), cast(:number as integer), :tenant, :tool, :arguments, 'proposed',
    cast(:now as double precision), :key, :call_id, cast(:round as integer))
on conflict (conversation_id, first_seq, number) do nothing;

-- name: begin_step
-- The effect may happen from now on; a step that ended is never begun again.
update step set state = 'running', attempts = attempts + 1
where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint)
    and number = cast(:number as integer) and state in ('proposed', 'running', 'waiting')
returning number, tool, arguments, state, result, key, call_id, round, attempts;

-- name: end_step
-- What came of a call, or that it waits; a step that ended keeps its first result.
update step set state = :state, result = :result,
    ended_at = case when :state = 'waiting' then null else cast(:now as double precision) end
where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint)
    and number = cast(:number as integer) and state in ('proposed', 'running', 'waiting');

-- name: count_call
-- One more call in this hour, unless there were enough.
insert into tool_rate (conversation_id, tool, hour, calls)
values (:conversation_id, :tool, cast(:hour as bigint), 1)
on conflict (conversation_id, tool, hour) do update set calls = tool_rate.calls + 1
where tool_rate.calls < cast(:limit as integer)
returning calls;

-- name: calls_of_hour
-- How often each tool was called in an hour.
select tool, calls from tool_rate where conversation_id = :conversation_id and hour = cast(:hour as bigint);

-- name: forget_calls
-- Counts of hours that are over.
delete from tool_rate where hour < cast(:hour as bigint);

-- name: add_request
-- A call waits for a yes; asking again in the same turn changes nothing.
insert into tool_request (id, tenant, conversation_id, first_seq, number, tool, arguments, digest, kind, state, summary,
    expires_at, created_at)
select :id, :tenant, :conversation_id, cast(:first_seq as bigint), cast(:number as integer), :tool, :arguments, :digest,
    :kind, 'waiting', :summary, cast(:expires_at as double precision), cast(:now as double precision)
where not exists (select 1 from tool_request where conversation_id = :conversation_id
    and first_seq = cast(:first_seq as bigint) and number = cast(:number as integer));

-- name: request_of_step
-- The request of one step.
select * from tool_request where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint)
    and number = cast(:number as integer);

-- name: supersede_confirmations
-- A newer question to the customer takes the place of those before it.
update tool_request set state = 'expired' where conversation_id = :conversation_id and kind = 'confirm'
    and state = 'waiting' and not (first_seq = cast(:first_seq as bigint) and number = cast(:number as integer));

-- name: waiting_confirmation
-- What the customer was asked last and may still say yes to.
select * from tool_request where conversation_id = :conversation_id and kind = 'confirm' and state = 'waiting'
    and expires_at > cast(:now as double precision)
order by created_at desc, id desc limit 1;

-- name: lock_request
-- One request, held until the commit.
select * from tool_request where id = :id {for_update};

-- name: request
-- One request.
select * from tool_request where id = :id and tenant = :tenant;

-- name: requests
-- What waits for staff, or was decided, the newest first.
select * from tool_request where tenant = :tenant and kind = 'approve'
    and (cast(:state as text) is null or state = :state)
order by created_at desc, id desc limit cast(:limit as bigint);

-- name: decide_request
-- The answer to a request; only the first one counts.
update tool_request set state = :state, decided_by = :decided_by, decided_at = cast(:now as double precision)
where id = :id and state = 'waiting';

-- name: end_request
-- What came of a granted request.
update tool_request set state = :state, result = :result where id = :id and state = 'granted';

-- name: note_request
-- How often a granted request was tried.
update tool_request set result = :result where id = :id and state = 'granted';

-- name: expire_requests
-- Requests nobody answered in time.
update tool_request set state = 'expired' where tenant = :tenant and state = 'waiting'
    and expires_at <= cast(:now as double precision)
returning id, kind, conversation_id, first_seq, number;

-- name: add_delivery
-- An event for the shop's own systems.
insert into webhook_delivery (id, tenant, url, kind, body, state, next_at, created_at)
values (:id, :tenant, :url, :kind, :body, 'queued', cast(:now as double precision), cast(:now as double precision))
on conflict (id) do nothing;

-- name: take_deliveries
-- Events that are due, held for a while so that nobody else sends them.
update webhook_delivery set attempts = attempts + 1, next_at = cast(:until as double precision)
where id in (select id from webhook_delivery where tenant = :tenant and state = 'queued'
    and next_at <= cast(:now as double precision) order by next_at, id limit cast(:limit as bigint)
    {skip_locked})
returning id, url, kind, body, attempts, created_at;

-- name: end_delivery
-- What the receiver said.
update webhook_delivery set state = :state, code = cast(:code as integer), next_at = cast(:next_at as double precision)
where id = :id and state = 'queued';

-- name: replay_delivery
-- Send an event again, from the first attempt.
update webhook_delivery set state = 'queued', attempts = 0, code = null, next_at = cast(:now as double precision)
where id = :id and tenant = :tenant and state <> 'queued';

-- name: deliveries
-- Events and what became of them, the newest first.
select id, url, kind, state, attempts, code, next_at, created_at from webhook_delivery
where tenant = :tenant and (cast(:state as text) is null or state = :state)
order by created_at desc, id desc limit cast(:limit as bigint);

-- name: lock_verification
-- What a conversation proved, or is proving, held until the commit.
select * from verification where conversation_id = :conversation_id {for_update};

-- name: verification
-- What a conversation proved, or is proving.
select * from verification where conversation_id = :conversation_id;

-- name: start_verification
-- A code was made: its hash, where it went, and how many there were in this hour.
insert into verification (conversation_id, tenant, subject, contact, code_hash, tries, sent_at, sends, counted_from,
    expires_at)
values (:conversation_id, :tenant, :subject, :contact, :code_hash, 0, cast(:now as double precision),
    cast(:sends as integer), cast(:counted_from as double precision), cast(:expires_at as double precision))
on conflict (conversation_id) do update set subject = excluded.subject, contact = excluded.contact,
    code_hash = excluded.code_hash, tries = 0, sent_at = excluded.sent_at, sends = excluded.sends,
    counted_from = excluded.counted_from, expires_at = excluded.expires_at, verified_at = null, verified_until = null;

-- name: codes_to_subject
-- Codes that went to one customer since a time, from all conversations.
select coalesce(sum(sends), 0) as sends from verification
where tenant = :tenant and subject = :subject and sent_at > cast(:since as double precision);

-- name: count_try
-- One more try at a code; a hash that is gone cannot be matched any more.
update verification set tries = cast(:tries as integer), code_hash = :code_hash
where conversation_id = :conversation_id;

-- name: prove
-- The right code was given.
update verification set code_hash = null, verified_at = cast(:now as double precision),
    verified_until = cast(:until as double precision)
where conversation_id = :conversation_id;

-- name: caller
-- Whose conversation it is, and what is known about who that is.
select c.channel, c.account, c.customer_id, c.language, i.verified, i.profile, i.address, u.name,
    v.subject, v.verified_until
from conversation c
join identity i on i.id = c.identity_id
join customer u on u.id = c.customer_id
left join verification v on v.conversation_id = c.id
where c.id = :conversation_id and c.tenant = :tenant;

-- name: add_lead
-- Somebody wants to hear from the shop; the same call again changes nothing.
insert into lead (id, tenant, conversation_id, name, contact, interest, idempotency_key, created_at)
values (:id, :tenant, :conversation_id, :name, :contact, :interest, :key, cast(:now as double precision))
on conflict (idempotency_key) do nothing;

-- name: lead_by_key
-- What a call stored.
select id, name, contact, interest from lead where idempotency_key = :key;

-- name: leads
-- Who wants to hear from the shop, the newest first.
select id, conversation_id, name, contact, interest, created_at from lead where tenant = :tenant
order by created_at desc, id desc limit cast(:limit as bigint);

-- name: add_ticket
-- A matter for staff; the same call again changes nothing.
insert into ticket (id, tenant, conversation_id, category, priority, summary, suggested_action, state,
    idempotency_key, created_at, updated_at)
values (:id, :tenant, :conversation_id, :category, :priority, :summary, :suggested_action, 'open', :key,
    cast(:now as double precision), cast(:now as double precision))
on conflict (idempotency_key) do nothing;

-- name: ticket_by_key
-- What a call stored.
select id, category, priority, summary, suggested_action, state from ticket where idempotency_key = :key;

-- name: ticket
-- Which call a number belongs to.
select id, idempotency_key from ticket where id = :id;

-- name: tickets
-- Matters for staff, the newest first.
select id, conversation_id, category, priority, summary, suggested_action, state, created_at, updated_at from ticket
where tenant = :tenant and (cast(:state as text) is null or state = :state)
order by created_at desc, id desc limit cast(:limit as bigint);

-- name: close_ticket
-- A matter is settled.
update ticket set state = 'closed', updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and state = 'open';

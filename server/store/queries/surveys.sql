-- name: begin
-- Where following begins: at the newest event.
insert into loop_cursor (tenant, name, number)
values (:tenant, :name, coalesce((select event_tail from tenant where id = :tenant), 0)) on conflict do nothing;

-- name: move
-- Passed up to here; never back.
update loop_cursor set number = cast(:number as bigint)
where tenant = :tenant and name = :name and number < cast(:number as bigint);

-- name: closed
-- Cases that ended since, oldest first.
select e.number, e.conversation_id, e.body, e.created_at from loop_cursor c
join event e on e.tenant = c.tenant and e.number > c.number and e.kind = 'case_closed'
where c.tenant = :tenant and c.name = :name order by e.number limit cast(:count as integer);

-- name: silent
-- Open talks with the bot alone that fell silent in a time and were not asked about.
select c.id as conversation_id, c.case_id from conversation c join support_case s on s.id = c.case_id
where c.tenant = :tenant and c.status = 'bot' and c.said_at >= cast(:since as double precision)
    and c.said_at < cast(:until as double precision) and s.handed_at is null
    and not exists (select 1 from survey q where q.tenant = c.tenant and q.case_id = c.case_id)
    and c.updated_at < cast(:until as double precision)
    and exists (select 1 from message m where m.conversation_id = c.id and m.case_id = c.case_id
        and m.role = 'assistant')
    and exists (select 1 from message m where m.conversation_id = c.id and m.case_id = c.case_id
        and m.role = 'customer')
order by c.said_at limit cast(:count as integer);

-- name: case
-- A case with what was said in it.
select s.release_id, c.customer_id,
    (select count(*) from message m where m.conversation_id = s.conversation_id and m.case_id = s.id
        and m.role = 'customer') as heard,
    (select count(*) from message m where m.conversation_id = s.conversation_id and m.case_id = s.id
        and m.role in ('assistant', 'staff')) as answers
from support_case s join conversation c on c.id = s.conversation_id
where s.id = :id and s.conversation_id = :conversation_id;

-- name: asked_since
-- Whether a customer was asked this lately, in any of their conversations.
select id from survey where tenant = :tenant and customer_id = :customer_id and kind = :kind
    and asked_at >= cast(:since as double precision) limit 1;

-- name: add
-- A question about a case; no row comes back when there is one.
insert into survey (id, tenant, conversation_id, case_id, customer_id, channel, account, release_id, person_id, kind,
    asked_at)
values (:id, :tenant, :conversation_id, :case_id, :customer_id, :channel, :account, :release_id, :person_id, :kind,
    cast(:now as double precision))
on conflict do nothing returning id;

-- name: said
-- The message that asks.
update survey set message_id = :message_id where id = :id;

-- name: one
-- A survey of a conversation.
select id, case_id, kind, score, scored_at, comment, asked_at from survey
where id = :id and conversation_id = :conversation_id;

-- name: place
-- Whose survey a button is about.
select conversation_id from survey where tenant = :tenant and id = :id;

-- name: last
-- The newest survey of a conversation.
select id, case_id, kind, score, scored_at, comment, asked_at from survey
where conversation_id = :conversation_id order by asked_at desc limit 1;

-- name: score
-- The score given; when it was first given stays.
update survey set score = cast(:score as integer), giver = :giver,
    scored_at = coalesce(scored_at, cast(:now as double precision))
where id = :id;

-- name: comment
-- Why.
update survey set comment = :comment, commented_at = cast(:now as double precision) where id = :id;

-- name: page
-- Surveys within a scope that were asked before a position, newest first.
select s.*, k.name as customer_name from survey s
join conversation c on c.id = s.conversation_id join customer k on k.id = c.customer_id
where s.tenant = :tenant and {within c} and (s.asked_at < cast(:at as double precision)
    or (s.asked_at = cast(:at as double precision) and s.id < :id))
    and (:kind = '' or s.kind = :kind) and (cast(:answered as integer) = 0 or s.score is not null)
order by s.asked_at desc, s.id desc limit cast(:count as integer);

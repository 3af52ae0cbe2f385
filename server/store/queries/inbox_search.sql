-- name: cursor
-- How far events were looked through, locked.
select number from search_cursor where tenant = :tenant {for_update};

-- name: cursor_now
-- The same without a lock.
select number from search_cursor where tenant = :tenant;

-- name: start
-- Begin at the first event.
insert into search_cursor (tenant, number) values (:tenant, 0) on conflict (tenant) do nothing;

-- name: move
-- Everything up to here can be found.
update search_cursor set number = cast(:number as bigint) where tenant = :tenant;

-- name: next_events
-- Where the following events are: number, and the message each one announced or changed.
select e.number, e.kind, e.conversation_id, e.seq, e.body from event e
where e.tenant = :tenant and e.number > cast(:after as bigint) order by e.number limit cast(:count as integer);

-- name: said
-- The message an event announced.
select id, text, conversation_id, created_at from message where conversation_id = :conversation_id and seq = :seq;

-- name: message
-- A message that was changed.
select id, text, conversation_id, created_at from message where id = :id and tenant = :tenant;

-- name: forget
-- Its earlier words.
delete from message_word where message_id = :id;

-- name: add (sqlite)
-- The words of some messages; rows is a JSON list of {m, w, c, a}.
insert into message_word (message_id, word, tenant, conversation_id, at)
select r.value ->> 'm', r.value ->> 'w', :tenant, r.value ->> 'c', r.value ->> 'a' from json_each(:rows) r
where true on conflict do nothing;

-- name: add (postgresql)
-- The words of some messages; rows is a JSON list of {m, w, c, a}.
insert into message_word (message_id, word, tenant, conversation_id, at)
select r.value ->> 'm', r.value ->> 'w', cast(:tenant as text), r.value ->> 'c',
    cast(r.value ->> 'a' as double precision)
from jsonb_array_elements(cast(:rows as jsonb)) r on conflict do nothing;

-- name: find
-- Messages with all words before a position, the newest first.
select m.id, m.conversation_id, m.seq, m.role, m.text, m.created_at, c.channel, c.status, k.name as customer_name
from message m
join conversation c on c.id = m.conversation_id
join customer k on k.id = c.customer_id
where m.id in (
    select x.message_id from (select distinct w.message_id, w.at from message_word w
    where w.tenant = :tenant and w.word >= cast(:low1 as text) and w.word <= cast(:high1 as text)
        and (w.at < cast(:at as double precision) or (w.at = cast(:at as double precision) and w.message_id < :id))
        and (cast(:low2 as text) = '' or exists (select 1 from message_word v where v.message_id = w.message_id
            and v.word >= cast(:low2 as text) and v.word <= cast(:high2 as text)))
        and (cast(:low3 as text) = '' or exists (select 1 from message_word v where v.message_id = w.message_id
            and v.word >= cast(:low3 as text) and v.word <= cast(:high3 as text)))
        and (cast(:low4 as text) = '' or exists (select 1 from message_word v where v.message_id = w.message_id
            and v.word >= cast(:low4 as text) and v.word <= cast(:high4 as text)))
        and {of w.conversation_id}
    order by w.at desc, w.message_id desc limit cast(:count as integer)) x)
order by m.created_at desc, m.id desc limit cast(:count as integer);

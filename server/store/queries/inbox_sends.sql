-- name: add
-- A message that can be taken back until it is due.
insert into scheduled_message (id, tenant, conversation_id, author, owner_epoch, text, body, request_key, state, due_at,
    created_at)
values (:id, :tenant, :conversation_id, :author, cast(:epoch as bigint), :text, :body, :key, 'waiting',
    cast(:due_at as double precision), cast(:now as double precision));

-- name: by_key
-- What an earlier request with this key became.
select id, conversation_id, state, due_at from scheduled_message
where tenant = :tenant and author = :author and request_key = :key;

-- name: due
-- Messages whose moment has come, in order.
select id, conversation_id from scheduled_message
where tenant = :tenant and state = 'waiting' and due_at <= cast(:now as double precision)
order by due_at, id limit 100;

-- name: next
-- When the next one is due.
select min(due_at) as due_at from scheduled_message where tenant = :tenant and state = 'waiting';

-- name: one
-- One of them; its conversation is locked.
select * from scheduled_message where tenant = :tenant and id = :id;

-- name: end
-- It was sent, taken back, or could not go out; the first end counts.
update scheduled_message set state = :state, ended_at = cast(:now as double precision)
where id = :id and state = 'waiting';

-- name: waiting_of
-- What still can be taken back in a conversation.
select s.id, s.author, p.name as author_name, s.text, s.body, s.due_at from scheduled_message s
left join person p on p.id = s.author and p.tenant = s.tenant
where s.tenant = :tenant and s.conversation_id = :id and s.state = 'waiting' order by s.due_at, s.id;

-- name: add_upload
-- A file that waits for its message.
insert into upload (id, tenant, conversation_id, person_id, name, mime, kind, size_bytes, created_at)
values (:id, :tenant, :conversation_id, :person, :name, :mime, :kind, cast(:size_bytes as bigint),
    cast(:now as double precision));

-- name: upload
-- One of somebody's own files of a conversation.
select * from upload
where tenant = :tenant and id = :id and conversation_id = :conversation_id and person_id = :person;

-- name: use_upload
-- It goes with a message; nothing changes when it went with another one.
update upload set message_id = :message_id where id = :id and message_id is null;

-- name: free_uploads
-- Their message was taken back.
update upload set message_id = null where message_id = :message_id;

-- name: outgoing
-- The newest outbox row of a message.
select o.* from outbox o where o.tenant = :tenant and o.conversation_id = :conversation_id and o.message_id = :id
    and o.kind = 'message'
order by o.created_at desc, o.id desc limit 1;

-- name: requeue
-- Try a message again, as staff's decision.
update outbox set state = 'queued', reason = null, author = 'staff', draft_seq = null,
    updated_at = cast(:now as double precision) where id = :id;

-- name: requeue_parts
-- What surely did not arrive is to be sent; what may have arrived is left as it is.
update part set state = 'queued', repeats = 0, code = null, detail = null, tried_at = null,
    updated_at = cast(:now as double precision)
where outbox_id = :id and state in ('queued', 'failed');

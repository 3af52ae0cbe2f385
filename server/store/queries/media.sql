-- name: add
-- A file that came with a message; a repeated delivery changes nothing.
insert into media (id, tenant, conversation_id, message_id, number, source, state, created_at)
values (:id, :tenant, :conversation_id, :message_id, cast(:number as integer), :source, 'waiting',
    cast(:now as double precision))
on conflict (message_id, number) do nothing;

-- name: of_message
-- What came with one message, in its order.
select id, message_id, number, source, state, reason, path, mime, size_bytes, transcript
from media where message_id = :message_id and conversation_id = :conversation_id
order by number;

-- name: of_conversation
-- What came with a conversation's messages, for people who look at it; the file itself is read by its id.
select id, message_id, number, source, state, reason, mime, size_bytes, transcript
from media where conversation_id = :conversation_id
order by message_id, number;

-- name: origin
-- Which channel account a conversation's files come from.
select channel, account, route from conversation where id = :conversation_id;

-- name: read
-- One file of this tenant.
select id, source, state, path, mime, size_bytes from media where tenant = :tenant and id = :id;

-- name: settle
-- What became of a file; the first end counts, so that a worker that lost its lease changes nothing.
update media set state = :state, reason = :reason, path = :path, mime = :mime,
    size_bytes = cast(:size_bytes as bigint), ended_at = cast(:now as double precision)
where id = :id and state = 'waiting';

-- name: transcribed
-- What was said in a voice message.
update media set transcript = :transcript where id = :id;

-- name: known
-- Whether a file on disk still belongs to a row.
select id from media where id = :id;

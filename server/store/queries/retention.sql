-- name: tenants
-- Everybody whose rows are kept here.
select id from tenant order by id;

-- name: dedupe
-- Forget platform message ids no platform repeats any more.
delete from dedupe where (tenant, channel, account, external_id) in (
    select tenant, channel, account, external_id from dedupe
    where tenant = :tenant and seen_at < cast(:before as double precision) limit cast(:limit as bigint));

-- name: items
-- Parked items nobody looked after.
delete from item where (lane_id, seq) in (
    select item.lane_id, item.seq from item join lane on lane.id = item.lane_id
    where item.dead is not null and lane.tenant = :tenant and item.seq <= lane.done
        and item.created_at < cast(:before as double precision) limit cast(:limit as bigint));

-- name: events
-- Old events; the last one of each conversation stays, so that its sequence is never empty.
delete from event where (tenant, number) in (
    select event.tenant, event.number from event left join conversation on conversation.id = event.conversation_id
    where event.tenant = :tenant and event.created_at < cast(:before as double precision)
        and (conversation.id is null or event.seq is null or event.seq < conversation.seq)
    limit cast(:limit as bigint));

-- name: steps
-- Tool calls of turns that ended long ago.
delete from step where (conversation_id, first_seq, number) in (
    select step.conversation_id, step.first_seq, step.number from step
    join conversation on conversation.id = step.conversation_id
    where step.tenant = :tenant and step.created_at < cast(:before as double precision)
        and step.first_seq <= conversation.covered
    limit cast(:limit as bigint));

-- name: drafts
-- Drafts that ended long ago.
delete from draft where (conversation_id, first_seq, attempt) in (
    select conversation_id, first_seq, attempt from draft
    where tenant = :tenant and state <> 'open' and opened_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: turns
-- Turns that ended long ago; what they covered stays known in conversation.covered.
delete from turn where id in (
    select id from turn where tenant = :tenant and ended_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: media
-- What came with old messages whose turn ended; the files themselves are swept afterwards.
delete from media where id in (
    select media.id from media join message on message.id = media.message_id
    join conversation on conversation.id = media.conversation_id
    where media.tenant = :tenant and media.created_at < cast(:before as double precision)
        and (message.item_seq is null or message.item_seq <= conversation.covered)
    limit cast(:limit as bigint));

-- name: parts
-- What was sent long ago, in conversations with nothing left to send.
delete from part where id in (
    select part.id from part join outbox on outbox.id = part.outbox_id
    where part.tenant = :tenant and outbox.created_at < cast(:before as double precision)
        and not exists (select 1 from lane where lane.tenant = outbox.tenant and lane.kind = 'out'
            and lane.key = outbox.conversation_id and lane.done < lane.tail)
    limit cast(:limit as bigint));

-- name: outbox
-- The same messages as a whole, once their parts are gone.
delete from outbox where id in (
    select outbox.id from outbox
    where outbox.tenant = :tenant and outbox.created_at < cast(:before as double precision)
        and not exists (select 1 from part where part.outbox_id = outbox.id)
        and not exists (select 1 from lane where lane.tenant = outbox.tenant and lane.kind = 'out'
            and lane.key = outbox.conversation_id and lane.done < lane.tail)
    limit cast(:limit as bigint));

-- name: messages
-- Old messages whose turn ended, without feedback on them and without a reply still to be sent.
delete from message where id in (
    select message.id from message join conversation on conversation.id = message.conversation_id
    where message.tenant = :tenant and message.created_at < cast(:before as double precision)
        and (message.item_seq is null or message.item_seq <= conversation.covered)
        and not exists (select 1 from feedback where feedback.message_id = message.id)
        and not exists (select 1 from media where media.message_id = message.id)
        and not exists (select 1 from lane where lane.tenant = message.tenant
            and lane.kind in ('in', 'out') and lane.key = conversation.id and lane.done < lane.tail)
    limit cast(:limit as bigint));

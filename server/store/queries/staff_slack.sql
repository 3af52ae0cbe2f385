-- name: begin
-- A conversation gets a thread, once.
insert into staff_thread (conversation_id, tenant, account, room, seq, created_at)
values (:conversation_id, :tenant, :account, :room, cast(:seq as bigint), cast(:now as double precision))
on conflict (conversation_id) do nothing;

-- name: before
-- The sequence before a conversation's latest messages.
select seq from message where conversation_id = :conversation_id and role <> 'notice'
order by seq desc limit 1 offset :count;

-- name: changed
-- What happened since a number, as far as it shows in threads: which conversation, who holds it, whether it has one.
select e.number, e.conversation_id, c.status, c.channel, c.account, t.account as threaded
from event e join conversation c on c.id = e.conversation_id
left join staff_thread t on t.conversation_id = e.conversation_id
where e.tenant = :tenant and e.number > cast(:after as bigint) order by e.number limit cast(:count as integer);

-- name: tail
-- The last committed number.
select coalesce(max(number), 0) as number from event where tenant = :tenant;

-- name: waiting
-- Conversations that need people now.
select id as conversation_id, status, channel, account, null as threaded from conversation
where tenant = :tenant and status in ('waiting', 'claimed');

-- name: thread
-- A thread with its conversation as it is now.
select t.*, c.status, c.reason, c.waiting_since, c.owner, c.channel, u.name as customer_name
from staff_thread t join conversation c on c.id = t.conversation_id join customer u on u.id = c.customer_id
where t.conversation_id = :conversation_id;

-- name: at
-- The conversation of a thread.
select conversation_id from staff_thread
where tenant = :tenant and account = :account and room = :room and root = :root;

-- name: under_way
-- A root message that may be in Slack already, while nobody knows its ts.
select conversation_id from staff_thread where tenant = :tenant and account = :account and room = :room
    and root = '' and post is not null and tried_at > cast(:since as double precision) limit 1;

-- name: events
-- What is not in the thread yet, oldest first, with who said it and what a correction says.
select e.seq, e.kind, e.body, m.author, k.id as correction_id, k.text as correction_text, k.suggested, k.route_reason
from event e left join message m on e.kind = 'message' and m.conversation_id = e.conversation_id and m.seq = e.seq
left join correction k on e.kind = 'correction' and k.conversation_id = e.conversation_id and k.route is null
    and e.body like '%' || k.message_id || '%'
where e.conversation_id = :conversation_id and e.seq > cast(:seq as bigint)
order by e.seq limit cast(:count as integer);

-- name: own_notes
-- Notes that were written in the thread itself.
select outcome from staff_act where conversation_id = :conversation_id and state = 'done' and outcome is not null;

-- name: names
-- How the people of the desk are called.
select id, name from person where tenant = :tenant;

-- name: freeze
-- What is posted next, fixed before the first try.
update staff_thread set post = :post, tried_at = cast(:now as double precision), fault = null
where conversation_id = :conversation_id;

-- name: posted
-- It stands there.
update staff_thread set post = null, tried_at = null, root = :root, shown = :shown, seq = cast(:seq as bigint),
    fault = null
where conversation_id = :conversation_id;

-- name: skip
-- Nothing of these shows.
update staff_thread set seq = cast(:seq as bigint) where conversation_id = :conversation_id;

-- name: fault
-- Why nothing more is shown.
update staff_thread set fault = :fault where conversation_id = :conversation_id;

-- name: act
-- What somebody did, once; no row when it is known.
insert into staff_act (tenant, account, external_id, conversation_id, body, state, created_at)
values (:tenant, :account, :external_id, :conversation_id, :body, 'queued', cast(:now as double precision))
on conflict (tenant, account, external_id) do nothing returning external_id;

-- name: read_act
-- Something to do, with its thread.
select a.*, t.room, t.root from staff_act a join staff_thread t on t.conversation_id = a.conversation_id
where a.tenant = :tenant and a.account = :account and a.external_id = :external_id;

-- name: end_act
-- Done or refused.
update staff_act set state = :state, person_id = :person_id, outcome = :outcome
where tenant = :tenant and account = :account and external_id = :external_id and state = 'queued';

-- name: last_answer
-- The assistant's last answer in a conversation.
select id from message where conversation_id = :conversation_id and role = 'assistant' order by seq desc limit 1;

-- name: untrainable
-- Words that came through Slack train only where its account may.
update message set trainable = 'no' where id = :id and not exists (select 1 from account_policy p
    where p.tenant = message.tenant and p.channel = 'slack' and p.account = :account and p.trainable <> 'no');

-- name: trains
-- Whether words of this account may train.
select trainable from account_policy where tenant = :tenant and channel = 'slack' and account = :account;

-- name: person
-- Who a user of Slack is at the desk, as far as it is known.
select p.id, p.name, p.email, p.role, p.disabled_at, l.how, l.checked_at from staff_link l
join person p on p.id = l.person_id
where l.tenant = :tenant and l.account = :account and l.slack_user = :slack_user;

-- name: link
-- Who a user of Slack is from now on; what an admin said is not changed by an address.
insert into staff_link (tenant, account, slack_user, person_id, how, linked_by, checked_at)
values (:tenant, :account, :slack_user, :person_id, :how, :linked_by, cast(:now as double precision))
on conflict (tenant, account, slack_user) do update set person_id = excluded.person_id, how = excluded.how,
    linked_by = excluded.linked_by, checked_at = excluded.checked_at
where staff_link.how = 'email' or excluded.how = 'link';

-- name: unlink
-- Nobody any more.
delete from staff_link where tenant = :tenant and account = :account and slack_user = :slack_user;

-- name: unlink_email
-- The address says something else now; what an admin said stays.
delete from staff_link where tenant = :tenant and account = :account and slack_user = :slack_user and how = 'email';

-- name: links
-- Everybody who is known from Slack.
select l.account, l.slack_user, l.person_id, p.name, l.how, l.linked_by, l.checked_at from staff_link l
join person p on p.id = l.person_id where l.tenant = :tenant order by l.account, l.slack_user;

-- name: forget_acts
-- What was done long ago.
delete from staff_act where tenant = :tenant and created_at < cast(:before as double precision) and state <> 'queued';

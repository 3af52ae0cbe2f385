-- name: profile
-- What a platform says of a customer by now.
update identity set profile = :profile where id = :id and profile <> :profile;

-- name: rename
-- How a customer is called by now.
update customer set name = :name where id = :id and name <> :name and erased_at is null;

-- name: message_of
-- The message of a customer that an id of the platform became; the id of a press names the answer it rated.
select m.id, m.conversation_id, m.item_seq, m.text, m.body, m.edited_at from dedupe d
join message m on m.id = d.message_id and m.role = 'customer'
where d.tenant = :tenant and d.channel = :channel and d.account = :account and d.external_id = :external_id;

-- name: edit
-- The customer's new words.
update message set text = :text, body = :body, edited_at = cast(:edited_at as double precision) where id = :id;

-- name: message_by_id
-- A message with the channel account it belongs to.
select m.id, m.conversation_id, m.channel, m.account from message m where m.tenant = :tenant and m.id = :id;

-- name: cursor
-- Where reading from a platform goes on.
select value from channel_cursor
where tenant = :tenant and channel = :channel and account = :account and name = :name;

-- name: save_cursor
-- Remember where reading from a platform goes on.
insert into channel_cursor (tenant, channel, account, name, value, updated_at)
values (:tenant, :channel, :account, :name, :value, cast(:now as double precision))
on conflict (tenant, channel, account, name) do update set value = excluded.value, updated_at = excluded.updated_at;

-- name: state
-- Whether a platform still lets an account in, and why not.
select state, reason, changed_at from channel_state
where tenant = :tenant and channel = :channel and account = :account;

-- name: states
-- The same for every account that was ever locked out.
select channel, account, state, reason, changed_at from channel_state where tenant = :tenant;

-- name: last_said
-- When customers last wrote, by channel account.
select channel, account, max(said_at) as at from conversation where tenant = :tenant group by channel, account;

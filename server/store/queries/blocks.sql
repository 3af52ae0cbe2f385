-- name: customer
-- Whose conversation it is.
select customer_id from conversation where tenant = :tenant and id = :id;

-- name: conversations
-- All of a customer's.
select id from conversation where tenant = :tenant and customer_id = :customer order by id;

-- name: ban_customer
-- Staff want to hear no more of a conversation's customer.
update customer set banned_at = coalesce(banned_at, cast(:now as double precision)), banned_by = :person
where tenant = :tenant and id = (select customer_id from conversation where id = :id);

-- name: unban_customer
-- They are heard again.
update customer set banned_at = null, banned_by = null
where tenant = :tenant and id = (select customer_id from conversation where id = :id);

-- name: ban
-- The same at hand, with each message.
update conversation set banned_at = coalesce(banned_at, cast(:now as double precision)) where id = :id;

-- name: unban
-- It opens again with the next message.
update conversation set banned_at = null where id = :id;

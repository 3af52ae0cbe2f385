-- name: all
-- Every team by name.
select id, name, created_at from team where tenant = :tenant order by name, id;

-- name: members
-- Who is in which team, by name.
select m.team_id, m.person_id, p.name from team_member m join person p on p.id = m.person_id
where m.tenant = :tenant and p.disabled_at is null order by p.name, p.id;

-- name: places
-- Which channel accounts teams see.
select team_id, channel, account from team_place where tenant = :tenant order by channel, account;

-- name: of
-- The teams somebody is in.
select t.id, t.name from team t join team_member m on m.team_id = t.id
where t.tenant = :tenant and m.person_id = :person order by t.name, t.id;

-- name: add
-- A new team; a name that is taken is a conflict.
insert into team (id, tenant, name, created_at) values (:id, :tenant, :name, cast(:now as double precision));

-- name: rename
-- What it is called.
update team set name = :name where id = :id and tenant = :tenant;

-- name: drop
-- A team with all that hangs on it.
delete from team where id = :id and tenant = :tenant;

-- name: drop_members
-- Nobody is in it.
delete from team_member where team_id = :id and tenant = :tenant;

-- name: drop_places
-- It sees everything.
delete from team_place where team_id = :id and tenant = :tenant;

-- name: add_member
-- Somebody joins; whoever is not known here does not.
insert into team_member (team_id, person_id, tenant)
select :id, p.id, p.tenant from person p where p.id = :person and p.tenant = :tenant;

-- name: add_place
-- It sees a channel account.
insert into team_place (team_id, channel, account, tenant) values (:id, :channel, :account, :tenant);

-- name: scope
-- What somebody's teams see; a row without channel is a team that sees everything.
select p.channel, p.account from team_member m left join team_place p on p.team_id = m.team_id
where m.tenant = :tenant and m.person_id = :person;

-- name: sees
-- A conversation within a scope.
select c.id from conversation c where c.tenant = :tenant and c.id = :id and {within c};

-- name: sees_message
-- A message of a conversation within a scope.
select m.id, m.conversation_id from message m where m.tenant = :tenant and m.id = :id and {of m.conversation_id};

-- name: sees_ticket
-- A ticket of a conversation within a scope.
select t.id from ticket t where t.tenant = :tenant and t.id = :id and {of t.conversation_id};

-- name: sees_note
-- A note in a conversation within a scope.
select n.id from note n where n.tenant = :tenant and n.id = :id and {of n.conversation_id};

-- name: sees_file
-- A file that came in a conversation within a scope.
select f.id from media f where f.tenant = :tenant and f.id = :id and {of f.conversation_id};

-- name: sees_request
-- A tool call that waits for a yes, in a conversation within a scope.
select r.id from tool_request r where r.tenant = :tenant and r.id = :id and {of r.conversation_id};

-- name: sees_correction
-- A correction in a conversation within a scope.
select k.id from correction k where k.tenant = :tenant and k.id = :id and {of k.conversation_id};

-- name: sees_example
-- A candidate for training from a conversation within a scope, or from none.
select e.id from example e where e.tenant = :tenant and e.id = :id and {of e.conversation_id};

-- name: sees_miss
-- A question that nothing answered, asked in a conversation within a scope.
select m.id from question_miss m where m.tenant = :tenant and m.id = :id and {of m.conversation_id};

-- name: sees_gap
-- A gap of the knowledge with a question that was asked in a conversation within a scope.
select q.gap_id from gap_question q where q.tenant = :tenant and q.gap_id = :id and {of q.conversation_id} limit 1;

-- name: sees_customer
-- A customer with a conversation within a scope, or with none at all.
select k.id from customer k left join conversation c on c.customer_id = k.id where k.tenant = :tenant and k.id = :id
    and (c.id is null or {within c})
limit 1;

-- name: visible (sqlite)
-- Those of some conversations that are within a scope; ids is a JSON list.
select c.id from conversation c where c.tenant = :tenant and c.id in (select value from json_each(:ids)) and {within c};

-- name: visible (postgresql)
-- Those of some conversations that are within a scope; ids is a JSON list.
select c.id from conversation c
where c.tenant = :tenant and c.id in (select jsonb_array_elements_text(cast(:ids as jsonb))) and {within c};

-- name: visible_examples (sqlite)
-- Those of some examples that are within a scope, or of no conversation; ids is a JSON list.
select e.id from example e where e.tenant = :tenant and e.id in (select value from json_each(:ids))
    and {of e.conversation_id};

-- name: visible_examples (postgresql)
-- Those of some examples that are within a scope, or of no conversation; ids is a JSON list.
select e.id from example e
where e.tenant = :tenant and e.id in (select jsonb_array_elements_text(cast(:ids as jsonb)))
    and {of e.conversation_id};

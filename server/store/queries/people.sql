-- name: guard
-- Serialize every change to who may sign in (admins are counted in it); the row is held until the commit.
insert into secret (name, value, created_at) values (:name, '', cast(:now as double precision))
on conflict (name) do update set value = excluded.value;

-- name: add
-- A new person; an address that is known already is a conflict.
insert into person (id, tenant, email, name, role, password_hash, created_at)
values (:id, :tenant, :email, :name, :role, :password_hash, cast(:now as double precision));

-- name: by_email
-- Who signs in with this address, also when disabled.
select * from person where tenant = :tenant and email = :email;

-- name: by_id
-- One person of this tenant.
select * from person where tenant = :tenant and id = :id;

-- name: all
-- Everybody, with the time of their last request.
select p.id, p.email, p.name, p.role, p.created_at, p.disabled_at, max(l.seen_at) as seen_at,
    (select count(*) from second_factor f where f.person_id = p.id and f.confirmed_at is not null) as second_factor
from person p left join login l on l.person_id = p.id
where p.tenant = :tenant
group by p.id, p.email, p.name, p.role, p.created_at, p.disabled_at
order by p.created_at, p.id;

-- name: active_admins
-- How many admins can sign in.
select count(*) as number from person where tenant = :tenant and role = 'admin' and disabled_at is null;

-- name: set_access
-- Role and disabled state, both at once.
update person set role = :role, disabled_at = cast(:disabled_at as double precision)
where tenant = :tenant and id = :id;

-- name: set_password
-- A new password hash.
update person set password_hash = :password_hash where tenant = :tenant and id = :id;

-- name: improve_password
-- Re-hash under newer parameters, unless the password was changed meanwhile.
update person set password_hash = :password_hash where id = :id and password_hash = :old_hash;

-- name: add_link
-- A one-time link; only the hash of its token is kept.
insert into link (token_hash, tenant, purpose, role, person_id, email, created_at, expires_at)
values (:token_hash, :tenant, :purpose, :role, :person_id, :email, cast(:now as double precision),
    cast(:expires_at as double precision));

-- name: open_link
-- A link that could still be used.
select purpose, role, person_id, email, expires_at from link
where token_hash = :token_hash and tenant = :tenant and used_at is null
    and expires_at > cast(:now as double precision);

-- name: use_link
-- Take a link for good; of two callers exactly one changes a row.
update link set used_at = cast(:now as double precision)
where token_hash = :token_hash and tenant = :tenant and used_at is null
    and expires_at > cast(:now as double precision);

-- name: invitations
-- Invitations that wait for somebody, the newest first.
select token_hash, role, email, created_at, expires_at from link
where tenant = :tenant and purpose = 'invite' and used_at is null and expires_at > cast(:now as double precision)
order by created_at desc, token_hash;

-- name: drop_invitation
-- Take an invitation back, named by the start of its hash as in the list.
update link set used_at = cast(:now as double precision)
where tenant = :tenant and purpose = 'invite' and used_at is null and substr(token_hash, 1, 24) = :id;

-- name: rename
-- How somebody is called.
update person set name = :name where tenant = :tenant and id = :id;

-- name: drop_links
-- Older unused links for the same person or address lose their meaning.
update link set used_at = cast(:now as double precision)
where tenant = :tenant and used_at is null
    and (person_id = cast(:person_id as text) or email = cast(:email as text));

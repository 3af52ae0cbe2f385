-- name: open_session
-- A signed-in browser.
insert into login (token_hash, person_id, csrf_hash, created_at, seen_at, expires_at, ip, device)
values (:token_hash, :person_id, :csrf_hash, cast(:now as double precision), cast(:now as double precision),
    cast(:expires_at as double precision), :ip, :device);

-- name: session
-- Whose session this is, while neither the session nor the person has ended.
select l.token_hash, l.csrf_hash, l.seen_at, p.id, p.name, p.email, p.role, f.confirmed_at
from login l join person p on p.id = l.person_id left join second_factor f on f.person_id = p.id
where l.token_hash = :token_hash and p.tenant = :tenant and p.disabled_at is null
    and l.expires_at > cast(:now as double precision) and l.seen_at > cast(:idle_since as double precision);

-- name: touch_session
-- Remember that a session is in use.
update login set seen_at = cast(:now as double precision) where token_hash = :token_hash;

-- name: sessions
-- Where a person is signed in, the latest use first.
select token_hash, created_at, seen_at, expires_at, ip, device from login
where person_id = :person_id and expires_at > cast(:now as double precision)
    and seen_at > cast(:idle_since as double precision)
order by seen_at desc, token_hash;

-- name: end_session
-- Sign one browser out.
delete from login where token_hash = :token_hash;

-- name: end_listed_session
-- Sign out one browser of a person, named by the start of its hash as in the list.
delete from login where person_id = :person_id and substr(token_hash, 1, 24) = :id;

-- name: end_other_sessions
-- Sign a person out everywhere but here.
delete from login where person_id = :person_id and token_hash <> :token_hash;

-- name: end_sessions
-- Sign a person out everywhere.
delete from login where person_id = :person_id;

-- name: purge_sessions
-- Forget sessions that ended by themselves.
delete from login where expires_at <= cast(:now as double precision) or seen_at <= cast(:idle_since as double precision);

-- name: add_key
-- A new API key; only the hash of its secret is kept.
insert into api_key (id, tenant, name, role, key_hash, created_by, created_at)
values (:id, :tenant, :name, :role, :key_hash, :created_by, cast(:now as double precision));

-- name: key
-- A key that is not revoked.
select id, name, role, key_hash, seen_at from api_key where tenant = :tenant and id = :id and revoked_at is null;

-- name: keys
-- Every key of the tenant, revoked ones too.
select id, name, role, created_by, created_at, seen_at, revoked_at from api_key
where tenant = :tenant order by created_at, id;

-- name: touch_key
-- Remember that a key is in use.
update api_key set seen_at = cast(:now as double precision) where tenant = :tenant and id = :id;

-- name: revoke_key
-- End a key.
update api_key set revoked_at = cast(:now as double precision)
where tenant = :tenant and id = :id and revoked_at is null;

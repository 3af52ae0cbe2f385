-- name: factor
-- Somebody's authenticator app, also one that was only begun.
select person_id, secret, created_at, confirmed_at, used_step from second_factor
where tenant = :tenant and person_id = :person_id;

-- name: left
-- How many recovery codes somebody still has.
select count(*) as number from recovery_code where tenant = :tenant and person_id = :person_id and used_at is null;

-- name: begin
-- A new secret, unless one is confirmed already.
insert into second_factor (person_id, tenant, secret, created_at)
values (:person_id, :tenant, :secret, cast(:now as double precision))
on conflict (person_id) do update set secret = excluded.secret, created_at = excluded.created_at, used_step = 0
where second_factor.confirmed_at is null;

-- name: use_step
-- Take a code's time step; of two that bring the same code exactly one changes a row.
update second_factor set used_step = cast(:step as bigint), confirmed_at = coalesce(confirmed_at,
    cast(:now as double precision))
where tenant = :tenant and person_id = :person_id and secret = :secret and used_step < cast(:step as bigint);

-- name: drop
-- Forget somebody's app.
delete from second_factor where tenant = :tenant and person_id = :person_id;

-- name: add_recovery
-- A recovery code; only its hash is kept.
insert into recovery_code (code_hash, person_id, tenant, created_at)
values (:code_hash, :person_id, :tenant, cast(:now as double precision));

-- name: use_recovery
-- Take a recovery code for good.
update recovery_code set used_at = cast(:now as double precision)
where tenant = :tenant and person_id = :person_id and code_hash = :code_hash and used_at is null;

-- name: drop_recovery
-- Forget somebody's recovery codes.
delete from recovery_code where tenant = :tenant and person_id = :person_id;

-- name: open_sign_in
-- The password was right; what the second step is.
insert into sign_in (token_hash, tenant, person_id, step, created_at, expires_at)
values (:token_hash, :tenant, :person_id, :step, cast(:now as double precision), cast(:expires_at as double precision));

-- name: sign_in
-- An open second step with whose it is.
select s.token_hash, s.step, p.id, p.name, p.email, p.role from sign_in s join person p on p.id = s.person_id
where s.token_hash = :token_hash and s.tenant = :tenant and p.disabled_at is null
    and s.expires_at > cast(:now as double precision);

-- name: try_sign_in
-- Count one try; no row changes once there were too many, or when it is over.
update sign_in set tries = tries + 1
where token_hash = :token_hash and tenant = :tenant and tries < cast(:most as integer)
    and expires_at > cast(:now as double precision);

-- name: end_sign_ins
-- Done with somebody's open steps.
delete from sign_in where tenant = :tenant and person_id = :person_id;

-- name: purge_sign_ins
-- Steps nobody finished.
delete from sign_in where expires_at <= cast(:now as double precision);

-- name: held
-- How many apps there are, and how many of their secrets are sealed.
select count(*) as number, coalesce(sum(case when secret like 'sealed:%' then 1 else 0 end), 0) as sealed
from second_factor where tenant = :tenant;

-- name: unsealed
-- Secrets that an older version stored as they are.
select person_id, secret from second_factor where tenant = :tenant and secret not like 'sealed:%' {for_update};

-- name: seal
-- The same secret, sealed.
update second_factor set secret = :sealed where person_id = :person_id and secret = :secret;

-- name: rename_key
-- Another key, by its digest; of two that change it at the same time exactly one does.
update secret set value = :value where name = :name and value = :old;

-- name: open
-- A row to count in, if there is none yet.
insert into attempt (key_hash, tenant, started_at) values (:key_hash, :tenant, cast(:now as double precision))
on conflict do nothing;

-- name: count
-- How often one key was tried; locked, so that two gateways count one after the other.
select started_at, tries, strikes, locked_until from attempt where key_hash = :key_hash {for_update};

-- name: keep
-- The count after a try.
update attempt set started_at = cast(:started_at as double precision), tries = cast(:tries as integer),
    strikes = cast(:strikes as integer), locked_until = cast(:locked_until as double precision)
where key_hash = :key_hash;

-- name: locked_until
-- Until when one key is locked.
select locked_until from attempt where key_hash = :key_hash;

-- name: locked
-- Every key that is locked now.
select key_hash, locked_until from attempt where tenant = :tenant and locked_until > cast(:now as double precision);

-- name: forgive
-- A whole sign-in forgets the tries before it.
delete from attempt where key_hash = :key_hash;

-- name: sweep
-- Counts that nobody touched for long; those being counted right now are left.
delete from attempt where key_hash in (
    select key_hash from attempt
    where started_at < cast(:since as double precision) and locked_until < cast(:since as double precision)
    {skip_locked}
);

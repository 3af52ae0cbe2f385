-- name: add
-- A bundle; the same digest is the same release.
insert into release (id, tenant, body, created_at, created_by)
values (:id, :tenant, :body, cast(:now as double precision), :created_by) on conflict do nothing;

-- name: get
-- One bundle.
select * from release where id = :id;

-- name: alias
-- Which release an alias names.
select release_id from release_alias where tenant = :tenant and alias = :alias;

-- name: point
-- Let an alias name a release.
insert into release_alias (tenant, alias, release_id, changed_by, changed_at)
values (:tenant, :alias, :release_id, :changed_by, cast(:now as double precision))
on conflict (tenant, alias) do update set release_id = excluded.release_id, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at;

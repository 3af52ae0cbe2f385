-- name: add
-- One row; this table is never updated.
insert into audit (id, tenant, at, actor_kind, actor_id, action, target, detail, ip)
values (:id, :tenant, cast(:at as double precision), :actor_kind, :actor_id, :action, :target, :detail, :ip);

-- name: page
-- Rows before a position, newest first, with the name of who acted where it is a person; empty filters do not limit.
-- `action` and `target` are the beginning of one.
select a.id, a.at, a.actor_kind, a.actor_id, p.name as actor_name, a.action, a.target, a.detail, a.ip
from audit a left join person p on p.id = a.actor_id and p.tenant = a.tenant
where a.tenant = :tenant
    and (cast(:actor as text) = '' or a.actor_id = cast(:actor as text))
    and substr(a.action, 1, length(cast(:action as text))) = cast(:action as text)
    and substr(a.target, 1, length(cast(:target as text))) = cast(:target as text)
    and a.at >= cast(:since as double precision)
    and (a.at < cast(:at as double precision) or (a.at = cast(:at as double precision) and a.id < :id))
order by a.at desc, a.id desc limit cast(:count as integer);

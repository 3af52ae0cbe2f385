-- name: opening
-- An attempt's draft is about to appear on its platform; nothing changes when it ended or appeared already.
update draft set shown = 'opening', holder = :holder, route = :route, tried_at = cast(:now as double precision)
where conversation_id = :conversation_id and first_seq = :first_seq and attempt = :attempt and state = 'open'
    and (shown is null or shown = 'failed');

-- name: settle
-- What became of the opening that this worker tried; a later attempt at the same turn may have taken it over.
update draft set shown = :shown, provider_id = cast(:provider_id as text)
where conversation_id = :conversation_id and first_seq = :first_seq and shown = 'opening' and holder = :holder;

-- name: shown
-- What is shown of an attempt that may still go on; no row when it may not.
select shown, provider_id from draft
where conversation_id = :conversation_id and first_seq = :first_seq and attempt = :attempt and state = 'open';

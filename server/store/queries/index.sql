-- name: queued
-- The next document to cut and embed: what a person waits for first, else the one that waits longest.
select id, title, url, audience, text, digest, urgent from document
where tenant = :tenant and state = 'queued' and deleted_at is null and digest <> ''
    and urgent >= cast(:least as integer)
order by urgent desc, updated_at, id limit 1;

-- name: indexed
-- A document's chunks are stored; nothing when it was changed, deleted or indexed by somebody else meanwhile.
update document set state = 'indexed', reason = :reason, indexed_digest = digest, urgent = 0,
    revision = cast(:revision as bigint), indexed_at = cast(:now as double precision)
where id = :id and tenant = :tenant and digest = :digest and state = 'queued' and deleted_at is null;

-- name: failed
-- A document that cannot be cut; what was in the index stays there.
update document set state = 'failed', reason = :reason, urgent = 0, updated_at = cast(:now as double precision)
where id = :id and tenant = :tenant and digest = :digest and state = 'queued' and deleted_at is null;

-- name: requeue
-- Everything is cut and embedded anew: the recipe changed.
update document set state = 'queued' where tenant = :tenant and state = 'indexed' and deleted_at is null;

-- name: requeue_some (sqlite)
-- The same for some documents; a JSON list of ids.
update document set state = 'queued' where tenant = :tenant and state = 'indexed' and deleted_at is null
    and id in (select value from json_each(:ids));

-- name: requeue_some (postgresql)
-- The same.
update document set state = 'queued' where tenant = :tenant and state = 'indexed' and deleted_at is null
    and id in (select jsonb_array_elements_text(cast(:ids as jsonb)));

-- name: drop_chunks
-- A document's chunks make room for new ones.
delete from chunk where document_id = :document_id;

-- name: add_chunks (sqlite)
-- Chunks of one document; a JSON list of objects.
insert into chunk (id, tenant, document_id, number, heading, text, audience, digest)
select json_extract(value, '$.id'), :tenant, :document_id, json_extract(value, '$.number'),
    json_extract(value, '$.heading'), json_extract(value, '$.text'), :audience, json_extract(value, '$.digest')
from json_each(:chunks);

-- name: add_chunks (postgresql)
-- The same.
insert into chunk (id, tenant, document_id, number, heading, text, audience, digest)
select added.id, :tenant, :document_id, added.number, added.heading, added.text, :audience, added.digest
from jsonb_to_recordset(cast(:chunks as jsonb))
    as added(id text, number integer, heading text, text text, digest text);

-- name: known_digests (sqlite)
-- Which of these texts were embedded before; a JSON list of digests.
select digest from embedding
where tenant = :tenant and model = :model and digest in (select value from json_each(:digests));

-- name: known_digests (postgresql)
-- The same.
select digest from embedding where tenant = :tenant and model = :model
    and digest in (select jsonb_array_elements_text(cast(:digests as jsonb)));

-- name: add_embeddings (sqlite)
-- Vectors by the digests of their texts; a JSON list of objects.
insert into embedding (tenant, model, digest, vector, used_at)
select :tenant, :model, json_extract(value, '$.digest'), json_extract(value, '$.vector'), :now
from json_each(:embeddings) where true
on conflict (tenant, model, digest) do update set used_at = excluded.used_at;

-- name: add_embeddings (postgresql)
-- The same.
insert into embedding (tenant, model, digest, vector, used_at)
select :tenant, :model, added.digest, added.vector, cast(:now as double precision)
from jsonb_to_recordset(cast(:embeddings as jsonb)) as added(digest text, vector text)
on conflict (tenant, model, digest) do update set used_at = excluded.used_at;

-- name: prune_embeddings
-- Vectors of texts that no chunk has any more.
delete from embedding where tenant = :tenant and used_at < cast(:before as double precision)
    and not exists (select 1 from chunk where chunk.tenant = embedding.tenant and chunk.digest = embedding.digest);

-- name: unembedded
-- Documents with chunks whose vectors are missing, as when the model could not be had.
select distinct chunk.document_id from chunk
left join embedding on embedding.tenant = chunk.tenant and embedding.model = :model and embedding.digest = chunk.digest
where chunk.tenant = :tenant and embedding.digest is null limit cast(:limit as bigint);

-- name: changed
-- Documents whose chunks changed, deleted ones too, in the order of their changes; the page begins behind
-- (after, after_id).
select id, title, url, revision, deleted_at from document
where tenant = :tenant and (revision > cast(:after as bigint)
    or (revision = cast(:after as bigint) and id > :after_id)) and revision > 0
order by revision, id limit cast(:limit as bigint);

-- name: chunks
-- A document's chunks behind a number.
select id, number, heading, text, audience, digest from chunk
where document_id = :document_id and number > cast(:after as integer)
order by number limit cast(:limit as bigint);

-- name: vectors
-- The same with their vectors, without their texts; a chunk that was not embedded has none.
select chunk.id, chunk.number, chunk.audience, embedding.vector from chunk
left join embedding on embedding.tenant = chunk.tenant and embedding.model = :model and embedding.digest = chunk.digest
where chunk.document_id = :document_id and chunk.number > cast(:after as integer)
order by chunk.number limit cast(:limit as bigint);

-- name: size
-- How many chunks there are, how many of them have vectors, and the last change.
select count(*) as chunks, count(embedding.digest) as vectors,
    coalesce((select max(revision) from document where tenant = :tenant), 0) as revision
from chunk
left join embedding on embedding.tenant = chunk.tenant and embedding.model = :model and embedding.digest = chunk.digest
where chunk.tenant = :tenant;

-- name: any_document
-- Whether there is anything to cut or to find.
select 1 as found from document where tenant = :tenant and deleted_at is null and digest <> '' limit 1;

-- name: any_chunk
-- Whether there is anything to find.
select 1 as found from chunk where tenant = :tenant limit 1;

-- name: passages (sqlite)
-- The hits as the database knows them, only what this audience may see; a JSON list of ids.
select chunk.id, chunk.document_id, chunk.heading, chunk.text, chunk.digest, chunk.audience, document.title,
    document.url
from json_each(:ids) as asked join chunk on chunk.id = asked.value
join document on document.id = chunk.document_id join source on source.id = document.source_id
where chunk.tenant = :tenant and document.deleted_at is null and source.deleted_at is null
    and (:audience = 'staff'
        or (chunk.audience = 'customer' and document.audience = 'customer' and source.audience = 'customer'));

-- name: passages (postgresql)
-- The same.
select chunk.id, chunk.document_id, chunk.heading, chunk.text, chunk.digest, chunk.audience, document.title,
    document.url
from jsonb_array_elements_text(cast(:ids as jsonb)) as asked(value) join chunk on chunk.id = asked.value
join document on document.id = chunk.document_id join source on source.id = document.source_id
where chunk.tenant = :tenant and document.deleted_at is null and source.deleted_at is null
    and (:audience = 'staff'
        or (chunk.audience = 'customer' and document.audience = 'customer' and source.audience = 'customer'));

-- name: embeddings (sqlite)
-- Vectors of some texts; a JSON list of digests.
select digest, vector from embedding
where tenant = :tenant and model = :model and digest in (select value from json_each(:digests));

-- name: embeddings (postgresql)
-- The same.
select digest, vector from embedding where tenant = :tenant and model = :model
    and digest in (select jsonb_array_elements_text(cast(:digests as jsonb)));

-- name: state
-- One remembered value of a tenant's knowledge.
select value from knowledge_state where tenant = :tenant and name = :name;

-- name: lock_state
-- The same, locked for a change.
select value from knowledge_state where tenant = :tenant and name = :name {for_update};

-- name: set_state
-- Remember a value.
insert into knowledge_state (tenant, name, value) values (:tenant, :name, :value)
on conflict (tenant, name) do update set value = excluded.value;

-- name: clock
-- The lease clock.
select {lease_now} as now;

-- name: lock
-- The tenant's knowledge, locked: every unit that writes documents takes it first, so that none waits for another's rows.
insert into knowledge_state (tenant, name, value) values (:tenant, 'revision', '0')
on conflict (tenant, name) do update set value = knowledge_state.value
returning value;

-- name: raise_revision
-- The next number of a change that followers of the index read.
insert into knowledge_state (tenant, name, value) values (:tenant, 'revision', '1')
on conflict (tenant, name) do update set value = cast(cast(knowledge_state.value as bigint) + 1 as text)
returning cast(value as bigint) as revision;

-- name: add_source
-- A new source, queued.
insert into source (id, tenant, name, kind, config, audience, cron, next_at, state, progress, frontier, created_at,
    updated_at)
values (:id, :tenant, :name, :kind, :config, :audience, :cron, cast(:next_at as double precision), :state, '{}', '{}',
    cast(:now as double precision), cast(:now as double precision))
on conflict (tenant, name) do nothing
returning id;

-- name: sources
-- All sources with counts of their documents, the oldest first.
select source.*, coalesce(counted.documents, 0) as documents, coalesce(counted.failed, 0) as failed,
    coalesce(counted.queued, 0) as queued
from source left join (
    select source_id, count(*) as documents, sum(case when state = 'failed' then 1 else 0 end) as failed,
        sum(case when state = 'queued' then 1 else 0 end) as queued
    from document where tenant = :tenant and deleted_at is null group by source_id
) as counted on counted.source_id = source.id
where source.tenant = :tenant and source.deleted_at is null
    and source.id = coalesce(cast(:id as text), source.id)
order by source.created_at, source.id;

-- name: source
-- One source as it is stored.
select * from source where tenant = :tenant and id = :id and deleted_at is null;

-- name: source_named
-- A source by its name.
select id, kind from source where tenant = :tenant and name = :name and deleted_at is null;

-- name: lock_source
-- One source, locked for a change.
select * from source where tenant = :tenant and id = :id and deleted_at is null {for_update};

-- name: change_source
-- What people may change of a source.
update source set name = :name, config = :config, audience = :audience, cron = :cron,
    next_at = cast(:next_at as double precision), updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and deleted_at is null;

-- name: delete_source
-- A source is gone; its name is free again.
update source set deleted_at = cast(:now as double precision), updated_at = cast(:now as double precision),
    name = name || ' (' || id || ')', next_at = null
where tenant = :tenant and id = :id and deleted_at is null;

-- name: queue_source
-- A source waits for its run; one that is being read stays so.
update source set state = case when state = 'fetching' then state else 'queued' end,
    updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and deleted_at is null;

-- name: due_sources
-- Sources whose time has come.
select id, cron from source
where tenant = :tenant and next_at <= cast(:now as double precision) and deleted_at is null
order by next_at, id limit 100 {skip_locked};

-- name: source_next
-- When a source is looked at again.
update source set next_at = cast(:next_at as double precision) where tenant = :tenant and id = :id;

-- name: source_run
-- How far a run has come.
update source set state = :state, progress = :progress, frontier = coalesce(cast(:frontier as text), frontier),
    reason = :reason, updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and deleted_at is null;

-- name: end_run
-- A run has ended: read to its end (synced), or failed.
update source set state = :state, reason = :reason, progress = :progress, frontier = :frontier,
    updated_at = cast(:now as double precision),
    synced_at = coalesce(cast(:synced_at as double precision), synced_at)
where tenant = :tenant and id = :id and deleted_at is null;

-- name: settle_sources
-- Sources that were read to their end and whose documents are all in the index now.
update source set state = 'indexed', updated_at = cast(:now as double precision)
where tenant = :tenant and state = 'parsing' and deleted_at is null and not exists (
    select 1 from document where document.source_id = source.id and document.state = 'queued'
        and document.deleted_at is null)
returning id;

-- name: due_source
-- Whether the time of any source may have come.
select id from source
where tenant = :tenant and next_at <= cast(:now as double precision) and deleted_at is null limit 1;

-- name: known
-- What is stored of a source's documents; those written by hand are not the source's.
select uri, digest, raw_digest, etag, last_modified, state, deleted_at from document
where source_id = :source_id and (deleted_at is null or raw_digest <> '') and uri not like 'hand:%';

-- name: lock_document
-- The document of an address in a source, also a deleted one.
select * from document where source_id = :source_id and uri = :uri {for_update};

-- name: lock_document_id
-- A document by its id, also a deleted one, with the audience of its source.
select document.*, source.deleted_at as source_gone from document join source on source.id = document.source_id
where document.tenant = :tenant and document.id = :id {for_update};

-- name: add_document
-- A document that was not there before.
insert into document (id, tenant, source_id, uri, url, title, audience, mime, state, reason, text, digest, raw_digest,
    indexed_digest, etag, last_modified, version, urgent, fetched_at, updated_at)
values (:id, :tenant, :source_id, :uri, :url, :title, :audience, :mime, :state, :reason, :text, :digest, :raw_digest,
    '', :etag, :last_modified, cast(:version as integer), cast(:urgent as integer),
    cast(:fetched_at as double precision), cast(:now as double precision));

-- name: change_document
-- A document with another text; it waits for the index.
update document set url = :url, title = :title, audience = :audience, mime = :mime, state = 'queued', reason = null,
    text = :text, digest = :digest, raw_digest = :raw_digest, etag = :etag, last_modified = :last_modified,
    version = cast(:version as integer), urgent = cast(:urgent as integer),
    fetched_at = coalesce(cast(:fetched_at as double precision), fetched_at),
    updated_at = cast(:now as double precision), deleted_at = null
where id = :id;

-- name: refresh_document
-- A document was fetched again and says what it said before.
update document set raw_digest = :raw_digest, etag = :etag, last_modified = :last_modified, mime = :mime, reason = null,
    state = case when digest = indexed_digest then 'indexed' else 'queued' end,
    fetched_at = cast(:fetched_at as double precision)
where id = :id;

-- name: fail_document
-- A document's new bytes cannot be read; what is in the index stays there.
update document set state = case when digest <> '' and digest <> indexed_digest then state else 'failed' end,
    reason = :reason, raw_digest = :raw_digest, etag = :etag, last_modified = :last_modified,
    fetched_at = cast(:fetched_at as double precision), updated_at = cast(:now as double precision)
where id = :id;

-- name: revive_failed
-- A document that was gone is there again, but cannot be read.
update document set state = 'failed', reason = :reason, text = '', digest = '', raw_digest = :raw_digest, etag = :etag,
    last_modified = :last_modified, deleted_at = null, updated_at = cast(:now as double precision)
where id = :id;

-- name: doubt_document
-- A document could not be fetched this time; its text and state stay.
update document set reason = :reason, updated_at = cast(:now as double precision)
where source_id = :source_id and uri = :uri and deleted_at is null;

-- name: touch_documents (postgresql)
-- Documents that are as they were.
update document set fetched_at = cast(:now as double precision),
    reason = case when state = 'failed' then reason else null end
where source_id = :source_id and deleted_at is null
    and uri in (select json_array_elements_text(cast(:uris as json)));

-- name: touch_documents (sqlite)
-- The same.
update document set fetched_at = :now, reason = case when state = 'failed' then reason else null end
where source_id = :source_id and deleted_at is null and uri in (select value from json_each(:uris));

-- name: delete_document_at
-- A document is gone; followers see that by its revision. One that a person took out is known (kept) to its source, and
-- comes back only with other bytes.
update document set deleted_at = cast(:now as double precision), updated_at = cast(:now as double precision),
    revision = cast(:revision as bigint), indexed_digest = '',
    raw_digest = case when cast(:kept as integer) = 1 then raw_digest else '' end
where source_id = :source_id and uri = :uri and deleted_at is null
returning id;

-- name: delete_documents_of
-- All documents of a source are gone.
update document set deleted_at = cast(:now as double precision), updated_at = cast(:now as double precision),
    revision = cast(:revision as bigint), indexed_digest = ''
where source_id = :source_id and deleted_at is null;

-- name: drop_chunks
-- The passages of a document that is gone.
delete from chunk where document_id = :document_id;

-- name: drop_chunks_of
-- The passages of all documents of a source.
delete from chunk where document_id in (select id from document where source_id = :source_id);

-- name: move_documents
-- Documents of a source are for somebody else from now on: digests begin with the audience, so all are indexed anew.
update document set audience = :audience,
    digest = case when digest = '' then '' else :audience || ':' || substr(digest, length(digest) - 63) end,
    state = case when digest = '' then state else 'queued' end, urgent = 1,
    updated_at = cast(:now as double precision)
where source_id = :source_id and deleted_at is null and audience <> :audience;

-- name: move_chunks
-- Their passages too, at once: what staff alone may see is hidden before it is indexed anew.
update chunk set audience = :audience
where document_id in (select id from document where source_id = :source_id);

-- name: documents
-- Documents without their texts, by title; the page begins behind (after_title, after_id).
select document.id, document.source_id, document.uri, document.url, document.title, document.audience, document.mime,
    document.state, document.reason, document.version, document.fetched_at, document.indexed_at, document.updated_at,
    document.deleted_at, length(document.text) as characters
from document
where document.tenant = :tenant and document.deleted_at is null
    and document.source_id = coalesce(cast(:source_id as text), document.source_id)
    and document.state = coalesce(cast(:state as text), document.state)
    and (cast(:query as text) is null or lower(document.title) like cast(:query as text) escape '\'
        or lower(document.uri) like cast(:query as text) escape '\')
    and (document.title > :after_title or (document.title = :after_title and document.id > :after_id))
order by document.title, document.id limit cast(:limit as bigint);

-- name: document
-- One document with its text.
select document.*, length(document.text) as characters from document where tenant = :tenant and id = :id;

-- name: add_version
-- What a document says from now on.
insert into document_version (document_id, version, tenant, title, text, digest, changed_by, created_at)
values (:document_id, cast(:version as integer), :tenant, :title, :text, :digest, :changed_by,
    cast(:now as double precision));

-- name: prune_versions
-- Only the latest versions are kept.
delete from document_version where document_id = :document_id and version <= cast(:upto as integer);

-- name: versions
-- A document's versions, the latest first, without their texts.
select version, title, digest, changed_by, created_at, length(text) as characters from document_version
where tenant = :tenant and document_id = :document_id order by version desc;

-- name: version
-- One version with its text.
select version, title, text, digest, changed_by, created_at, length(text) as characters from document_version
where tenant = :tenant and document_id = :document_id and version = cast(:version as integer);

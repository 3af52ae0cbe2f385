-- Knowledge: what the assistant may answer from. Tools: what it did, what waits for a yes, and who is verified.

create table source (
    id text primary key,
    tenant text not null,
    name text not null,
    kind text not null,                          -- files | site | sql | qa | catalogue | article
    config text not null,                        -- JSON, by kind; never a secret in clear
    audience text not null,                      -- customer | staff
    cron text,                                   -- when to look again; null = by hand
    next_at double precision,                    -- epoch seconds
    state text not null,                         -- queued | fetching | parsing | indexed | failed
    reason text,
    progress text not null,                      -- JSON: counts of this run
    frontier text not null,                      -- JSON: where an interrupted run goes on
    created_at double precision not null,
    updated_at double precision not null,
    synced_at double precision,
    deleted_at double precision,
    unique (tenant, name)
);

create table document (
    id text primary key,
    tenant text not null,
    source_id text not null references source (id),
    uri text not null,                           -- within its source: path, address, key
    url text not null,                           -- where customers may read it; '' = nowhere
    title text not null,
    audience text not null,                      -- customer | staff
    mime text not null,
    state text not null,                         -- queued | fetching | parsing | indexed | failed
    reason text,
    text text not null,                          -- Markdown
    digest text not null,                        -- sha256 of text, title, url and audience; '' = never read
    raw_digest text not null,                    -- sha256 of the bytes as fetched
    indexed_digest text not null,                -- the digest whose chunks are stored
    etag text,
    last_modified text,
    version integer not null default 0,
    revision bigint not null default 0,          -- raised per tenant when chunks change: followers read what is newer
    urgent integer not null default 0,           -- 1 = a person waits for it
    fetched_at double precision,
    indexed_at double precision,
    updated_at double precision not null,
    deleted_at double precision,
    unique (source_id, uri)
);
create index document_revision on document (tenant, revision);
create index document_source on document (source_id, state);
create index document_queued on document (tenant, urgent, updated_at) where state = 'queued';

create table document_version (
    document_id text not null references document (id),
    version integer not null,
    tenant text not null,
    title text not null,
    text text not null,
    digest text not null,
    changed_by text not null,
    created_at double precision not null,
    primary key (document_id, version)
);

create table chunk (
    id text primary key,                         -- document id ':' number ':' digest12 of its text
    tenant text not null,
    document_id text not null references document (id),
    number integer not null,
    heading text not null,                       -- 'Shipping > Abroad'
    text text not null,
    audience text not null,
    digest text not null                         -- of what was embedded
);
create index chunk_document on chunk (document_id, number);

create table embedding (                         -- outlives chunks: an unchanged text is never embedded again
    tenant text not null,
    model text not null,
    digest text not null,
    vector text not null,                        -- base64 of little-endian 32-bit floats, length 1
    used_at double precision not null,
    primary key (tenant, model, digest)
);

create table knowledge_state (                   -- per tenant: revision (tail), alarms
    tenant text not null,
    name text not null,
    value text not null,
    primary key (tenant, name)
);

create table question_miss (                     -- questions nothing answered: the gaps staff fill
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    turn_id text not null,
    question text not null,
    confidence double precision not null,
    created_at double precision not null
);
create index question_miss_created on question_miss (tenant, created_at);

alter table turn add column grounding text;      -- JSON: passages with scores, citations, what was removed, confidence

alter table step add column key text;            -- idempotency key sent to the tool
alter table step add column call_id text;        -- the model's id of the call
alter table step add column round integer not null default 0;
alter table step add column attempts integer not null default 0;
alter table step add column upto_seq bigint;     -- newest message the turn had read when it proposed the call

create table tool_request (                      -- a call that waits for a yes: of the customer or of staff
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    first_seq bigint not null,                   -- the turn that asked
    number integer not null,                     -- its step
    tool text not null,
    arguments text not null,                     -- canonical JSON
    digest text not null,                        -- sha256 of tool, arguments and conversation
    kind text not null,                          -- confirm | approve
    state text not null,                         -- waiting | granted | refused | expired | done | failed
    summary text not null,                       -- what is shown to whoever decides
    result text,
    expires_at double precision not null,
    decided_by text,
    decided_at double precision,
    created_at double precision not null
);
create index tool_request_conversation on tool_request (conversation_id, created_at);
create index tool_request_waiting on tool_request (tenant, kind, created_at) where state = 'waiting';

create table dialogue (                          -- slots of a call that is not complete yet
    conversation_id text primary key references conversation (id),
    tenant text not null,
    tool text not null,                          -- '' = none due
    slots text not null,                         -- JSON
    asked text not null,                         -- the slot that was asked for last; '' = none
    tries integer not null default 0,
    updated_at double precision not null
);

create table verification (                      -- who a conversation proved to be
    conversation_id text primary key references conversation (id),
    tenant text not null,
    subject text not null,                       -- the shop's customer id
    contact text not null,                       -- where the code went, masked
    code_hash text,
    tries integer not null default 0,
    sent_at double precision,
    sends integer not null default 0,            -- codes sent since counted_from
    counted_from double precision,
    expires_at double precision,                 -- of the code
    verified_at double precision,
    verified_until double precision
);

create table lead (
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    name text not null,
    contact text not null,
    interest text not null,
    idempotency_key text not null unique,
    created_at double precision not null
);

create table ticket (
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    category text not null,
    priority text not null,                      -- low | normal | high | urgent
    summary text not null,
    suggested_action text not null,
    state text not null,                         -- open | closed
    idempotency_key text not null unique,
    created_at double precision not null,
    updated_at double precision not null
);
create index ticket_state on ticket (tenant, state, created_at);

create table tool_rate (                         -- calls per conversation and hour
    conversation_id text not null,
    tool text not null,
    hour bigint not null,
    calls integer not null,
    primary key (conversation_id, tool, hour)
);

create table webhook_delivery (                  -- outbound events to the shop's own systems, signed
    id text primary key,                         -- webhook-id header
    tenant text not null,
    url text not null,
    kind text not null,
    body text not null,
    state text not null,                         -- queued | sent | failed
    attempts integer not null default 0,
    code integer,
    next_at double precision not null,
    created_at double precision not null
);
create index webhook_open on webhook_delivery (tenant, next_at) where state = 'queued';

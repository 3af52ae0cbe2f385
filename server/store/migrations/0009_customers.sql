-- Customers: what staff note about them, which addresses are one person, and what was erased.

alter table customer add column attributes text not null default '{}';  -- JSON: what staff note, name -> text
alter table customer add column merged_into text;  -- the customer who took over its addresses; null = stands for itself
create index customer_merged on customer (merged_into) where merged_into is not null;

create table customer_merge (                    -- two customers are one person; undone_at = they are not
    id text primary key,
    tenant text not null,
    kept_id text not null,
    merged_id text not null,
    identities text not null,                    -- JSON list of the identities that moved
    basis text not null check (basis in ('proven', 'contact', 'person')),
    merged_by text not null,
    merged_at double precision not null,
    undone_by text,
    undone_at double precision
);
create index customer_merge_kept on customer_merge (tenant, kept_id);
create index customer_merge_merged on customer_merge (tenant, merged_id);

create table erasure (                           -- a customer's data goes, step by step; the row stays as proof
    id text primary key,
    tenant text not null,
    customer_id text not null,
    state text not null check (state in ('queued', 'running', 'done', 'failed')),
    step text not null,                          -- what comes next
    epoch bigint not null default 0,             -- raised by whoever goes on with it; fences the one before
    cause text not null check (cause in ('person', 'cli', 'retention')),
    asked_by text not null,
    plan text not null,                          -- JSON: what must still be found; '{}' as soon as nothing must
    report text not null,                        -- JSON: counts per kind, never anything of the customer's
    error text,
    created_at double precision not null,
    updated_at double precision not null,
    ended_at double precision
);
create index erasure_created on erasure (tenant, created_at);
create unique index erasure_open on erasure (tenant, customer_id) where state in ('queued', 'running');

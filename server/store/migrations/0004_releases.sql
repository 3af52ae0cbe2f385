-- Releases at work: what became of each bundle, canaries and who took part in them, adapters and where they are served.

create table release_card (                      -- what became of a release; its bundle never changes
    tenant text not null,
    release_id text not null references release (id),
    state text not null,                         -- candidate | canary | live | retired | withdrawn (rolled back)
    verdict text,                                -- of the gate: promote | reject | not_enough_evidence; null = not judged
    report text not null,                        -- JSON of the gate
    run_id text,                                 -- the training that made its adapter
    dataset_id text,
    parent_id text,                              -- the release that was live when this one was made
    wanted_until double precision not null default 0,  -- epoch seconds; its adapters stay served until then
    created_at double precision not null,
    changed_at double precision not null,
    primary key (tenant, release_id)
);

create table release_adapter (                   -- the adapters inside a bundle, for look-ups
    tenant text not null,
    release_id text not null references release (id),
    language text not null,                      -- '' = every language without one of its own
    name text not null,
    primary key (tenant, release_id, language)
);
create index release_adapter_name on release_adapter (tenant, name);

create table release_change (                    -- append only: the timeline of releases
    id text primary key,
    tenant text not null,
    at double precision not null,
    action text not null,                        -- published | candidate | judged | canary_started | canary_share | canary_stopped | promoted | rolled_back | canary_rolled_back
    release_id text not null,                    -- what it was done to; of a rollback: the one that is live afterwards
    previous_id text,                            -- what was in its place before
    actor_kind text not null,
    actor_id text not null,
    reason text,
    detail text not null                         -- JSON: share, cap, verdict, figures
);
create index release_change_at on release_change (tenant, at);

create table canary (                            -- a trial of one release beside the live one
    id text primary key,
    tenant text not null,
    release_id text not null references release (id),
    live_id text not null references release (id),
    share double precision not null,             -- of new cases, 0 to 1; may be changed while it runs
    cap integer not null,                        -- cases it may get
    cases integer not null default 0,            -- cases it got
    state text not null,                         -- running | stopped | promoted | rolled_back
    reason text,
    figures text not null,                       -- JSON: the comparison when it ended
    started_at double precision not null,
    ended_at double precision
);
create unique index canary_running on canary (tenant) where state = 'running';

create table model_replica (                     -- what each model server has loaded and proved
    tenant text not null,
    replica text not null,
    served text not null,                        -- JSON list of adapters that answered a probe
    failed text not null,                        -- JSON: adapter -> why it is not served
    seen_at double precision not null,
    primary key (tenant, replica)
);

alter table support_case add column canary_id text;               -- the trial it takes part in, on either side
alter table support_case add column canary_arm integer;           -- 1 = on the canary, 0 = beside it
alter table support_case add column canary_share double precision;  -- the share in force when it was drawn
alter table support_case add column handed_at double precision;   -- when it first went to a person
alter table support_case add column handed_reason text;
create index case_canary on support_case (canary_id, conversation_id) where canary_id is not null;
create index case_release on support_case (tenant, release_id) where closed_at is null;
create index turn_case on turn (case_id);

insert into release_card (tenant, release_id, state, report, created_at, changed_at)
select r.tenant, r.id, case when a.release_id is null then 'retired' else 'live' end, '{}', r.created_at, r.created_at
from release r left join release_alias a on a.tenant = r.tenant and a.release_id = r.id and a.alias = 'live';

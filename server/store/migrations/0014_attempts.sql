-- Tries to sign in, counted for all gateways together.

create table attempt (
    key_hash text primary key,                   -- digest of a network address or an email: neither can be read
    tenant text not null,
    started_at double precision not null,        -- of the window; in the future while locked
    tries integer not null default 0,            -- in the window
    strikes integer not null default 0,          -- windows that were overdrawn; each doubles the pause
    locked_until double precision not null default 0
);
create index attempt_locked on attempt (tenant, locked_until);
create index attempt_started on attempt (started_at);

-- name: all
-- Where the bot was told to be silent or to speak.
select channel, account, silent, changed_by, changed_at from bot_switch where tenant = :tenant
order by channel, account;

-- name: set
-- Turn the bot off or on for everything, a channel, or one of its accounts.
insert into bot_switch (tenant, channel, account, silent, changed_by, changed_at)
values (:tenant, :channel, :account, :silent, :changed_by, cast(:now as double precision))
on conflict (tenant, channel, account) do update set
    silent = excluded.silent, changed_by = excluded.changed_by, changed_at = excluded.changed_at;

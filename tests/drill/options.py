"""What a drill is asked to do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CHANNELS = ("whatsapp", "meta", "slack", "telegram")
CLUSTER = "cluster"  # the store that is a throwaway PostgreSQL server


@dataclass(frozen=True)
class Options:
    """Counts, shares of 1, seconds; see :func:`parse` for what each one means."""

    kills: int = 0
    messages: int = 200
    rate: float = 10.0
    customers: int = 10
    channels: tuple[str, ...] = CHANNELS
    duplicates: float = 0.2
    reorder: float = 0.1
    hidden: float = 0.05
    limited: float = 0.02
    errors: float = 0.02
    seed: int = 1
    store: str = ""
    roles: str = "joined"
    config: Path | None = None
    burst: bool = False
    outage_s: float = 0.0
    database_away_s: float = 0.0
    database_how: str = "stopped"
    tokens_per_s: float = 25.0
    drain_s: float = 120.0
    ack_p99_ms: float = 0.0
    json: bool = False
    log_level: str = "info"  # whatever it is, no secret and no customer's word may be in a log

    def but(self, **changes: Any) -> Options:
        """The same with some changed."""
        return replace(self, **changes)

    @property
    def disturbed(self) -> bool:
        """Whether anything is taken away on purpose."""
        return bool(self.kills or self.outage_s or self.database_away_s)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the process with status 2 for those that do not fit together."""
    parser = argparse.ArgumentParser(prog="frontdesk drill", description="Faults, kills and outages; then a verdict.")
    add = parser.add_argument
    add("--kills", type=int, default=0, help="kill -9 the service this often, at random and at named points")
    add("--messages", type=int, default=200, help="messages that customers write at least")
    add("--rate", type=float, default=10.0, help="messages per second over all customers")
    add("--customers", type=int, default=10, help="customers of each channel")
    add("--channels", type=_channels, default=CHANNELS, help=f"some of {','.join(CHANNELS)}")
    add("--duplicates", type=_share, metavar="SHARE", default=0.2, help="share of deliveries that come twice")
    add("--reorder", type=_share, metavar="SHARE", default=0.1, help="share of deliveries that are overtaken")
    add(
        "--hidden",
        type=_share,
        metavar="SHARE",
        default=0.05,
        help="share of calls that succeed without our being told",
    )
    add("--limited", type=_share, metavar="SHARE", default=0.02, help="share of calls answered by 429")
    add(
        "--errors",
        type=_share,
        metavar="SHARE",
        default=0.02,
        help="share of calls answered by 500 or a reset, without effect",
    )
    add("--seed", type=int, default=1, help="of everything that is drawn by lot")
    add("--store", default="", help=f"URL of an EMPTY store; default a temporary SQLite file; {CLUSTER} = a PostgreSQL")
    add("--roles", choices=("joined", "split"), default="joined", help="one process, or a gateway and two workers")
    add("--config", type=Path, help="your YAML file: its engine, outbox, model and media limits are drilled")
    add("--burst", action="store_true", help="10,000 messages in 10 s, unless --messages and --rate say otherwise")
    add("--outage", type=float, default=0.0, dest="outage_s", metavar="SECONDS", help="the service is down so long")
    add("--database-away", type=float, default=0.0, dest="database_away_s", metavar="SECONDS",
        help="a throwaway PostgreSQL is gone so long")  # fmt: skip
    add("--database-how", choices=("stopped", "crashed"), default="stopped", help="how the database goes away")
    add("--tokens-per-s", type=float, default=25.0, help="pace of the model while customers write")
    add("--drain", type=float, default=120.0, dest="drain_s", metavar="SECONDS", help="time to answer everything after")
    add("--ack-p99-ms", type=float, default=0.0, help="the verdict is broken when a channel acknowledges slower")
    add("--json", action="store_true", help="print the report as JSON")
    given = vars(parser.parse_args(arguments))
    if given["burst"]:
        for name, usual in (("messages", 10_000), ("rate", 1_000.0), ("customers", 500), ("drain_s", 600.0)):
            if given[name] == parser.get_default(name):
                given[name] = usual
    options = Options(**given)
    if problem := _problem(options):
        parser.error(problem)
    return options


def _problem(options: Options) -> str:
    if options.store == "postgresql":
        return f"--store needs the URL of an empty database, or {CLUSTER} for a throwaway server"
    if options.database_away_s and options.store not in {"", CLUSTER}:
        return "--database-away stops its own throwaway PostgreSQL; leave --store out"
    if sum(bool(each) for each in (options.kills, options.burst, options.outage_s, options.database_away_s)) > 1:
        return "one of --kills, --outage, --database-away and --burst at a time, so that a finding has one cause"
    if min(options.messages, options.customers) < 1 or options.rate <= 0 or options.kills < 0:
        return "--messages, --customers and --rate must be above zero"
    if options.limited + options.errors + options.hidden > 0.9:
        return "--limited, --errors and --hidden together leave no call to succeed"
    return ""


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:  # also what is no number
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return value


def _channels(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    if not names or set(names) - set(CHANNELS):
        raise argparse.ArgumentTypeError(f"name some of {','.join(CHANNELS)}")
    return names

"""Run a drill and print its verdict; exit status 1 when any promise was broken."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from tests import postgres
from tests.drill import records
from tests.drill.crowd import Crowd
from tests.drill.lines import Line, lines
from tests.drill.logs import crashes, leaks
from tests.drill.options import CLUSTER, Options, parse
from tests.drill.report import Report, Watch, acknowledgements, facts
from tests.drill.shop import environment, settings_file
from tests.drill.trials import ANSWERED_IN_S, RSS_MIB, Outcome, Stage, trial
from tests.drill.verdict import Rules, Verdict, judge, sight
from tests.faults.processes import Deployment, Died, model_server

FIRST_TOKEN_S = 0.08
PREVIEW_S = 31.0  # Telegram's previews are gone by then
LOG_TAIL = 3_000  # characters


async def drill(
    options: Options,
    url: str,
    folder: Path,
    say: Callable[[str], None] = print,
    cluster: postgres.Cluster | None = None,
) -> Report:
    """Run one drill on an empty store and judge it."""
    await records.refuse_unless_empty(url)
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(
            model_server(tokens_per_s=options.tokens_per_s, first_token_s=FIRST_TOKEN_S)
        )
        chosen = lines(options)
        for line in chosen:
            await stack.enter_async_context(line.running())
        deployment = Deployment(url, folder, options.roles, model)
        config = settings_file(options.config, folder)
        deployment.settings["FRONTDESK_LOG__LEVEL"] = options.log_level
        deployment.settings |= environment(chosen, config, deployment.gateway.url, kills=bool(options.kills))
        try:
            await stack.enter_async_context(deployment.running())
            watch = await stack.enter_async_context(Watch().over(deployment))
            crowd = Crowd(chosen, customers=options.customers, rate=options.rate, seed=options.seed)
            stack.push_async_callback(crowd.close)
            return await _judged(Stage(options, deployment, crowd, model, say, cluster), chosen, watch)
        except Died as error:
            raise SystemExit(f"The service does not run: {error}:\n{_log_tails(deployment)}") from error


async def _judged(stage: Stage, chosen: list[Line], watch: Watch) -> Report:
    options, deployment, crowd = stage.options, stage.deployment, stage.crowd
    deployment.starts.clear()  # the first start migrates
    for line in chosen:
        line.disturb()
    crowd.start(options.messages)
    outcome = await trial(options)(stage)
    stage.say(f"{len(crowd.said)} messages written; waiting for the last answers")
    url, tokens = deployment.store_url, {said.token for said in crowd.said}
    drained_s = await records.drained(url, tokens, options.drain_s)
    answered_s = time.monotonic() - outcome.over_at
    for line in chosen:
        await line.settle()
    await _previews_gone(chosen)
    if drained_s is None:
        outcome.findings.append(("late", f"work was left {options.drain_s:.0f} s after the last delivery"))
    elif options.database_away_s and answered_s > ANSWERED_IN_S:
        outcome.findings.append(("late", f"everything was answered {answered_s:.0f} s after the database was back"))
    outcome.facts["all answered after, s"] = round(answered_s, 1) if drained_s is not None else "never"
    if options.burst and watch.rss_mib > RSS_MIB:
        outcome.findings.append(("slow", f"the service took {watch.rss_mib:.0f} MiB, more than {RSS_MIB:.0f}"))
    rules = Rules(callbacks_complete=not options.disturbed, notices_per_customer=1 if options.burst else None)
    logs = {node.name: node.log.read_text(encoding="utf-8", errors="replace") for node in deployment.nodes}
    unexpected = [sentence for name, text in logs.items() for sentence in crashes(name, text)]
    leaked = [sentence for name, text in logs.items() for sentence in leaks(name, text, deployment.settings)]
    outcome.findings += [("leaked", sentence) for sentence in leaked]
    rows, sights = await records.read(url), [sight(line) for line in chosen]
    verdict = judge(crowd.said, rows, sights, unexpected, rules)
    evidence = {"rows": asdict(rows), "sights": list(map(asdict, sights)), "said": list(map(asdict, crowd.said))}
    (deployment.folder / "evidence.json").write_text(json.dumps(evidence, indent=1, default=str), encoding="utf-8")
    return _report(stage, chosen, watch, outcome, verdict)


def _report(stage: Stage, chosen: list[Line], watch: Watch, outcome: Outcome, verdict: Verdict) -> Report:
    options = stage.options
    acks = {line.name: acknowledgements(stage.crowd.said, line.name) for line in chosen}
    for name, ack in acks.items():
        if options.ack_p99_ms and ack["p99_ms"] > options.ack_p99_ms:
            outcome.findings.append(("slow", f"{name} acknowledged by p99 {ack['p99_ms']} ms"))
    for finding, sentence in outcome.findings:
        verdict.find(finding, sentence)
    what = {"store": stage.deployment.store_url.partition(":")[0], "roles": options.roles, "seed": options.seed}
    return Report(options, verdict, {**what, **outcome.facts, **facts(stage.crowd.said, chosen, watch)}, acks)


async def _previews_gone(chosen: list[Line]) -> None:
    """Previews vanish by themselves; give them the time they have."""
    deadline = time.monotonic() + PREVIEW_S
    while time.monotonic() < deadline:
        if not any(screen.unfinished for line in chosen for screen in line.screens().values()):
            return
        await asyncio.sleep(0.5)


def _log_tails(deployment: Deployment) -> str:
    return "\n".join(f"{node.name}: {node.log.read_text(errors='replace')[-LOG_TAIL:]}" for node in deployment.nodes)


@contextmanager
def store(options: Options, folder: Path) -> Iterator[tuple[str, postgres.Cluster | None]]:
    """URL of the store, and the throwaway server behind it if there is one."""
    if options.store == CLUSTER or options.database_away_s:
        if not postgres.available():
            raise SystemExit("PostgreSQL's server programs (initdb, pg_ctl) are not here; install them or give --store")
        with postgres.cluster() as server:
            yield server.url("postgres"), server
    else:
        yield options.store or f"sqlite:///{folder / 'desk.db'}", None


def main() -> int:
    """Parse, run, print."""
    options = parse()
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731 - a sink
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="desk-drill-")))
        url, cluster = stack.enter_context(store(options, folder))
        report = asyncio.run(drill(options, url, folder, say, cluster))
        _keep_logs(folder)
    if options.json:
        print(report.as_json())
    else:
        machine = f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
        print(f"{report.table()}\nmachine: {machine}")
    return 0 if report.verdict.clean else 1


def _keep_logs(folder: Path) -> None:
    """Copy the processes' logs and an SQLite store to DRILL_KEEP, for whoever looks for a cause."""
    kept = os.environ.get("DRILL_KEEP")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        for path in [*folder.glob("*.log"), folder / "evidence.json", folder / "desk.db", folder / "desk.db-wal"]:
            if path.is_file():
                (Path(kept) / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())

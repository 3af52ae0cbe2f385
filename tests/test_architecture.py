"""The budgets that keep the tree a house one can live in."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("config", "channels", "models", "server", "training")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

FILE_LINES = 400
MEDIAN_LINES = 200
FUNCTION_LINES = 60  # code lines: neither blank, nor comment, nor docstring
FUNCTION_P90 = 30

LOOP_TOPS = {  # a broad except stands only where one fault must not end a loop
    "server/shifts.py": "worker and sender: a fault of one step does not end the loop",
    "server/engine/worker.py": "turns: a fault of one turn is counted, the others go on",
    "server/jobs.py": "scheduler: a job that fails is retried by its lane",
    "server/outbox/sender.py": "sends: a fault of one message is counted, the others go on",
    "server/problems.py": "requests: an unexpected fault becomes a 500 with an id",
    "server/store/group.py": "commits: a unit's fault belongs to its caller, not to its neighbours",
    "server/store/postgres.py": "commits: the committer outlives a group",
    "server/store/sqlite.py": "commits: the writer thread outlives a group",
}
LATE_IMPORTS = {  # modules loaded by name, each for one reason
    "server/analytics/tables.py": "pyarrow, an extra: Parquet is made only where it is installed",
    "server/cli.py": "the command table",
    "server/app.py": "uvloop is optional",
    "server/auth/seal.py": "the cipher loads with the first authenticator app",
    "config/cron.py": "the first cron text that is read loads the library, not every process's start",
    "server/accounts.py": "a platform's module and its libraries load where an account of it is on",
    "channels/web.py": "the JOSE library costs a third of the start, and few sites prove identities",
    "channels/slack/sdk.py": "Slack's library loads where an account of it is on",
    "channels/telegram/api.py": "Telegram's library loads where an account of it is on",
    "channels/whatsapp/twilio.py": "Twilio's library loads where an account of it is on",
    "server/tools/mcp_tools.py": "the MCP library takes a second to import, and few shops name a server",
    "server/tools/python_tools.py": "a shop's own functions are named in its tools file",
    "server/tools/schema.py": "the checker of schemas loads in a thread before the first call",
    "server/tools/builtin/shop.py": "a shop on SQLite never loads the PostgreSQL driver",
    "server/knowledge/chunking.py": "the splitter is loaded by the first document",
    "server/knowledge/lexical.py": "the word index is loaded by the first document",
    "server/wits.py": "the numeric half of retrieval is a third of the start, and loads where knowledge is on",
    "models/vllm_lora.py": "vLLM is there only in the processes that call the plug-in, and is patched only on a CPU",
    "training/__main__.py": "torch takes seconds to import, and most commands need none of it",
    "training/exporters.py": "trackers of other makers are optional",
    "models/embedding.py": "the runtime of the embedding model loads with the first document",
    "server/knowledge/robots.py": "the robots library is loaded by the first crawl",
    "server/knowledge/reading_child.py": "one format's library is loaded per file, in the child",
    "server/knowledge/formats/pdf.py": "only the child that reads a PDF loads its library",
    "server/knowledge/formats/word.py": "only the child that reads a DOCX loads its library",
    "server/knowledge/formats/page.py": "only the child that reads a page loads its library",
    "server/knowledge/sql_source.py": "a shop without PostgreSQL sources never loads the driver",
    "server/sandbox.py": "a platform's library is loaded when somebody simulates it",
    "server/store/open.py": "a shop on SQLite never loads the PostgreSQL driver",
}
COVERED_ELSEWHERE = {  # module -> the test file that covers it
    "server/api/web_shapes.py": "tests/server/api/test_web.py",
    "server/api/knowledge_shapes.py": "tests/server/api/test_knowledge.py",
    "server/api/openai_shapes.py": "tests/server/api/test_openai.py",
    "server/api/analytics_shapes.py": "tests/server/api/test_analytics.py",
    "server/analytics/definitions.py": "tests/server/analytics/test_metrics.py",
    "server/analytics/reading.py": "tests/server/analytics/test_folding.py",
    "server/analytics/tables.py": "tests/server/api/test_analytics.py",
    "server/surveys/asking.py": "tests/server/surveys/test_surveys.py",
    "server/surveys/scoring.py": "tests/server/surveys/test_surveys.py",
    "server/surveys/words.py": "tests/server/surveys/test_surveys.py",
    "server/api/releases_shapes.py": "tests/server/api/test_releases.py",
    "server/api/tools_shapes.py": "tests/server/api/test_tools.py",
    "server/api/template_shapes.py": "tests/server/api/test_sends.py",
    "server/api/channels.py": "tests/server/api/test_webhooks.py",
    "server/auth/gate.py": "tests/server/test_routes.py",
    "server/commands/checks/__init__.py": "tests/server/test_doctor.py",
    "server/platforms.py": "tests/scenarios/test_platform.py",
    "server/standing.py": "tests/server/test_inbox.py",
    "training/__init__.py": "",
}
COVERED_FOLDERS = {"server/store/": "tests/stores/test_contract.py"}  # one contract runs through all of it, twice
FORBIDDEN = re.compile(r"\b(TODO|FIXME|XXX|HACK|(?i:lorem ipsum|not implemented yet))\b")  # "todo" is a word of Spanish
WRONG_WORDS = re.compile(r"\bagents?\b", re.IGNORECASE)  # people are customer, staff, admin
USER_AGENT = re.compile(r"user.agent", re.IGNORECASE)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def code_lines(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    docstring = node.body[0] if ast.get_docstring(node) else None
    skipped = range(docstring.lineno, (docstring.end_lineno or 0) + 1) if docstring else range(0)
    return sum(
        1
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if number not in skipped and lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#")
    )


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


def test_the_median_file_is_shorter() -> None:
    assert statistics.median(len(path.read_text(encoding="utf-8").splitlines()) for path in FILES) <= MEDIAN_LINES


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_functions_are_short(path: Path) -> None:
    too_long = {node.name: code_lines(path, node) for node in functions(parsed(path))}
    assert {name: lines for name, lines in too_long.items() if lines > FUNCTION_LINES} == {}


def test_most_functions_are_shorter() -> None:
    sizes = sorted(code_lines(path, node) for path in FILES for node in functions(parsed(path)))
    assert sizes[int(len(sizes) * 0.9)] <= FUNCTION_P90


def test_broad_excepts_stand_only_at_loop_tops() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    }
    assert found <= LOOP_TOPS.keys()


def test_first_party_imports_stand_at_the_top() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        for function in functions(parsed(path))
        for node in ast.walk(function)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES)
        or (isinstance(node, ast.Import) and any(name.name.split(".")[0] in PACKAGES for name in node.names))
    }
    assert found == set()


def test_modules_are_loaded_by_name_only_where_it_is_said_why() -> None:
    found = {str(path.relative_to(ROOT)) for path in FILES if "import_module(" in path.read_text(encoding="utf-8")}
    assert found <= LATE_IMPORTS.keys()


def test_layers_hold_and_there_are_no_cycles() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_no_cycles_between_modules() -> None:
    program = (
        "import grimp\n"
        f"graph = grimp.build_graph({', '.join(map(repr, PACKAGES))}, cache_dir=None)\n"
        "links = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}\n"
        "while True:\n"
        "    free = [m for m, below in links.items() if not below & links.keys()]\n"
        "    if not free: break\n"
        "    for m in free: del links[m]\n"
        "assert not links, sorted(links)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def has_code(path: Path) -> bool:
    """Whether there is more than a docstring and imports."""
    simple = (ast.Expr, ast.Import, ast.ImportFrom)
    return any(not isinstance(node, simple) for node in parsed(path).body)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_module_has_its_test_file(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    if name in COVERED_ELSEWHERE:
        assert not COVERED_ELSEWHERE[name] or (ROOT / COVERED_ELSEWHERE[name]).exists()
        return
    folder = next((folder for folder in COVERED_FOLDERS if name.startswith(folder)), "")
    if folder:
        assert (ROOT / COVERED_FOLDERS[folder]).exists()
        return
    if not has_code(path):
        return
    own = path.parent.name if path.stem in {"__init__", "__main__"} else path.stem
    wanted = {f"test_{own}.py", f"test_{path.parent.name}_{own}.py"}
    assert any(found.name in wanted for found in (ROOT / "tests").rglob("test_*.py")), f"write tests/…/test_{own}.py"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not FORBIDDEN.search(text)
    assert not WRONG_WORDS.search(USER_AGENT.sub("", text)), "people are customer, staff or admin"


def test_every_public_name_has_a_docstring_of_a_sentence() -> None:
    thin = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and (docstring := ast.get_docstring(node))
        and not docstring.splitlines()[0].rstrip().endswith((".", ":", "?", ";", ","))
    ]
    assert thin == []

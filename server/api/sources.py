"""Sources of knowledge: everybody who signs in looks at them, admins change them (they name folders and databases)."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import BodyPartReader, MultipartReader, hdrs, web

from config.settings import Settings
from server.api.knowledge import told
from server.api.knowledge_shapes import (
    FileList,
    NewSource,
    SourceChange,
    SourceList,
    SourceRow,
    SyncBody,
    UploadQuery,
)
from server.api.shapes import ID, answer
from server.audit import audit
from server.knowledge.sources import Source, Sources
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query, read_raw
from server.store.contract import Store

FORM: Final = "multipart/form-data"
MOST_FILES: Final = 50  # of one form
FORM_BYTES: Final = 64_000_000  # of one form; larger sets are sent file by file
FORM_S: Final = 120.0  # for a whole form to arrive
PIECE_BYTES: Final = 1 << 16


class SourcesApi:
    """Addresses ``/api/knowledge/sources``."""

    def __init__(self, store: Store, settings: Settings, sources: Sources) -> None:
        self._store = store
        self._http = settings.http
        self._sources = sources
        self._file_bytes = settings.knowledge.parse.max_bytes

    def routes(self) -> builtins.list[Route]:
        """The table of this resource."""
        sources = "/api/knowledge/sources"
        one = f"{sources}/{ID}"
        return [
            Route("GET", sources, self.list, Role.VIEWER, "Every source", answer=SourceList),
            Route(
                "POST", sources, self.create, Role.ADMIN, "Add a source and read it", "source.create", body=NewSource,
                answer=SourceRow,
            ),
            Route("GET", one, self.read, Role.VIEWER, "One source", answer=SourceRow),
            Route(
                "PATCH", one, self.change, Role.ADMIN, "Change a source", "source.change", body=SourceChange,
                answer=SourceRow,
            ),
            Route("DELETE", one, self.delete, Role.ADMIN, "Remove a source and its documents", "source.delete"),
            Route(
                "POST", f"{one}/sync", self.sync, Role.ADMIN, "Read a source now", "source.sync", body=SyncBody,
                answer=SourceRow,
            ),
            Route("GET", f"{one}/files", self.files, Role.VIEWER, "Uploaded files of a source", answer=FileList),
            Route(
                "POST", f"{one}/files", self.upload, Role.ADMIN, "Upload files (a form, or one as the body)",
                "source.upload", answer=FileList,
            ),
            Route(
                "DELETE", f"{one}/files/{{name}}", self.drop_file, Role.ADMIN, "Remove an uploaded file",
                "source.drop_file",
            ),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """Sources with the state of their last run."""
        found = await self._sources.list()
        return answer(SourceList(sources=[_row(source, request) for source in found]))

    async def read(self, request: web.Request) -> web.Response:
        """One source."""
        async with told():
            return answer(_row(await self._sources.get(request.match_info["id"]), request))

    async def create(self, request: web.Request) -> web.Response:
        """Add a source; it is read in the background."""
        body = await read_body(request, NewSource)
        async with told():
            made = await self._sources.create(
                body.kind, body.name, body.config, audience=body.audience, cron=body.cron or None
            )
        await self._note(request, "source.create", made.id, {"name": made.name, "kind": made.kind})
        return answer(_row(made, request), status=201)

    async def change(self, request: web.Request) -> web.Response:
        """Change what is given; other settings make it read everything again."""
        body = await read_body(request, SourceChange)
        source_id = request.match_info["id"]
        async with told():
            changed = await self._sources.update(
                source_id, name=body.name, config=body.config, audience=body.audience, cron=body.cron
            )
        await self._note(request, "source.change", source_id, {"fields": sorted(body.model_fields_set)})
        return answer(_row(changed, request))

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a source; no answer uses its documents from now on."""
        source_id = request.match_info["id"]
        async with told():
            source = await self._sources.get(source_id)
            await self._sources.delete(source_id)
        await self._note(request, "source.delete", source_id, {"name": source.name})
        return web.Response(status=204)

    async def sync(self, request: web.Request) -> web.Response:
        """Read a source now."""
        body = await read_body(request, SyncBody)
        async with told():
            source = await self._sources.sync_now(request.match_info["id"], again=body.again)
        await self._note(request, "source.sync", source.id, {"again": body.again})
        return answer(_row(source, request))

    async def files(self, request: web.Request) -> web.Response:
        """Names of the uploaded files."""
        return answer(await self._files(request.match_info["id"]))

    async def upload(self, request: web.Request) -> web.Response:
        """Take files in, each whole or not at all; those before a refused one are kept."""
        source_id, names = request.match_info["id"], []
        async with told():
            await self._sources.get(source_id)
            async for name, data in self._uploaded(request):
                await self._sources.upload(source_id, name, data)
                names.append(name)
        if not names:
            raise Problem(422, "No file", "Send one file as the body with ?name=, or a form with at least one file.")
        await self._note(request, "source.upload", source_id, {"files": names})
        return answer(await self._files(source_id), status=201)

    async def drop_file(self, request: web.Request) -> web.Response:
        """Remove an uploaded file and its documents."""
        source_id, name = request.match_info["id"], request.match_info["name"]
        async with told():
            await self._sources.remove_upload(source_id, name)
        await self._note(request, "source.drop_file", source_id, {"file": name})
        return web.Response(status=204)

    async def _files(self, source_id: str) -> FileList:
        async with told():
            source = await self._sources.get(source_id)
            return FileList(files=await self._sources.uploads.names(source.id))

    async def _uploaded(self, request: web.Request) -> AsyncIterator[tuple[str, bytes]]:
        """Name and content of each file that is sent, within the limits; raises 413 and 422 problems."""
        if request.content_type != FORM:
            name = read_query(request, UploadQuery).name
            if not name:
                raise Problem(422, "Invalid input", "name: say what the file is called, as in ?name=returns.pdf")
            yield name, await read_raw(request, self._file_bytes)
            return
        if (request.content_length or 0) > FORM_BYTES:
            raise web.HTTPRequestEntityTooLarge(FORM_BYTES, request.content_length or 0)
        form, count, left = await request.multipart(), 0, FORM_BYTES
        ends = asyncio.get_running_loop().time() + FORM_S
        while (part := await _next(form, ends)) is not None:
            if not isinstance(part, BodyPartReader) or not part.filename:
                continue
            count += 1
            if count > MOST_FILES:
                raise Problem(422, "Too many files", f"Send at most {MOST_FILES} files at once.")
            if part.headers.get(hdrs.CONTENT_ENCODING):
                raise Problem(415, "Compressed file", "Send the file without Content-Encoding.")
            data = await _content(part, min(left, self._file_bytes), ends)
            left -= len(data)
            yield part.filename, data

    async def _note(self, request: web.Request, action: str, target: str, detail: Mapping[str, Any]) -> None:
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        await self._store.write(lambda tx: audit(tx, principal, action, target, detail, ip))
        request[AUDITED] = True


async def _next(form: MultipartReader, ends_s: float) -> MultipartReader | BodyPartReader | None:
    with _in_time():
        async with asyncio.timeout_at(ends_s):
            return await form.next()


async def _content(part: BodyPartReader, limit_bytes: int, ends_s: float) -> bytes:
    data = bytearray()
    with _in_time():
        async with asyncio.timeout_at(ends_s):
            while piece := await part.read_chunk(PIECE_BYTES):
                data += piece
                if len(data) > limit_bytes:
                    raise web.HTTPRequestEntityTooLarge(limit_bytes, len(data))
    return bytes(data)


@contextmanager
def _in_time() -> Iterator[None]:
    """A form that is too slow, or is none, as a problem."""
    try:
        yield
    except TimeoutError:
        raise Problem(408, "Too slow", f"The files did not arrive within {FORM_S:g} s; send fewer at once.") from None
    except ValueError:
        raise Problem(400, "Malformed form", "The body is not a multipart form; send it again.") from None


def _row(source: Source, request: web.Request) -> SourceRow:
    """A source as the caller may see it: folders, databases and queries are for admins."""
    shown = {name: getattr(source, name) for name in SourceRow.model_fields}
    shown["progress"] = dict(source.progress)
    shown["config"] = dict(source.config) if request[PRINCIPAL].role.covers(Role.ADMIN) else {}
    return SourceRow(**shown)

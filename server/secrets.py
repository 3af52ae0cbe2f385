"""Keys this installation made for itself, kept in its store so that all replicas share them."""

from __future__ import annotations

import secrets

from server.store.contract import Store, Tx

VISITOR = "visitor"
KEY_BYTES = 32


class InstallationKeys:
    """Signing keys by name; made on first start, read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[str, bytes] = {}

    async def load(self) -> None:
        """Read the keys, making those that are missing."""
        fresh = secrets.token_hex(KEY_BYTES)

        async def unit(tx: Tx) -> str:
            await tx.run("conversations.make_secret", name=VISITOR, value=fresh, now=tx.now_s)
            row = await tx.row("conversations.secret", name=VISITOR)
            assert row is not None
            return str(row["value"])

        self._keys[VISITOR] = bytes.fromhex(await self._store.write(unit))

    @property
    def visitor(self) -> bytes:
        """The key of visitor tokens; only valid after :meth:`load`."""
        return self._keys[VISITOR]

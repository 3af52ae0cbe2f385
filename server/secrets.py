"""Keys this installation made for itself, kept in its store so that all replicas share them."""

from __future__ import annotations

import secrets

from server.store.contract import Store, Tx

VISITOR = "visitor"  # signs the tokens of web visitors
BUTTON = "button"  # signs what the buttons below our messages carry
FILE = "file"  # signs short-lived addresses of stored files
VERIFICATION = "verification"  # hashes the codes that prove who a customer is
NAMES = (VISITOR, BUTTON, FILE, VERIFICATION)
KEY_BYTES = 32


class InstallationKeys:
    """Signing keys by name; made on first start, read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[str, bytes] = {}

    async def load(self) -> None:
        """Read the keys, making those that are missing."""
        fresh = {name: secrets.token_hex(KEY_BYTES) for name in NAMES}

        async def unit(tx: Tx) -> dict[str, str]:
            found = {}
            for name, value in fresh.items():
                await tx.run("conversations.make_secret", name=name, value=value, now=tx.now_s)
                row = await tx.row("conversations.secret", name=name)
                assert row is not None
                found[name] = str(row["value"])
            return found

        self._keys = {name: bytes.fromhex(value) for name, value in (await self._store.write(unit)).items()}

    def key(self, name: str) -> bytes:
        """The key of one purpose (one of NAMES); only valid after :meth:`load`."""
        return self._keys[name]

    @property
    def visitor(self) -> bytes:
        """The key of visitor tokens; only valid after :meth:`load`."""
        return self.key(VISITOR)

    @property
    def button(self) -> bytes:
        """The key of button payloads; only valid after :meth:`load`."""
        return self.key(BUTTON)

    @property
    def file(self) -> bytes:
        """The key of file addresses; only valid after :meth:`load`."""
        return self.key(FILE)

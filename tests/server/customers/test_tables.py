"""The list of tables says each one once; that it is whole is checked beside the erase itself."""

from __future__ import annotations

from server.customers import tables
from server.customers.export import NOT_COPIED
from server.store.statements import load


def test_every_table_has_one_fate() -> None:
    fates = [*tables.CONVERSATION, *tables.CUSTOMER, *tables.BY_TEXT, *tables.BLINDED, *tables.EMPTY]
    assert len(fates) == len(set(fates))


def test_every_erased_table_can_be_dropped_counted_and_copied() -> None:
    for dialect in ("sqlite", "postgresql"):
        known = load(dialect)
        for table in (*tables.CONVERSATION, *tables.CUSTOMER):
            assert {"tenant", "id"} == set(known[f"erasure.drop_{table}"].keys), table
            assert {"tenant", "id"} == set(known[f"erasure.left_{table}"].keys), table
            assert (f"customer_export.rows_{table}" in known) == (table not in NOT_COPIED), table

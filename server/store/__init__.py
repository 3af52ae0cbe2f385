"""Durable state behind one contract: SQLite and PostgreSQL."""

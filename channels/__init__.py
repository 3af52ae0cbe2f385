"""Messaging platforms behind one small contract."""

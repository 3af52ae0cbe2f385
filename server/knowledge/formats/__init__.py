"""Readers of file formats; they run in the reading child only, never in the server.

Each module has ``load()``, which imports its libraries before the child forks, and ``read(data, hints)``.
"""

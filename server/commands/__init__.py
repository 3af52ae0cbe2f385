"""One module per command of the ``frontdesk`` program; ``server/cli.py`` loads the one that was asked for."""

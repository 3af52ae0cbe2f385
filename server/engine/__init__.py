"""The conversation engine: takes turns from the ``in`` lanes and ends each with exactly one outcome.

``worker`` leases lanes and keeps them, ``turn`` runs one turn, ``record`` holds its commits, ``breaker`` stops calling
a model that fails, ``words`` is what the service itself says to customers.
"""

"""The drill: the whole service against doubles of all messaging platforms, with faults, kills and outages; a verdict.

``python -m tests.drill --kills 20`` (or ``frontdesk drill --kills 20``) starts everything it needs, on loopback only:
no account, key or network. Its parts: ``options`` (what to run), ``shop`` (the settings of the service under test),
``lines`` (one platform account each, with its double), ``crowd`` (customers who write), ``trials`` (kills, outages,
the database away, the burst), ``records`` (the database as it lies there), ``verdict`` (the promises held against it)
and ``report`` (figures, as a table or JSON).

With ``DRILL_KEEP=folder`` the logs of the service, its SQLite file and ``evidence.json`` (rows, screens, deliveries)
are kept there, for whoever looks for the cause of a finding.
"""

"""Releases: bundles, the trial of a new one beside the live one, and the adapters that model servers hold.

``bundle`` is one release, ``registry`` which one is live and what a case is pinned to, ``moves`` how that changes
(start, stop, promote, roll back), ``watch`` takes a canary back by itself, ``reconciler`` keeps the model servers at
what all of these need.
"""

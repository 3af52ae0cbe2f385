"""Customers as persons: which addresses are one, what is known, a copy of it, and the end of it."""

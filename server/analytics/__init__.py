"""Figures of the desk: facts folded from events, metrics made of facts, tables of both."""

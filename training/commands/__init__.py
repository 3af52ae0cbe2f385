"""The commands of ``python -m training``: each takes paths and nothing else, so any job runner can start them."""

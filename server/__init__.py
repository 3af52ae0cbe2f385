"""The serving plane: gateway, lanes, engine, handoff and the API."""

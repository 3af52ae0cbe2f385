"""The retraining job over paths only; it never imports the server."""

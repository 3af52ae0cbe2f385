"""Sign-in of people and programs: passwords, attempts, sessions, keys, and the gate in front of the routes."""

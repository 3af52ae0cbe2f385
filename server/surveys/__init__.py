"""Questions to customers when a case is over: asked once, answered with a tap or a figure, and why."""

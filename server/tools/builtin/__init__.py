"""The tools that come with the desk: what a shop's own database, the desk's store and a payment provider can do."""

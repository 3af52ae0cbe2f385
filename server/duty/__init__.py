"""People at work: who is there, who has a conversation since when, what was promised, what customers hear."""

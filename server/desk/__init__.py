"""What staff see and do around conversations: the live stream, views, notes, labels, drafts, delayed sends."""

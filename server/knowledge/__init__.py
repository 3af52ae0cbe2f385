"""What the assistant may answer from: sources, documents, chunks, the two halves of the index, and retrieval."""

"""Talking to language models: prompts, the vLLM client and process, weights."""

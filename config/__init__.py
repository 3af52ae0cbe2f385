"""Settings: one self-validating model per component, and nothing else."""

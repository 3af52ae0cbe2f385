"""Retraining: from approved examples to a judged candidate, in stages that survive restarts.

The server trains nothing itself: each stage is a child process over paths (``python -m training …``), which any other
runner of jobs can start in the same way.
"""

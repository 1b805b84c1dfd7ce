"""The driver of tests/bench/run. Standard library only."""

"""Set-up, training and benchmarks."""

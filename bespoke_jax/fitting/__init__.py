"""Fitting solvers by measuring: the race, regression, incremental steps, `tailor`."""

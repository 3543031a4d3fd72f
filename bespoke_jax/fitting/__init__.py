"""Fitting solvers by measuring: candidates, the race, Levenberg-Marquardt, `tailor`."""

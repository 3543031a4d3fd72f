"""How well recursive differences estimate the derivative of the score-integrand.

    uv run python -m experiments.recursive_difference.derivative

With y = x / alpha and tau = sigma / alpha the ODE is dy/dtau = Gamma(tau) = eps. For a
step h from s, estimates of Gamma'(s) from Gamma(s) and Gamma at another point p:

    FD      (Gamma(p) - Gamma(s)) / (tau_p - tau_s)
    RD(m)   FD / phi_1(m), m = 3 and infinity: what SciRE-Solver uses
    full    corollary 3.1 and theorem 3.1 with the exact Gamma'(p) and Gamma''(p)
    EI      DPM-Solver-2's coefficient as a multiple of FD, 2 / (1 + tau_p / tau_s)

They are compared with the exact one, a directional derivative (`jax.jvp`) of the
network along its own path, on closed-form fields and on the digits eps-VP network, all
in float64: first as p -> s, then at the nodes of SciRE-V1-2 on NSR grids. There the
multiple c of FD that makes a step exact is measured too (least squares over the
samples): 1 is FD, 1.5 and 1.58 are RD.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

"""What `tailor` costs compared with 15,000 iterations of Adam.

    uv run python -m experiments.digits.adam

Both fit the same non-stationary family on the same paths. Adam minimises the direct
loss with batches of 40 and cosine decay, as in the paper on these solvers (arXiv
2403.01329); its learning rate is the best of three after 500 iterations, which are not
counted. It starts from the best training-free solver that `tailor` measures. Network
evaluations count 1 forward and 2 more in reverse.
"""

from experiments.harness import command

if __name__ == "__main__":
    command.run(__package__, __doc__)

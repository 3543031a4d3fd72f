from experiments.ablations.conditions.measure import Config


def write(config):
    pass

"""What every other room stands on: calling a field, and cutting batches."""

"""Training: the contract of a training, its data, and the loop; knows no network."""

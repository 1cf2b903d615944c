"""What trainings of two-domain models share: discriminators, updates, losses, published files."""

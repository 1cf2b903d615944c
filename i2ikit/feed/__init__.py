"""Training sets from originals and translations, with their labels."""

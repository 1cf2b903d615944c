"""What can be wrong with a translated picture, a module a kind."""

"""Data sets brought into the folders that training and evaluation take."""

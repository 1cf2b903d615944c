"""`python -m i2ikit`."""

from i2ikit.cli import main

main()

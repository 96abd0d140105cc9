"""`python -m streams.cli` is `weir`."""

from streams.cli.program import main

if __name__ == "__main__":
    main()

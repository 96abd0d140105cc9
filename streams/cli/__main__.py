"""`python -m streams.cli` is `weir`."""

from streams.cli.main import main

if __name__ == "__main__":
    main()

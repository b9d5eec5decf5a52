"""``python -m bench``: all measurements."""

from bench.cluster import main

if __name__ == "__main__":
    main()

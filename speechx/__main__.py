"""`python -m speechx`: the command line."""

from speechx.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m neuropipe`: the same as the `neuropipe` command."""

from neuropipe.cli import main

if __name__ == "__main__":
    main()

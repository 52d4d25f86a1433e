"""`python -m agent` does the same as `platewarden`."""

from agent.cli import main

if __name__ == "__main__":
    main()

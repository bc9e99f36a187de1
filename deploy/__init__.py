"""How Tierstream runs: on this machine, and its one command."""

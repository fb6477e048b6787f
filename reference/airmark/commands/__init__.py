"""One module a subcommand of ``airmark``.

Each has ``add_parser(subparsers)``, which registers the subcommand and sets ``run`` as its default, and
``run(args) -> int``, whose result is the exit status: 0 done (or found), 1 not found, 2 is left to AirmarkError.
A module here imports the heavy packages inside ``run``, so that ``airmark --help`` stays quick.
"""

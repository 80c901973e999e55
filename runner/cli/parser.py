"""The command line as a tree: what stands above the commands, and the order in which help lists them.

Light to import: a command's code is loaded when it is called. A command's own grammar is in the `verbs_` file of its
family, what several of them take is in `flags`.
"""

from __future__ import annotations

import argparse

from runner.cli import args_decide, args_inspect, args_prepare, args_run
from runner.cli.arg_types import Parser
from runner.system.version import __version__

_ABOUT = """\
Render a storyboard of generative video shots: check it, submit it, go on after
any interruption, bring the clips home, and report. It never pays twice.
"""

_EXITS = """\
exit codes:
   0  all complete and on disk            2  some takes failed
   3  stopped on purpose                  4  a person is needed (held takes)
  64  usage                              65  invalid manifest
  66  no such file                       69  API unavailable
  70  a bug of ours                      73  cannot create
  74  disk full or failing               75  run in use by another process
  77  token or balance refused           78  state file unusable
  128+N  stopped by signal N

Try it without a key:
  shotrunner init && shotrunner run storyboard.yaml --simulate
"""

_IN_ORDER = (
    args_prepare.init,
    args_prepare.check,
    args_run.plan,
    args_run.run,
    args_inspect.status,
    args_inspect.show,
    args_decide.reconcile,
    args_decide.restore,
    args_run.retry,
    args_decide.accept,
    args_decide.cancel,
    args_decide.fetch,
    args_inspect.verify,
    args_inspect.report,
    args_prepare.export,
    args_prepare.models,
    args_prepare.simulate,
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; parsed arguments carry `command`, a callable."""
    parser = Parser(
        prog="shotrunner",
        description=_ABOUT,
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"shotrunner {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks of our own bugs")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in _IN_ORDER:
        add(commands)
    return parser

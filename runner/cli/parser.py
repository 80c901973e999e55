"""The parser of the whole command line: its own help text, and the order in which it lists the commands.

In: nothing. Out: the parser. It does not load any command's code, so it is light to import. The arguments of a command
are in the `args_` file of its family, and those that several commands share are in `args_shared`.
"""

from __future__ import annotations

import argparse

from runner.cli import args_decide, args_inspect, args_prepare, args_run
from runner.cli.arg_types import Parser
from runner.system.version import __version__

_ABOUT = """\
Render a storyboard of generative video shots: check it, submit it, continue
after any interruption, download the clips, and report. It never pays twice.
"""

_EXITS = """\
exit codes:
   0  all complete and on disk            2  some takes failed
   3  stopped on purpose                  4  a person is needed (held takes)
  64  usage                              65  invalid manifest
  66  no such file                       69  API unavailable
  70  a bug in Shotrunner                73  cannot create
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
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show the traceback of a bug in Shotrunner"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in _IN_ORDER:
        add(commands)
    return parser

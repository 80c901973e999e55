"""The command line as a tree: what stands above the commands, and the order in which help lists them.

Light to import: a command's code is loaded when it is called. A command's own grammar is in the `verbs_` file of its
family, what several of them take is in `flags`.
"""

from __future__ import annotations

import argparse

from runner.cli import verbs_deciding, verbs_preparing, verbs_running, verbs_telling
from runner.cli.grammar import Parser
from runner.version import __version__

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
    verbs_preparing.init,
    verbs_preparing.check,
    verbs_running.plan,
    verbs_running.run,
    verbs_telling.status,
    verbs_telling.show,
    verbs_deciding.reconcile,
    verbs_deciding.restore,
    verbs_running.retry,
    verbs_deciding.accept,
    verbs_deciding.cancel,
    verbs_deciding.fetch,
    verbs_telling.verify,
    verbs_telling.report,
    verbs_preparing.export,
    verbs_preparing.models,
    verbs_preparing.simulate,
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

"""The command itself: names its subcommands and turns how a run ended into an exit code.

Exit codes: 0 done, 1 some items failed, 2 wrong usage, 130 interrupted. Nothing imported here imports numba, numpy or cv2.
"""

from __future__ import annotations

import signal
import sys

import click

from .align import align
from .augment import augment
from .completion import completion
from .demo import demo
from .doctor import doctor
from .fit import fit
from .register import register_pair
from .show import show
from .warp import warp


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="numba-warpkit", prog_name="warpkit")
def warpkit() -> None:
    """Warp pictures: rotate, scale, shear, homographies, thin-plate splines, elastic fields.

    \b
    warpkit demo                                     see what it does
    warpkit warp photo.jpg -o out.jpg --rotate 10    turn a picture clockwise
    warpkit warp photos/ -o out/ --scale 0.5 --size fit
    warpkit augment photos/ -o more/ --recipe E      bend them at random
    """


for command in (demo, warp, augment, fit, register_pair, align, show, doctor, completion):
    warpkit.add_command(command)


def main() -> None:
    """Entry point of the installed command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a container's or a scheduler's stop is a Ctrl-C
    try:
        status = warpkit.main(prog_name="warpkit", standalone_mode=False)
    except click.exceptions.Abort:
        print("interrupted", file=sys.stderr)
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except OSError as error:  # of our own output, such as a full disk behind it; those of pictures are told as theirs
        print(f"Error: {error}", file=sys.stderr)
        status = 1
    # Where the reader of our output has gone, click has ended the process: there is nobody left to tell.
    sys.exit(status if isinstance(status, int) else 0)

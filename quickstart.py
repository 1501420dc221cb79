#!/usr/bin/env python3
"""From a bare machine to a restored photograph, out of a real ComfyUI server that runs this pack's nodes.

    python quickstart.py                        restore a degraded photo; pictures in output/quickstart/
    python quickstart.py --serve                the same, and leave ComfyUI's page open for use
    python quickstart.py --image me.jpg --degradation deblur      degrade a good photo of yours, and restore it
    python quickstart.py --restore me.jpg       restore a photo that is damaged already; --folder IN --out OUT: many
    python quickstart.py check                  lint, types and the fast tests
    python quickstart.py test [pytest options]  the whole test suite

Needs Python 3.10 or newer and nothing else. The first run makes a private environment in .quickstart/ (a few GB; delete
the folder to be rid of it); later runs need no network. A ComfyUI of your own is used where COMFYUI_PATH names it or
the clone lies in its custom_nodes folder; nothing in it is changed.
"""

import sys

# Any Python may be asked to run this file, so it is written for any to read.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("This is Python %d.%d; quickstart.py needs 3.10 or newer." % sys.version_info[:2])  # noqa: UP031

from launch.main import main

sys.exit(main(sys.argv[1:], __doc__))

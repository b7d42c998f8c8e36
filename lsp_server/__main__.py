"""``python -P -m lsp_server``: the command line without its console script."""

import sys

from .cli import main

sys.exit(main())

"""Run Python sources, one JSON string per line of standard input, in one namespace, and write what each of them prints.

With DJANGO_SETTINGS_MODULE in the environment, the sources run in that project.
"""

import json
import os
import sys
from contextlib import redirect_stdout
from io import StringIO

if "DJANGO_SETTINGS_MODULE" in os.environ:
    import django

    django.setup()

namespace = {"__name__": "__main__"}
for line in sys.stdin:
    with redirect_stdout(StringIO()) as output:
        exec(json.loads(line), namespace)
    sys.stdout.write(f"{json.dumps(output.getvalue())}\n")
    sys.stdout.flush()

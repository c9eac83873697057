"""Providers: those here, and those that are installed or in the package."""

import os
import sys

for _path in sys.path:
    _path += "/airflow/providers"
    if _path not in __path__ and os.path.isdir(_path):
        __path__.append(_path)

"""Everything that setuptools has to know stands in pyproject.toml; this file is for tools that look for a setup.py."""

import setuptools

setuptools.setup()
